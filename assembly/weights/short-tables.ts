/**
 * Tables for ternary weights with one scale a row, where a lookup gives one byte: the sum v = w0 q0 + w1 q1 of a group,
 * made non-negative by its largest size m = |q0| + |q1|. As long as the widths 2 m of the groups that are added up stay
 * under 256, their byte sums are exact, so how many groups may be added before widening follows from the activations:
 * about two for the normal-like inputs of a projection, five and more behind a squared ReLU. This takes half the
 * lookups of a fixed split into a low and a high table (tables.ts): 64 against 29 GMAC/s from memory (Node 20, Zen 5).
 *
 *   chunk     groups whose m add up to at most 127: one byte sum, then widened to 16 bits
 *   split     a group with m > 127: two tables, (q0, 0) and (0, q1), over the same weights; chunk length 0
 *   segment   chunks whose m add up to at most 32767: one 16-bit sum, then widened to 32 bits
 *
 * One activation row has a record for each k-block of TABLE_GROUPS groups:
 *
 *   byte 0    i32 Σ m of the block: what the sums are too large by
 *   byte 4    i32 number of segments
 *   byte 8    i32 chunks in each segment, up to 8
 *   byte 64   u8  groups in each chunk, 0 for a split group
 *   byte 704  u16 byte offset, in a tile's block, of each group's weights
 *   byte 1984 tables, 16 B a group, 32 B a split group, in order: byte [code] is v + m (codes as in tables.ts)
 *
 * Groups whose two activations are zero are left out: behind a squared ReLU that is half of them and more.
 */
import { TABLE_GROUPS } from "./tables";

export const CHUNKS_OFFSET: usize = 64;
export const PLACES_OFFSET: usize = 704;
export const TABLES_OFFSET: usize = 1984;
/** Bytes of one k-block's record. */
export const SHORT_BLOCK_BYTES: i32 = 22464;

/** Largest Σ m of a chunk: sums of v + m reach 2 · 127 = 254. */
const CHUNK_SIZE_MAX: i32 = 127;
/** A segment ends once Σ m passes this: the chunk that passes it brings at most 254 more, and 2 · 32767 < 2^16. */
const SEGMENT_SIZE_MAX: i32 = 32767 - 254;

// Coefficients of the first and second weight in v[code], codes 0..8, as masks: where they are -1, where they are +1.
const FIRST_MINUS: usize = memory.data<u8>([255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16);
const FIRST_PLUS: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0], 16);
const SECOND_MINUS: usize = memory.data<u8>([255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16);
const SECOND_PLUS: usize = memory.data<u8>([0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0], 16);

/** k-blocks of a row of `groups` groups. */
export function shortBlocks(groups: i32): i32 {
  return (groups + TABLE_GROUPS - 1) / TABLE_GROUPS;
}

/**
 * Records of k-blocks [blockBegin, blockEnd) of one activation row.
 * @param q activations, i16[2 groups], |q| <= 127
 * @param records SHORT_BLOCK_BYTES a k-block
 */
export function buildShortTables(q: usize, records: usize, groups: i32, blockBegin: i32, blockEnd: i32): void {
  for (let block = blockBegin; block < blockEnd; block++) {
    const first = block * TABLE_GROUPS;
    buildBlock(q + (<usize>first << 2), records + <usize>(block * SHORT_BLOCK_BYTES), min(TABLE_GROUPS, groups - first));
  }
}

function buildBlock(q: usize, record: usize, groups: i32): void {
  let chunk = record + CHUNKS_OFFSET, place = record + PLACES_OFFSET, table = record + TABLES_OFFSET, offset: u16 = 0;
  let segments = 0, segmentSize = 0, segmentChunks = 0, chunkSize = 0, chunkGroups = 0, total = 0;
  for (const end = q + (<usize>groups << 2); q < end; q += 4, offset += 16) {
    if (load<u32>(q) == 0) continue;
    const a = <i32>load<i16>(q), b = <i32>load<i16>(q, 2), size = abs(a) + abs(b), split = size > CHUNK_SIZE_MAX;
    if (chunkGroups > 0 && (split || chunkSize + size > CHUNK_SIZE_MAX || chunkGroups == 255)) {
      store<u8>(chunk++, <u8>chunkGroups);
      segmentChunks++;
      chunkGroups = 0, chunkSize = 0;
    }
    if (segmentSize > SEGMENT_SIZE_MAX && chunkGroups == 0) {
      store<i32>(record + (<usize>segments << 2), segmentChunks, 8);
      segments++;
      segmentChunks = 0, segmentSize = 0;
    }
    store<u16>(place, offset);
    place += 2;
    total += size, segmentSize += size;
    if (split) {
      storeTable(table, a, 0, abs(a));
      storeTable(table + 16, 0, b, abs(b));
      store<u8>(chunk++, 0);
      segmentChunks++;
      table += 32;
    } else {
      storeTable(table, a, b, size);
      chunkSize += size, chunkGroups++;
      table += 16;
    }
  }
  if (chunkGroups > 0) {
    store<u8>(chunk, <u8>chunkGroups);
    segmentChunks++;
  }
  store<i32>(record + (<usize>segments << 2), segmentChunks, 8);
  store<i32>(record, total);
  store<i32>(record, segments + 1, 4);
}

/** Byte [code] = w0 a + w1 b + size. */
function storeTable(table: usize, a: i32, b: i32, size: i32): void {
  const va = i8x16.splat(<i8>a), vb = i8x16.splat(<i8>b);
  const less = i8x16.add(v128.and(va, v128.load(FIRST_MINUS)), v128.and(vb, v128.load(SECOND_MINUS)));
  const more = i8x16.add(v128.and(va, v128.load(FIRST_PLUS)), v128.and(vb, v128.load(SECOND_PLUS)));
  v128.store(table, i8x16.add(i8x16.sub(more, less), i8x16.splat(<i8>size)));
}
