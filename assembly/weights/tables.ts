/**
 * Nibble lookup tables: the layout of ternary and binary weights whose kernels look sums up instead of multiplying
 * (the idea of T-MAC, arXiv:2407.00088, and of bitnet.cpp's TL kernels, arXiv:2410.16144).
 *
 * Weights. A group is 2 ternary or 4 binary weights of one row: a nibble, its code. A tile is 32 rows x one group:
 *
 *   byte  0      1      2      3      ...  14     15
 *   low   row 0  row 8  row 1  row 9  ...  row 7  row 15       (even bytes rows 0..7, odd bytes rows 8..15,
 *   high  row 16 row 24 row 17 row 25 ...  row 23 row 31        so that splitting a sum by parity keeps row order)
 *
 *   memory order [k-block of TABLE_GROUPS groups][tile][group] x 16 B; the last k-block may be shorter
 *   ternary code 3 (w0 + 1) + (w1 + 1) of weights 2g, 2g + 1; binary code: bit e is set where weight 4g + e is +1
 *
 * Tables, of one activation row, |q| <= 255: 32 B a group. v[code], the sum a code stands for, is split in two:
 *
 *   ternary, |v| <= 510:      bytes 0..15 v & 31, bytes 16..31 (v >> 5) + 16
 *   binary, 0 <= v <= 1020:   bytes 0..15 v & 31, bytes 16..31 v >> 5
 *
 * so that 8 lookups add up in unsigned bytes without overflow. A binary v is the sum of the activations under set bits,
 * less the negative ones of the group: that is never negative and takes one bit less, and Σ w q = 2 Σ v - Σ |q|.
 */

/**
 * Groups in a k-block. 640 keeps one block of a table (20 KB) in a 32 KB level-1 cache beside the streamed weights,
 * is a multiple of the widest scale block (256 ternary weights = 128 groups), and keeps 16-bit sums under 2^15
 * (31 x 640 = 19840).
 */
export const TABLE_GROUPS: i32 = 640;

/** Byte offset of one tile of one k-block in a table layout of nTiles tiles and `groups` groups a row. */
export function tileOffset(firstGroup: i32, tile: i32, nTiles: i32, groups: i32): usize {
  const length = min(TABLE_GROUPS, groups - firstGroup);
  return ((<usize>firstGroup * <usize>nTiles) << 4) + ((<usize>tile * <usize>length) << 4);
}

// Coefficients of the first (second) weight in v[code] of codes 0..7; code 8 is q0 + q1; 9..15 do not occur.
const FIRST: usize = memory.data<i16>([-1, -1, -1, 0, 0, 0, 1, 1], 16);
const SECOND: usize = memory.data<i16>([-1, 0, 1, -1, 0, 1, -1, 0], 16);
const CODE_8: usize = memory.data<i16>([1, 0, 0, 0, 0, 0, 0, 0], 16);

/**
 * Tables of ternary groups [groupBegin, groupEnd) of one activation row.
 * @param q activations, i16[kp], |q| <= 255
 * @param table the row's tables, 32 B a group
 */
export function buildTernaryTables(q: usize, table: usize, groupBegin: i32, groupEnd: i32): void {
  const first = v128.load(FIRST);
  const second = v128.load(SECOND);
  const code8 = v128.load(CODE_8);
  let from = q + ((<usize>groupBegin) << 2);
  let to = table + ((<usize>groupBegin) << 5);
  const end = table + ((<usize>groupEnd) << 5);
  for (; to < end; to += 32, from += 4) {
    const a = v128.load16_splat(from);
    const b = v128.load16_splat(from, 2);
    const v0 = i16x8.add(i16x8.mul(a, first), i16x8.mul(b, second));
    const v1 = i16x8.mul(i16x8.add(a, b), code8);
    storeTernary(to, v0, v1);
  }
}

// Which codes 0..7 contain bits 0, 1, 2.
const BIT_0: usize = memory.data<i16>([0, -1, 0, -1, 0, -1, 0, -1], 16);
const BIT_1: usize = memory.data<i16>([0, 0, -1, -1, 0, 0, -1, -1], 16);
const BIT_2: usize = memory.data<i16>([0, 0, 0, 0, -1, -1, -1, -1], 16);

// i16 weights that sum the negative part of four activations, turned positive.
const MINUS: usize = memory.data<i16>([-1, -1, -1, -1, 0, 0, 0, 0], 16);

/** Tables of binary groups; q: i16[kp], |q| <= 255. */
export function buildBinaryTables(q: usize, table: usize, groupBegin: i32, groupEnd: i32): void {
  const bit0 = v128.load(BIT_0),
    bit1 = v128.load(BIT_1),
    bit2 = v128.load(BIT_2);
  const minus = v128.load(MINUS),
    zero = i64x2.splat(0),
    mask = i16x8.splat(31);
  let from = q + ((<usize>groupBegin) << 3);
  let to = table + ((<usize>groupBegin) << 5);
  for (const end = table + ((<usize>groupEnd) << 5); to < end; to += 32, from += 8) {
    const pairs = i32x4.dot_i16x8_s(i16x8.min_s(v128.load64_zero(from), zero), minus);
    const negative = i32x4.add(pairs, i64x2.shr_u(pairs, 32));
    const v0 = i16x8.add(
      subsetSums(from, bit0, bit1, bit2),
      i8x16.shuffle(negative, negative, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1),
    );
    const v1 = i16x8.add(v0, v128.load16_splat(from, 6));
    v128.store(to, i8x16.narrow_i16x8_u(v128.and(v0, mask), v128.and(v1, mask)));
    v128.store(to, i8x16.narrow_i16x8_u(i16x8.shr_u(v0, 5), i16x8.shr_u(v1, 5)), 16);
  }
}

/** Sums of codes 0..7 of one binary group; codes 8..15 add its fourth activation. */
function subsetSums(q: usize, bit0: v128, bit1: v128, bit2: v128): v128 {
  const a = v128.and(v128.load16_splat(q), bit0);
  const b = v128.and(v128.load16_splat(q, 2), bit1);
  const c = v128.and(v128.load16_splat(q, 4), bit2);
  return i16x8.add(i16x8.add(a, b), c);
}

function storeTernary(to: usize, v0: v128, v1: v128): void {
  const mask = i16x8.splat(31);
  const high = i8x16.narrow_i16x8_s(i16x8.shr_s(v0, 5), i16x8.shr_s(v1, 5));
  v128.store(to, i8x16.narrow_i16x8_s(v128.and(v0, mask), v128.and(v1, mask)));
  v128.store(to, i8x16.add(high, i8x16.splat(16)), 16);
}
