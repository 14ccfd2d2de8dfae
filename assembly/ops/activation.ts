/**
 * Elementwise activations over [begin, end) of f32 arrays, alone or gating another array: out = act(gate) · up
 * (Shazeer, "GLU Variants Improve Transformer", 2020). A value's bits do not depend on its place in the range.
 *
 *   silu   x / (1 + e^-x)
 *   relu2  max(x, 0)²                                        (So et al., "Primer", 2021)
 *   sigmoid  1 / (1 + e^-x), of gates over attention (Qiu et al., 2025, arXiv 2505.06708)
 *   gelu   x / (1 + e^-2u), u = √(2/π) (x + 0.044715 x³)     the tanh form of Hendrycks and Gimpel, 2016
 */
import { loadRest, storeRest } from "../lanes";
import { expF32x4 } from "../math";

/** 1; 2√(2/π); 0.044715. In memory: see the constants of expF32x4. */
const CONSTANTS: usize = memory.data<f32>([1.0, 1.5957691216057308, 0.044715]);

export function gateSilu(gate: usize, up: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(out + at, f32x4.mul(siluX4(v128.load(gate + at)), v128.load(up + at)));
  }
  if (body == end) return;
  const at = (<usize>body) << 2,
    rest = end - body;
  storeRest(out + at, f32x4.mul(siluX4(loadRest(gate + at, rest)), loadRest(up + at, rest)), rest);
}

export function gateRelu2(gate: usize, up: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(out + at, f32x4.mul(relu2X4(v128.load(gate + at)), v128.load(up + at)));
  }
  if (body == end) return;
  const at = (<usize>body) << 2,
    rest = end - body;
  storeRest(out + at, f32x4.mul(relu2X4(loadRest(gate + at, rest)), loadRest(up + at, rest)), rest);
}

export function gateGelu(gate: usize, up: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(out + at, f32x4.mul(geluX4(v128.load(gate + at)), v128.load(up + at)));
  }
  if (body == end) return;
  const at = (<usize>body) << 2,
    rest = end - body;
  storeRest(out + at, f32x4.mul(geluX4(loadRest(gate + at, rest)), loadRest(up + at, rest)), rest);
}

/** x[i] ← x[i] / (1 + e^-gate[i]) for i in [begin, end), whole vectors. */
export function gateSigmoid(x: usize, gate: usize, begin: i32, end: i32): void {
  const one = v128.load32_splat(CONSTANTS, 0);
  for (let i = begin; i < end; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(x + at, f32x4.div(v128.load(x + at), f32x4.add(expF32x4(f32x4.neg(v128.load(gate + at))), one)));
  }
}

export function silu(x: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) v128.store(out + ((<usize>i) << 2), siluX4(v128.load(x + ((<usize>i) << 2))));
  const at = (<usize>body) << 2,
    rest = end - body;
  if (rest > 0) storeRest(out + at, siluX4(loadRest(x + at, rest)), rest);
}

export function relu2(x: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) v128.store(out + ((<usize>i) << 2), relu2X4(v128.load(x + ((<usize>i) << 2))));
  const at = (<usize>body) << 2,
    rest = end - body;
  if (rest > 0) storeRest(out + at, relu2X4(loadRest(x + at, rest)), rest);
}

export function gelu(x: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4) v128.store(out + ((<usize>i) << 2), geluX4(v128.load(x + ((<usize>i) << 2))));
  const at = (<usize>body) << 2,
    rest = end - body;
  if (rest > 0) storeRest(out + at, geluX4(loadRest(x + at, rest)), rest);
}

export function siluX4(x: v128): v128 {
  return f32x4.div(x, f32x4.add(expF32x4(f32x4.neg(x)), v128.load32_splat(CONSTANTS, 0)));
}

export function relu2X4(x: v128): v128 {
  // In this order NaN stays NaN.
  const positive = f32x4.pmax(x, f32x4.splat(0));
  return f32x4.mul(positive, positive);
}

export function geluX4(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(f32x4.mul(x, x), x), v128.load32_splat(CONSTANTS, 8));
  const twice = f32x4.mul(f32x4.add(x, cube), v128.load32_splat(CONSTANTS, 4));
  return f32x4.div(x, f32x4.add(expF32x4(f32x4.neg(twice)), v128.load32_splat(CONSTANTS, 0)));
}
