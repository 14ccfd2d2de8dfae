/**
 * Scalar twins of the quantisers, the optimiser and the mask of dropout of training, in the order each promises.
 */
import { SUM_CHUNK } from "../abi";

function at(p: usize, i: i32): f32 {
  return load<f32>(p + ((<usize>i) << 2));
}

/** The nearest half-precision number to a positive x, ties to even: a multiple of the step between halves there. */
export function nearestHalf(x: f32): f32 {
  let step: f64 = 5.9604644775390625e-8; // 2^-24, the step up to 2^-13
  while (<f64>x >= 2048 * step) step *= 2;
  return <f32>(nearest<f64>(<f64>x / step) * step);
}

/** The half-precision number of these bits, sign clear and finite. */
export function halfValue(bits: i32): f32 {
  let value = <f64>(bits < 1024 ? bits : 1024 + (bits & 1023)) * 5.9604644775390625e-8;
  for (let e = 1; e < bits >> 10; e++) value *= 2;
  return <f32>value;
}

/** Σ |x| in f64, in order. */
export function magnitudeSum(x: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += abs<f64>(<f64>at(x, i));
  return sum;
}

/** Σ w, or Σ |w|, by chunk, then over the chunks. */
export function chunkedSum(w: usize, count: i32, magnitudes: bool): f64 {
  let total: f64 = 0;
  for (let begin = 0; begin < count; begin += SUM_CHUNK) {
    let sum: f64 = 0;
    for (let i = begin; i < min(count, begin + SUM_CHUNK); i++)
      sum += magnitudes ? abs<f64>(<f64>at(w, i)) : <f64>at(w, i);
    total += sum;
  }
  return total;
}

export function weightScale(w: usize, count: i32): f32 {
  return nearestHalf(<f32>max<f64>(1e-5, chunkedSum(w, count, true) / <f64>count));
}

export function ternaryCode(w: f32, scale: f32): i32 {
  const code = <i32>nearest<f32>(w / scale);
  return code > 1 ? 1 : code < -1 ? -1 : code;
}

/** Undoes lowbias32, by its multipliers' inverses modulo 2^32 and its shifts' inverses. */
export function hashInverse(x: u32): u32 {
  x = (x ^ (x >> 16)) * 0x43021123;
  x = (x ^ (x >> 15) ^ (x >> 30)) * 0x1d69e2a5;
  return x ^ (x >> 16);
}

/** One step of AdamW on element i, f32 as the kernel has it. settings: f32 in the order of train/optimizer.ts. */
export function adamWElement(w: usize, g: usize, m: usize, v: usize, settings: usize, decays: bool, i: i32): void {
  const rate = at(settings, 0),
    decay: f32 = decays ? at(settings, 1) : 0,
    beta1 = at(settings, 2),
    beta2 = at(settings, 3);
  const gradient: f32 = at(g, i) * at(settings, 7),
    p = (<usize>i) << 2;
  const first: f32 = at(m, i) * beta1 + gradient * (1 - beta1),
    second: f32 = at(v, i) * beta2 + gradient * gradient * (1 - beta2);
  const root: f32 = sqrt<f32>(second * at(settings, 6)) + at(settings, 4),
    weight = at(w, i);
  store<f32>(m + p, first);
  store<f32>(v + p, second);
  store<f32>(w + p, weight - rate * ((first * at(settings, 5)) / root + weight * decay));
}
