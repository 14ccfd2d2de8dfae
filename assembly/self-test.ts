// The host checks these on a fresh instance before trusting it with a model.
import { DOT_FUSED, DOT_OTHER, DOT_PAIRS } from "./abi";
import { dotI8, dotKeepsLanes, dotPairs, swizzle } from "./simd";

/**
 * What dotI8 becomes here, told by 127 · 255, four times a lane. One instruction (vpdpbusd) is exact. Where x86 adds
 * pairs first, these saturate (65534). ARM, and the dozen instructions without relaxed SIMD, read the second operand
 * signed (-508). `scratch`: 32 bytes; operands come from memory, so no compiler folds them.
 */
export function dotKind(scratch: usize): i32 {
  memory.fill(scratch, 127, 16);
  memory.fill(scratch + 16, 255, 16);
  const sum = i32x4.extract_lane(dotI8(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(0)), 0);
  return sum == 129540 ? DOT_FUSED : sum == 65534 ? DOT_PAIRS : DOT_OTHER;
}

/** First byte after the module's static data; the host keeps everything above MODULE_RESERVED_BYTES. */
export function heapBase(): usize {
  return __heap_base;
}

/**
 * Known answers of the three instructions that the relaxed variant depends on: some engines compute dot products
 * wrongly in their first compilation tier. `scratch`: 48 bytes. Returns 0 when every answer is right, else the failing
 * case.
 */
export function selfTest(scratch: usize): i32 {
  for (let round = 0; round < 64; round++) {
    for (let i = 0; i < 16; i++) {
      const a = <i8>((round * 37 + i * 91) & 255),
        u = <u8>((round * 11 + i * 29) & 127);
      store<i8>(scratch + i, a);
      store<u8>(scratch + 16 + i, u);
    }
    v128.store(scratch, dotI8(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(-1)), 32);
    if (!rightSums(scratch)) return round + 1;
    v128.store(scratch, dotPairs(v128.load(scratch), v128.load(scratch, 16)), 32);
    if (!rightPairs(scratch)) return 2000 + round;
    v128.store(scratch, swizzle(v128.load(scratch), v128.and(v128.load(scratch, 16), i8x16.splat(15))), 32);
    for (let i: usize = 0; i < 16; i++) {
      if (load<u8>(scratch + 32 + i) != load<u8>(scratch + (load<u8>(scratch + 16 + i) & 15))) return 1000 + round;
    }
  }
  return 0;
}

/**
 * Whether i32 (4) at 32 is the dot product of i8 (16) and u8 (16) less 4, each lane with its own four where dotI8 keeps
 * lanes.
 */
function rightSums(scratch: usize): bool {
  let difference = 4;
  for (let lane: usize = 0; lane < 16; lane += 4) {
    let own = load<i32>(scratch + lane, 32);
    for (let i = lane; i < lane + 4; i++) own -= <i32>load<i8>(scratch + i) * <i32>load<u8>(scratch + i, 16);
    if (dotKeepsLanes() && own != -1) return false;
    difference += own;
  }
  return difference == 0;
}

/** Whether i16 (8) at 32 are the sums of two neighbouring products of i8 (16) and u8 (16). */
function rightPairs(scratch: usize): bool {
  for (let i: usize = 0; i < 16; i += 2) {
    const first = <i32>load<i8>(scratch + i) * <i32>load<u8>(scratch + i, 16),
      second = <i32>load<i8>(scratch + i, 1) * <i32>load<u8>(scratch + i, 17);
    if (<i32>load<i16>(scratch + i, 32) != first + second) return false;
  }
  return true;
}
