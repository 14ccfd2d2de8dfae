/**
 * Tables for ternary weights with one scale a row, where a lookup gives one byte: the sum v = w0 q0 + w1 q1 of a group,
 * made non-negative by adding its largest size m = |q0| + |q1|. While the sizes m of the groups added up stay under
 * 128, their byte sums are exact, so the activations decide how many groups may be added before widening. This takes
 * half the lookups of a fixed split into a low and a high table (tables.ts).
 *
 * Groups are sorted by size into chunks of a few fixed lengths, so that no branch of the kernel depends on the
 * activations of one group. With chunks in group order, the gate and up projections took 69 ms of a token of BitNet
 * 2B4T, sorted 47 (Node 20, Sapphire Rapids). Each list keeps memory order, so every pass reads forwards.
 *
 *   size        list       chunk
 *   128…254     split      one group, two tables: (q0, 0) and (0, q1)
 *   97…127      large      one
 *   64…96       upper      two: with one of the lower list, while there are any; else one
 *   32…63       middle     two
 *   8…31        lower      four, of those left
 *   1…7         tiny       sixteen
 *   0           none       left out: behind a squared ReLU, half of them or more
 *
 * Groups that do not fill a chunk of 16 fill fours; those that do not fill a chunk of 4 or 2 are added one by one.
 *
 * One activation row has a record for each k-block of TABLE_GROUPS groups:
 *
 *   byte 0    i32 Σ m of the block: the excess of its sums
 *   byte 4    i32 number of runs
 *   byte 8    runs, i32: chunks << 8 | groups per chunk (0: split), few enough for sums of u16; up to 13
 *   byte 64   u16 byte offset, in a tile's block, of each group's weights: split, ones, twos, fours, sixteens
 *   byte 1344 tables, 16 B a group, 32 B a split group, in the same order: byte [code] is v + m (codes as in tables.ts)
 */
import { SHORT_BLOCK_BYTES } from "../abi";
import { TABLE_GROUPS } from "./tables";

export { SHORT_BLOCK_BYTES } from "../abi";

export const PLACES_OFFSET: usize = 64;
export const TABLES_OFFSET: usize = 1344;

/** How many byte sums of at most 254 a 16-bit sum can hold: 256 · 254 < 2^16. */
const RUN_SUMS_MAX: i32 = 256;

// Lists (1 is the large one, which no code names), and the largest size in each.
const SPLIT: i32 = 0,
  UPPER: i32 = 2,
  MIDDLE: i32 = 3,
  LOWER: i32 = 4,
  TINY: i32 = 5;
const LARGE_MAX: i32 = 127,
  UPPER_MAX: i32 = 96,
  MIDDLE_MAX: i32 = 63,
  LOWER_MAX: i32 = 31,
  TINY_MAX: i32 = 7;

// Coefficients of the first and second weight in v[code], codes 0..8, as masks: where they are -1, where +1.
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
    buildBlock(
      q + ((<usize>first) << 2),
      records + <usize>(block * SHORT_BLOCK_BYTES),
      min(TABLE_GROUPS, groups - first),
    );
  }
}

function listOf(size: i32): i32 {
  return (
    i32(size <= LARGE_MAX) +
    i32(size <= UPPER_MAX) +
    i32(size <= MIDDLE_MAX) +
    i32(size <= LOWER_MAX) +
    i32(size <= TINY_MAX)
  );
}

function sizeOf(q: usize): i32 {
  return abs(<i32>load<i16>(q)) + abs(<i32>load<i16>(q, 2));
}

/** Counts the lists first, so each group is written once, in its place. */
function buildBlock(q: usize, record: usize, groups: i32): void {
  let total = 0,
    nSplit = 0,
    nLarge = 0,
    nUpper = 0,
    nMiddle = 0,
    nLower = 0,
    nTiny = 0;
  for (let g = 0; g < groups; g++) {
    const size = sizeOf(q + ((<usize>g) << 2));
    total += size;
    nSplit += i32(size > LARGE_MAX);
    nLarge += i32(size > UPPER_MAX);
    nUpper += i32(size > MIDDLE_MAX);
    nMiddle += i32(size > LOWER_MAX);
    nLower += i32(size > TINY_MAX);
    nTiny += i32(size > 0);
  }
  (nTiny -= nLower), (nLower -= nMiddle), (nMiddle -= nUpper), (nUpper -= nLarge), (nLarge -= nSplit);
  store<i32>(record, total);
  placeGroups(q, record, groups, nSplit, nLarge, nUpper, nMiddle, nLower, nTiny);
}

function placeGroups(
  q: usize,
  record: usize,
  groups: i32,
  nSplit: i32,
  nLarge: i32,
  nUpper: i32,
  nMiddle: i32,
  nLower: i32,
  nTiny: i32,
): void {
  const mixed = min(nUpper, nLower),
    even = nMiddle & ~1,
    lowerFours = (nLower - mixed) & ~3,
    sixteens = nTiny & ~15,
    tinyFours = (nTiny - sixteens) & ~3;
  const nTwos = 2 * mixed + even,
    nFours = lowerFours + tinyFours;
  const nOnes =
    nLarge + (nUpper - mixed) + (nMiddle - even) + (nLower - mixed - lowerFours) + (nTiny - sixteens - tinyFours);
  const twos = nSplit + nOnes,
    fours = twos + nTwos,
    tiny = fours + nFours;
  let split = 0,
    one = nSplit,
    upper = twos,
    lower = twos + 1,
    middle = twos + 2 * mixed,
    lowerFour = fours,
    tinyFour = fours + lowerFours,
    sixteen = tiny;
  for (let g = 0; g < groups; g++) {
    const from = q + ((<usize>g) << 2),
      size = sizeOf(from);
    if (size == 0) continue;
    let slot: i32;
    switch (listOf(size)) {
      case SPLIT:
        slot = split++;
        break;
      case UPPER:
        if (upper < twos + 2 * mixed) {
          slot = upper;
          upper += 2;
        } else slot = one++;
        break;
      case MIDDLE:
        slot = middle < fours ? middle++ : one++;
        break;
      case LOWER:
        if (lower < twos + 2 * mixed) {
          slot = lower;
          lower += 2;
        } else slot = lowerFour < fours + lowerFours ? lowerFour++ : one++;
        break;
      case TINY:
        slot = sixteen < tiny + sixteens ? sixteen++ : tinyFour < tiny ? tinyFour++ : one++;
        break;
      default:
        slot = one++;
    }
    storeGroup(record, slot, nSplit, g, from, size);
  }
  let run = addRuns(record + 8, nSplit, 0, RUN_SUMS_MAX / 2);
  run = addRuns(run, nOnes, 1, RUN_SUMS_MAX);
  run = addRuns(run, nTwos / 2, 2, RUN_SUMS_MAX);
  run = addRuns(run, nFours / 4, 4, RUN_SUMS_MAX);
  run = addRuns(run, sixteens / 16, 16, RUN_SUMS_MAX);
  store<i32>(record, <i32>(run - record - 8) >> 2, 4);
}

function addRuns(run: usize, chunks: i32, length: i32, chunksMax: i32): usize {
  for (; chunks > 0; chunks -= chunksMax, run += 4) store<i32>(run, (min(chunks, chunksMax) << 8) | length);
  return run;
}

/** Writes the offset and the tables of group g, the slot-th of the record; split groups come first. */
function storeGroup(record: usize, slot: i32, nSplit: i32, g: i32, q: usize, size: i32): void {
  store<u16>(record + ((<usize>slot) << 1), <u16>(g << 4), PLACES_OFFSET);
  const table = record + TABLES_OFFSET + ((<usize>(slot < nSplit ? 2 * slot : nSplit + slot)) << 4);
  const a = <i32>load<i16>(q),
    b = <i32>load<i16>(q, 2);
  if (slot < nSplit) {
    storeTable(table, a, 0, abs(a));
    storeTable(table + 16, 0, b, abs(b));
  } else storeTable(table, a, b, size);
}

/** Byte [code] = w0 a + w1 b + size. */
function storeTable(table: usize, a: i32, b: i32, size: i32): void {
  const va = i8x16.splat(<i8>a),
    vb = i8x16.splat(<i8>b);
  const less = i8x16.add(v128.and(va, v128.load(FIRST_MINUS)), v128.and(vb, v128.load(SECOND_MINUS)));
  const more = i8x16.add(v128.and(va, v128.load(FIRST_PLUS)), v128.and(vb, v128.load(SECOND_PLUS)));
  v128.store(table, i8x16.add(i8x16.sub(more, less), i8x16.splat(<i8>size)));
}
