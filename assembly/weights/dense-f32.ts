/**
 * F32 rows times f32 activations.
 *
 *   w: f32 (rows, k); x: f32 (n, k), row stride xStride floats; y: f32 (n, yStride)
 *
 * A row is summed eight values a step in two vectors, then (first + second), then lanes (0 + 2) + (1 + 3). Four rows
 * at a distance of a quarter are read together: one linear stream waits for memory.
 */
import { loadRest, sumFourFloats } from "../lanes";

/** y for rows [rowBegin, rowEnd). */
export function f32Matmul(
  w: usize, x: usize, xStride: i32, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32, rows: i32, k: i32,
): void {
  const step = (rowEnd - rowBegin + 3) / 4, last = rowEnd - 1, rowBytes = <usize>k << 2;
  for (let row = rowBegin; row < rowBegin + step; row++) {
    const r1 = min(row + step, last), r2 = min(row + 2 * step, last), r3 = min(row + 3 * step, last);
    for (let i = 0; i < n; i++) {
      const out = y + ((<usize>i * yStride) << 2);
      const sums = dotFour(w + <usize>row * rowBytes, w + <usize>r1 * rowBytes, w + <usize>r2 * rowBytes, w + <usize>r3 * rowBytes, x + ((<usize>i * xStride) << 2), k);
      v128.store32_lane(out + (<usize>row << 2), sums, 0);
      v128.store32_lane(out + (<usize>r1 << 2), sums, 1);
      v128.store32_lane(out + (<usize>r2 << 2), sums, 2);
      v128.store32_lane(out + (<usize>r3 << 2), sums, 3);
    }
  }
}

/** Four rows by one activation row; the rows may be the same one. */
function dotFour(w0: usize, w1: usize, w2: usize, w3: usize, x: usize, k: i32): v128 {
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  const end = <usize>k << 2, body = end & ~31;
  let at: usize = 0;
  for (; at < body; at += 32) {
    const x0 = v128.load(x + at), x1 = v128.load(x + at, 16);
    a0 = f32x4.add(a0, f32x4.mul(x0, v128.load(w0 + at)));
    a1 = f32x4.add(a1, f32x4.mul(x1, v128.load(w0 + at, 16)));
    b0 = f32x4.add(b0, f32x4.mul(x0, v128.load(w1 + at)));
    b1 = f32x4.add(b1, f32x4.mul(x1, v128.load(w1 + at, 16)));
    c0 = f32x4.add(c0, f32x4.mul(x0, v128.load(w2 + at)));
    c1 = f32x4.add(c1, f32x4.mul(x1, v128.load(w2 + at, 16)));
    d0 = f32x4.add(d0, f32x4.mul(x0, v128.load(w3 + at)));
    d1 = f32x4.add(d1, f32x4.mul(x1, v128.load(w3 + at, 16)));
  }
  for (; at < end; at += 16) {
    const left = <i32>((end - at) >> 2);
    const x0 = left >= 4 ? v128.load(x + at) : loadRest(x + at, left);
    a0 = f32x4.add(a0, f32x4.mul(x0, left >= 4 ? v128.load(w0 + at) : loadRest(w0 + at, left)));
    b0 = f32x4.add(b0, f32x4.mul(x0, left >= 4 ? v128.load(w1 + at) : loadRest(w1 + at, left)));
    c0 = f32x4.add(c0, f32x4.mul(x0, left >= 4 ? v128.load(w2 + at) : loadRest(w2 + at, left)));
    d0 = f32x4.add(d0, f32x4.mul(x0, left >= 4 ? v128.load(w3 + at) : loadRest(w3 + at, left)));
  }
  return sumFourFloats(f32x4.add(a0, a1), f32x4.add(b0, b1), f32x4.add(c0, c1), f32x4.add(d0, d1));
}
