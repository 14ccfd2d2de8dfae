/**
 * The quantisers of the papers. Codes are i16, rows of k padded with zeros to an even kp, because the product
 * multiplies pairs (matmul-codes.ts).
 *
 *   activations  8 bit: round(x · 127 / absmax) a row, dequantised by absmax / 127  (arXiv 2402.17764)
 *                1 bit: sign(x), dequantised by mean|x| of the row                  (Rastegari et al., XNOR-Net, 2016)
 *   weights      ternary: clip(round(w / γ), -1, 1), γ = mean|w|                    (arXiv 2402.17764)
 *                binary:  sign(w - mean(w)), scale mean|w|                          (arXiv 2310.11453)
 *
 * A weight scale is rounded to half precision, at least 1e-5: files store it so, and thus a trained model and its file
 * hold the same numbers. Gradients pass straight through; through a sign only where |x| ≤ 1.
 */
import { SUM_CHUNK } from "../abi";
import { absmaxRow } from "../ops/quantize";
import { sumFloats } from "../lanes";
import { WeightCodesStep } from "./steps";

/** Values per partial sum: fixed, so that the total does not depend on the threads. */
const CHUNK: i32 = SUM_CHUNK;
const EPSILON: f64 = 1e-5;

/** Rows [begin, end) of x f32 (rows, k) to codes in -128 … 127 and their scales: the numbers of ops/quantize.ts. */
export function quantizeRows8(x: usize, codes: usize, scale: usize, k: i32, kp: i32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const from = x + ((<usize>row * k) << 2),
      to = codes + ((<usize>row * kp) << 1);
    const factor = <f32>(127.0 / <f64>max<f32>(1e-5, absmaxRow(from, k)));
    store<f32>(scale + ((<usize>row) << 2), <f32>(1.0 / <f64>factor) + zeroIfFinite(from, k));
    const s = f32x4.splat(factor),
      body = k & ~3;
    for (let i = 0; i < body; i += 4)
      v128.store64_lane(to + ((<usize>i) << 1), round(f32x4.mul(v128.load(from + ((<usize>i) << 2)), s)), 0);
    for (let i = body; i < kp; i++) {
      const value: f32 = i < k ? load<f32>(from + ((<usize>i) << 2)) * factor : 0;
      store<i16>(to + ((<usize>i) << 1), i16x8.extract_lane_s(round(f32x4.splat(value)), 0));
    }
  }
}

/** To saturated int8, in the first four of eight i16. */
function round(v: v128): v128 {
  const clipped = f32x4.pmin(f32x4.pmax(f32x4.nearest(v), f32x4.splat(-128)), f32x4.splat(127));
  const integers = i32x4.trunc_sat_f32x4_s(clipped);
  return i16x8.narrow_i32x4_s(integers, integers);
}

/** 0, or NaN if any value is NaN or infinite: codes cannot express that, so the scale must. */
function zeroIfFinite(x: usize, k: i32): f32 {
  const zero = f32x4.splat(0),
    body = k & ~3;
  let sums = zero;
  for (let i = 0; i < body; i += 4) sums = f32x4.add(sums, f32x4.mul(v128.load(x + ((<usize>i) << 2)), zero));
  let sum = sumFloats(sums);
  for (let i = body; i < k; i++) sum += load<f32>(x + ((<usize>i) << 2)) * 0;
  return sum;
}

/** Rows [begin, end) of x (rows, k) to signs (zero counts as positive) and their mean magnitudes. */
export function quantizeRows1(x: usize, codes: usize, scale: usize, k: i32, kp: i32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const from = x + ((<usize>row * k) << 2),
      to = codes + ((<usize>row * kp) << 1);
    store<f32>(scale + ((<usize>row) << 2), <f32>(absSum(from, k) / <f64>k));
    for (let i = 0; i < kp; i++) {
      store<i16>(to + ((<usize>i) << 1), i >= k ? 0 : load<f32>(from + ((<usize>i) << 2)) >= 0 ? 1 : -1);
    }
  }
}

/** Codes of rows [begin, end) as f32 (rows, k), for a product with an operand that has no codes. */
export function widenRows(codes: usize, out: usize, k: i32, kp: i32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    for (let i = 0; i < k; i++)
      store<f32>(out + ((<usize>row * k + i) << 2), <f32>load<i16>(codes + ((<usize>row * kp + i) << 1)));
  }
}

/** dx (+)= dy where |x| ≤ 1: the gradient of a sign, straight through inside the clip. Elements [begin, end). */
export function passInsideClip(x: usize, dy: usize, dx: usize, add: bool, begin: i32, end: i32): void {
  for (let i = begin; i < end; i++) {
    const p = (<usize>i) << 2,
      passed: f32 = abs(load<f32>(x + p)) <= 1 ? load<f32>(dy + p) : 0;
    store<f32>(dx + p, add ? load<f32>(dx + p) + passed : passed);
  }
}

/** partial[2c] = Σ w, partial[2c + 1] = Σ |w| in f64 over chunk c of the `count` weights, for chunks [begin, end). */
export function sumWeights(w: usize, count: i32, partial: usize, begin: i32, end: i32): void {
  for (let chunk = begin; chunk < end; chunk++) {
    const from = w + ((<usize>chunk * CHUNK) << 2),
      n = min(CHUNK, count - chunk * CHUNK);
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) sum += <f64>load<f32>(from + ((<usize>i) << 2));
    store<f64>(partial + ((<usize>chunk) << 4), sum);
    store<f64>(partial + ((<usize>chunk) << 4), absSum(from, n), 8);
  }
}

function absSum(x: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += <f64>abs(load<f32>(x + ((<usize>i) << 2)));
  return sum;
}

/** Codes of rows [begin, end) of weights (count / k, k); the share with the first row also writes the scale of all. */
export function quantizeWeights(step: WeightCodesStep, begin: i32, end: i32): void {
  const count = step.count,
    k = step.k,
    kp = step.kp;
  let sum: f64 = 0,
    magnitude: f64 = 0;
  for (let chunk = 0; chunk < (count + CHUNK - 1) / CHUNK; chunk++) {
    const at = step.partial + ((<usize>chunk) << 4);
    sum += load<f64>(at);
    magnitude += load<f64>(at, 8);
  }
  const gamma = roundToHalf(<f32>max<f64>(EPSILON, magnitude / <f64>count)),
    mean = <f32>(sum / <f64>count);
  if (begin == 0) store<f32>(step.scale, gamma);
  for (let row = begin; row < end; row++) {
    const from = step.weights + ((<usize>row * k) << 2),
      to = step.codes + ((<usize>row * kp) << 1);
    if (step.ternary != 0) ternaryRow(from, to, gamma, k);
    else binaryRow(from, to, mean, k);
    for (let i = k; i < kp; i++) store<i16>(to + ((<usize>i) << 1), 0);
  }
}

function ternaryRow(w: usize, codes: usize, gamma: f32, k: i32): void {
  const g = f32x4.splat(gamma),
    low = f32x4.splat(-1),
    high = f32x4.splat(1),
    body = k & ~3;
  for (let i = 0; i < body; i += 4) {
    const q = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.div(v128.load(w + ((<usize>i) << 2)), g)), low), high);
    const integers = i32x4.trunc_sat_f32x4_s(q);
    v128.store64_lane(codes + ((<usize>i) << 1), i16x8.narrow_i32x4_s(integers, integers), 0);
  }
  for (let i = body; i < k; i++) {
    store<i16>(
      codes + ((<usize>i) << 1),
      <i16>min<f32>(max<f32>(nearest<f32>(load<f32>(w + ((<usize>i) << 2)) / gamma), -1), 1),
    );
  }
}

function binaryRow(w: usize, codes: usize, mean: f32, k: i32): void {
  for (let i = 0; i < k; i++)
    store<i16>(codes + ((<usize>i) << 1), load<f32>(w + ((<usize>i) << 2)) - mean >= 0 ? 1 : -1);
}

/** The nearest half-precision number, ties to even; x is positive and below 65504. */
export function roundToHalf(x: f32): f32 {
  // Below 2^-14 a half has no leading one: it is a multiple of 2^-24.
  if (x < 0.00006103515625) return nearest<f32>(x * 16777216.0) / 16777216.0;
  const bits = reinterpret<u32>(x);
  return reinterpret<f32>((bits + 0xfff + ((bits >> 13) & 1)) & ~0x1fff);
}
