/**
 * Row normalisations and the small row operations around them.
 *
 * RMSNorm: Zhang and Sennrich, 2019, arXiv 1910.07467. LayerNorm: Ba, Kiros and Hinton, 2016, arXiv 1607.06450.
 * Rows are f32, strides in floats. Sums run in f64, lanes 0..3 of each four values apart, then (0 + 2) + (1 + 3).
 */
import { loadRest, storeRest } from "../lanes";
import { inputRow } from "../step";
import { HeadNormStep, NormStep } from "../steps";

/** RMS norm of the rows of x from `input` on: rows [rowBegin, rowEnd) of y. */
export function rmsNorm(step: NormStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    rmsNormRow(inputRow(step, input), step.weight, outputRow(step, row), step.dim, step.eps);
  }
}

/** The same with a layer norm. */
export function layerNorm(step: NormStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    layerNormRow(inputRow(step, input), step.weight, step.bias, outputRow(step, row), step.dim, step.eps);
  }
}

function outputRow(step: NormStep, row: i32): usize {
  return step.y + ((<usize>row * step.yStride) << 2);
}

/** RMS norm of heads [headBegin, headEnd) of n tokens, in place; a token's heads are contiguous and share a weight. */
export function rmsNormHeads(step: HeadNormStep, n: i32, headBegin: i32, headEnd: i32): void {
  const headDim = step.headDim;
  for (let token = 0; token < n; token++) {
    for (let head = headBegin; head < headEnd; head++) {
      const row = step.x + ((<usize>token * step.xStride + head * headDim) << 2);
      rmsNormRow(row, step.weight, row, headDim, step.eps);
    }
  }
}

/** y = x / sqrt(mean(x²) + eps) · w. */
export function rmsNormRow(x: usize, w: usize, y: usize, dim: i32, eps: f32): void {
  const mean = sumOfSquares(x, dim, 0) / <f64>dim;
  const scale = f32x4.splat(<f32>(1.0 / sqrt<f64>(mean + <f64>eps)));
  const body = dim & ~3;
  for (let i = 0; i < body; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(y + at, f32x4.mul(f32x4.mul(v128.load(x + at), scale), v128.load(w + at)));
  }
  if (body == dim) return;
  const at = (<usize>body) << 2,
    rest = dim - body;
  storeRest(y + at, f32x4.mul(f32x4.mul(loadRest(x + at, rest), scale), loadRest(w + at, rest)), rest);
}

/** y = (x - mean) / sqrt(variance + eps) · w + b. */
export function layerNormRow(x: usize, w: usize, b: usize, y: usize, dim: i32, eps: f32): void {
  const mean = sumOf(x, dim) / <f64>dim;
  const scale = 1.0 / sqrt<f64>(sumOfSquares(x, dim, mean) / <f64>dim + <f64>eps);
  for (let i = 0; i < dim; i++) {
    const at = (<usize>i) << 2;
    store<f32>(y + at, <f32>((<f64>load<f32>(x + at) - mean) * scale) * load<f32>(w + at) + load<f32>(b + at));
  }
}

/** Σ (x - center)². */
export function sumOfSquares(x: usize, dim: i32, center: f64): f64 {
  const body = dim & ~3,
    c = f64x2.splat(center);
  let low = f64x2.splat(0),
    high = low;
  for (let i = 0; i < body; i += 4) {
    const v = v128.load(x + ((<usize>i) << 2));
    const a = f64x2.sub(f64x2.promote_low_f32x4(v), c),
      b = f64x2.sub(f64x2.promote_low_f32x4(upperHalf(v)), c);
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const sums = f64x2.add(low, high);
  let total = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (let i = body; i < dim; i++) {
    const d = <f64>load<f32>(x + ((<usize>i) << 2)) - center;
    total += d * d;
  }
  return total;
}

function sumOf(x: usize, dim: i32): f64 {
  const body = dim & ~3;
  let low = f64x2.splat(0),
    high = low;
  for (let i = 0; i < body; i += 4) {
    const v = v128.load(x + ((<usize>i) << 2));
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, f64x2.promote_low_f32x4(upperHalf(v)));
  }
  const sums = f64x2.add(low, high);
  let total = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (let i = body; i < dim; i++) total += <f64>load<f32>(x + ((<usize>i) << 2));
  return total;
}

function upperHalf(v: v128): v128 {
  return i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

/** x[i] += y[i] · scale for i in [begin, end). */
export function addScaled(x: usize, y: usize, scale: f32, begin: i32, end: i32): void {
  const s = f32x4.splat(scale),
    body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(x + at, f32x4.add(v128.load(x + at), f32x4.mul(v128.load(y + at), s)));
  }
  for (let i = body; i < end; i++) {
    const at = (<usize>i) << 2;
    store<f32>(x + at, load<f32>(x + at) + load<f32>(y + at) * scale);
  }
}

/** y[row][i] += b[i] for each row, i in [0, dim). */
export function addBias(y: usize, yStride: i32, b: usize, rowBegin: i32, rowEnd: i32, dim: i32): void {
  for (let row = rowBegin; row < rowEnd; row++) addScaled(y + ((<usize>row * yStride) << 2), b, 1, 0, dim);
}

/** x[i] ← x[i] · scale for i in [begin, end). */
export function scaleRow(x: usize, scale: f32, begin: i32, end: i32): void {
  const s = f32x4.splat(scale),
    body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4)
    v128.store(x + ((<usize>i) << 2), f32x4.mul(v128.load(x + ((<usize>i) << 2)), s));
  for (let i = body; i < end; i++) store<f32>(x + ((<usize>i) << 2), load<f32>(x + ((<usize>i) << 2)) * scale);
}
