/**
 * Matmul over a table layout (tables.ts) whose weights have an f16 scale a block and whose activations have an f32
 * scale a block of 32 groups (64 ternary or 128 binary weights). Shared by the ternary and the binary kernel.
 *
 *   acc = 0; for each activation block b in order: acc = acc + f32(isum) * f32(blockScale * actScale[n][b]); y = acc
 *
 * isum is exact; nothing is fused; y holds acc between k-blocks, so the order never depends on threads or batch.
 * Scales lie beside the tiles as [tile][scale block][32 rows] f16. Four distant tiles at once, as in binary-table.ts.
 */
import { f16HighToF32, f16LowToF32, interleaveHigh16, interleaveLow16 } from "../simd";
import { clearSums, evenSums, oddSums, sumTiles } from "./table-sums";
import { TABLE_GROUPS, TILE_ROWS, tileOffset } from "./tables";
import { clearRows } from "./uniform-scale";

/** Tiles summed at once. */
const STREAMS: i32 = 4;
/** Groups of an activation block. */
const BLOCK_GROUPS: i32 = 32;
/** Scratch: the sums of a set of tiles, then its scales as f32: 4 tiles x at most 20 blocks x 32 rows = 10 KB. */
const SUMS_BYTES: usize = 128 * 4;

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
 * @param scratch 11 KB private to the thread
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
  const nBlocks = groups / BLOCK_GROUPS;
  const tileScales = nBlocks / blocksPerScale;
  const first = rowBegin / TILE_ROWS;
  const last = rowEnd / TILE_ROWS;
  const distance = (last - first) / STREAMS;
  const rest = first + distance * STREAMS;
  clearRows(y, yStride, n, rowBegin, rowEnd);
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    const length = min(TABLE_GROUPS, groups - g);
    const block = g / BLOCK_GROUPS;
    const nScales = length / BLOCK_GROUPS / blocksPerScale;
    // Sets of four tiles at `distance`; then the tiles left over, which lie side by side, as one smaller set.
    for (let set = 0; set <= distance; set++) {
      const isRest = set == distance;
      const tile = isRest ? rest : first + set;
      const tiles = isRest ? last - rest : STREAMS;
      const step = isRest ? 1 : distance;
      const from = w + tileOffset(g, tile, rows / TILE_ROWS, groups);
      const scales = blockScale + (<usize>(tile * tileScales + block / blocksPerScale) << 6);
      convertScales(scales, <usize>(step * tileScales) << 6, tiles, nScales, scratch + SUMS_BYTES);
      for (let i = 0; i < n && tiles > 0; i++) {
        const act = <usize>(i * nBlocks + block) << 2;
        const table = tables + <usize>i * <usize>tableStride + (<usize>g << 5);
        const to = y + ((<usize>i * <usize>yStride) << 2) + (<usize>tile << 7);
        const sums = actSum != 0 ? actSum + act : 0;
        addBlocks(from, step, tiles, length, table, blocksPerScale, nScales, actScale + act, sums, pair, to, scratch);
      }
    }
  }
}

/**
 * The k-block's scales of a set of tiles as f32 [tile][scale block][32 rows]. Read in one go: as four more streams
 * beside the weights they cost a fifth of the speed.
 */
function convertScales(from: usize, fromStride: usize, tiles: i32, nScales: i32, to: usize): void {
  for (let t = 0; t < tiles; t++, from += fromStride) {
    let at = from;
    for (const end = from + (<usize>nScales << 6); at < end; at += 16, to += 32) {
      const h = v128.load(at);
      v128.store(to, f16LowToF32(h));
      v128.store(to, f16HighToF32(h), 16);
    }
  }
}

/** Adds one k-block of `tiles` tiles, `step` tiles apart, to one activation row's y, activation block by block. */
function addBlocks(
  w: usize,
  step: i32,
  tiles: i32,
  groups: i32,
  table: usize,
  blocksPerScale: i32,
  nScales: i32,
  actScale: usize,
  actSum: usize,
  pair: usize,
  y: usize,
  scratch: usize,
): void {
  const tileStride = (<usize>step * <usize>groups) << 4;
  const weights = v128.load(pair);
  const high = i32(i16x8.extract_lane_s(weights, 1));
  const groupsPerFlush = high == 128 ? 4 : 8;
  // Each of the 32 groups' high byte is 16 (4-group scheme: 32) too large.
  const bias = high * BLOCK_GROUPS * (high == 128 ? 32 : 16);
  const nBlocks = groups / BLOCK_GROUPS;
  for (let b = 0; b < nBlocks; b++, w += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32) {
    clearSums(scratch, STREAMS);
    sumTiles(w, tileStride, tiles, table, BLOCK_GROUPS, groupsPerFlush, scratch);
    const at = <usize>b << 2;
    const a = v128.load32_splat(actScale + at);
    const c = i32x4.splat(bias + (actSum != 0 ? load<i32>(actSum + at) : 0));
    const scale = scratch + SUMS_BYTES + (<usize>(b / blocksPerScale) << 7);
    scaleTiles(scratch, tiles, scale, <usize>nScales << 7, a, y, <usize>step << 7, weights, c);
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
    for (let half: usize = 0; half < 128; half += 64, sums += 64) {
      addRows8(evenSums(sums), evenSums(sums + 32), scale + half, a, y + half, weights, c);
      addRows8(oddSums(sums), oddSums(sums + 32), scale + half + 32, a, y + half + 32, weights, c);
    }
  }
}

function addRows8(low: v128, high: v128, scale: usize, a: v128, y: usize, weights: v128, c: v128): void {
  const v0 = i32x4.sub(i32x4.dot_i16x8_s(interleaveLow16(low, high), weights), c);
  const v1 = i32x4.sub(i32x4.dot_i16x8_s(interleaveHigh16(low, high), weights), c);
  const p0 = f32x4.mul(f32x4.convert_i32x4_s(v0), f32x4.mul(v128.load(scale), a));
  const p1 = f32x4.mul(f32x4.convert_i32x4_s(v1), f32x4.mul(v128.load(scale, 16), a));
  v128.store(y, f32x4.add(v128.load(y), p0));
  v128.store(y, f32x4.add(v128.load(y, 16), p1), 16);
}
