/**
 * Scalar twins of the operations between matmuls, in the order each promises. Pointers and strides as in the kernels.
 */
import { expF64 } from "../math";

function at(p: usize, i: i32): f32 {
  return load<f32>(p + ((<usize>i) << 2));
}

/** round half to even of v, NaN as 0, clamped to [low, high]. */
function rounded(v: f32, low: f32, high: f32): i32 {
  if (v != v) return 0;
  return <i32>max<f32>(low, min<f32>(high, nearest<f32>(v)));
}

/** Largest magnitude of [begin, end), ignoring NaN. */
export function absmax(x: usize, begin: i32, end: i32): f32 {
  let most: f32 = 0;
  for (let i = begin; i < end; i++) {
    const v = abs<f32>(at(x, i));
    if (v > most) most = v;
  }
  return most;
}

/** Factor of a token: 127 / absmax, rounded once. */
export function tokenFactor(x: usize, k: i32): f32 {
  return <f32>(127.0 / <f64>max<f32>(<f32>1e-5, absmax(x, 0, k)));
}

export function tokenInteger(x: usize, i: i32, k: i32, factor: f32): i32 {
  return i < k ? rounded(at(x, i) * factor, -128, 127) : 0;
}

/** Integer i of a row quantised in blocks. */
export function blockInteger(x: usize, i: i32, k: i32, block: i32, qmax: i32): i32 {
  if (i >= k) return 0;
  const begin = i - (i % block),
    most = absmax(x, begin, min(k, begin + block));
  return most == 0 ? 0 : rounded(at(x, i) * (<f32>qmax / most), <f32>-qmax, <f32>qmax);
}

/** (lane 0 + lane 2) + (lane 1 + lane 3) of the sums of four lanes, then the rest, in f64. */
function sumInLanes(x: usize, dim: i32, center: f64, squares: bool): f64 {
  const lanes = new StaticArray<f64>(4),
    body = dim & ~3;
  for (let i = 0; i < body; i++) {
    const d = <f64>at(x, i) - center;
    lanes[i % 4] += squares ? d * d : d;
  }
  let total = lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
  for (let i = body; i < dim; i++) {
    const d = <f64>at(x, i) - center;
    total += squares ? d * d : d;
  }
  return total;
}

export function rmsNormRow(x: usize, w: usize, y: usize, dim: i32, eps: f32): void {
  const scale = <f32>(1.0 / sqrt<f64>(sumInLanes(x, dim, 0, true) / <f64>dim + <f64>eps));
  for (let i = 0; i < dim; i++) store<f32>(y + ((<usize>i) << 2), at(x, i) * scale * at(w, i));
}

export function layerNormRow(x: usize, w: usize, b: usize, y: usize, dim: i32, eps: f32): void {
  const mean = sumInLanes(x, dim, 0, false) / <f64>dim;
  const scale = 1.0 / sqrt<f64>(sumInLanes(x, dim, mean, true) / <f64>dim + <f64>eps);
  for (let i = 0; i < dim; i++)
    store<f32>(y + ((<usize>i) << 2), <f32>((<f64>at(x, i) - mean) * scale) * at(w, i) + at(b, i));
}

/** e^x by the steps of expF32x4, one lane. */
export function expF32(v: f32): f32 {
  const x: f32 = v < -104 ? -104 : v > 89 ? 89 : v;
  const n = nearest<f32>(x * <f32>1.4426950408889634);
  const r: f32 = x - n * <f32>0.693145751953125 - n * <f32>1.428606765330187e-6;
  let p: f32 = 0.0001984126984126984;
  p = p * r + <f32>0.001388888888888889;
  p = p * r + <f32>0.008333333333333333;
  p = p * r + <f32>0.041666666666666664;
  p = p * r + <f32>0.16666666666666666;
  p = p * r + <f32>0.5;
  const e: f32 = r * r * p + r + 1;
  if (v != v) return e;
  const half = <i32>n >> 1,
    rest = <i32>n - half;
  return e * reinterpret<f32>((half + 127) << 23) * reinterpret<f32>((rest + 127) << 23);
}

/** 2^x of x in (-125, 0] by the steps of exp2NegativeF32x4; 0 below. */
export function exp2F32(x: f32): f32 {
  if (!(x > -125)) return 0;
  const n = nearest<f32>(x),
    r: f32 = x - n;
  let p: f32 = <f32>0.0013381302123889327 * r + <f32>0.00966636836528778;
  p = p * r + <f32>0.055503811687231064;
  p = p * r + <f32>0.2402234971523285;
  p = p * r + <f32>0.6931471824645996;
  p = p * r + 1;
  return reinterpret<f32>(reinterpret<i32>(p) + ((<i32>n) << 23));
}

export function siluOf(x: f32): f32 {
  return x / (expF32(-x) + 1);
}

export function relu2Of(x: f32): f32 {
  return x < 0 ? 0 : x * x;
}

export function geluOf(x: f32): f32 {
  const twice: f32 = (x + x * x * x * <f32>0.044715) * <f32>1.5957691216057308;
  return x / (expF32(-twice) + 1);
}

/** Softmax in place. */
export function softmaxRow(x: usize, n: i32): void {
  let most = -(<f32>Infinity);
  for (let i = 0; i < n; i++) most = max<f32>(most, at(x, i));
  for (let i = 0; i < n; i++) store<f32>(x + ((<usize>i) << 2), expF32(at(x, i) - most));
  const factor = <f32>(1.0 / sumInLanes(x, n, 0, false));
  for (let i = 0; i < n; i++) store<f32>(x + ((<usize>i) << 2), at(x, i) * factor);
}

/** A softmax without shortcuts, to measure the error of the fast one. */
export function softmaxExact(x: usize, n: i32, i: i32): f64 {
  let most = -Infinity,
    sum: f64 = 0;
  for (let j = 0; j < n; j++) most = max<f64>(most, <f64>at(x, j));
  for (let j = 0; j < n; j++) sum += expF64(<f64>at(x, j) - most);
  return expF64(<f64>at(x, i) - most) / sum;
}

/** (lane 0 + lane 2) + (lane 1 + lane 3) of products in four lanes. */
export function dotInLanes(a: usize, b: usize, dim: i32): f32 {
  const lanes = new StaticArray<f32>(4);
  for (let i = 0; i < dim; i++) lanes[i % 4] += at(a, i) * at(b, i);
  return lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
}
