/**
 * Float master weights → ternary codes, as BitNet b1.58 defines it (arXiv:2402.17764, eq. 1-3): with s = 1 / mean|w| of
 * the whole matrix, w_q = clamp(round(w s), -1, 1). Rounding is half to even, like torch.round.
 */

/**
 * Codes of one row: clamp(round(x scale), -1, 1) + 1.
 * @param x f32[k]
 * @param scale 1 / clamp(mean|w|, 1e-5) of the matrix
 * @param codes u8, k rounded up to 64; the padding is 1 (weight 0). A NaN becomes 1
 */
export function ternarizeRow(x: usize, k: i32, scale: f32, codes: usize): void {
  const s = f32x4.splat(scale);
  const one = i32x4.splat(1);
  let i = 0;
  for (; i + 4 <= k; i += 4) {
    const q = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x + ((<usize>i) << 2)), s)));
    const code = i32x4.add(i32x4.max_s(i32x4.min_s(q, one), i32x4.splat(-1)), one);
    const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(code, code), code);
    v128.store32_lane(codes + <usize>i, bytes, 0);
  }
  for (; i < k; i++) {
    const q = nearest(load<f32>(x + ((<usize>i) << 2)) * scale);
    store<u8>(codes + <usize>i, q >= 1 ? 2 : q <= -1 ? 0 : 1);
  }
  const padded = (k + 63) & ~63;
  memory.fill(codes + <usize>k, 1, <usize>(padded - k));
}

/**
 * Σ |x| of f32[k], in f64: even and odd elements of whole fours in two sums, then their sum, then the rest in order.
 */
export function absSumRow(x: usize, k: i32): f64 {
  let sum = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= k; i += 4) {
    const v = f32x4.abs(v128.load(x + ((<usize>i) << 2)));
    sum = f64x2.add(sum, f64x2.promote_low_f32x4(v));
    sum = f64x2.add(
      sum,
      f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)),
    );
  }
  let total = f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
  for (; i < k; i++) total += <f64>abs(load<f32>(x + ((<usize>i) << 2)));
  return total;
}
