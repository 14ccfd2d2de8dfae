/**
 * F32 rows times f32 activations.
 *
 *   w: f32 (rows, k); x: f32 (n, k), rows actRowBytes apart; y: f32 (n, yStride)
 *
 * Order: eight values a step in two vectors of four lanes, then first + second, then lanes (0 + 2) + (1 + 3).
 */
import { loadRest, sumFloats } from "../lanes";
import { activations, outputs } from "../matmul-step";
import { MatmulStep } from "../steps";

/** y for rows [rowBegin, rowEnd). */
export function f32Matmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const w = step.weights,
    k = step.k,
    x = activations(step, input),
    xBytes = <usize>step.actRowBytes,
    y = outputs(step, output),
    yStride = step.yStride;
  for (let r = rowBegin; r < rowEnd; r++) {
    const row = w + ((<usize>r * k) << 2);
    for (let i = 0; i < n; i++) store<f32>(y + ((<usize>i * yStride + r) << 2), dotRow(row, x + <usize>i * xBytes, k));
  }
}

function dotRow(w: usize, x: usize, k: i32): f32 {
  let first = f32x4.splat(0),
    second = first,
    left = k;
  for (; left >= 8; left -= 8) {
    first = f32x4.add(first, f32x4.mul(v128.load(x), v128.load(w)));
    second = f32x4.add(second, f32x4.mul(v128.load(x, 16), v128.load(w, 16)));
    x += 32;
    w += 32;
  }
  if (left >= 4) {
    first = f32x4.add(first, f32x4.mul(v128.load(x), v128.load(w)));
    if (left > 4) second = f32x4.add(second, f32x4.mul(loadRest(x + 16, left - 4), loadRest(w + 16, left - 4)));
  } else if (left > 0) {
    first = f32x4.add(first, f32x4.mul(loadRest(x, left), loadRest(w, left)));
  }
  return sumFloats(f32x4.add(first, second));
}
