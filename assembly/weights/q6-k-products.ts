/**
 * Products of a chunk of Q6_K weights, four vectors of 6-bit numbers, with 64 activations (q6-k.ts has both layouts):
 * four sums, one for each group of 16 weights.
 */
import { dotI8, dotKeepsLanes, dotPairs } from "../simd";
import { MASKS } from "./dense-block";

/** Offsets of a block's chunks and its d. */
export const CHUNKS: usize = 16,
  FACTOR: usize = 208;
export const CHUNK_BYTES: usize = 48;

/** 0xc0 in each byte. */
export const TOP: usize = memory.data<u8>(
  [192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192, 192],
  16,
);
/** 0x00ff in each 16 bits (dense-block.ts). */
const EVENS: usize = MASKS + 32;
/** Eight i16 of 16, eight of 1: weigh high and low parts of products. */
const PARTS: usize = memory.data<i16>([16, 16, 16, 16, 16, 16, 16, 16, 1, 1, 1, 1, 1, 1, 1, 1], 16);

/** The scales of a chunk's four groups, i8 at `scales`, as i32. */
export function groupScales(scales: usize): v128 {
  return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(scales)));
}

/** sums + the products of four vectors; each lane a group. */
export function dotFour(u0: v128, u1: v128, u2: v128, u3: v128, q: usize, sums: v128): v128 {
  if (dotKeepsLanes()) {
    const high = dotI8(
      v128.load(q, 96),
      u3,
      dotI8(v128.load(q, 64), u2, dotI8(v128.load(q, 32), u1, dotI8(v128.load(q), u0, i32x4.splat(0)))),
    );
    const low = dotI8(
      v128.load(q, 112),
      u3,
      dotI8(v128.load(q, 80), u2, dotI8(v128.load(q, 48), u1, dotI8(v128.load(q, 16), u0, sums))),
    );
    return i32x4.add(i32x4.shl(high, 4), low);
  }
  return i32x4.add(
    i32x4.add(i32x4.add(dotOne(u0, q), dotOne(u1, q + 32)), i32x4.add(dotOne(u2, q + 64), dotOne(u3, q + 96))),
    sums,
  );
}

/** Four products per lane, of bytes with i16. */
function dotOne(u: v128, q: usize): v128 {
  return i32x4.add(
    i32x4.dot_i16x8_s(v128.and(u, v128.load(EVENS)), v128.load(q)),
    i32x4.dot_i16x8_s(i16x8.shr_u(u, 8), v128.load(q, 16)),
  );
}

/**
 * dotFour by pairs: two pairs of high parts make up to 2 · 2 · 128 · 63 = 32,256, four of low ones 4 · 2 · 15 · 63 =
 * 7,560.
 */
export function pairFour(u0: v128, u1: v128, u2: v128, u3: v128, q: usize, sums: v128): v128 {
  const first = i16x8.add(dotPairs(v128.load(q), u0), dotPairs(v128.load(q, 32), u1)),
    second = i16x8.add(dotPairs(v128.load(q, 64), u2), dotPairs(v128.load(q, 96), u3));
  const low = i16x8.add(
    i16x8.add(dotPairs(v128.load(q, 16), u0), dotPairs(v128.load(q, 48), u1)),
    i16x8.add(dotPairs(v128.load(q, 80), u2), dotPairs(v128.load(q, 112), u3)),
  );
  const sixteen = v128.load(PARTS);
  const high = i32x4.add(i32x4.dot_i16x8_s(first, sixteen), i32x4.dot_i16x8_s(second, sixteen));
  return i32x4.add(high, i32x4.add(i32x4.dot_i16x8_s(low, v128.load(PARTS, 16)), sums));
}
