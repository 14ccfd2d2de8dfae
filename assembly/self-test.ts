// What the host asks of a fresh instance before trusting it with a model.
import { dotI8, swizzle } from "./simd";

/**
 * Whether a dot product of bytes is one instruction here (vpdpbusd): then 127 · 255, four times a lane, is exact. What
 * adds pairs first saturates (65534), an ARM reads the second operand signed (-508), and without relaxed SIMD it is a
 * dozen instructions. `scratch`: 32 bytes; operands from memory, which no compiler folds.
 */
export function hasFusedDot(scratch: usize): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  memory.fill(scratch, 127, 16);
  memory.fill(scratch + 16, 255, 16);
  return i32x4.extract_lane(dotI8(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(0)), 0) == 129540;
}

/** First byte after the module's static data; the host keeps everything above MODULE_RESERVED_BYTES. */
export function heapBase(): usize { return __heap_base; }

/**
 * Known answers of the two instructions the relaxed variant depends on: some engines compute the dot product wrongly
 * in their first compilation tier. `scratch`: 48 bytes. Returns 0 when every answer is right, else the failing case.
 */
export function selfTest(scratch: usize): i32 {
  for (let round = 0; round < 64; round++) {
    let want: i32 = 0;
    for (let i = 0; i < 16; i++) {
      const a = <i8>((round * 37 + i * 91) & 255), u = <u8>((round * 11 + i * 29) & 127);
      store<i8>(scratch + i, a);
      store<u8>(scratch + 16 + i, u);
      want += <i32>a * <i32>u;
    }
    const sums = dotI8(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(-1));
    const got = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
    if (got != want - 4) return round + 1;
    v128.store(scratch, swizzle(v128.load(scratch), v128.and(v128.load(scratch, 16), i8x16.splat(15))), 32);
    for (let i: usize = 0; i < 16; i++) {
      if (load<u8>(scratch + 32 + i) != load<u8>(scratch + (load<u8>(scratch + 16 + i) & 15))) return 1000 + round;
    }
  }
  return 0;
}
