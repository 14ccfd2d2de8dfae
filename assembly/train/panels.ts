/**
 * Panels: a block of a matrix in the order the micro-tile reads it.
 *
 *   b panel p of (k, n):  f32 (k, 8): columns 8p … 8p+7 of one step side by side; columns past n are zero
 *   a panel t of (k, m):  f32 (k, 4): rows 4t … 4t+3 of one step side by side; rows past m are zero
 */
import { interleaveHigh32, interleaveLow32 } from "../simd";

/** Columns [0, n) of b (k, stride) times `scale`. Panel p at out + p·k·32 bytes. */
export function packColumns(b: usize, stride: usize, k: i32, n: i32, scale: f32, out: usize): void {
  const s = f32x4.splat(scale);
  for (let j = 0; j < n; j += 8) {
    const from = b + ((<usize>j) << 2);
    if (n - j >= 8) {
      for (let i = 0; i < k; i++, out += 32) {
        const row = from + <usize>i * stride;
        v128.store(out, f32x4.mul(v128.load(row), s));
        v128.store(out, f32x4.mul(v128.load(row, 16), s), 16);
      }
    } else {
      for (let i = 0; i < k; i++, out += 32) packRest(from + <usize>i * stride, 4, n - j, 8, scale, out);
    }
  }
}

/** Rows [0, n) of w (n, stride), any 32-bit words, as columns: b = wᵀ. Panel p at out + p·k·32 bytes. */
export function packRows(w: usize, stride: usize, k: i32, n: i32, out: usize): void {
  for (let j = 0; j < n; j += 8) {
    const from = w + <usize>j * stride;
    if (n - j >= 8) {
      let i = 0;
      for (; i + 4 <= k; i += 4, out += 128) {
        transpose(from + ((<usize>i) << 2), stride, out, 32);
        transpose(from + 4 * stride + ((<usize>i) << 2), stride, out + 16, 32);
      }
      for (; i < k; i++, out += 32) copyRest(from + ((<usize>i) << 2), stride, 8, out);
    } else {
      for (let i = 0; i < k; i++, out += 32) copyRest(from + ((<usize>i) << 2), stride, n - j, out);
    }
  }
}

/** Columns [0, n) of codes b, i16 (k, stride), times `scale`, as f32. Panel p at out + p·k·32 bytes. */
export function packCodeColumns(b: usize, stride: usize, k: i32, n: i32, scale: f32, out: usize): void {
  const s = f32x4.splat(scale);
  for (let j = 0; j < n; j += 8) {
    const from = b + ((<usize>j) << 1);
    for (let i = 0; i < k; i++, out += 32) {
      const row = from + <usize>i * stride;
      if (n - j >= 8) {
        const codes = v128.load(row);
        v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), s));
        v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes)), s), 16);
      } else {
        for (let c = 0; c < 8; c++)
          store<f32>(out + ((<usize>c) << 2), c < n - j ? <f32>load<i16>(row + ((<usize>c) << 1)) * scale : 0);
      }
    }
  }
}

/** Columns [0, m) of a (k, stride), row i times kScale[i] if given. Panel t at out + t·k·16 bytes. */
export function packLeft(a: usize, stride: usize, k: i32, m: i32, kScale: usize, out: usize): void {
  for (let t = 0; t < m; t += 4) {
    const from = a + ((<usize>t) << 2);
    for (let i = 0; i < k; i++, out += 16) {
      const row = from + <usize>i * stride,
        scale: f32 = kScale == 0 ? 1 : load<f32>(kScale + ((<usize>i) << 2));
      if (m - t >= 4) v128.store(out, f32x4.mul(v128.load(row), f32x4.splat(scale)));
      else packRest(row, 4, m - t, 4, scale, out);
    }
  }
}

/** `count` floats, `step` bytes apart, times scale; zeros up to `size`. */
function packRest(from: usize, step: usize, count: i32, size: i32, scale: f32, out: usize): void {
  for (let i = 0; i < size; i++) {
    store<f32>(out + ((<usize>i) << 2), i < count ? load<f32>(from + <usize>i * step) * scale : 0);
  }
}

/** `count` words, `step` bytes apart; zeros up to 8. */
function copyRest(from: usize, step: usize, count: i32, out: usize): void {
  for (let i = 0; i < 8; i++) store<u32>(out + ((<usize>i) << 2), i < count ? load<u32>(from + <usize>i * step) : 0);
}

/** A 4 x 4 block transposed: rows `stride` bytes apart become rows `outStride` apart. */
function transpose(from: usize, stride: usize, out: usize, outStride: usize): void {
  const r0 = v128.load(from),
    r1 = v128.load(from + stride),
    r2 = v128.load(from + 2 * stride),
    r3 = v128.load(from + 3 * stride);
  const a = interleaveLow32(r0, r2),
    b = interleaveLow32(r1, r3),
    c = interleaveHigh32(r0, r2),
    d = interleaveHigh32(r1, r3);
  v128.store(out, interleaveLow32(a, b));
  v128.store(out + outStride, interleaveHigh32(a, b));
  v128.store(out + 2 * outStride, interleaveLow32(c, d));
  v128.store(out + 3 * outStride, interleaveHigh32(c, d));
}
