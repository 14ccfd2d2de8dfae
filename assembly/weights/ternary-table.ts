/**
 * Ternary weights with one scale a row x 8-bit activations, by lookup (tables.ts has the layout of the weights,
 * short-tables.ts that of the tables).
 *
 *   acc = Σ w q, exact;  y[n][r] = f32(acc) * f32(actScale[n] * rowScale[r])
 *
 *   for each k-block: for each set of 8 distant tiles: for each activation row: for each run of chunks:
 *     for each few chunks of it: for each pair of tiles: add the lookups to the pair's sums of 16 bits
 *     then widen those into y as i32
 *
 * Two tiles share the loads of tables: 64 GMAC/s against 48 with one (Zen 5). Eight tiles at distance rows/8, taken in
 * turn every few chunks, are eight linear reads of memory at once: 35 GMAC/s against 28 with two (Sapphire Rapids).
 * Each length of chunk has its own loop. The loop for long chunks does one group per iteration on purpose: unrolled, V8
 * moves every load of a chunk before its lookups and spills the registers, 36 GMAC/s against 61, both in the cache.
 *
 *   scratch: sums, u16: 128 B a pair of tiles: of the first one low nibbles (rows 0..15), odd of them, high nibbles
 *   (rows 16..31), odd, then the same of the second; byte 576: i32 a row
 */
import { TERNARY_TABLE_SCRATCH_BYTES, TILE_ROWS } from "../abi";
import { activations, activationScales, outputs, paddedRows } from "../matmul-step";
import { swizzle } from "../simd";
import { MatmulStep } from "../steps";
import { PLACES_OFFSET, SHORT_BLOCK_BYTES, TABLES_OFFSET, shortBlocks } from "./short-tables";
import { TABLE_GROUPS, tileOffset } from "./tables";
import { clearRows, scaleRows } from "./uniform-scale";

export { ternaryTableRow } from "./table-row";

const NIBBLE: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/** Tiles summed in turn, at most. */
const STREAMS: i32 = 8;
/** Groups of a pair before the next pair's turn: about 700 bytes of each tile. */
const TURN_GROUPS: usize = 32;
/** Bytes of a tile's 32 sums in y, of a pair's in scratch. */
const TILE_SUM_BYTES: usize = 128,
  PAIR_SUM_BYTES: usize = 128;
/** Offsets in scratch: of a word that nobody reads (addTiles), and of each activation row's excess of sums. */
const TOUCHED: usize = 512,
  OFFSETS: usize = TERNARY_TABLE_SCRATCH_BYTES;

/**
 * Weights in the table layout of 2-weight groups, rows padded to 32 x kp (a multiple of 64); activations are records,
 * actRowBytes a row. Writes rows [rowBegin, rowEnd), multiples of 32.
 * @param scratch 4 n + 576 bytes private to the thread
 */
export function ternaryTableMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  scratch: usize,
): void {
  const w = step.weights,
    tables = activations(step, input),
    tableStride = step.actRowBytes,
    y = outputs(step, output),
    yStride = step.yStride;
  const groups = step.k >> 1,
    nTiles = paddedRows(step) / TILE_ROWS,
    nBlocks = shortBlocks(groups);
  const first = rowBegin / TILE_ROWS,
    end = rowEnd / TILE_ROWS,
    streams = streamsFor(end - first),
    distance = (end - first) / streams,
    rest = first + distance * streams;
  clearRows(y, yStride, n, rowBegin, rowEnd);
  for (let block = 0; block < nBlocks; block++) {
    const g = block * TABLE_GROUPS,
      records = tables + <usize>(block * SHORT_BLOCK_BYTES),
      tileBytes = (<usize>min(TABLE_GROUPS, groups - g)) << 4;
    // Sets of `streams` tiles at `distance`; then the remaining tiles, which lie side by side, as one smaller set.
    for (let set = 0; set <= distance; set++) {
      const isRest = set == distance,
        tile = isRest ? rest : first + set,
        apart = <usize>(isRest ? 1 : distance);
      const at = tileOffset(g, tile, nTiles, groups),
        from = w + at,
        to = y + <usize>tile * TILE_SUM_BYTES;
      // Load ahead the next set, or the first one of the next k-block if its tiles lie as far apart.
      const next = g + TABLE_GROUPS,
        endsBlock = set + 1 == distance && rest == end && next + TABLE_GROUPS <= groups;
      const ahead = set + 1 < distance ? tileBytes : endsBlock ? tileOffset(next, first, nTiles, groups) - at : 0;
      for (let i = 0; i < n; i++) {
        const row = (<usize>i * <usize>yStride) << 2;
        addTiles(
          from,
          apart * tileBytes,
          isRest ? end - rest : streams,
          records + <usize>i * <usize>tableStride,
          to + row,
          apart * TILE_SUM_BYTES,
          i == 0 ? ahead : 0,
          scratch,
        );
      }
    }
  }
  for (let i = 0; i < n; i++)
    store<i32>(scratch + OFFSETS + ((<usize>i) << 2), excess(tables + <usize>i * <usize>tableStride, nBlocks));
  scaleRows(y, yStride, n, rowBegin, rowEnd, step.scale, activationScales(step, input), scratch + OFFSETS);
}

/** Six if that leaves no tiles over and eight does: remaining tiles are not loaded ahead. */
function streamsFor(tiles: i32): i32 {
  return tiles % STREAMS != 0 && tiles % (STREAMS - 2) == 0 ? STREAMS - 2 : STREAMS;
}

/** The excess of every sum of an activation row. */
function excess(records: usize, nBlocks: i32): i32 {
  let total = 0;
  for (let block = 0; block < nBlocks; block++) total += load<i32>(records + <usize>(block * SHORT_BLOCK_BYTES));
  return total;
}

/**
 * Adds one k-block of `tiles` tiles (up to 8), tileStep bytes apart, to their sums in y, yStep apart. Meanwhile it
 * loads the next tiles, `ahead` bytes on: a pass skips about in its tiles, and no prefetcher follows that. A load with
 * every chunk gives 35 GMAC/s from memory, loads in bursts 27, none 22.
 */
function addTiles(
  w: usize,
  tileStep: usize,
  tiles: i32,
  record: usize,
  y: usize,
  yStep: usize,
  ahead: usize,
  scratch: usize,
): void {
  let touched = 0;
  const nPairs = (tiles + 1) >> 1;
  let place = record + PLACES_OFFSET,
    table = record + TABLES_OFFSET;
  for (let run = record + 8, end = run + ((<usize>load<i32>(record, 4)) << 2); run < end; run += 4) {
    const length = <usize>load<u8>(run),
      chunkGroups = max<usize>(1, length),
      chunkTables: usize = chunkGroups << (length == 0 ? 5 : 4);
    memory.fill(scratch, 0, <usize>nPairs * PAIR_SUM_BYTES);
    for (let left = <usize>(load<i32>(run) >> 8); left > 0; ) {
      const chunks = min(left, TURN_GROUPS / chunkGroups);
      for (let pair = 0, at = w; pair < nPairs; pair++, at += 2 * tileStep) {
        // Of an odd number of tiles the last is its own partner.
        const distance = 2 * pair + 1 < tiles ? tileStep : 0,
          sums = scratch + <usize>pair * PAIR_SUM_BYTES;
        touched +=
          length == 2
            ? addTwos(at, distance, place, table, chunks, at + ahead, sums)
            : addPair(at, distance, place, table, chunks, length, at + ahead, sums);
      }
      ahead += (chunks * chunkGroups) << 4;
      (left -= chunks), (place += (chunks * chunkGroups) << 1), (table += chunks * chunkTables);
    }
    for (let tile = 0, sums = scratch; tile < tiles; tile++, sums += PAIR_SUM_BYTES >> 1) {
      const to = y + <usize>tile * yStep;
      widen(to, v128.load(sums), v128.load(sums, 16)), widen(to + 64, v128.load(sums, 32), v128.load(sums, 48));
    }
  }
  // Stored, so that no compiler drops the loads.
  store<i32>(scratch + TOUCHED, touched);
}

/**
 * Adds `chunks` chunks of `length` groups (0: split ones; not 2) of the tiles at w and w + distance to their sums. x
 * and z are a group's codes in the two tiles; sums of a tile's low nibbles (rows 0..15) and high ones (16..31) are
 * 16-bit lanes of both bytes, and of the odd one.
 */
function addPair(
  w: usize,
  distance: usize,
  place: usize,
  table: usize,
  chunks: usize,
  length: usize,
  ahead: usize,
  sums: usize,
): i32 {
  const mask = v128.load(NIBBLE),
    placesEnd = place + ((chunks * max<usize>(1, length)) << 1);
  let touched = 0;
  let a = v128.load(sums),
    aOdd = v128.load(sums, 16),
    b = v128.load(sums, 32),
    bOdd = v128.load(sums, 48);
  let c = v128.load(sums, 64),
    cOdd = v128.load(sums, 80),
    d = v128.load(sums, 96),
    dOdd = v128.load(sums, 112);
  if (length <= 1) {
    for (const bytes: usize = length == 0 ? 32 : 16; place < placesEnd; place += 2, ahead += 16) {
      touched += touch(ahead, distance);
      const at = w + load<u16>(place),
        x = v128.load(at),
        z = v128.load(at + distance);
      for (const tableEnd = table + bytes; table < tableEnd; table += 16) {
        const t = v128.load(table),
          la = low(t, x, mask),
          lb = high(t, x, mask),
          lc = low(t, z, mask),
          ld = high(t, z, mask);
        (a = i16x8.add(a, la)), (aOdd = addOdd(aOdd, la)), (b = i16x8.add(b, lb)), (bOdd = addOdd(bOdd, lb));
        (c = i16x8.add(c, lc)), (cOdd = addOdd(cOdd, lc)), (d = i16x8.add(d, ld)), (dOdd = addOdd(dOdd, ld));
      }
    }
  } else {
    while (place < placesEnd) {
      let la = i32x4.splat(0),
        lb = la,
        lc = la,
        ld = la;
      for (const chunkEnd = place + (length << 1); place < chunkEnd; place += 2, table += 16, ahead += 16) {
        touched += touch(ahead, distance);
        const at = w + load<u16>(place),
          t = v128.load(table),
          x = v128.load(at),
          z = v128.load(at + distance);
        (la = i8x16.add(la, low(t, x, mask))), (lb = i8x16.add(lb, high(t, x, mask)));
        (lc = i8x16.add(lc, low(t, z, mask))), (ld = i8x16.add(ld, high(t, z, mask)));
      }
      (a = i16x8.add(a, la)), (aOdd = addOdd(aOdd, la)), (b = i16x8.add(b, lb)), (bOdd = addOdd(bOdd, lb));
      (c = i16x8.add(c, lc)), (cOdd = addOdd(cOdd, lc)), (d = i16x8.add(d, ld)), (dOdd = addOdd(dOdd, ld));
    }
  }
  v128.store(sums, a), v128.store(sums, aOdd, 16), v128.store(sums, b, 32), v128.store(sums, bOdd, 48);
  v128.store(sums, c, 64), v128.store(sums, cOdd, 80), v128.store(sums, d, 96), v128.store(sums, dOdd, 112);
  return touched;
}

/** addPair for chunks of two groups: p and r point to their codes. */
function addTwos(w: usize, distance: usize, place: usize, table: usize, chunks: usize, ahead: usize, sums: usize): i32 {
  const mask = v128.load(NIBBLE),
    placesEnd = place + (chunks << 2);
  let touched = 0;
  let a = v128.load(sums),
    aOdd = v128.load(sums, 16),
    b = v128.load(sums, 32),
    bOdd = v128.load(sums, 48);
  let c = v128.load(sums, 64),
    cOdd = v128.load(sums, 80),
    d = v128.load(sums, 96),
    dOdd = v128.load(sums, 112);
  for (; place < placesEnd; place += 4, table += 32, ahead += 32) {
    touched += touch(ahead, distance);
    const p = w + load<u16>(place),
      r = w + load<u16>(place, 2),
      t = v128.load(table),
      u = v128.load(table, 16);
    let x = v128.load(p),
      z = v128.load(r);
    const la = i8x16.add(low(t, x, mask), low(u, z, mask)),
      lb = i8x16.add(high(t, x, mask), high(u, z, mask));
    (a = i16x8.add(a, la)), (aOdd = addOdd(aOdd, la)), (b = i16x8.add(b, lb)), (bOdd = addOdd(bOdd, lb));
    (x = v128.load(p + distance)), (z = v128.load(r + distance));
    const lc = i8x16.add(low(t, x, mask), low(u, z, mask)),
      ld = i8x16.add(high(t, x, mask), high(u, z, mask));
    (c = i16x8.add(c, lc)), (cOdd = addOdd(cOdd, lc)), (d = i16x8.add(d, ld)), (dOdd = addOdd(dOdd, ld));
  }
  v128.store(sums, a), v128.store(sums, aOdd, 16), v128.store(sums, b, 32), v128.store(sums, bOdd, 48);
  v128.store(sums, c, 64), v128.store(sums, cOdd, 80), v128.store(sums, d, 96), v128.store(sums, dOdd, 112);
  return touched;
}

/** Loads from two tiles, so that their cache lines are here at their turn. */
function touch(at: usize, distance: usize): i32 {
  return load<i32>(at) + load<i32>(at + distance);
}

function low(table: v128, codes: v128, mask: v128): v128 {
  return swizzle(table, v128.and(codes, mask));
}
function high(table: v128, codes: v128, mask: v128): v128 {
  return swizzle(table, v128.and(i16x8.shr_u(codes, 4), mask));
}
function addOdd(sums: v128, bytes: v128): v128 {
  return i16x8.add(sums, i16x8.shr_u(bytes, 8));
}

/** Adds 16 sums to i32: rows 0..7 are both - (odd << 8), mod 2^16, rows 8..15 the odd ones (tables.ts). */
function widen(y: usize, both: v128, odd: v128): void {
  const even = i16x8.sub(both, i16x8.shl(odd, 8));
  v128.store(y, i32x4.add(v128.load(y), i32x4.extend_low_i16x8_u(even)));
  v128.store(y, i32x4.add(v128.load(y, 16), i32x4.extend_high_i16x8_u(even)), 16);
  v128.store(y, i32x4.add(v128.load(y, 32), i32x4.extend_low_i16x8_u(odd)), 32);
  v128.store(y, i32x4.add(v128.load(y, 48), i32x4.extend_high_i16x8_u(odd)), 48);
}
