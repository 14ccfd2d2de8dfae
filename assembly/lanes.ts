/**
 * Whole-vector helpers for float rows whose length is not a multiple of four: the rest of a row uses the same vector
 * arithmetic as its body, so a value's bits do not depend on its place in the row.
 */
import { interleaveHigh32, interleaveLow32 } from "./simd";

/** The 1 to 3 floats at `p` in the first lanes, zero in the others. Reads nothing past them. */
export function loadRest(p: usize, count: i32): v128 {
  if (count == 1) return v128.load32_zero(p);
  const pair = v128.load64_zero(p);
  return count == 2 ? pair : v128.load32_lane(p, pair, 2, 8);
}

/** Writes the first 1 to 3 lanes at `p`, and nothing past them. */
export function storeRest(p: usize, v: v128, count: i32): void {
  if (count == 1) {
    v128.store32_lane(p, v, 0);
    return;
  }
  v128.store64_lane(p, v, 0);
  if (count == 3) v128.store32_lane(p, v, 2, 8);
}

/** (v0 + v2) + (v1 + v3): the one order in which four f32 lanes are ever summed. */
export function sumFloats(v: v128): f32 {
  const pairs = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** That sum for four vectors at once: (Σa, Σb, Σc, Σd). */
export function sumFourFloats(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(interleaveLow32(a, b), interleaveHigh32(a, b));
  const cd = f32x4.add(interleaveLow32(c, d), interleaveHigh32(c, d));
  return f32x4.add(
    i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
}

/** The largest of four f32 lanes; a NaN lane loses to any number. */
export function maxFloats(v: v128): f32 {
  const pairs = f32x4.pmax(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7), v);
  const first = f32x4.extract_lane(pairs, 0),
    second = f32x4.extract_lane(pairs, 1);
  return first < second || first != first ? second : first;
}
