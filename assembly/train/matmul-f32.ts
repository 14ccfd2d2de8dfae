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

const K_BLOCK: i32 = MATMUL_K_BLOCK;
const N_BLOCK: i32 = MATMUL_N_BLOCK;
const M_BLOCK: i32 = MATMUL_M_BLOCK;
const B_BYTES: usize = (<usize>(K_BLOCK * N_BLOCK)) << 2;
const A_BYTES: usize = (<usize>(K_BLOCK * M_BLOCK)) << 2;

/**
 * @param kScale f32 (k) or 0: factors on the steps of A (form weight): the scales of quantised activations
 * @param scale f32 (1) or 0: a factor on the whole product: the scale of quantised weights
 * @param codes whether B is i16, the codes of a quantiser (forms input and weight)
 * @param rowScale f32 (m) or 0 (form forward, not adding): C[row] = sum · (rowScale[row] · scale), integers until then
 */
export function matmulF32(
  form: i32,
  a: usize,
  aStride: i32,
  b: usize,
  bStride: i32,
  c: usize,
  cStride: i32,
  n: i32,
  k: i32,
  add: bool,
  kScale: usize,
  scale: usize,
  rowScale: usize,
  codes: bool,
  begin: i32,
  end: i32,
  scratch: usize,
): void {
  const factor: f32 = scale == 0 ? 1 : load<f32>(scale),
    inPanels: f32 = rowScale == 0 ? factor : 1;
  const nBlocks = (k + K_BLOCK - 1) / K_BLOCK,
    kStep = ((k + nBlocks - 1) / nBlocks + 3) & ~3;
  const bBytes = (<usize>bStride) << 2,
    cBytes = (<usize>cStride) << 2;
  for (let n0 = 0; n0 < n; n0 += N_BLOCK) {
    const columns = min(N_BLOCK, n - n0);
    for (let k0 = 0; k0 < k; k0 += kStep) {
      const steps = min(kStep, k - k0);
      if (form == FORM_FORWARD) packRows(b + <usize>n0 * bBytes + ((<usize>k0) << 2), bBytes, steps, columns, scratch);
      else if (codes)
        packCodeColumns(
          b + ((<usize>k0 * bStride + n0) << 1),
          (<usize>bStride) << 1,
          steps,
          columns,
          inPanels,
          scratch,
        );
      else packColumns(b + <usize>k0 * bBytes + ((<usize>n0) << 2), bBytes, steps, columns, inPanels, scratch);
      const isFirst = k0 == 0 && !add;
      for (let m0 = begin; m0 < end; m0 += M_BLOCK) {
        const rows = min(M_BLOCK, end - m0),
          to = c + <usize>m0 * cBytes + ((<usize>n0) << 2);
        if (form == FORM_WEIGHT) {
          const left = scratch + B_BYTES;
          packLeft(
            a + ((<usize>k0 * aStride + m0) << 2),
            (<usize>aStride) << 2,
            steps,
            rows,
            kScale == 0 ? 0 : kScale + ((<usize>k0) << 2),
            left,
          );
          multiplyBlock(left, (<usize>steps) << 4, 4, 16, scratch, steps, to, cBytes, rows, columns, !isFirst);
        } else {
          const stride = (<usize>aStride) << 2,
            left = a + <usize>m0 * stride + ((<usize>k0) << 2);
          multiplyBlock(left, 4 * stride, stride, 4, scratch, steps, to, cBytes, rows, columns, !isFirst);
        }
        if (k0 + steps == k && (rowScale != 0 || (form == FORM_FORWARD && scale != 0))) {
          scaleBlock(to, cBytes, rows, columns, rowScale == 0 ? 0 : rowScale + ((<usize>m0) << 2), factor);
        }
      }
    }
  }
}

/** Up to 16 rows of C: tiles `tileStep` bytes apart in A, their rows `rowStep`, their steps `aStep`. */
function multiplyBlock(
  a: usize,
  tileStep: usize,
  rowStep: usize,
  aStep: usize,
  panels: usize,
  k: i32,
  c: usize,
  cStride: usize,
  rows: i32,
  columns: i32,
  add: bool,
): void {
  for (let j = 0; j < columns; j += 8) {
    const panel = panels + ((<usize>(j >> 3) * k) << 5),
      width = columns - j;
    for (let r = 0; r < rows; r += 4) {
      const a0 = a + <usize>(r >> 2) * tileStep,
        to = c + <usize>r * cStride + ((<usize>j) << 2),
        height = rows - r;
      if (width >= 8 && height >= 4)
        microTile(a0, a0 + rowStep, a0 + 2 * rowStep, a0 + 3 * rowStep, aStep, panel, k, to, cStride, add);
      else
        tileAtEdge(
          a0,
          rowStep,
          aStep,
          panel,
          k,
          to,
          cStride,
          add,
          min(height, 4),
          min(width, 8),
          panels + B_BYTES + A_BYTES,
        );
    }
  }
}

/** The last row stands in for missing ones, so nothing past the matrix is read. */
function tileAtEdge(
  a0: usize,
  rowStep: usize,
  aStep: usize,
  panel: usize,
  k: i32,
  c: usize,
  cStride: usize,
  add: bool,
  height: i32,
  width: i32,
  room: usize,
): void {
  const last = <usize>(height - 1);
  edgeTile(
    a0,
    a0 + min<usize>(1, last) * rowStep,
    a0 + min<usize>(2, last) * rowStep,
    a0 + last * rowStep,
    aStep,
    panel,
    k,
    c,
    cStride,
    add,
    height,
    width,
    room,
  );
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
