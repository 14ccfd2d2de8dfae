/**
 * Scalar twins of a gated delta net and of the Hadamard transform: one context from its beginning, its rows in turn.
 */
import { expF64, logF64 } from "../math";
import { dotInLanes, expF32, rmsNormRow, siluOf } from "./ops";

function at(p: usize, i: i32): f32 {
  return load<f32>(p + ((<usize>i) << 2));
}

function set(p: usize, i: i32, value: f32): void {
  store<f32>(p + ((<usize>i) << 2), value);
}

/** Row t of y (channels) from the rows of x up to it, side by side. `nUnit` heads get length one, `nQueries` 1/√dim. */
export function convolvedRow(
  x: usize,
  weights: usize,
  y: usize,
  t: i32,
  nTaps: i32,
  channels: i32,
  dim: i32,
  nQueries: i32,
  nUnit: i32,
  eps: f32,
): void {
  for (let c = 0; c < channels; c++) {
    let sum: f32 = 0;
    for (let tap = 0; tap < nTaps; tap++) {
      const row = t - nTaps + 1 + tap;
      if (row >= 0) sum += at(x, row * channels + c) * at(weights, tap * channels + c);
    }
    set(y, c, siluOf(sum));
  }
  for (let head = 0; head < nUnit; head++) {
    const lanes = new StaticArray<f64>(4);
    for (let i = 0; i < dim; i++) lanes[i % 4] += <f64>at(y, head * dim + i) * <f64>at(y, head * dim + i);
    const length =
        sqrt<f64>(lanes[0] + lanes[2] + (lanes[1] + lanes[3]) + <f64>eps) *
        (head < nQueries ? sqrt<f64>(<f64>dim) : 1.0),
      scale = <f32>(1.0 / length);
    for (let i = 0; i < dim; i++) set(y, head * dim + i, at(y, head * dim + i) * scale);
  }
}

/** One token turns a head's matrix (dim, dim), and gives out (dim). */
export function turnedHead(
  matrix: usize,
  q: usize,
  k: usize,
  v: usize,
  z: usize,
  alpha: f32,
  dtBias: f32,
  decay: f32,
  beta: f32,
  weight: usize,
  eps: f32,
  dim: i32,
  out: usize,
): void {
  const x = <f64>alpha + <f64>dtBias,
    softplus = max<f64>(x, 0) + logF64(1.0 + expF64(-abs<f64>(x))),
    keep = <f32>expF64(softplus * <f64>decay),
    rate = <f32>(1.0 / (1.0 + expF64(-(<f64>beta))));
  for (let row = 0; row < dim; row++) {
    const line = matrix + ((<usize>(row * dim)) << 2),
      turn: f32 = (at(v, row) - dotInLanes(line, k, dim) * keep) * rate;
    for (let i = 0; i < dim; i++) set(line, i, at(line, i) * keep + turn * at(k, i));
    set(out, row, dotInLanes(line, q, dim));
  }
  rmsNormRow(out, weight, out, dim, eps);
  for (let i = 0; i < dim; i++) set(out, i, siluOf(at(z, i)) * at(out, i));
}

export function sigmoidGated(x: f32, gate: f32): f32 {
  return x / (expF32(-gate) + 1);
}

/** Value `i` of the transform of a row in blocks, by its definition and in f64. `signs` may be 0. */
export function hadamardValue(x: usize, signs: usize, block: i32, inverse: bool, i: i32): f64 {
  const begin = i - (i % block),
    r = i % block;
  let sum: f64 = 0;
  for (let c = 0; c < block; c++) {
    const sign: f64 = signs == 0 || inverse ? 1 : <f64>at(signs, begin + c),
      value = sign * <f64>at(x, begin + c);
    sum += popcnt(r & c) & 1 ? -value : value;
  }
  return (sum / sqrt<f64>(<f64>block)) * (signs == 0 || !inverse ? 1 : <f64>at(signs, i));
}
