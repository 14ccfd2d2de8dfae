/**
 * The form of the ternary dot kernel for several rows of activations: weights (layout T2, ternary-codes.ts) are
 * unpacked in registers, once for two or four rows of activations.
 *
 *   set: weight rows r + s distance, s = 0..7, which stay in the level-1 cache for all rows of activations
 *
 *   tile     weight rows   rows of activations
 *   fours    2             4 (or 3: the last one twice)
 *   twos     4             2
 *
 * For 64 columns each row of activations has a sum that starts at zero, and is then added to the row's: the CPU
 * (Sapphire Rapids) starts two dot products a cycle and waits five for each, so eight sums that take every product
 * would keep it at 1.6. Two to four weight rows at once, since one stream waits for memory.
 *
 * Sapphire Rapids, one thread, weights from memory: 2 rows take 1.3 times as long as one, 4 take 2.05, 8 take 3.9; with
 * panels of unpacked weights in memory, which four weight rows share, they took 2.7, 4.1 and 5.8, and 64 rows as long
 * as here.
 */
import { activations, outputs } from "../matmul-step";
import { dotI8, dotPairs, sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CODE_MASK } from "./ternary-codes";
import { ONES } from "./ternary-pair-dot";

// S is the integer that adds products: i32 (dotI8), or i16 (dotPairs) where the CPU has no instruction for four.

/** Stores Σ code q of weight rows r + s distance, s = 0..7, as i32, for two to four rows of activations. */
export function dotSet<S>(step: MatmulStep, input: usize, output: usize, n: i32, r: i32, distance: i32): void {
  if (n == 2) {
    twos<S>(step, input, output, r, distance);
    twos<S>(step, input, output, r + 4 * distance, distance);
  } else {
    for (let s = 0; s < 8; s += 2) fours<S>(step, input, output, n, r + s * distance, distance);
  }
}

/** Weight rows r and r + distance. */
function fours<S>(step: MatmulStep, input: usize, output: usize, n: i32, r: i32, distance: i32): void {
  const rowBytes = <usize>(step.k >> 2),
    apart = <usize>distance * rowBytes,
    stride = <usize>step.actRowBytes,
    last = <usize>(n - 1) * stride;
  const mask = v128.load(CODE_MASK);
  let w = step.weights + <usize>r * rowBytes;
  // One pointer to the activations for each weight row: with one for both, the optimiser keeps sixteen vectors of them
  // for the second row, and there are sixteen registers.
  let q = activations(step, input),
    again = q;
  let a0 = i32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  for (const end = w + rowBytes; w < end; w += 16, q += 64, again += 64) {
    let x = v128.load(w),
      u0 = v128.and(x, mask),
      u1 = v128.and(i16x8.shr_u(x, 2), mask),
      u2 = v128.and(i16x8.shr_u(x, 4), mask),
      u3 = v128.and(i16x8.shr_u(x, 6), mask);
    a0 = i32x4.add(a0, dotCodes<S>(q, u0, u1, u2, u3));
    a1 = i32x4.add(a1, dotCodes<S>(q + stride, u0, u1, u2, u3));
    a2 = i32x4.add(a2, dotCodes<S>(q + 2 * stride, u0, u1, u2, u3));
    a3 = i32x4.add(a3, dotCodes<S>(q + last, u0, u1, u2, u3));
    x = v128.load(w + apart);
    (u0 = v128.and(x, mask)), (u1 = v128.and(i16x8.shr_u(x, 2), mask));
    (u2 = v128.and(i16x8.shr_u(x, 4), mask)), (u3 = v128.and(i16x8.shr_u(x, 6), mask));
    b0 = i32x4.add(b0, dotCodes<S>(again, u0, u1, u2, u3));
    b1 = i32x4.add(b1, dotCodes<S>(again + stride, u0, u1, u2, u3));
    b2 = i32x4.add(b2, dotCodes<S>(again + 2 * stride, u0, u1, u2, u3));
    b3 = i32x4.add(b3, dotCodes<S>(again + last, u0, u1, u2, u3));
  }
  const y = outputs(step, output) + ((<usize>r) << 2),
    yBytes = (<usize>step.yStride) << 2,
    yLast = <usize>(n - 1) * yBytes;
  storeFour(sumLanes4(a0, a1, a2, a3), y, yBytes, yLast);
  storeFour(sumLanes4(b0, b1, b2, b3), y + ((<usize>distance) << 2), yBytes, yLast);
}

/** Weight rows r + s distance, s = 0..3. */
function twos<S>(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32): void {
  const rowBytes = <usize>(step.k >> 2),
    apart = <usize>distance * rowBytes,
    stride = <usize>step.actRowBytes;
  const mask = v128.load(CODE_MASK);
  let w = step.weights + <usize>r * rowBytes;
  let q0 = activations(step, input),
    q1 = q0,
    q2 = q0,
    q3 = q0;
  let a0 = i32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  for (const end = w + rowBytes; w < end; w += 16, q0 += 64, q1 += 64, q2 += 64, q3 += 64) {
    let x = v128.load(w),
      u0 = v128.and(x, mask),
      u1 = v128.and(i16x8.shr_u(x, 2), mask),
      u2 = v128.and(i16x8.shr_u(x, 4), mask),
      u3 = v128.and(i16x8.shr_u(x, 6), mask);
    a0 = i32x4.add(a0, dotCodes<S>(q0, u0, u1, u2, u3));
    b0 = i32x4.add(b0, dotCodes<S>(q0 + stride, u0, u1, u2, u3));
    x = v128.load(w + apart);
    (u0 = v128.and(x, mask)), (u1 = v128.and(i16x8.shr_u(x, 2), mask));
    (u2 = v128.and(i16x8.shr_u(x, 4), mask)), (u3 = v128.and(i16x8.shr_u(x, 6), mask));
    a1 = i32x4.add(a1, dotCodes<S>(q1, u0, u1, u2, u3));
    b1 = i32x4.add(b1, dotCodes<S>(q1 + stride, u0, u1, u2, u3));
    x = v128.load(w + 2 * apart);
    (u0 = v128.and(x, mask)), (u1 = v128.and(i16x8.shr_u(x, 2), mask));
    (u2 = v128.and(i16x8.shr_u(x, 4), mask)), (u3 = v128.and(i16x8.shr_u(x, 6), mask));
    a2 = i32x4.add(a2, dotCodes<S>(q2, u0, u1, u2, u3));
    b2 = i32x4.add(b2, dotCodes<S>(q2 + stride, u0, u1, u2, u3));
    x = v128.load(w + 3 * apart);
    (u0 = v128.and(x, mask)), (u1 = v128.and(i16x8.shr_u(x, 2), mask));
    (u2 = v128.and(i16x8.shr_u(x, 4), mask)), (u3 = v128.and(i16x8.shr_u(x, 6), mask));
    a3 = i32x4.add(a3, dotCodes<S>(q3, u0, u1, u2, u3));
    b3 = i32x4.add(b3, dotCodes<S>(q3 + stride, u0, u1, u2, u3));
  }
  const y = outputs(step, output) + ((<usize>r) << 2),
    yBytes = (<usize>step.yStride) << 2,
    yApart = (<usize>distance) << 2;
  storeFour(sumLanes4(a0, a1, a2, a3), y, yApart, 3 * yApart);
  storeFour(sumLanes4(b0, b1, b2, b3), y + yBytes, yApart, 3 * yApart);
}

/** Four i32 whose sum is that of 64 products: u0..u3 are 16 codes each. */
export function dotCodes<S>(q: usize, u0: v128, u1: v128, u2: v128, u3: v128): v128 {
  const q0 = v128.load(q),
    q1 = v128.load(q, 16),
    q2 = v128.load(q, 32),
    q3 = v128.load(q, 48);
  if (sizeof<S>() == 4) return dotI8(q3, u3, dotI8(q2, u2, dotI8(q1, u1, dotI8(q0, u0, i32x4.splat(0)))));
  // Each pair of products is up to 2 · 2 · 127 = 508.
  const first = i16x8.add(dotPairs(q0, u0), dotPairs(q1, u1)),
    second = i16x8.add(dotPairs(q2, u2), dotPairs(q3, u3));
  return i32x4.dot_i16x8_s(i16x8.add(first, second), v128.load(ONES));
}

/** Lanes 0..2 at `to` and `apart`, 2 `apart` bytes on, lane 3 `last` bytes on. */
export function storeFour(v: v128, to: usize, apart: usize, last: usize): void {
  v128.store_lane<i32>(to, v, 0);
  v128.store_lane<i32>(to + apart, v, 1);
  v128.store_lane<i32>(to + 2 * apart, v, 2);
  v128.store_lane<i32>(to + last, v, 3);
}
