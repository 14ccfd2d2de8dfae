/**
 * The only file that names the instructions in which the variants differ, and small vector helpers that kernels share.
 *
 * The relaxed variant may use three instructions whose corner cases differ between engines. We call them only inside
 * the range where every engine agrees, so the variants give the same bits:
 * - `relaxed_swizzle` with indexes 0..15 (above that x86 wraps, ARM gives 0);
 * - `relaxed_dot_i8x16_i7x16_add_s` and `relaxed_dot_i8x16_i7x16_s` with a second operand of 0..127 (x86 reads it
 *   unsigned, ARM signed) and products whose pair sums fit 16 bits (some x86 code adds pairs with 16-bit saturation).
 */

/** Sixteen lookups in a 16-byte table. Every index must be 0..15. */
export function swizzle(table: v128, index: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, index);
  return i8x16.swizzle(table, index);
}

/**
 * acc + products of 16 signed bytes with 16 bytes of 0..127, four i32 partial sums. Which product lands in which lane
 * differs between the variants: only the sum over the four lanes is meaningful.
 */
export function dotI8(a: v128, u: v128, acc: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, u, acc);
  const low = i16x8.extmul_low_i8x16_s(a, u);
  const high = i16x8.extmul_high_i8x16_s(a, u);
  return i32x4.add(acc, i32x4.add(i32x4.extadd_pairwise_i16x8_s(low), i32x4.extadd_pairwise_i16x8_s(high)));
}

/**
 * Products of 16 signed bytes with 16 bytes of 0..127, neighbours added: eight i16. On x86 one instruction, where dotI8
 * without vpdpbusd takes five.
 */
export function dotPairs(a: v128, u: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(a, u);
  const low = i16x8.extmul_low_i8x16_s(a, u);
  const high = i16x8.extmul_high_i8x16_s(a, u);
  return i16x8.narrow_i32x4_s(i32x4.extadd_pairwise_i16x8_s(low), i32x4.extadd_pairwise_i16x8_s(high));
}

/** Whether dotI8 keeps each lane's four products in that lane. */
export function dotKeepsLanes(): bool {
  return ASC_FEATURE_RELAXED_SIMD;
}

/**
 * Exact products of bytes with 14-bit numbers, four at a time, in each variant's fast form. `bytes` are 16 signed
 * bytes, four for each of four sums; `quad` is four numbers 0..16383 in 8 bytes, two of which storeQuads writes:
 *
 *   relaxed   7 high bits of the four as bytes, then 7 low bits: each plane is splatted and goes through dotI8, which
 *             there adds four products in their own lane
 *   simd128   four i16: bytes are widened to two halves, of two sums each
 *
 * A product needs two accumulators, of (bytesA, quadA) and of (bytesB, quadB); sumQuads makes the four sums from them.
 * In 2B4T at 4,000 positions attention takes 24 ms a token with the planes (vpdpbusd) and 28 with i16.
 */
export function storeQuads(to: usize, first: v128, second: v128): void {
  const halves = i16x8.narrow_i32x4_s(first, second);
  if (!ASC_FEATURE_RELAXED_SIMD) {
    v128.store(to, halves);
    return;
  }
  const planes = i8x16.narrow_i16x8_u(i16x8.shr_u(halves, 7), v128.and(halves, i16x8.splat(127)));
  v128.store(to, i8x16.shuffle(planes, planes, 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15));
}

export function bytesA(bytes: usize): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.load(bytes) : v128.load8x8_s(bytes);
}

export function bytesB(bytes: usize, a: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? a : v128.load8x8_s(bytes, 8);
}

export function quadA(quad: usize): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.load32_splat(quad) : v128.load64_splat(quad);
}

export function quadB(quad: usize, a: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.load32_splat(quad, 4) : a;
}

export function dotQuad(bytes: v128, quad: v128, acc: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? dotI8(bytes, quad, acc) : i32x4.add(acc, i32x4.dot_i16x8_s(bytes, quad));
}

export function sumQuads(a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.add(i32x4.shl(a, 7), b);
  return i32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

/** Lanes a0 b0 a1 b1 … of the first eight bytes. */
export function interleaveLow8(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** Lanes a8 b8 a9 b9 … of the last eight bytes. */
export function interleaveHigh8(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Lanes a0 b0 a1 b1 a2 b2 a3 b3 of 16 bits. */
export function interleaveLow16(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

/** Lanes a4 b4 a5 b5 a6 b6 a7 b7 of 16 bits. */
export function interleaveHigh16(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/** Lanes a0 b0 a1 b1 of 32 bits. */
export function interleaveLow32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

/** Lanes a2 b2 a3 b3 of 32 bits. */
export function interleaveHigh32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

/** Sum of four i32 lanes. */
export function sumLanes(v: v128): i32 {
  const pairs = i32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** The four lane sums of four i32 vectors, in order: (Σa, Σb, Σc, Σd). */
export function sumLanes4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(interleaveLow32(a, b), interleaveHigh32(a, b));
  const cd = i32x4.add(interleaveLow32(c, d), interleaveHigh32(c, d));
  return i32x4.add(
    i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
}

// In memory, because V8 rebuilds splatted constants at every use.
const F16_BITS: usize = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000], 16);
const TWO_TO_112: usize = memory.data<u32>([0x77800000, 0x77800000, 0x77800000, 0x77800000], 16);

/**
 * Four finite f16 bit patterns, each sign-extended into an i32 lane, as exact f32 (subnormals and both zeros too).
 * The 15 magnitude bits become an f32 2^112 too small (exponent bias 127 against 15), then one exact multiply.
 */
export function f16ToF32(h: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(h, 13), v128.load(F16_BITS)), v128.load(TWO_TO_112));
}

/** The first four of eight f16 as f32. */
export function f16LowToF32(h: v128): v128 {
  return f16ToF32(i32x4.extend_low_i16x8_s(h));
}

/** The last four of eight f16 as f32. */
export function f16HighToF32(h: v128): v128 {
  return f16ToF32(i32x4.extend_high_i16x8_s(h));
}

/** One finite f16 bit pattern as exact f32. */
export function f16Scalar(h: u16): f32 {
  const bits = ((<u32>h & 0x8000) << 16) | ((<u32>h & 0x7fff) << 13);
  return reinterpret<f32>(bits) * reinterpret<f32>(0x77800000);
}
