/**
 * f32 matrix products of training, in the three forms that a linear layer needs. Strides are in floats.
 *
 *   forward    y  (n, out) = x (n, in) · Wᵀ          A rows, B = W (out, in) by rows
 *   input      dx (n, in) += dy (n, out) · W         A rows, B = W (out, in) by columns
 *   weight     dW (out, in) += dyᵀ · x               A = dy (n, out) by columns, B = x (n, in) by columns
 *
 * All are C (m, n) (+)= A (m, k) · B (k, n), blocked as in Goto and van de Geijn, "Anatomy of high-performance matrix
 * multiplication", 2008:
 *
 *   for each 256 columns of B: for each K_BLOCK of k: pack B (at most 384 KB, stays in L2)
 *     for each 16 rows of C: for each panel of 8 columns (12 KB, stays in L1): four micro-tiles
 *
 * An element's sum runs over the k-blocks in turn, and over k in turn inside each, whatever rows a thread has: it
 * writes rows [begin, end) of C, and the bits do not depend on the split.
 */
import { FORM_FORWARD, FORM_WEIGHT, MATMUL_K_BLOCK, MATMUL_M_BLOCK, MATMUL_N_BLOCK } from "../abi";
import { edgeTile, microTile } from "./micro-tile";
import { packCodeColumns, packColumns, packLeft, packRows } from "./panels";
import { MatmulF32Step } from "./steps";

const K_BLOCK: i32 = MATMUL_K_BLOCK;
const N_BLOCK: i32 = MATMUL_N_BLOCK;
const M_BLOCK: i32 = MATMUL_M_BLOCK;
const B_BYTES: usize = (<usize>(K_BLOCK * N_BLOCK)) << 2;
const A_BYTES: usize = (<usize>(K_BLOCK * M_BLOCK)) << 2;

/**
 * Rows [begin, end) of C. Optional operands of a step, where 0 means none:
 *
 *   kScale     f32 (k), form weight: factors on the steps of A, the scales of quantised activations
 *   scale      f32 (1): a factor on the whole product, the scale of quantised weights
 *   codes      B is i16, the codes of a quantiser (forms input and weight)
 *   rowScale   f32 (m), form forward, not adding: C[row] = sum · (rowScale[row] · scale), integers until then
 */
export function matmulF32(step: MatmulF32Step, begin: i32, end: i32, scratch: usize): void {
  const n = step.n,
    k = step.k,
    cBytes = (<usize>step.cStride) << 2,
    rowScale = step.rowScale,
    scalesResult = rowScale != 0 || (step.form == FORM_FORWARD && step.scale != 0);
  const nBlocks = (k + K_BLOCK - 1) / K_BLOCK,
    kStep = ((k + nBlocks - 1) / nBlocks + 3) & ~3;
  for (let n0 = 0; n0 < n; n0 += N_BLOCK) {
    const columns = min(N_BLOCK, n - n0);
    for (let k0 = 0; k0 < k; k0 += kStep) {
      const steps = min(kStep, k - k0),
        add = k0 > 0 || step.add != 0;
      packRight(step, k0, steps, n0, columns, scratch);
      for (let m0 = begin; m0 < end; m0 += M_BLOCK) {
        const rows = min(M_BLOCK, end - m0),
          to = step.c + <usize>m0 * cBytes + ((<usize>n0) << 2),
          left = leftOf(step, k0, steps, m0, rows, scratch + B_BYTES);
        multiplyBlock(step, left, scratch, steps, to, rows, columns, add);
        if (scalesResult && k0 + steps == k)
          scaleBlock(to, cBytes, rows, columns, rowScale == 0 ? 0 : rowScale + ((<usize>m0) << 2), scaleOf(step));
      }
    }
  }
}

function scaleOf(step: MatmulF32Step): f32 {
  return step.scale == 0 ? 1 : load<f32>(step.scale);
}

/** Packs a block of B, with the scale if it belongs there. */
function packRight(step: MatmulF32Step, k0: i32, steps: i32, n0: i32, columns: i32, to: usize): void {
  const b = step.b,
    bytes = (<usize>step.bStride) << 2,
    factor: f32 = step.rowScale == 0 ? scaleOf(step) : 1;
  if (step.form == FORM_FORWARD) packRows(b + <usize>n0 * bytes + ((<usize>k0) << 2), bytes, steps, columns, to);
  else if (step.codes != 0)
    packCodeColumns(b + ((<usize>k0 * step.bStride + n0) << 1), bytes >> 1, steps, columns, factor, to);
  else packColumns(b + <usize>k0 * bytes + ((<usize>n0) << 2), bytes, steps, columns, factor, to);
}

/** A block of A: rows where they lie, columns packed into `room`. */
function leftOf(step: MatmulF32Step, k0: i32, steps: i32, m0: i32, rows: i32, room: usize): usize {
  const bytes = (<usize>step.aStride) << 2;
  if (step.form != FORM_WEIGHT) return step.a + <usize>m0 * bytes + ((<usize>k0) << 2);
  const kScale = step.kScale == 0 ? 0 : step.kScale + ((<usize>k0) << 2);
  packLeft(step.a + <usize>k0 * bytes + ((<usize>m0) << 2), bytes, steps, rows, kScale, room);
  return room;
}

/** Up to 16 rows of C: steps of A lie aStep bytes apart, its rows rowStep, its tiles tileStep. */
function multiplyBlock(
  step: MatmulF32Step,
  a: usize,
  panels: usize,
  k: i32,
  c: usize,
  rows: i32,
  columns: i32,
  add: bool,
): void {
  const isPacked = step.form == FORM_WEIGHT,
    aStep: usize = isPacked ? 16 : 4,
    rowStep: usize = isPacked ? 4 : (<usize>step.aStride) << 2,
    tileStep: usize = isPacked ? (<usize>k) << 4 : 4 * rowStep,
    cStride = (<usize>step.cStride) << 2;
  for (let j = 0; j < columns; j += 8) {
    const panel = panels + ((<usize>(j >> 3) * k) << 5),
      width = min(8, columns - j);
    for (let r = 0; r < rows; r += 4) {
      // The last row stands in for missing ones, so nothing past the matrix is read.
      const height = min(4, rows - r),
        last = <usize>(height - 1);
      const a0 = a + <usize>(r >> 2) * tileStep,
        a1 = a0 + min<usize>(1, last) * rowStep,
        a2 = a0 + min<usize>(2, last) * rowStep,
        a3 = a0 + last * rowStep,
        to = c + <usize>r * cStride + ((<usize>j) << 2);
      if (width == 8 && height == 4) microTile(a0, a1, a2, a3, aStep, panel, k, to, cStride, add);
      else {
        const room = panels + B_BYTES + A_BYTES;
        edgeTile(a0, a1, a2, a3, aStep, panel, k, to, cStride, add, height, width, room);
      }
    }
  }
}

function scaleBlock(c: usize, cStride: usize, rows: i32, columns: i32, rowScale: usize, scale: f32): void {
  const body = columns & ~3;
  for (let r = 0; r < rows; r++) {
    const row = c + <usize>r * cStride,
      factor: f32 = rowScale == 0 ? scale : load<f32>(rowScale + ((<usize>r) << 2)) * scale;
    const f = f32x4.splat(factor);
    for (let j = 0; j < body; j += 4)
      v128.store(row + ((<usize>j) << 2), f32x4.mul(v128.load(row + ((<usize>j) << 2)), f));
    for (let j = body; j < columns; j++)
      store<f32>(row + ((<usize>j) << 2), load<f32>(row + ((<usize>j) << 2)) * factor);
  }
}
