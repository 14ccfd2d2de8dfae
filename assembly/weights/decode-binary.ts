/**
 * Q1_0 (ggml): 128 binary weights in 18 bytes: f16 d, then qs[16]; bit i & 7 of byte i >> 3 set means +d, clear -d.
 */
import { allFinite } from "./decode-scales";

export const Q1_0: i32 = 41;

const SPREAD: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], 16);
const BITS: usize = memory.data<u8>([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128], 16);

/**
 * One row of k binary weights, k a multiple of 128.
 * @param codes u8[k] out, 0 or 1
 * @param scales u16[k / 128] out
 * @returns 0, or 2 when a scale is not finite
 */
export function decodeBinaryRow(type: i32, src: usize, k: i32, codes: usize, scales: usize): i32 {
  if (type != Q1_0) unreachable();
  const spread = v128.load(SPREAD);
  const bits = v128.load(BITS);
  const nBlocks = k >> 7;
  for (let b = 0; b < nBlocks; b++, src += 18) {
    store<u16>(scales + ((<usize>b) << 1), load<u16>(src));
    for (let i: usize = 0; i < 16; i += 2, codes += 16) {
      const x = i8x16.swizzle(v128.load16_splat(src + i, 2), spread);
      v128.store(codes, i8x16.neg(i8x16.eq(v128.and(x, bits), bits)));
    }
  }
  return allFinite(scales, nBlocks) ? 0 : 2;
}
