/**
 * File types with two bits a ternary weight, code 0, 1, 2 for -1, 0, +1:
 *
 *   TQ2_0   256 weights: qs[64], f16 d. Byte 32 h + r, bits 2j..2j+1 = weight 128 h + 32 j + r       (ggml)
 *   I2_S    128 weights: qs[32].        Byte r, bits 6-2j..7-2j      = weight 32 j + r               (bitnet.cpp)
 *   Q2_0    64 (ggml) or 128 (PrismML) weights: f16 d, qs. Byte i, bits 2j..2j+1 = weight 4 i + j
 *   packed  u8 (rows / 4, k): bits 2j..2j+1 of byte (i, c) = weight (j rows / 4 + i, c)              (Hugging Face)
 *
 * The decoders return whether any code was 3, which no ternary weight has.
 */
import { interleaveHigh16, interleaveHigh8, interleaveLow16, interleaveLow8 } from "../simd";

export function decodeTQ2(src: usize, nBlocks: i32, codes: usize, scales: usize): bool {
  const mask = i8x16.splat(3);
  let threes = i32x4.splat(0);
  for (let b = 0; b < nBlocks; b++, src += 66, scales += 2) {
    for (let half = 0; half < 2; half++, codes += 128) {
      for (let i = 0; i < 2; i++) {
        const x = v128.load(src + <usize>(32 * half + 16 * i));
        const to = codes + <usize>(16 * i);
        v128.store(to, v128.and(x, mask));
        v128.store(to, v128.and(i16x8.shr_u(x, 2), mask), 32);
        v128.store(to, v128.and(i16x8.shr_u(x, 4), mask), 64);
        v128.store(to, v128.and(i16x8.shr_u(x, 6), mask), 96);
        threes = v128.or(threes, threesIn(x));
      }
    }
    store<u16>(scales, load<u16>(src, 64));
  }
  return v128.any_true(threes);
}

/** k a multiple of 128, src on a block boundary. */
export function decodeI2S(src: usize, k: i32, codes: usize): bool {
  const mask = i8x16.splat(3);
  let threes = i32x4.splat(0);
  for (const end = codes + <usize>k; codes < end; codes += 128, src += 32) {
    for (let i: usize = 0; i < 32; i += 16) {
      const x = v128.load(src + i);
      const to = codes + i;
      v128.store(to, v128.and(i16x8.shr_u(x, 6), mask));
      v128.store(to, v128.and(i16x8.shr_u(x, 4), mask), 32);
      v128.store(to, v128.and(i16x8.shr_u(x, 2), mask), 64);
      v128.store(to, v128.and(x, mask), 96);
      threes = v128.or(threes, threesIn(x));
    }
  }
  return v128.any_true(threes);
}

/** block: 64 or 128 weights. */
export function decodeQ2(src: usize, nBlocks: i32, block: i32, codes: usize, scales: usize): bool {
  const mask = i8x16.splat(3);
  let threes = i32x4.splat(0);
  for (let b = 0; b < nBlocks; b++, scales += 2) {
    store<u16>(scales, load<u16>(src));
    src += 2;
    for (const end = codes + <usize>block; codes < end; codes += 64, src += 16) {
      const x = v128.load(src);
      const c0 = v128.and(x, mask);
      const c1 = v128.and(i16x8.shr_u(x, 2), mask);
      const c2 = v128.and(i16x8.shr_u(x, 4), mask);
      const c3 = v128.and(i16x8.shr_u(x, 6), mask);
      const low01 = interleaveLow8(c0, c1),
        low23 = interleaveLow8(c2, c3);
      const high01 = interleaveHigh8(c0, c1),
        high23 = interleaveHigh8(c2, c3);
      v128.store(codes, interleaveLow16(low01, low23));
      v128.store(codes, interleaveHigh16(low01, low23), 16);
      v128.store(codes, interleaveLow16(high01, high23), 32);
      v128.store(codes, interleaveHigh16(high01, high23), 48);
      threes = v128.or(threes, threesIn(x));
    }
  }
  return v128.any_true(threes);
}

/**
 * Row `row` of a (rows, k) matrix packed by Hugging Face; rows a multiple of 4.
 * @param src the whole packed tensor, u8 (rows / 4, k)
 * @param codes u8, k rounded up to 64; the padding is 1 (weight 0)
 * @returns 0, or 1 when a code 3 was seen
 */
export function decodePackedRow(src: usize, row: i32, rows: i32, k: i32, codes: usize): i32 {
  const quarter = rows >> 2;
  const shift = (row / quarter) << 1;
  const from = src + <usize>(row % quarter) * <usize>k;
  const mask = i8x16.splat(3);
  let threes = i32x4.splat(0);
  let c = 0;
  for (; c + 16 <= k; c += 16) {
    const code = v128.and(i16x8.shr_u(v128.load(from + <usize>c), shift), mask);
    v128.store(codes + <usize>c, code);
    threes = v128.or(threes, threesIn(code));
  }
  let invalid = v128.any_true(threes);
  for (; c < k; c++) {
    const code = <u8>((load<u8>(from + <usize>c) >> <u8>shift) & 3);
    store<u8>(codes + <usize>c, code);
    if (code == 3) invalid = true;
  }
  const padded = (k + 63) & ~63;
  memory.fill(codes + <usize>k, 1, <usize>(padded - k));
  return invalid ? 1 : 0;
}

/** Non-zero where two adjacent bits 2j, 2j + 1 are both set. */
function threesIn(x: v128): v128 {
  return v128.and(v128.and(x, i16x8.shr_u(x, 1)), i8x16.splat(0x55));
}
