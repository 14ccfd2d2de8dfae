/**
 * Binary weights (±1) with one scale a row x 8-bit activations, by lookup (tables.ts has the layout). A table entry is
 * the sum S of the activations under set bits, less the negative ones of the group, so Σ w q = 2 S - Σ |q|.
 *
 *   y[n][r] = f32(2 S - mass[n]) * f32(actScale[n] * rowScale[r])
 *
 *   for each k-block: for each set of 8 distant tiles: for each activation row: sum the block's lookups into y as i32
 *
 * Eight tiles at distance rows/8 are eight linear reads of memory at once: one stream alone waits for memory. Sapphire
 * Rapids reads 12.4 GB/s in eight streams, 11.5 in six, 9.7 in four, 5.3 in two (13.9 in the cache); Zen 5, where two
 * are enough, 9.5, –, 12.3 and 11.3. A set of tiles stays in the level-2 cache (80 KB) for all activation rows.
 */
import { TILE_ROWS } from "../abi";
import { interleaveHigh16, interleaveLow16 } from "../simd";
import { evenSums, oddSums, sumTiles } from "./table-sums";
import { TABLE_GROUPS, tileOffset } from "./tables";
import { clearRows, scaleRows } from "./uniform-scale";

export { binaryTableRow } from "./table-row";

/** Tiles summed at once. */
const STREAMS: i32 = 8;

// 2 S = 2 (low + 32 high), as pairs for i32x4.dot_i16x8_s.
const PAIR: usize = memory.data<i16>([2, 64, 2, 64, 2, 64, 2, 64], 16);

/**
 * @param w table layout of 4-weight groups, `rows` (a multiple of 32) x kp (a multiple of 128)
 * @param tables tables of activation row n at tables + n tableStride (bytes)
 * @param rowScale f32[rows]; actScale f32[n]; mass i32[n], the sums of |q|
 * @param y f32 (n, yStride); rows [rowBegin, rowEnd), multiples of 32, are written
 * @param scratch 1 KB private to the thread
 */
export function binaryTableMatmul(
  w: usize,
  rowScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  mass: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  kp: i32,
  scratch: usize,
): void {
  const groups = kp >> 2,
    nTiles = rows / TILE_ROWS,
    first = rowBegin / TILE_ROWS;
  const distance = (rowEnd / TILE_ROWS - first) / STREAMS,
    rest = first + distance * STREAMS;
  clearRows(y, yStride, n, rowBegin, rowEnd);
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    const length = min(TABLE_GROUPS, groups - g),
      table = tables + ((<usize>g) << 5);
    for (let t = first; t < first + distance; t++) {
      addTiles(
        w + tileOffset(g, t, nTiles, groups),
        distance,
        STREAMS,
        length,
        table,
        tableStride,
        y + ((<usize>t) << 7),
        yStride,
        n,
        scratch,
      );
    }
    const left = rowEnd / TILE_ROWS - rest;
    if (left > 0)
      addTiles(
        w + tileOffset(g, rest, nTiles, groups),
        1,
        left,
        length,
        table,
        tableStride,
        y + ((<usize>rest) << 7),
        yStride,
        n,
        scratch,
      );
  }
  scaleRows(y, yStride, n, rowBegin, rowEnd, rowScale, actScale, mass);
}

/** Adds one k-block of `streams` tiles, `distance` tiles apart, to the i32 sums of all activation rows. */
function addTiles(
  w: usize,
  distance: i32,
  streams: i32,
  groups: i32,
  table: usize,
  tableStride: i32,
  y: usize,
  yStride: i32,
  n: i32,
  scratch: usize,
): void {
  const tileStride = (<usize>distance * <usize>groups) << 4;
  const scale = v128.load(PAIR);
  for (let i = 0; i < n; i++) {
    sumTiles(w, tileStride, streams, table + <usize>i * <usize>tableStride, groups, scratch);
    for (let s = 0; s < streams; s++) {
      const sums = scratch + ((<usize>s) << 7);
      const to = y + ((<usize>i * <usize>yStride) << 2) + ((<usize>(s * distance)) << 7);
      addRows16(sums, to, scale);
      addRows16(sums + 64, to + 64, scale);
    }
  }
}

/** Adds the u16 sums of 16 rows to y: rows 0..7 are the even bytes' sums, rows 8..15 the odd bytes'. */
function addRows16(sums: usize, y: usize, pair: v128): void {
  addRows8(evenSums(sums), evenSums(sums + 32), y, pair);
  addRows8(oddSums(sums), oddSums(sums + 32), y + 32, pair);
}

function addRows8(low: v128, high: v128, y: usize, pair: v128): void {
  const v0 = i32x4.dot_i16x8_s(interleaveLow16(low, high), pair),
    v1 = i32x4.dot_i16x8_s(interleaveHigh16(low, high), pair);
  v128.store(y, i32x4.add(v128.load(y), v0));
  v128.store(y, i32x4.add(v128.load(y, 16), v1), 16);
}
