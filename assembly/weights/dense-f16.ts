/**
 * F16 and BF16 rows times f32 activations.
 *
 *   w: 16 bits (rows, k); x: f32 (n, k), rows actRowBytes apart; y: f32 (n, yStride)
 *
 * Weights become f32 exactly; the order of the sums is that of dense-f32.ts: eight values a step in two vectors of four
 * lanes, then first + second, then lanes (0 + 2) + (1 + 3). F16 weights must be finite: the loader refuses others.
 */
import { loadRest, sumFloats } from "../lanes";
import { activations, outputs } from "../matmul-step";
import { interleaveHigh16, interleaveLow16 } from "../simd";
import { MatmulStep } from "../steps";
import { halfsToFloats } from "./dense-block";

/** y for rows [rowBegin, rowEnd), w in F16. */
export function f16Matmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const w = step.weights,
    k = step.k,
    x = activations(step, input),
    xBytes = <usize>step.actRowBytes,
    y = outputs(step, output),
    yStride = step.yStride;
  for (let r = rowBegin; r < rowEnd; r++) {
    const row = w + ((<usize>r * k) << 1);
    for (let i = 0; i < n; i++) store<f32>(y + ((<usize>i * yStride + r) << 2), dotF16(row, x + <usize>i * xBytes, k));
  }
}

/** y for rows [rowBegin, rowEnd), w in BF16. */
export function bf16Matmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const w = step.weights,
    k = step.k,
    x = activations(step, input),
    xBytes = <usize>step.actRowBytes,
    y = outputs(step, output),
    yStride = step.yStride;
  for (let r = rowBegin; r < rowEnd; r++) {
    const row = w + ((<usize>r * k) << 1);
    for (let i = 0; i < n; i++) store<f32>(y + ((<usize>i * yStride + r) << 2), dotBf16(row, x + <usize>i * xBytes, k));
  }
}

function dotF16(w: usize, x: usize, k: i32): f32 {
  let first = f32x4.splat(0),
    second = first,
    left = k;
  for (; left >= 8; left -= 8) {
    const h = v128.load(w);
    first = f32x4.add(first, f32x4.mul(v128.load(x), halfsToFloats(i32x4.extend_low_i16x8_s(h))));
    second = f32x4.add(second, f32x4.mul(v128.load(x, 16), halfsToFloats(i32x4.extend_high_i16x8_s(h))));
    w += 16;
    x += 32;
  }
  if (left == 0) return sumFloats(f32x4.add(first, second));
  const h = loadHalfs(w, left);
  first = f32x4.add(first, f32x4.mul(loadFirst(x, left), halfsToFloats(i32x4.extend_low_i16x8_s(h))));
  second = f32x4.add(second, f32x4.mul(loadSecond(x, left), halfsToFloats(i32x4.extend_high_i16x8_s(h))));
  return sumFloats(f32x4.add(first, second));
}

function dotBf16(w: usize, x: usize, k: i32): f32 {
  const zero = i32x4.splat(0);
  let first = f32x4.splat(0),
    second = first,
    left = k;
  for (; left >= 8; left -= 8) {
    const h = v128.load(w);
    first = f32x4.add(first, f32x4.mul(v128.load(x), interleaveLow16(zero, h)));
    second = f32x4.add(second, f32x4.mul(v128.load(x, 16), interleaveHigh16(zero, h)));
    w += 16;
    x += 32;
  }
  if (left == 0) return sumFloats(f32x4.add(first, second));
  const h = loadHalfs(w, left);
  first = f32x4.add(first, f32x4.mul(loadFirst(x, left), interleaveLow16(zero, h)));
  second = f32x4.add(second, f32x4.mul(loadSecond(x, left), interleaveHigh16(zero, h)));
  return sumFloats(f32x4.add(first, second));
}

/** The 1 to 7 weights at `w`, then zeros. Reads nothing past them. */
function loadHalfs(w: usize, count: i32): v128 {
  let v = i32x4.splat(0);
  for (let i = count - 1; i >= 0; i--) {
    v = i8x16.shuffle(v, v, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    v = v128.load16_lane(w + ((<usize>i) << 1), v, 0);
  }
  return v;
}

/** Activations 0..3 of the `left` remaining, zero beyond. */
function loadFirst(x: usize, left: i32): v128 {
  return left >= 4 ? v128.load(x) : loadRest(x, left);
}

/** Activations 4..7. */
function loadSecond(x: usize, left: i32): v128 {
  return left > 4 ? loadRest(x + 16, left - 4) : f32x4.splat(0);
}
