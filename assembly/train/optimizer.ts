/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv 1711.05101) after clipping by the global norm.
 *
 *   settings: f32 | learningRate | weightDecay | β1 | β2 | ε | 1 / (1 - β1^t) | 1 / (1 - β2^t) | gradient factor |
 *
 *   g ← factor g;  m ← β1 m + (1 - β1) g;  v ← β2 v + (1 - β2) g²
 *   w ← w - learningRate (m̂ / (√v̂ + ε) + weightDecay w)
 */
import {
  SETTING_BETA1,
  SETTING_BETA2,
  SETTING_CORRECTION1,
  SETTING_CORRECTION2,
  SETTING_EPSILON,
  SETTING_GRADIENT_FACTOR,
  SETTING_LEARNING_RATE,
  SETTING_WEIGHT_DECAY,
  SUM_CHUNK,
} from "../abi";
import { loadRest, storeRest } from "../lanes";
import { AdamWStep } from "./steps";

/** Values per partial sum of squares. */
const CHUNK: i32 = SUM_CHUNK;

/** Σ g² of each chunk in [begin, end) of the n gradients, f64: the norm is the square root of their sum in order. */
export function sumSquares(g: usize, n: i32, partial: usize, begin: i32, end: i32): void {
  for (let chunk = begin; chunk < end; chunk++) {
    const from = g + ((<usize>chunk * CHUNK) << 2),
      count = min(CHUNK, n - chunk * CHUNK);
    let sum: f64 = 0;
    for (let i = 0; i < count; i++) {
      const value = <f64>load<f32>(from + ((<usize>i) << 2));
      sum += value * value;
    }
    store<f64>(partial + ((<usize>chunk) << 3), sum);
  }
}

/** Elements [begin, end), `begin` a multiple of 4; weight decay only where `decays`. */
export function adamW(step: AdamWStep, begin: i32, end: i32): void {
  const w = step.weights,
    g = step.gradients,
    m = step.m,
    v = step.v,
    settings = step.settings,
    decay: f32 = step.decays != 0 ? load<f32>(settings, SETTING_WEIGHT_DECAY) : 0;
  for (let i = begin; i < end; i += 4) adamWFour(w, g, m, v, settings, decay, (<usize>i) << 2, end - i);
}

function adamWFour(w: usize, g: usize, m: usize, v: usize, settings: usize, decay: f32, at: usize, n: i32): void {
  const beta1 = load<f32>(settings, SETTING_BETA1),
    beta2 = load<f32>(settings, SETTING_BETA2),
    rate = load<f32>(settings, SETTING_LEARNING_RATE);
  const gradient = f32x4.mul(take(g + at, n), v128.load32_splat(settings, SETTING_GRADIENT_FACTOR));
  const first = f32x4.add(f32x4.mul(take(m + at, n), f32x4.splat(beta1)), f32x4.mul(gradient, f32x4.splat(1 - beta1)));
  const second = f32x4.add(
    f32x4.mul(take(v + at, n), f32x4.splat(beta2)),
    f32x4.mul(f32x4.mul(gradient, gradient), f32x4.splat(1 - beta2)),
  );
  const root = f32x4.add(
    f32x4.sqrt(f32x4.mul(second, v128.load32_splat(settings, SETTING_CORRECTION2))),
    v128.load32_splat(settings, SETTING_EPSILON),
  );
  const step = f32x4.div(f32x4.mul(first, v128.load32_splat(settings, SETTING_CORRECTION1)), root),
    weight = take(w + at, n);
  put(m + at, first, n);
  put(v + at, second, n);
  put(
    w + at,
    f32x4.sub(weight, f32x4.mul(f32x4.splat(rate), f32x4.add(step, f32x4.mul(weight, f32x4.splat(decay))))),
    n,
  );
}

function take(p: usize, n: i32): v128 {
  return n >= 4 ? v128.load(p) : loadRest(p, n);
}

function put(p: usize, x: v128, n: i32): void {
  if (n >= 4) v128.store(p, x);
  else storeRest(p, x, n);
}
