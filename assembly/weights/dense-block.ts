/**
 * Shared by the kernels of quantised dense weights.
 *
 * Activations (ops/quantize.ts, "dense"): q16 i16 (n, k) in ±2047, each 16 values stored as | even ones | odd ones |;
 * scale f32 (n, k / 32); sum i16 (n, k / 16), the sum of each 16 values.
 *
 * Products are exact integer sums; each kernel states the order of its f32 sums. A row's bits depend only on the row
 * and its activations. Q4_0 and Q4_K read rows one after another: these kernels compute as long as they read, and on
 * Zen 5 four rows in turn, 210 bytes each, defeated the prefetcher (3 GB/s against 10).
 */

/**
 * 0x0f, 0x30, 0x00ff, 0xff00, 8: sixteen bytes of each. In memory, because V8 rebuilds a splatted constant on every
 * iteration.
 */
export const MASKS: usize = memory.data<u8>(
  [
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48,
    48, 48, 48, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255,
    0, 255, 0, 255, 0, 255, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
  ],
  16,
);

/** Products of 16 unsigned bytes with 16 activations, in four partial sums. `evens`: 0x00ff in each 16 bits. */
export function dotBytes(u: v128, q: usize, evens: v128): v128 {
  const even = i32x4.dot_i16x8_s(v128.and(u, evens), v128.load(q));
  return i32x4.add(even, i32x4.dot_i16x8_s(i16x8.shr_u(u, 8), v128.load(q, 16)));
}

/**
 * Products of 16 signed bytes with 16 activations, times 256, in four partial sums: a byte stays in the high half of
 * its 16 bits, which saves widening it. A product is below 2^26: 31 of them fit, a lane of a block has 8. `odds`:
 * 0xff00 in each 16 bits.
 */
export function dotSigned(v: v128, q: usize, odds: v128): v128 {
  const even = i32x4.dot_i16x8_s(i16x8.shl(v, 8), v128.load(q));
  return i32x4.add(even, i32x4.dot_i16x8_s(v128.and(v, odds), v128.load(q, 16)));
}

/** 0x8fffe000 and 2^112, the constants of simd.ts' f16ToF32, four lanes of each. */
const HALF: usize = memory.data<u32>(
  [0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000, 0x77800000, 0x77800000, 0x77800000, 0x77800000],
  16,
);

/** Four finite f16 bit patterns, sign-extended to i32, as exact f32: f16ToF32 with its constants from memory. */
export function halfsToFloats(h: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(h, 13), v128.load(HALF)), v128.load(HALF, 16));
}
