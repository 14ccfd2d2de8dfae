/**
 * Ternary weights with one scale a row × int8 activations by dot products: the fast path where the engine has a real
 * 8-bit dot. Layout T2 (ternary-codes.ts): codes are 0..2, so Σ w q = Σ code q - Σ q.
 */
import { activations, activationScales, activationSums, addsPairs, outputs } from "../matmul-step";
import { sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CODE_MASK, dot64 } from "./ternary-codes";
import { panelDots } from "./ternary-dot-panel";
import { dotSet } from "./ternary-dot-rows";
import { pairDotRows4 } from "./ternary-pair-dot";
import { scaleRows } from "./uniform-scale";

export { ternaryDotRow } from "./ternary-codes";
export { ternaryDotBlockMatmul } from "./ternary-dot-block";

/** Distant weight rows of a set. */
const STREAMS: i32 = 8;
/** Rows of activations that weights are unpacked for at once, at most (ternary-dot-rows.ts). */
const ROWS: i32 = 4;
/** By pairs, so many rows do better without panels (ternary-dot-panel.ts). */
const PAIR_ROWS: i32 = 8;

/**
 * y[n][r] = f32(Σ w q) * f32(actScale[n] * rowScale[r]), one weight scale a row.
 *
 * scale f32[rows], rows a multiple of 32; activations i8[n][kp], kp a multiple of 64, their scales f32[n] and sums
 * i32[n]. Writes rows [rowBegin, rowEnd), multiples of 32.
 * @param scratch PANEL_SCRATCH_BYTES private to the thread
 */
export function ternaryDotMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  scratch: usize,
): void {
  if (addsPairs(step) && n > PAIR_ROWS) panelDots(step, input, output, n, rowBegin, rowEnd, scratch);
  else dots(step, input, output, n, rowBegin, rowEnd, scratch);
  const y = outputs(step, output),
    actScale = activationScales(step, input);
  scaleRows(y, step.yStride, n, rowBegin, rowEnd, step.scale, actScale, activationSums(step, input));
}

/** Stores Σ code q as i32: sets of distant weight rows, and in each of them four rows of activations at a time. */
function dots(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32, scratch: usize): void {
  const isPairs = addsPairs(step),
    distance = (rowEnd - rowBegin) / STREAMS;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i += ROWS) {
      const count = min(ROWS, n - i);
      if (count == 1) dotOneRow(step, input + i, output + i, r, distance, scratch);
      else if (isPairs) dotSet<i16>(step, input + i, output + i, count, r, distance);
      else dotSet<i32>(step, input + i, output + i, count, r, distance);
    }
  }
}

/** dotSet for one row of activations. */
function dotOneRow(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32, scratch: usize): void {
  const q = activations(step, input),
    y = outputs(step, output),
    rowBytes = step.k >> 2;
  if (addsPairs(step)) {
    pairDotRows4(step.weights, q, rowBytes, distance, r, y, scratch);
    pairDotRows4(step.weights, q, rowBytes, distance, r + 4 * distance, y, scratch);
  } else dotRows8(step.weights, q, rowBytes, distance, r, y);
}

/**
 * Σ code q of rows r + s distance, s = 0..7, stored as i32. Eight distant rows are eight linear reads at once: 12.5
 * GB/s against 4.0 with one row at a time.
 */
function dotRows8(w: usize, q: usize, rowBytes: i32, distance: i32, r: i32, y: usize): void {
  const mask = v128.load(CODE_MASK);
  const step = <usize>distance * <usize>rowBytes;
  let w0 = w + <usize>r * <usize>rowBytes;
  let p0 = i32x4.splat(0),
    p1 = p0,
    p2 = p0,
    p3 = p0,
    p4 = p0,
    p5 = p0,
    p6 = p0,
    p7 = p0;
  for (const end = w0 + <usize>rowBytes; w0 < end; w0 += 16, q += 64) {
    const q0 = v128.load(q),
      q1 = v128.load(q, 16),
      q2 = v128.load(q, 32),
      q3 = v128.load(q, 48);
    p0 = dot64(v128.load(w0), mask, q0, q1, q2, q3, p0);
    p1 = dot64(v128.load(w0 + step), mask, q0, q1, q2, q3, p1);
    p2 = dot64(v128.load(w0 + 2 * step), mask, q0, q1, q2, q3, p2);
    p3 = dot64(v128.load(w0 + 3 * step), mask, q0, q1, q2, q3, p3);
    p4 = dot64(v128.load(w0 + 4 * step), mask, q0, q1, q2, q3, p4);
    p5 = dot64(v128.load(w0 + 5 * step), mask, q0, q1, q2, q3, p5);
    p6 = dot64(v128.load(w0 + 6 * step), mask, q0, q1, q2, q3, p6);
    p7 = dot64(v128.load(w0 + 7 * step), mask, q0, q1, q2, q3, p7);
  }
  const to = y + ((<usize>r) << 2);
  const toStep = (<usize>distance) << 2;
  storeLanes(to, toStep, sumLanes4(p0, p1, p2, p3));
  storeLanes(to + 4 * toStep, toStep, sumLanes4(p4, p5, p6, p7));
}

function storeLanes(to: usize, step: usize, v: v128): void {
  v128.store_lane<i32>(to, v, 0);
  v128.store_lane<i32>(to + step, v, 1);
  v128.store_lane<i32>(to + 2 * step, v, 2);
  v128.store_lane<i32>(to + 3 * step, v, 3);
}
