/**
 * F16 and BF16 rows times f32 activations.
 *
 *   w: 16 bits (rows, k); x: f32 (n, k), row stride xStride floats; y: f32 (n, yStride)
 *
 * Weights become f32 exactly, then as dense-f32.ts: eight values a step in two vectors, (first + second), lanes
 * (0 + 2) + (1 + 3). F16 weights must be finite (denseRowFinite); four rows at a distance of a quarter go together.
 */
import { loadRest, sumFourFloats } from "../lanes";
import { interleaveHigh16, interleaveLow16 } from "../simd";
import { halfsToFloats } from "./dense-block";

/** y for rows [rowBegin, rowEnd), w in F16. */
export function f16Matmul(
  w: usize, x: usize, xStride: i32, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32, rows: i32, k: i32,
): void {
  const step = (rowEnd - rowBegin + 3) / 4, last = rowEnd - 1, rowBytes = <usize>k << 1;
  for (let row = rowBegin; row < rowBegin + step; row++) {
    const r1 = min(row + step, last), r2 = min(row + 2 * step, last), r3 = min(row + 3 * step, last);
    for (let i = 0; i < n; i++) {
      const sums = dotFourF16(w + <usize>row * rowBytes, w + <usize>r1 * rowBytes, w + <usize>r2 * rowBytes, w + <usize>r3 * rowBytes, x + ((<usize>i * xStride) << 2), k);
      storeFour(y + ((<usize>i * yStride) << 2), row, r1, r2, r3, sums);
    }
  }
}

/** y for rows [rowBegin, rowEnd), w in BF16. */
export function bf16Matmul(
  w: usize, x: usize, xStride: i32, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32, rows: i32, k: i32,
): void {
  const step = (rowEnd - rowBegin + 3) / 4, last = rowEnd - 1, rowBytes = <usize>k << 1;
  for (let row = rowBegin; row < rowBegin + step; row++) {
    const r1 = min(row + step, last), r2 = min(row + 2 * step, last), r3 = min(row + 3 * step, last);
    for (let i = 0; i < n; i++) {
      const sums = dotFourBf16(w + <usize>row * rowBytes, w + <usize>r1 * rowBytes, w + <usize>r2 * rowBytes, w + <usize>r3 * rowBytes, x + ((<usize>i * xStride) << 2), k);
      storeFour(y + ((<usize>i * yStride) << 2), row, r1, r2, r3, sums);
    }
  }
}

function storeFour(y: usize, r0: i32, r1: i32, r2: i32, r3: i32, v: v128): void {
  v128.store32_lane(y + (<usize>r0 << 2), v, 0);
  v128.store32_lane(y + (<usize>r1 << 2), v, 1);
  v128.store32_lane(y + (<usize>r2 << 2), v, 2);
  v128.store32_lane(y + (<usize>r3 << 2), v, 3);
}

function dotFourF16(w0: usize, w1: usize, w2: usize, w3: usize, x: usize, k: i32): v128 {
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0, left = k;
  for (; left > 0; left -= 8) {
    const x0 = left >= 4 ? v128.load(x) : loadRest(x, left);
    const x1 = left >= 8 ? v128.load(x, 16) : left > 4 ? loadRest(x + 16, left - 4) : f32x4.splat(0);
    const a = eight(w0, left), b = eight(w1, left), c = eight(w2, left), d = eight(w3, left);
    a0 = f32x4.add(a0, f32x4.mul(x0, halfsToFloats(i32x4.extend_low_i16x8_s(a))));
    a1 = f32x4.add(a1, f32x4.mul(x1, halfsToFloats(i32x4.extend_high_i16x8_s(a))));
    b0 = f32x4.add(b0, f32x4.mul(x0, halfsToFloats(i32x4.extend_low_i16x8_s(b))));
    b1 = f32x4.add(b1, f32x4.mul(x1, halfsToFloats(i32x4.extend_high_i16x8_s(b))));
    c0 = f32x4.add(c0, f32x4.mul(x0, halfsToFloats(i32x4.extend_low_i16x8_s(c))));
    c1 = f32x4.add(c1, f32x4.mul(x1, halfsToFloats(i32x4.extend_high_i16x8_s(c))));
    d0 = f32x4.add(d0, f32x4.mul(x0, halfsToFloats(i32x4.extend_low_i16x8_s(d))));
    d1 = f32x4.add(d1, f32x4.mul(x1, halfsToFloats(i32x4.extend_high_i16x8_s(d))));
    x += 32;
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
  }
  return sumFourFloats(f32x4.add(a0, a1), f32x4.add(b0, b1), f32x4.add(c0, c1), f32x4.add(d0, d1));
}

function dotFourBf16(w0: usize, w1: usize, w2: usize, w3: usize, x: usize, k: i32): v128 {
  const zero = i32x4.splat(0);
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0, left = k;
  for (; left > 0; left -= 8) {
    const x0 = left >= 4 ? v128.load(x) : loadRest(x, left);
    const x1 = left >= 8 ? v128.load(x, 16) : left > 4 ? loadRest(x + 16, left - 4) : f32x4.splat(0);
    const a = eight(w0, left), b = eight(w1, left), c = eight(w2, left), d = eight(w3, left);
    a0 = f32x4.add(a0, f32x4.mul(x0, interleaveLow16(zero, a)));
    a1 = f32x4.add(a1, f32x4.mul(x1, interleaveHigh16(zero, a)));
    b0 = f32x4.add(b0, f32x4.mul(x0, interleaveLow16(zero, b)));
    b1 = f32x4.add(b1, f32x4.mul(x1, interleaveHigh16(zero, b)));
    c0 = f32x4.add(c0, f32x4.mul(x0, interleaveLow16(zero, c)));
    c1 = f32x4.add(c1, f32x4.mul(x1, interleaveHigh16(zero, c)));
    d0 = f32x4.add(d0, f32x4.mul(x0, interleaveLow16(zero, d)));
    d1 = f32x4.add(d1, f32x4.mul(x1, interleaveHigh16(zero, d)));
    x += 32;
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
  }
  return sumFourFloats(f32x4.add(a0, a1), f32x4.add(b0, b1), f32x4.add(c0, c1), f32x4.add(d0, d1));
}

/** Eight 16-bit weights, or what is left of a row and zeros. Reads nothing past the row. */
function eight(w: usize, left: i32): v128 {
  return left >= 8 ? v128.load(w) : rest(w, left);
}

function rest(w: usize, left: i32): v128 {
  let v = i32x4.splat(0);
  for (let i = left - 1; i >= 0; i--) {
    v = i8x16.shuffle(v, v, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    v = v128.load16_lane(w + (<usize>i << 1), v, 0);
  }
  return v;
}
