/**
 * Gradients of the row normalisations (forward: ops/norm.ts). Rows are f32 (rows, dim) without gaps; sums in f64.
 *
 *   RMSNorm    y = x r w,             r = 1 / sqrt(mean(x²) + ε)       dx = r (w dy - x r² mean(x w dy))
 *   LayerNorm  y = (x - μ) r w + b,   r = 1 / sqrt(var(x) + ε)         dx = r (g - mean(g) - x̂ mean(g x̂)),  g = w dy
 *
 * Two passes: rows (dx, and each row's μ and r into `stats`), then columns (dw = Σ dy x̂, db = Σ dy), so every sum has
 * one owner and one order for any number of threads.
 */

import { NormColumnsBackStep, NormRowsBackStep } from "./steps";

/** dx (+)= …, stats (rows, 2) = μ, r; rows [begin, end). */
export function normRowsBackward(step: NormRowsBackStep, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    if (step.centered == 0) rmsRowBackward(step, row);
    else layerRowBackward(step, row);
  }
}

function rmsRowBackward(step: NormRowsBackStep, row: i32): void {
  const dim = step.dim,
    at = (<usize>row * dim) << 2,
    from = step.x + at,
    grad = step.dy + at,
    to = step.dx + at,
    w = step.weight,
    add = step.add != 0;
  let squares: f64 = 0,
    dot: f64 = 0;
  for (let i = 0; i < dim; i++) {
    const p = (<usize>i) << 2,
      v = <f64>load<f32>(from + p);
    squares += v * v;
    dot += v * <f64>(load<f32>(grad + p) * load<f32>(w + p));
  }
  const r = 1.0 / sqrt<f64>(squares / <f64>dim + <f64>step.eps),
    scale = <f32>r,
    slope = <f32>((r * r * r * dot) / <f64>dim);
  storeStats(step, row, 0, scale);
  for (let i = 0; i < dim; i++) {
    const p = (<usize>i) << 2,
      value = scale * (load<f32>(grad + p) * load<f32>(w + p)) - slope * load<f32>(from + p);
    store<f32>(to + p, add ? load<f32>(to + p) + value : value);
  }
}

function layerRowBackward(step: NormRowsBackStep, row: i32): void {
  const dim = step.dim,
    at = (<usize>row * dim) << 2,
    from = step.x + at,
    grad = step.dy + at,
    to = step.dx + at,
    w = step.weight,
    add = step.add != 0;
  let sum: f64 = 0,
    squares: f64 = 0;
  for (let i = 0; i < dim; i++) sum += <f64>load<f32>(from + ((<usize>i) << 2));
  const mean = sum / <f64>dim;
  for (let i = 0; i < dim; i++) {
    const d = <f64>load<f32>(from + ((<usize>i) << 2)) - mean;
    squares += d * d;
  }
  const r = 1.0 / sqrt<f64>(squares / <f64>dim + <f64>step.eps);
  storeStats(step, row, <f32>mean, <f32>r);
  let gradSum: f64 = 0,
    dot: f64 = 0;
  for (let i = 0; i < dim; i++) {
    const p = (<usize>i) << 2,
      g = <f64>(load<f32>(grad + p) * load<f32>(w + p));
    gradSum += g;
    dot += g * ((<f64>load<f32>(from + p) - mean) * r);
  }
  gradSum /= <f64>dim;
  dot /= <f64>dim;
  for (let i = 0; i < dim; i++) {
    const p = (<usize>i) << 2,
      normal = (<f64>load<f32>(from + p) - mean) * r;
    const value = <f32>(r * (<f64>(load<f32>(grad + p) * load<f32>(w + p)) - gradSum - normal * dot));
    store<f32>(to + p, add ? load<f32>(to + p) + value : value);
  }
}

function storeStats(step: NormRowsBackStep, row: i32, mean: f32, r: f32): void {
  const at = step.stats + ((<usize>row) << 3);
  store<f32>(at, mean);
  store<f32>(at, r, 4);
}

/**
 * dw += Σ dy x̂ and, if db is given, db += Σ dy, over all rows; columns [begin, end), multiples of 4 except the last.
 */
export function normColumnsBackward(step: NormColumnsBackStep, begin: i32, end: i32): void {
  const x = step.x,
    dy = step.dy,
    stats = step.stats,
    dw = step.dWeight,
    db = step.dBias,
    dim = step.dim;
  for (let row = 0; row < step.n; row++) {
    const at = (<usize>row * dim) << 2,
      mean = load<f32>(stats + ((<usize>row) << 3)),
      r = load<f32>(stats + ((<usize>row) << 3), 4);
    const body = begin + ((end - begin) & ~3),
      means = f32x4.splat(mean),
      scales = f32x4.splat(r);
    for (let i = begin; i < body; i += 4) {
      const p = (<usize>i) << 2,
        g = v128.load(dy + at + p),
        normal = f32x4.mul(f32x4.sub(v128.load(x + at + p), means), scales);
      v128.store(dw + p, f32x4.add(v128.load(dw + p), f32x4.mul(g, normal)));
      if (db != 0) v128.store(db + p, f32x4.add(v128.load(db + p), g));
    }
    for (let i = body; i < end; i++) {
      const p = (<usize>i) << 2,
        g = load<f32>(dy + at + p),
        normal = (load<f32>(x + at + p) - mean) * r;
      store<f32>(dw + p, load<f32>(dw + p) + g * normal);
      if (db != 0) store<f32>(db + p, load<f32>(db + p) + g);
    }
  }
}
