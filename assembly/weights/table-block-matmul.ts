/**
 * Weights with an f16 scale a block x activations with an f32 scale a block of 32 groups, by lookup (tables.ts has the
 * layout). Ternary weights, two a group, and binary ones (Q1_0), four a group, differ in what a lookup means:
 *
 *   ternary   isum = Σ w q                blocks of 64 activations, scale blocks of 64, 128 or 256 weights
 *   binary    isum = 2 S - mass[n][b]     blocks of 128, both; mass: the sums of |q| (binary-table.ts has S)
 *
 *   acc = 0; for each activation block b in order: acc = acc + f32(isum) * f32(blockScale * actScale[n][b]); y = acc
 *
 * isum is exact; nothing is fused; y holds acc between k-blocks, so the order never depends on threads or batch.
 * Scales lie beside the tiles as [tile][scale block][32 rows] f16. Eight distant tiles at once, as in binary-table.ts.
 */
import { LAYOUT_BINARY_TABLE_BLOCK, TILE_ROWS } from "../abi";
import { activations, activationScales, activationSums, outputs, paddedRows } from "../matmul-step";
import { f16HighToF32, f16LowToF32, interleaveHigh16, interleaveLow16 } from "../simd";
import { MatmulStep } from "../steps";
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

/** Factors of a tile's low and high table sums: y = low pair[0] + high pair[1]. */
const TERNARY: usize = memory.data<i16>([1, 32, 1, 32, 1, 32, 1, 32], 16);
const BINARY: usize = memory.data<i16>([2, 64, 2, 64, 2, 64, 2, 64], 16);

/**
 * Weights in the table layout, rows padded to 32 x kp (a multiple of a scale block); activations are tables of
 * |q| <= 255, actRowBytes a row, their scales f32[n][blocks] and (binary) masses i32[n][blocks]. Writes rows
 * [rowBegin, rowEnd), multiples of 32.
 * @param scratch 22 KB private to the thread
 */
export function tableBlockMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  scratch: usize,
): void {
  const groups = groupsOf(step),
    first = rowBegin / TILE_ROWS,
    last = rowEnd / TILE_ROWS;
  const distance = (last - first) / STREAMS,
    rest = first + distance * STREAMS;
  clearRows(outputs(step, output), step.yStride, n, rowBegin, rowEnd);
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    // Sets of eight tiles at `distance`; then the remaining tiles, which lie side by side, as one smaller set.
    for (let tile = first; tile < first + distance; tile++)
      addTileSet(step, g, tile, distance, STREAMS, input, output, n, scratch);
    if (rest < last) addTileSet(step, g, rest, 1, last - rest, input, output, n, scratch);
  }
}

function isBinary(step: MatmulStep): bool {
  return step.layout == LAYOUT_BINARY_TABLE_BLOCK;
}

/** Groups of a row: of four weights or two. */
function groupsOf(step: MatmulStep): i32 {
  return step.k >> (isBinary(step) ? 2 : 1);
}

/** Activation blocks that share a weight scale. */
function blocksPerScale(step: MatmulStep): i32 {
  return step.scaleBlock >> (isBinary(step) ? 7 : 6);
}

// What follows takes a k-block, from group g on, of a set of tiles: `tiles` of them from `tile` on, `distance` tiles
// apart.

/** Its activation blocks. */
function blocksFrom(step: MatmulStep, g: i32): i32 {
  return min(TABLE_GROUPS, groupsOf(step) - g) / BLOCK_GROUPS;
}

function weightsOf(step: MatmulStep, g: i32, tile: i32): usize {
  return step.weights + tileOffset(g, tile, paddedRows(step) / TILE_ROWS, groupsOf(step));
}

function scalesOf(step: MatmulStep, g: i32, tile: i32): usize {
  return step.scale + scaleBytes(step, tile) + ((<usize>(g / BLOCK_GROUPS / blocksPerScale(step))) << 6);
}

/** Bytes of the scales of some whole tiles. */
function scaleBytes(step: MatmulStep, tiles: i32): usize {
  return (<usize>(tiles * (step.k / step.scaleBlock))) << 6;
}

/** Adds them to the results of n activation rows. */
function addTileSet(
  step: MatmulStep,
  g: i32,
  tile: i32,
  distance: i32,
  tiles: i32,
  input: usize,
  output: usize,
  n: i32,
  scratch: usize,
): void {
  if (n == 1 && blocksPerScale(step) == 1) addOneRow(step, g, tile, distance, tiles, input, output, scratch);
  else addRows(step, g, tile, distance, tiles, input, output, n, scratch);
}

/**
 * Adds them to the results of one row of activations. Converts each block's scales to f32 where it uses them: 12 %
 * faster than in one go (ternary weights, Sapphire Rapids). With several rows this would repeat for each row, and with
 * several blocks per scale for each block.
 */
function addOneRow(
  step: MatmulStep,
  g: i32,
  tile: i32,
  distance: i32,
  tiles: i32,
  input: usize,
  output: usize,
  scratch: usize,
): void {
  const nBlocks = <usize>blocksFrom(step, g),
    first = (<usize>(g / BLOCK_GROUPS)) << 2,
    actScale = activationScales(step, input) + first,
    mass = isBinary(step) ? activationSums(step, input) + first : 0,
    scales = scalesOf(step, g, tile),
    scaleStride = scaleBytes(step, distance);
  const tileStride = (nBlocks * <usize>distance) << 9,
    y = outputs(step, output) + ((<usize>tile) << 7),
    yStep = (<usize>distance) << 7,
    sumsEnd = scratch + ((<usize>tiles) << 7);
  const pair = v128.load(isBinary(step) ? BINARY : TERNARY);
  let w = weightsOf(step, g, tile),
    table = activations(step, input) + ((<usize>g) << 5);
  for (let b: usize = 0; b < nBlocks; b++, w += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32) {
    sumTiles(w, tileStride, tiles, table, BLOCK_GROUPS, scratch);
    const a = v128.load32_splat(actScale + (b << 2));
    const c = i32x4.splat(mass != 0 ? load<i32>(mass + (b << 2)) : TERNARY_BIAS);
    let scale = scales + (b << 6),
      to = y;
    for (let sums = scratch; sums < sumsEnd; sums += 128, scale += scaleStride, to += yStep) {
      addHalf(sums, scale, a, to, pair, c);
      addHalf(sums + 64, scale + 32, a, to + 64, pair, c);
    }
  }
}

/** Adds the scaled sums of 16 rows to y; scale: their f16. */
function addHalf(sums: usize, scale: usize, a: v128, y: usize, pair: v128, c: v128): void {
  const even = v128.load(scale),
    odd = v128.load(scale, 16);
  addRows8(evenSums(sums), evenSums(sums + 32), f16LowToF32(even), f16HighToF32(even), a, y, pair, c);
  addRows8(oddSums(sums), oddSums(sums + 32), f16LowToF32(odd), f16HighToF32(odd), a, y + 32, pair, c);
}

/** Adds them to the results of n rows of activations, two at a time, activation block by block. */
function addRows(
  step: MatmulStep,
  g: i32,
  tile: i32,
  distance: i32,
  tiles: i32,
  input: usize,
  output: usize,
  n: i32,
  scratch: usize,
): void {
  const nBlocks = blocksFrom(step, g),
    perScale = blocksPerScale(step),
    scaleStride = (<usize>(nBlocks / perScale)) << 7,
    first = (<usize>(g / BLOCK_GROUPS)) << 2,
    tileStride = (<usize>(nBlocks * distance)) << 9,
    yStep = (<usize>distance) << 7;
  const w = weightsOf(step, g, tile),
    tableStride = <usize>step.actRowBytes,
    pair = v128.load(isBinary(step) ? BINARY : TERNARY);
  convertScales(step, g, tile, distance, tiles, scratch + SUMS_BYTES);
  for (let i = 0; i < n; i += 2) {
    const nRows = min(2, n - i);
    let from = w,
      table = activations(step, input + i) + ((<usize>g) << 5);
    for (let b = 0; b < nBlocks; b++, from += BLOCK_GROUPS * 16, table += BLOCK_GROUPS * 32) {
      if (nRows == 2) sumTwoRows(from, tileStride, tiles, table, tableStride, BLOCK_GROUPS, scratch, ROW_SUMS_BYTES);
      else sumTiles(from, tileStride, tiles, table, BLOCK_GROUPS, scratch);
      const scale = scratch + SUMS_BYTES + ((<usize>(b / perScale)) << 7),
        at = first + ((<usize>b) << 2);
      for (let row = 0; row < nRows; row++) {
        const a = v128.load32_splat(activationScales(step, input + i + row) + at),
          c = i32x4.splat(isBinary(step) ? load<i32>(activationSums(step, input + i + row) + at) : TERNARY_BIAS),
          y = outputs(step, output + i + row) + ((<usize>tile) << 7);
        scaleTiles(scratch + <usize>row * ROW_SUMS_BYTES, tiles, scale, scaleStride, a, y, yStep, pair, c);
      }
    }
  }
}

/**
 * Their scales as f32 [tile][scale block][32 rows]. Converted in one go: as extra streams beside the weights they cost
 * a fifth of the speed.
 */
function convertScales(step: MatmulStep, g: i32, tile: i32, distance: i32, tiles: i32, to: usize): void {
  const tileBytes = (<usize>(blocksFrom(step, g) / blocksPerScale(step))) << 6,
    fromStride = scaleBytes(step, distance);
  let from = scalesOf(step, g, tile);
  for (let t = 0; t < tiles; t++, from += fromStride) {
    let at = from;
    for (const end = from + tileBytes; at < end; at += 16, to += 32) {
      const h = v128.load(at);
      v128.store(to, f16LowToF32(h));
      v128.store(to, f16HighToF32(h), 16);
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
  pair: v128,
  c: v128,
): void {
  for (const sumsEnd = sums + ((<usize>tiles) << 7); sums < sumsEnd; scale += scaleStride, y += yStep) {
    for (let half: usize = 0; half < 128; half += 64, sums += 64) {
      const s = scale + half;
      addRows8(evenSums(sums), evenSums(sums + 32), v128.load(s), v128.load(s, 16), a, y + half, pair, c);
      addRows8(oddSums(sums), oddSums(sums + 32), v128.load(s, 32), v128.load(s, 48), a, y + half + 32, pair, c);
    }
  }
}

function addRows8(low: v128, high: v128, scale0: v128, scale1: v128, a: v128, y: usize, pair: v128, c: v128): void {
  const v0 = i32x4.sub(i32x4.dot_i16x8_s(interleaveLow16(low, high), pair), c);
  const v1 = i32x4.sub(i32x4.dot_i16x8_s(interleaveHigh16(low, high), pair), c);
  const p0 = f32x4.mul(f32x4.convert_i32x4_s(v0), f32x4.mul(scale0, a));
  const p1 = f32x4.mul(f32x4.convert_i32x4_s(v1), f32x4.mul(scale1, a));
  v128.store(y, f32x4.add(v128.load(y), p0));
  v128.store(y, f32x4.add(v128.load(y, 16), p1), 16);
}
