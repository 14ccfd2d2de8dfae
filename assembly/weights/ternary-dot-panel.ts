/**
 * Dot products by pairs for many rows of activations: four weight rows are unpacked once into a panel of bytes in
 * scratch, then every pair of activation rows passes over it in 4 x 2 register tiles.
 *
 *   panel: 4 rows x PANEL_WEIGHTS codes (u8, 0..2), row-major
 *
 * For 64 rows 77 GMAC/s from memory, where unpacking for each four rows (ternary-dot-rows.ts) reaches 60, for 8 rows 55
 * against 56 (Sapphire Rapids). Dot products of four bytes gain nothing from panels: 81 against 81.
 */
import { PANEL_WEIGHTS } from "../abi";
import { activations, outputs } from "../matmul-step";
import { dotPairs, sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CODE_MASK } from "./ternary-codes";
import { ONES } from "./ternary-pair-dot";
import { clearRows } from "./uniform-scale";

/** Codes of a panel between two widenings of its sums: 64 pairs of 508. */
const PANEL_TURN: usize = 64 * 16;

/**
 * Stores Σ code q of weight rows [rowBegin, rowEnd), multiples of 4, as i32, for n rows of activations.
 * @param panel PANEL_SCRATCH_BYTES private to the thread
 */
export function panelDots(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  panel: usize,
): void {
  const kp = step.k,
    rowBytes = kp >> 2;
  clearRows(outputs(step, output), step.yStride, n, rowBegin, rowEnd);
  for (let r = rowBegin; r < rowEnd; r += 4) {
    const to = outputs(step, output) + ((<usize>r) << 2);
    for (let k = 0; k < kp; k += PANEL_WEIGHTS) {
      const weights = min(PANEL_WEIGHTS, kp - k);
      unpackPanel(step.weights + <usize>r * <usize>rowBytes + <usize>(k >> 2), rowBytes, weights, panel);
      addPanel(panel, weights, activations(step, input) + <usize>k, kp, n, to, step.yStride);
    }
  }
}

/** Unpacks `weights` (a multiple of 64) codes of each of four T2 rows, rowBytes apart. */
function unpackPanel(w: usize, rowBytes: i32, weights: i32, panel: usize): void {
  const mask = v128.load(CODE_MASK);
  for (let row = 0; row < 4; row++) {
    let from = w + <usize>(row * rowBytes);
    let to = panel + <usize>(row * PANEL_WEIGHTS);
    for (const end = to + <usize>weights; to < end; to += 64, from += 16) {
      const x = v128.load(from);
      v128.store(to, v128.and(x, mask));
      v128.store(to, v128.and(i16x8.shr_u(x, 2), mask), 16);
      v128.store(to, v128.and(i16x8.shr_u(x, 4), mask), 32);
      v128.store(to, v128.and(i16x8.shr_u(x, 6), mask), 48);
    }
  }
}

/**
 * Adds Σ code q of the panel's four rows to the i32 at y, for each of n activation rows.
 * @param q i8, first activation of the panel's columns in row 0; rows qStride bytes apart
 */
function addPanel(panel: usize, weights: i32, q: usize, qStride: i32, n: i32, y: usize, yStride: i32): void {
  let i = 0;
  for (; i + 1 < n; i += 2) {
    const from = q + <usize>i * <usize>qStride;
    const to = y + ((<usize>i * <usize>yStride) << 2);
    addDots4x2(panel, weights, from, from + <usize>qStride, to, to + ((<usize>yStride) << 2));
  }
  if (i < n) addDots4x1(panel, weights, q + <usize>i * <usize>qStride, y + ((<usize>i * <usize>yStride) << 2));
}

function addDots4x2(panel: usize, weights: i32, qa: usize, qb: usize, ya: usize, yb: usize): void {
  for (const end = panel + <usize>weights; panel < end; ) {
    let a0 = i16x8.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0,
      b0 = a0,
      b1 = a0,
      b2 = a0,
      b3 = a0;
    for (const turn = min(end, panel + PANEL_TURN); panel < turn; panel += 16, qa += 16, qb += 16) {
      const u = v128.load(qa),
        v = v128.load(qb);
      let w = v128.load(panel);
      (a0 = i16x8.add(a0, dotPairs(u, w))), (b0 = i16x8.add(b0, dotPairs(v, w)));
      w = v128.load(panel, PANEL_WEIGHTS);
      (a1 = i16x8.add(a1, dotPairs(u, w))), (b1 = i16x8.add(b1, dotPairs(v, w)));
      w = v128.load(panel, 2 * PANEL_WEIGHTS);
      (a2 = i16x8.add(a2, dotPairs(u, w))), (b2 = i16x8.add(b2, dotPairs(v, w)));
      w = v128.load(panel, 3 * PANEL_WEIGHTS);
      (a3 = i16x8.add(a3, dotPairs(u, w))), (b3 = i16x8.add(b3, dotPairs(v, w)));
    }
    addSums4(ya, a0, a1, a2, a3), addSums4(yb, b0, b1, b2, b3);
  }
}

function addDots4x1(panel: usize, weights: i32, q: usize, y: usize): void {
  for (const end = panel + <usize>weights; panel < end; ) {
    let a0 = i16x8.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (const turn = min(end, panel + PANEL_TURN); panel < turn; panel += 16, q += 16) {
      const u = v128.load(q);
      a0 = i16x8.add(a0, dotPairs(u, v128.load(panel)));
      a1 = i16x8.add(a1, dotPairs(u, v128.load(panel, PANEL_WEIGHTS)));
      a2 = i16x8.add(a2, dotPairs(u, v128.load(panel, 2 * PANEL_WEIGHTS)));
      a3 = i16x8.add(a3, dotPairs(u, v128.load(panel, 3 * PANEL_WEIGHTS)));
    }
    addSums4(y, a0, a1, a2, a3);
  }
}

/** Adds the sums of four vectors of i16 to four i32. */
function addSums4(y: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ones = v128.load(ONES);
  const sums = sumLanes4(
    i32x4.dot_i16x8_s(a, ones),
    i32x4.dot_i16x8_s(b, ones),
    i32x4.dot_i16x8_s(c, ones),
    i32x4.dot_i16x8_s(d, ones),
  );
  v128.store(y, i32x4.add(v128.load(y), sums));
}
