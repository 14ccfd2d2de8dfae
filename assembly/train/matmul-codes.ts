/**
 * The product of quantised activations and weights, exact: what a packed layer computes, at twice the speed of f32.
 *
 *   y (n, outputs) = f32(Σ x · w) · (rowScale[row] · scale)
 *
 *   x: i16 (n, kp), w: i16 (outputs, kp), read as pairs: pairs = kp / 2 words a row. A sum stays below 127 kp < 2^31.
 *   y holds the i32 sums until the last block of k, then the floats.
 */
import { MATMUL_K_BLOCK, MATMUL_M_BLOCK, MATMUL_N_BLOCK } from "../abi";
import { microTilePairs } from "./micro-tile";
import { packRows } from "./panels";
import { MatmulCodesStep } from "./steps";

const ROOM: usize = (<usize>(MATMUL_K_BLOCK * MATMUL_N_BLOCK)) << 2;

/** Rows [begin, end) of y. scratch: MATMUL_SCRATCH_BYTES. */
export function matmulCodes(step: MatmulCodesStep, begin: i32, end: i32, scratch: usize): void {
  const outputs = step.outputs,
    pairs = step.kp >> 1,
    rowBytes = (<usize>pairs) << 2,
    yBytes = (<usize>outputs) << 2,
    factor = load<f32>(step.scale);
  for (let n0 = 0; n0 < outputs; n0 += MATMUL_N_BLOCK) {
    const columns = min<i32>(MATMUL_N_BLOCK, outputs - n0);
    for (let k0 = 0; k0 < pairs; k0 += MATMUL_K_BLOCK) {
      const steps = min<i32>(MATMUL_K_BLOCK, pairs - k0),
        at = (<usize>k0) << 2;
      packRows(step.weights + <usize>n0 * rowBytes + at, rowBytes, steps, columns, scratch);
      for (let m0 = begin; m0 < end; m0 += MATMUL_M_BLOCK) {
        const rows = min<i32>(MATMUL_M_BLOCK, end - m0),
          to = step.y + <usize>m0 * yBytes + ((<usize>n0) << 2);
        multiplyBlock(step, step.x + <usize>m0 * rowBytes + at, scratch, steps, to, rows, columns, k0 > 0);
        if (k0 + steps == pairs) toFloats(to, yBytes, rows, columns, step.rowScale + ((<usize>m0) << 2), factor);
      }
    }
  }
}

function multiplyBlock(
  step: MatmulCodesStep,
  x: usize,
  panels: usize,
  k: i32,
  y: usize,
  rows: i32,
  columns: i32,
  add: bool,
): void {
  const rowBytes = (<usize>step.kp) << 1,
    yBytes = (<usize>step.outputs) << 2;
  for (let j = 0; j < columns; j += 8) {
    const panel = panels + ((<usize>(j >> 3) * k) << 5),
      width = min(8, columns - j);
    for (let r = 0; r < rows; r += 4) {
      const height = min(4, rows - r),
        last = <usize>(height - 1);
      const x0 = x + <usize>r * rowBytes,
        x1 = x0 + min<usize>(1, last) * rowBytes,
        x2 = x0 + min<usize>(2, last) * rowBytes,
        x3 = x0 + last * rowBytes;
      const to = y + <usize>r * yBytes + ((<usize>j) << 2);
      if (width == 8 && height == 4) {
        microTilePairs(x0, x1, x2, x3, panel, k, to, yBytes, add);
      } else {
        microTilePairs(x0, x1, x2, x3, panel, k, panels + ROOM, 32, false);
        copyTile(panels + ROOM, to, yBytes, height, width, add);
      }
    }
  }
}

function copyTile(tile: usize, y: usize, yBytes: usize, rows: i32, columns: i32, add: bool): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++) {
      const to = y + <usize>r * yBytes + ((<usize>j) << 2),
        value = load<i32>(tile + ((<usize>(r * 8 + j)) << 2));
      store<i32>(to, add ? load<i32>(to) + value : value);
    }
  }
}

function toFloats(y: usize, yBytes: usize, rows: i32, columns: i32, rowScale: usize, scale: f32): void {
  const body = columns & ~3;
  for (let r = 0; r < rows; r++) {
    const row = y + <usize>r * yBytes,
      factor = load<f32>(rowScale + ((<usize>r) << 2)) * scale,
      f = f32x4.splat(factor);
    for (let j = 0; j < body; j += 4) {
      const at = row + ((<usize>j) << 2);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(v128.load(at)), f));
    }
    for (let j = body; j < columns; j++)
      store<f32>(row + ((<usize>j) << 2), <f32>load<i32>(row + ((<usize>j) << 2)) * factor);
  }
}
