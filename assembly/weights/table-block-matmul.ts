/**
 * Matmul over a table layout (tables.ts) whose weights have an f16 scale a block and whose activations have an f32
 * scale a block of 32 groups (64 ternary or 128 binary weights). Shared by the ternary and the binary kernel.
 *
 *   acc = 0; for each activation block b in order: acc = acc + f32(isum) * f32(blockScale * actScale[n][b]); y = acc
 *
 * isum is exact; nothing is fused; y holds acc between k-blocks, so the order never depends on threads or batch.
 * Scales lie beside the tiles as [tile][scale block][32 rows] f16. Eight distant tiles at once, as in binary-table.ts.
 */
import { TILE_ROWS } from "../abi";
import { f16HighToF32, f16LowToF32, interleaveHigh16, interleaveLow16 } from "../simd";
import { evenSums, oddSums, sumTiles, sumTwoRows } from "./table-sums";
import { TABLE_GROUPS, tileOffset } from "./tables";
import { clearRows } from "./uniform-scale";

/** Tiles summed at once. */
const STREAMS: i32 = 8;
/** Groups of an activation block. */
const BLOCK_GROUPS: i32 = 32;
/** Each group of a ternary table is 16 too large in its high byte. */
const TERNARY_BIAS: i32 = 32 * 16 * BLOCK_GROUPS;
/**
 * Scratch: the sums of a set of tiles for two rows, then its scales as f32: 8 tiles x at most 20 blocks x 32 rows = 20
 * KB.
 */
const ROW_SUMS_BYTES: usize = 128 * STREAMS;
const SUMS_BYTES: usize = 2 * ROW_SUMS_BYTES;

/** Weights of a tile's low and high table sums: y = low pair[0] + high pair[1]. */
export const TERNARY: usize = memory.data<i16>([1, 32, 1, 32, 1, 32, 1, 32], 16);
export const BINARY: usize = memory.data<i16>([2, 64, 2, 64, 2, 64, 2, 64], 16);

/**
 * @param blocksPerScale activation blocks that share a weight scale
 * @param actScale f32[n][groups / 32]
 * @param mass i32[n][groups / 32] subtracted from the sums of binary weights; 0 for ternary ones, with exact tables
 * @param pair TERNARY or BINARY
 * @param groups groups a row, a multiple of 32
 * @param scratch 22 KB private to the thread
 */
export function tableBlockMatmul(
  w: usize,
  blockScale: usize,
  blocksPerScale: i32,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  mass: usize,
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
    const block = g / BLOCK_GROUPS;
    const act = (<usize>block) << 2;
    // Sets of eight tiles at `distance`; then the remaining tiles, which lie side by side, as one smaller set.
    for (let set = 0; set <= distance; set++) {
      const isRest = set == distance;
      const tile = isRest ? rest : first + set;
      const tiles = isRest ? last - rest : STREAMS;
      if (tiles == 0) continue;
      const step = isRest ? 1 : distance;
      addTileSet(
        w + tileOffset(g, tile, rows / TILE_ROWS, groups),
        step,
        tiles,
        min(TABLE_GROUPS, groups - g),
        tables + ((<usize>g) << 5),
        tableStride,
        blockScale + ((<usize>(tile * tileScales + block / blocksPerScale)) << 6),
        (<usize>(step * tileScales)) << 6,
        blocksPerScale,
        actScale + act,
        mass != 0 ? mass + act : 0,
        nBlocks << 2,
        pair,
        y + ((<usize>tile) << 7),
        yStride << 2,
        n,
        scratch,
      );
    }
  }
}

/** Adds one k-block of `tiles` tiles, `step` tiles apart, to the y of n activation rows, yStride bytes apart. */
function addTileSet(
  w: usize,
  step: i32,
  tiles: i32,
  groups: i32,
  tables: usize,
  tableStride: i32,
  scales: usize,
  scaleStride: usize,
  blocksPerScale: i32,
  actScale: usize,
  mass: usize,
  actStride: i32,
  pair: usize,
  y: usize,
  yStride: i32,
  n: i32,
  scratch: usize,
): void {
  if (n == 1 && blocksPerScale == 1) {
    addOneRow(w, step, tiles, groups, tables, scales, scaleStride, actScale, mass, pair, y, scratch);
    return;
  }
  const nScales = groups / BLOCK_GROUPS / blocksPerScale;
  convertScales(scales, scaleStride, tiles, nScales, scratch + SUMS_BYTES);
  for (let i = 0; i < n; i += 2) {
    const act = <usize>i * <usize>actStride;
    addBlocks(
      w,
      step,
      tiles,
      groups,
      min(2, n - i),
      tables + <usize>i * <usize>tableStride,
      tableStride,
      blocksPerScale,
      nScales,
      actScale + act,
      mass != 0 ? mass + act : 0,
      actStride,
      pair,
      y + <usize>i * <usize>yStride,
      yStride,
      scratch,
    );
  }
}

/**
 * The k-block's scales of a set of tiles as f32 [tile][scale block][32 rows]. Converted in one go: as extra streams
 * beside the weights they cost a fifth of the speed.
 */
function convertScales(from: usize, fromStride: usize, tiles: i32, nScales: i32, to: usize): void {
  for (let t = 0; t < tiles; t++, from += fromStride) {
    let at = from;
    for (const end = from + ((<usize>nScales) << 6); at < end; at += 16, to += 32) {
      const h = v128.load(at);
      v128.store(to, f16LowToF32(h));
      v128.store(to, f16HighToF32(h), 16);
    }
  }
}

/**
 * Adds one k-block of `tiles` tiles, `step` tiles apart, to the y of one row of activations. Converts each block's
 * scales to f32 where it uses them: 12 % faster than in one go (ternary weights, Sapphire Rapids). With several rows
 * this would repeat for each row, and with several blocks per scale for each block.
 */
function addOneRow(
  w: usize,
  step: i32,
  tiles: i32,
  groups: i32,
  table: usize,
  scales: usize,
  scaleStride: usize,
  actScale: usize,
  mass: usize,
  pair: usize,
  y: usize,
  scratch: usize,
): void {
  const tileStride = (<usize>step * <usize>groups) << 4,
    yStep = (<usize>step) << 7,
    sumsEnd = scratch + ((<usize>tiles) << 7);
  const weights = v128.load(pair);
  for (let b: usize = 0; b < <usize>(groups / BLOCK_GROUPS); b++, w += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32) {
    sumTiles(w, tileStride, tiles, table, BLOCK_GROUPS, scratch);
    const a = v128.load32_splat(actScale + (b << 2));
    const c = i32x4.splat(mass != 0 ? load<i32>(mass + (b << 2)) : TERNARY_BIAS);
    let scale = scales + (b << 6),
      to = y;
    for (let sums = scratch; sums < sumsEnd; sums += 128, scale += scaleStride, to += yStep) {
      addHalf(sums, scale, a, to, weights, c);
      addHalf(sums + 64, scale + 32, a, to + 64, weights, c);
    }
  }
}

/** Adds the scaled sums of 16 rows to y; scale: their f16. */
function addHalf(sums: usize, scale: usize, a: v128, y: usize, weights: v128, c: v128): void {
  const even = v128.load(scale),
    odd = v128.load(scale, 16);
  addRows8(evenSums(sums), evenSums(sums + 32), f16LowToF32(even), f16HighToF32(even), a, y, weights, c);
  addRows8(oddSums(sums), oddSums(sums + 32), f16LowToF32(odd), f16HighToF32(odd), a, y + 32, weights, c);
}

/**
 * Adds one k-block of `tiles` tiles, `step` tiles apart, to the y of nRows (1 or 2) activation rows, activation block
 * by block. The second row's scales and sums lie actStride bytes on, its y yStride.
 */
function addBlocks(
  w: usize,
  step: i32,
  tiles: i32,
  groups: i32,
  nRows: i32,
  table: usize,
  tableStride: i32,
  blocksPerScale: i32,
  nScales: i32,
  actScale: usize,
  mass: usize,
  actStride: i32,
  pair: usize,
  y: usize,
  yStride: i32,
  scratch: usize,
): void {
  const tileStride = (<usize>step * <usize>groups) << 4;
  const weights = v128.load(pair);
  const nBlocks = groups / BLOCK_GROUPS;
  for (let b = 0; b < nBlocks; b++, w += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32) {
    if (nRows == 2) sumTwoRows(w, tileStride, tiles, table, tableStride, BLOCK_GROUPS, scratch, ROW_SUMS_BYTES);
    else sumTiles(w, tileStride, tiles, table, BLOCK_GROUPS, scratch);
    const scale = scratch + SUMS_BYTES + ((<usize>(b / blocksPerScale)) << 7);
    for (let row = 0, at = (<usize>b) << 2; row < nRows; row++, at += actStride) {
      const a = v128.load32_splat(actScale + at);
      const c = i32x4.splat(mass != 0 ? load<i32>(mass + at) : TERNARY_BIAS);
      scaleTiles(
        scratch + <usize>row * ROW_SUMS_BYTES,
        tiles,
        scale,
        (<usize>nScales) << 7,
        a,
        y + <usize>row * yStride,
        (<usize>step) << 7,
        weights,
        c,
      );
    }
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
  for (const sumsEnd = sums + ((<usize>tiles) << 7); sums < sumsEnd; scale += scaleStride, y += yStep) {
    for (let half: usize = 0; half < 128; half += 64, sums += 64) {
      const s = scale + half;
      addRows8(evenSums(sums), evenSums(sums + 32), v128.load(s), v128.load(s, 16), a, y + half, weights, c);
      addRows8(oddSums(sums), oddSums(sums + 32), v128.load(s, 32), v128.load(s, 48), a, y + half + 32, weights, c);
    }
  }
}

function addRows8(low: v128, high: v128, scale0: v128, scale1: v128, a: v128, y: usize, weights: v128, c: v128): void {
  const v0 = i32x4.sub(i32x4.dot_i16x8_s(interleaveLow16(low, high), weights), c);
  const v1 = i32x4.sub(i32x4.dot_i16x8_s(interleaveHigh16(low, high), weights), c);
  const p0 = f32x4.mul(f32x4.convert_i32x4_s(v0), f32x4.mul(scale0, a));
  const p1 = f32x4.mul(f32x4.convert_i32x4_s(v1), f32x4.mul(scale1, a));
  v128.store(y, f32x4.add(v128.load(y), p0));
  v128.store(y, f32x4.add(v128.load(y, 16), p1), 16);
}
