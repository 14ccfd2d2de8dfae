/**
 * Dot products of layout T2 (ternary-codes.ts) in sums of 16 bits, for CPUs without an instruction that adds four
 * products of bytes: x86 before AVX-VNNI, where V8 makes dotI8 of five instructions and dotPairs of one.
 *
 *   byte of 4 codes:      | d d c c b b a a |
 *   and 3, and 12:        a of weight i, 4 b of weight i + 16;  the same of the byte shifted right by 4: c, 4 d
 *
 *   sums of a and c, i16: two pairs of products a step of 64 weights, each up to 2 · 2 · 127 = 508
 *   sums of 4 b and 4 d:  the same times 4, divided in the end: every one is a multiple of 4
 *
 * One shift for four codes. The sums of 4 b and 4 d have room for 16 pairs (16 · 2032 = 32,512), so after 8 steps both
 * are widened to 32 bits. The loop takes 51 cycles for 1,000 products by llvm-mca (Zen 4), 77 (Skylake), where dotI8
 * takes 106 and 162 and tables 42 and 55; but tables reach 28 to 38 GMAC/s from memory (Zen 4), these dots 55.
 */
import { dotPairs, sumLanes4 } from "../simd";

/** 16 bytes of 3, 16 of 12; eight i16 of 1. */
export const PAIR_MASKS: usize = memory.data<u8>(
  [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12],
  16,
);
export const ONES: usize = memory.data<i16>([1, 1, 1, 1, 1, 1, 1, 1], 16);

/** Bytes of a row between two widenings. */
const TURN_BYTES: usize = 8 * 16;

/**
 * Σ code q of rows r + s distance, s = 0..3, stored as i32. Four rows and the activations fill the 16 registers.
 * @param scratch 64 bytes: i32 sums, four a row
 */
export function pairDotRows4(w: usize, q: usize, rowBytes: i32, distance: i32, r: i32, y: usize, scratch: usize): void {
  const low = v128.load(PAIR_MASKS),
    next = v128.load(PAIR_MASKS, 16),
    step = <usize>distance * <usize>rowBytes;
  let at = w + <usize>r * <usize>rowBytes;
  memory.fill(scratch, 0, 64);
  for (const end = at + <usize>rowBytes; at < end; ) {
    let a0 = i16x8.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0,
      b0 = a0,
      b1 = a0,
      b2 = a0,
      b3 = a0;
    for (const turn = min(end, at + TURN_BYTES); at < turn; at += 16, q += 64) {
      let x0 = v128.load(at),
        x1 = v128.load(at + step),
        x2 = v128.load(at + 2 * step),
        x3 = v128.load(at + 3 * step);
      let qa = v128.load(q),
        qb = v128.load(q, 16);
      (a0 = addPairs(a0, qa, x0, low)), (b0 = addPairs(b0, qb, x0, next));
      (a1 = addPairs(a1, qa, x1, low)), (b1 = addPairs(b1, qb, x1, next));
      (a2 = addPairs(a2, qa, x2, low)), (b2 = addPairs(b2, qb, x2, next));
      (a3 = addPairs(a3, qa, x3, low)), (b3 = addPairs(b3, qb, x3, next));
      (qa = v128.load(q, 32)), (qb = v128.load(q, 48));
      (x0 = i16x8.shr_u(x0, 4)), (x1 = i16x8.shr_u(x1, 4)), (x2 = i16x8.shr_u(x2, 4)), (x3 = i16x8.shr_u(x3, 4));
      (a0 = addPairs(a0, qa, x0, low)), (b0 = addPairs(b0, qb, x0, next));
      (a1 = addPairs(a1, qa, x1, low)), (b1 = addPairs(b1, qb, x1, next));
      (a2 = addPairs(a2, qa, x2, low)), (b2 = addPairs(b2, qb, x2, next));
      (a3 = addPairs(a3, qa, x3, low)), (b3 = addPairs(b3, qb, x3, next));
    }
    addWidened(scratch, a0, b0), addWidened(scratch + 16, a1, b1);
    addWidened(scratch + 32, a2, b2), addWidened(scratch + 48, a3, b3);
  }
  const sums = sumLanes4(v128.load(scratch), v128.load(scratch, 16), v128.load(scratch, 32), v128.load(scratch, 48)),
    to = y + ((<usize>r) << 2),
    toStep = (<usize>distance) << 2;
  v128.store_lane<i32>(to, sums, 0);
  v128.store_lane<i32>(to + toStep, sums, 1);
  v128.store_lane<i32>(to + 2 * toStep, sums, 2);
  v128.store_lane<i32>(to + 3 * toStep, sums, 3);
}

/** Products of the 64 codes in x with q0..q3: four i32 whose sum is the dot product. */
export function pairDot64(x: v128, low: v128, next: v128, q0: v128, q1: v128, q2: v128, q3: v128): v128 {
  const shifted = i16x8.shr_u(x, 4);
  const a = i16x8.add(dotPairs(q0, v128.and(x, low)), dotPairs(q2, v128.and(shifted, low)));
  const b = i16x8.add(dotPairs(q1, v128.and(x, next)), dotPairs(q3, v128.and(shifted, next)));
  return widened(a, b);
}

function addPairs(sums: v128, q: v128, codes: v128, mask: v128): v128 {
  return i16x8.add(sums, dotPairs(q, v128.and(codes, mask)));
}

/** Neighbours of a + b / 4, added. */
function widened(a: v128, b: v128): v128 {
  return i32x4.dot_i16x8_s(i16x8.add(a, i16x8.shr_s(b, 2)), v128.load(ONES));
}

function addWidened(to: usize, a: v128, b: v128): void {
  v128.store(to, i32x4.add(v128.load(to), widened(a, b)));
}
