/**
 * Gradients of the row normalisations (forward: ops/norm.ts). Rows are f32 (rows, dim) without gaps; sums in f64.
 *
 *   RMSNorm    y = x r w,             r = 1 / sqrt(mean(x²) + ε)       dx = r (w dy - x r² mean(x w dy))
 *   LayerNorm  y = (x - μ) r w + b,   r = 1 / sqrt(var(x) + ε)         dx = r (g - mean(g) - x̂ mean(g x̂)),  g = w dy
 *
 * Two passes: rows (dx, and each row's μ and r into `stats`), then columns (dw = Σ dy x̂, db = Σ dy), so every sum has
 * one owner and one order for any number of threads.
 */

/** dx (+)= …, stats (rows, 2) = μ, r; rows [begin, end). */
export function rmsNormRows(
  x: usize,
  w: usize,
  dy: usize,
  dx: usize,
  stats: usize,
  dim: i32,
  eps: f32,
  add: bool,
  begin: i32,
  end: i32,
): void {
  for (let row = begin; row < end; row++) {
    const at = (<usize>row * dim) << 2,
      from = x + at,
      grad = dy + at,
      to = dx + at;
    let squares: f64 = 0,
      dot: f64 = 0;
    for (let i = 0; i < dim; i++) {
      const p = (<usize>i) << 2,
        v = <f64>load<f32>(from + p);
      squares += v * v;
      dot += v * <f64>(load<f32>(grad + p) * load<f32>(w + p));
    }
    const r = 1.0 / sqrt<f64>(squares / <f64>dim + <f64>eps),
      scale = <f32>r,
      slope = <f32>((r * r * r * dot) / <f64>dim);
    store<f32>(stats + ((<usize>row) << 3), 0);
    store<f32>(stats + ((<usize>row) << 3), scale, 4);
    for (let i = 0; i < dim; i++) {
      const p = (<usize>i) << 2,
        value = scale * (load<f32>(grad + p) * load<f32>(w + p)) - slope * load<f32>(from + p);
      store<f32>(to + p, add ? load<f32>(to + p) + value : value);
    }
  }
}

export function layerNormRows(
  x: usize,
  w: usize,
  dy: usize,
  dx: usize,
  stats: usize,
  dim: i32,
  eps: f32,
  add: bool,
  begin: i32,
  end: i32,
): void {
  for (let row = begin; row < end; row++) {
    const at = (<usize>row * dim) << 2,
      from = x + at,
      grad = dy + at,
      to = dx + at;
    let sum: f64 = 0,
      squares: f64 = 0;
    for (let i = 0; i < dim; i++) sum += <f64>load<f32>(from + ((<usize>i) << 2));
    const mean = sum / <f64>dim;
    for (let i = 0; i < dim; i++) {
      const d = <f64>load<f32>(from + ((<usize>i) << 2)) - mean;
      squares += d * d;
    }
    const r = 1.0 / sqrt<f64>(squares / <f64>dim + <f64>eps);
    store<f32>(stats + ((<usize>row) << 3), <f32>mean);
    store<f32>(stats + ((<usize>row) << 3), <f32>r, 4);
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
}

/**
 * dw += Σ dy x̂ and, if db is given, db += Σ dy, over all rows; columns [begin, end), multiples of 4 except the last.
 */
export function normColumns(
  x: usize,
  dy: usize,
  stats: usize,
  dw: usize,
  db: usize,
  rows: i32,
  dim: i32,
  begin: i32,
  end: i32,
): void {
  for (let row = 0; row < rows; row++) {
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
