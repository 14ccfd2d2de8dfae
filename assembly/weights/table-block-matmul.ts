/**
 * Matmul over a table layout (tables.ts) whose weights have an f16 scale a block and whose activations have an f32
 * scale a block of 32 groups (64 ternary or 128 binary weights). Shared by the ternary and the binary kernel.
 *
 *   acc = 0; for each activation block b in order: acc = acc + f32(isum) * f32(blockScale * actScale[n][b]); y = acc
 *
 * isum is exact; nothing is fused; y holds acc between k-blocks, so the order never depends on threads or batch.
 * Scales lie beside the tiles as [tile][scale block][32 rows] f16. Four distant tiles at once, as in table-matmul.ts.
 */
import { f16HighToF32, f16LowToF32, interleaveHigh16, interleaveLow16 } from "../simd";
import { clearSums, evenSums, oddSums, sumTiles } from "./table-sums";
import { TABLE_GROUPS, TILE_ROWS, tileOffset } from "./tables";
import { clearRows } from "./uniform-scale";

/** Tiles summed at once. */
const STREAMS: i32 = 4;
/** Groups of an activation block. */
const BLOCK_GROUPS: i32 = 32;

/** What low and high table sums of a tile stand for: y = low pair[0] + high pair[1]. */
export const TERNARY_8: usize = memory.data<i16>([1, 32, 1, 32, 1, 32, 1, 32], 16);
export const BINARY_8: usize = memory.data<i16>([2, 64, 2, 64, 2, 64, 2, 64], 16);
export const BINARY_4: usize = memory.data<i16>([2, 128, 2, 128, 2, 128, 2, 128], 16);

/**
 * @param blocksPerScale activation blocks that share a weight scale
 * @param actScale f32[n][groups / 32]
 * @param actSum i32[n][groups / 32] subtracted from the sums, or 0 for none
 * @param pair TERNARY_8, BINARY_8 or BINARY_4; the last looks up in 4-group tables
 * @param groups groups a row, a multiple of 32
 * @param scratch 512 B private to the thread
 */
export function tableBlockMatmul(
  w: usize,
  blockScale: usize,
  blocksPerScale: i32,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  actSum: usize,
  pair: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  groups: i32,
  scratch: usize,
): void {
  const nTiles = rows / TILE_ROWS;
  const last = rowEnd / TILE_ROWS;
  const nBlocks = groups / BLOCK_GROUPS;
  const first = rowBegin / TILE_ROWS;
  const distance = (last - first) / STREAMS;
  const rest = first + distance * STREAMS;
  const tileScales = nBlocks / blocksPerScale;
  clearRows(y, yStride, n, rowBegin, rowEnd);
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    const length = min(TABLE_GROUPS, groups - g);
    for (let t = first; t < last; t++) {
      // Sets of 4 tiles at `distance`; then the tiles left over, which lie side by side, as one smaller set.
      if (t == first + distance) t = rest;
      if (t >= last) break;
      const left = t == rest;
      const streams = left ? last - rest : STREAMS;
      const step = left ? 1 : distance;
      for (let i = 0; i < n; i++) {
        addBlocks(
          w + tileOffset(g, t, nTiles, groups),
          step,
          streams,
          length,
          tables + <usize>i * <usize>tableStride + (<usize>g << 5),
          blockScale + (<usize>(t * tileScales) << 6),
          tileScales,
          blocksPerScale,
          g / BLOCK_GROUPS,
          actScale + (<usize>(i * nBlocks) << 2),
          actSum != 0 ? actSum + (<usize>(i * nBlocks) << 2) : 0,
          pair,
          y + ((<usize>i * <usize>yStride) << 2) + (<usize>t << 7),
          scratch,
        );
      }
      if (left) break;
    }
  }
}

/** Adds one k-block of `streams` tiles, `step` tiles apart, to one activation row's y, activation block by block. */
function addBlocks(
  w: usize,
  step: i32,
  streams: i32,
  groups: i32,
  table: usize,
  scales: usize,
  tileScales: i32,
  blocksPerScale: i32,
  block: i32,
  actScale: usize,
  actSum: usize,
  pair: usize,
  y: usize,
  sums: usize,
): void {
  const tileStride = (<usize>step * <usize>groups) << 4;
  const scaleStride = <usize>(step * tileScales) << 6;
  const weights = v128.load(pair);
  const high = i32(i16x8.extract_lane_s(weights, 1));
  const four = high == 128;
  // Each of the 32 groups' high byte is 16 (4-group scheme: 32) too large.
  const bias = high * BLOCK_GROUPS * (four ? 32 : 16);
  for (const end = w + (<usize>groups << 4); w < end; w += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32, block++) {
    clearSums(sums, STREAMS);
    sumTiles(w, tileStride, streams, table, BLOCK_GROUPS, four ? 4 : 8, sums);
    const a = v128.load32_splat(actScale + (<usize>block << 2));
    const c = i32x4.splat(bias + (actSum != 0 ? load<i32>(actSum + (<usize>block << 2)) : 0));
    const scale = scales + (<usize>(block / blocksPerScale) << 6);
    scaleTiles(sums, streams, scale, scaleStride, a, y, <usize>step << 7, weights, c);
  }
}

/** Adds the scaled sums of one block of `tiles` tiles to y, 16 rows at a time. */
function scaleTiles(
  sums: usize,
  tiles: i32,
  scale: usize,
  scaleStride: usize,
  a: v128,
  y: usize,
  yStep: usize,
  weights: v128,
  c: v128,
): void {
  for (const sumsEnd = sums + (<usize>tiles << 7); sums < sumsEnd; scale += scaleStride, y += yStep) {
    for (let half: usize = 0; half < 2; half++, sums += 64) {
      const from = scale + (half << 5);
      const to = y + (half << 6);
      addRows8(evenSums(sums), evenSums(sums + 32), v128.load(from), a, to, weights, c);
      addRows8(oddSums(sums), oddSums(sums + 32), v128.load(from, 16), a, to + 32, weights, c);
    }
  }
}

function addRows8(low: v128, high: v128, scale: v128, a: v128, y: usize, weights: v128, c: v128): void {
  const v0 = i32x4.sub(i32x4.dot_i16x8_s(interleaveLow16(low, high), weights), c);
  const v1 = i32x4.sub(i32x4.dot_i16x8_s(interleaveHigh16(low, high), weights), c);
  const p0 = f32x4.mul(f32x4.convert_i32x4_s(v0), f32x4.mul(f16LowToF32(scale), a));
  const p1 = f32x4.mul(f32x4.convert_i32x4_s(v1), f32x4.mul(f16HighToF32(scale), a));
  v128.store(y, f32x4.add(v128.load(y), p0));
  v128.store(y, f32x4.add(v128.load(y, 16), p1), 16);
}
