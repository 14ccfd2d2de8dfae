/**
 * STQ1_0: 256 weights in 42 bytes, three of every four of them not zero (Tencent's Sherry).
 *
 *   qs[32], signs[8], f16 d. Group g < 64 has the nibble g % 2 of qs[g / 2] and the bit g % 8 of signs[g / 8]. Its lane
 *   p < 4 is weight 64 (g / 16) + 16 p + g % 16
 *   nibble: 4 · the lane that is 0, + 1 if the second of the others has another sign than the first, + 2 if the third
 *   has; bit: the first is -1
 *
 * Every nibble and bit mean some weights, so nothing needs validation.
 */
import { interleaveLow8, swizzle } from "../simd";

/** The codes of a group by its nibble, lane 0 in the lowest two bits, where the first weight that is not 0 is +1. */
function groups(): v128 {
  // biome-ignore format: four to a zero lane
  return i8x16(
    <i8>0xa9, <i8>0x89, 0x29, 0x09,
    <i8>0xa6, <i8>0x86, 0x26, 0x06,
    <i8>0x9a, <i8>0x92, 0x1a, 0x12,
    0x6a, 0x62, 0x4a, 0x42,
  );
}

export function decodeSTQ1(src: usize, nBlocks: i32, codes: usize, scales: usize): void {
  const mask = i8x16.splat(3),
    low = i8x16.splat(15),
    table = groups(),
    bit = i64x2.splat(0x8040201008040201);
  for (let b = 0; b < nBlocks; b++, src += 42, scales += 2) {
    for (let quarter: usize = 0; quarter < 4; quarter++, codes += 64) {
      const bytes = v128.load64_zero(src + 8 * quarter),
        high = i16x8.shr_u(bytes, 4),
        plus = swizzle(table, interleaveLow8(v128.and(bytes, low), v128.and(high, low)));
      // Byte i holds the sign bits of group i's eight.
      const signs = i16x8.splat(load<i16>(src + 2 * quarter, 32)),
        spread = i8x16.shuffle(signs, signs, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
      // Other signs: each code c becomes 2 - c.
      const minus = i8x16.sub(i8x16.splat(<i8>0xaa), plus);
      let group = v128.bitselect(minus, plus, i8x16.eq(v128.and(spread, bit), bit));
      for (let lane: usize = 0; lane < 64; lane += 16) {
        v128.store(codes + lane, v128.and(group, mask));
        group = i16x8.shr_u(group, 2);
      }
    }
    store<u16>(scales, load<u16>(src, 40));
  }
}
