/**
 * Scalar twins of attention: one query head at one token, positions and dimensions one after the other.
 */
import { absmax, dotInLanes, softmaxRow } from "./ops";

/** A vector rounded to ±top: integer i. */
export function roundedInteger(x: usize, i: i32, dim: i32, top: f32): i32 {
  const most = absmax(x, 0, dim);
  return most == 0 ? 0 : <i32>nearest<f32>(load<f32>(x + (<usize>i << 2)) * (top / most));
}

/** out (dim) = attention of q (dim) over `length` positions of k, v: f32 (length, dim); weights: f32 (length) to work in. */
export function attendHead(q: usize, k: usize, v: usize, out: usize, weights: usize, length: i32, dim: i32, scale: f32): void {
  for (let p = 0; p < length; p++) {
    store<f32>(weights + (<usize>p << 2), dotInLanes(q, k + <usize>(4 * p * dim), dim) * scale);
  }
  softmaxRow(weights, length);
  for (let d = 0; d < dim; d++) {
    let sum: f32 = 0;
    for (let p = 0; p < length; p++) sum += load<f32>(v + <usize>(4 * (p * dim + d))) * load<f32>(weights + <usize>(4 * p));
    store<f32>(out + <usize>(4 * d), sum);
  }
}

/** The same over i8 (length, dim) with scales f32 (length). */
export function attendHeadQ8(
  q: usize, k: usize, v: usize, kScale: usize, vScale: usize, out: usize, weights: usize, length: i32, dim: i32, scale: f32,
): void {
  const factor: f32 = (absmax(q, 0, dim) / 32767) * scale;
  for (let p = 0; p < length; p++) {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += roundedInteger(q, d, dim, 32767) * <i32>load<i8>(k + <usize>(p * dim + d));
    store<f32>(weights + <usize>(4 * p), <f32>sum * (factor * load<f32>(kScale + <usize>(4 * p))));
  }
  softmaxRow(weights, length);
  for (let d = 0; d < dim; d++) {
    let sum: f32 = 0;
    for (let p = 0; p < length; p++) {
      const w: f32 = load<f32>(weights + <usize>(4 * p)) * load<f32>(vScale + <usize>(4 * p));
      sum += <f32>load<i8>(v + <usize>(p * dim + d)) * w;
    }
    store<f32>(out + <usize>(4 * d), sum);
  }
}
