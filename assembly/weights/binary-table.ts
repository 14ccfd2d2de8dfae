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
import { activations, activationScales, activationSums, outputs, paddedRows } from "../matmul-step";
import { interleaveHigh16, interleaveLow16 } from "../simd";
import { MatmulStep } from "../steps";
import { evenSums, oddSums, sumTiles } from "./table-sums";
import { TABLE_GROUPS, tileOffset } from "./tables";
import { clearRows, scaleRows } from "./uniform-scale";

export { binaryTableRow } from "./table-row";

/** Tiles summed at once. */
const STREAMS: i32 = 8;

// 2 S = 2 (low + 32 high), as pairs for i32x4.dot_i16x8_s.
const PAIR: usize = memory.data<i16>([2, 64, 2, 64, 2, 64, 2, 64], 16);

/**
 * Weights in the table layout of 4-weight groups, rows padded to 32 x kp (a multiple of 128), scale f32[rows];
 * activations are tables, actRowBytes a row, their scales f32[n] and masses (the sums of |q|) i32[n]. Writes rows
 * [rowBegin, rowEnd), multiples of 32.
 * @param scratch 1 KB private to the thread
 */
export function binaryTableMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  scratch: usize,
): void {
  const y = outputs(step, output),
    groups = step.k >> 2,
    nTiles = paddedRows(step) / TILE_ROWS,
    first = rowBegin / TILE_ROWS,
    last = rowEnd / TILE_ROWS;
  const distance = (last - first) / STREAMS,
    rest = first + distance * STREAMS;
  clearRows(y, step.yStride, n, rowBegin, rowEnd);
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    const length = min(TABLE_GROUPS, groups - g),
      tables = activations(step, input) + ((<usize>g) << 5);
    for (let set = 0; set <= distance; set++) {
      // Sets of eight tiles at `distance`; then the remaining tiles, which lie side by side, as one smaller set.
      const isRest = set == distance,
        tile = isRest ? rest : first + set,
        tiles = isRest ? last - rest : STREAMS,
        from = step.weights + tileOffset(g, tile, nTiles, groups),
        to = y + ((<usize>tile) << 7);
      if (tiles > 0) addTiles(step, from, isRest ? 1 : distance, tiles, length, tables, n, to, scratch);
    }
  }
  const actScale = activationScales(step, input);
  scaleRows(y, step.yStride, n, rowBegin, rowEnd, step.scale, actScale, activationSums(step, input));
}

/** Adds one k-block of `tiles` tiles, `distance` tiles apart, to the i32 sums of n activation rows. */
function addTiles(
  step: MatmulStep,
  w: usize,
  distance: i32,
  tiles: i32,
  groups: i32,
  tables: usize,
  n: i32,
  y: usize,
  scratch: usize,
): void {
  const tableStride = <usize>step.actRowBytes,
    yStride = step.yStride,
    tileStride = (<usize>distance * <usize>groups) << 4;
  const scale = v128.load(PAIR);
  for (let i = 0; i < n; i++) {
    sumTiles(w, tileStride, tiles, tables + <usize>i * tableStride, groups, scratch);
    for (let tile = 0; tile < tiles; tile++) {
      const sums = scratch + ((<usize>tile) << 7);
      const to = y + ((<usize>i * <usize>yStride) << 2) + ((<usize>(tile * distance)) << 7);
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
