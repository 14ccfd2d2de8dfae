/**
 * Gradients of the activations of ops/activation.ts, elements [begin, end) of f32 arrays.
 *
 *   out = act(x)         dx (+)= act'(x) dy
 *   out = act(gate) up   dgate (+)= act'(gate) up dy,   dup (+)= act(gate) dy
 */
import { KIND_RELU2, KIND_SILU } from "../abi";
import { loadRest, storeRest } from "../lanes";
import { expF32x4 } from "../math";
import { gateGelu, gateRelu2, gateSilu, gelu, geluX4, relu2, relu2X4, silu, siluX4 } from "../ops/activation";
import { GateArraysBackStep } from "./steps";

/** 2√(2/π) and 3 · 0.044715 of the tanh form of GELU. */
const GELU_SLOPE: f32 = 1.5957691216057308;
const GELU_CUBIC: f32 = 0.044715;

export function activate(kind: i32, x: usize, out: usize, begin: i32, end: i32): void {
  if (kind == KIND_SILU) silu(x, out, begin, end);
  else if (kind == KIND_RELU2) relu2(x, out, begin, end);
  else gelu(x, out, begin, end);
}

export function gate(kind: i32, x: usize, up: usize, out: usize, begin: i32, end: i32): void {
  if (kind == KIND_SILU) gateSilu(x, up, out, begin, end);
  else if (kind == KIND_RELU2) gateRelu2(x, up, out, begin, end);
  else gateGelu(x, up, out, begin, end);
}

export function activateBackward(kind: i32, x: usize, dy: usize, dx: usize, add: bool, begin: i32, end: i32): void {
  for (let i = begin; i < end; i += 4) {
    const p = (<usize>i) << 2,
      n = end - i;
    put(dx + p, f32x4.mul(slope(kind, take(x + p, n)), take(dy + p, n)), add, n);
  }
}

export function gateBackward(step: GateArraysBackStep, begin: i32, end: i32): void {
  const kind = step.kind,
    gate = step.gate,
    up = step.up,
    dy = step.dy,
    dGate = step.dGate,
    addGate = step.addGate != 0,
    dUp = step.dUp,
    addUp = step.addUp != 0;
  for (let i = begin; i < end; i += 4) {
    const p = (<usize>i) << 2,
      n = end - i,
      g = take(gate + p, n),
      u = take(up + p, n),
      d = take(dy + p, n);
    put(dGate + p, f32x4.mul(f32x4.mul(slope(kind, g), u), d), addGate, n);
    put(dUp + p, f32x4.mul(value(kind, g), d), addUp, n);
  }
}

function take(p: usize, n: i32): v128 {
  return n >= 4 ? v128.load(p) : loadRest(p, n);
}

function put(p: usize, v: v128, add: bool, n: i32): void {
  if (add) v = f32x4.add(take(p, n), v);
  if (n >= 4) v128.store(p, v);
  else storeRest(p, v, n);
}

function value(kind: i32, x: v128): v128 {
  return kind == KIND_SILU ? siluX4(x) : kind == KIND_RELU2 ? relu2X4(x) : geluX4(x);
}

function slope(kind: i32, x: v128): v128 {
  // In this order of operands NaN stays NaN.
  if (kind == KIND_RELU2) return f32x4.mul(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(2));
  const one = f32x4.splat(1);
  if (kind == KIND_SILU) {
    const s = sigmoid(x);
    return f32x4.mul(s, f32x4.add(one, f32x4.mul(x, f32x4.sub(one, s))));
  }
  const square = f32x4.mul(f32x4.mul(x, x), f32x4.splat(GELU_CUBIC)),
    c = f32x4.splat(GELU_SLOPE);
  const s = sigmoid(f32x4.mul(c, f32x4.mul(x, f32x4.add(one, square))));
  const inner = f32x4.mul(c, f32x4.add(one, f32x4.mul(f32x4.splat(3), square)));
  return f32x4.add(s, f32x4.mul(f32x4.mul(x, inner), f32x4.mul(s, f32x4.sub(one, s))));
}

function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, expF32x4(f32x4.neg(x))));
}
