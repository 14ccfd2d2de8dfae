/**
 * The inner loop of the table kernels: look nibbles of several tiles up in one table and add the bytes up (tables.ts
 * has the layouts).
 *
 * sums, u16, 128 B a tile:
 *
 *   byte 0   low table, low nibbles (rows 0..15):   16 B all, 16 B odd
 *   byte 32  high table, low nibbles:               16 B all, 16 B odd
 *   byte 64  low table, high nibbles (rows 16..31): 16 B all, 16 B odd
 *   byte 96  high table, high nibbles:              16 B all, 16 B odd
 *
 * A flush adds 16 byte sums x to 16-bit lanes: all += x (odd bytes weigh 256), odd += x >>> 8. Then odd lanes are the
 * sums of rows 8..15 and all - (odd << 8), mod 2^16, those of rows 0..7. Exact while each sum is under 2^16.
 */
import { swizzle } from "../simd";

const NIBBLE: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/**
 * Adds `groups` (a multiple of 8) groups of `streams` tiles, tileStride bytes apart, to their sums, 8 groups of a tile
 * in turn: the 8-group scheme's byte sums then stay under 256, and every stream is read linearly.
 */
export function sumTiles8(w: usize, tileStride: usize, streams: i32, table: usize, groups: i32, sums: usize): void {
  const mask = v128.load(NIBBLE);
  const sumsEnd = sums + (<usize>streams << 7);
  const tableEnd = table + (<usize>groups << 5);
  for (; table < tableEnd; table += 256, w += 128) {
    let from = w;
    for (let to = sums; to < sumsEnd; to += 128, from += tileStride) {
      let low = v128.load(table), high = v128.load(table, 16), x = v128.load(from);
      let a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      let l0 = swizzle(low, a), h0 = swizzle(high, a), l1 = swizzle(low, b), h1 = swizzle(high, b);
      low = v128.load(table, 32), high = v128.load(table, 48), x = v128.load(from, 16);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 64), high = v128.load(table, 80), x = v128.load(from, 32);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 96), high = v128.load(table, 112), x = v128.load(from, 48);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 128), high = v128.load(table, 144), x = v128.load(from, 64);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 160), high = v128.load(table, 176), x = v128.load(from, 80);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 192), high = v128.load(table, 208), x = v128.load(from, 96);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 224), high = v128.load(table, 240), x = v128.load(from, 112);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      flush(to, i8x16.add(l0, swizzle(low, a)), i8x16.add(h0, swizzle(high, a)));
      flush(to + 64, i8x16.add(l1, swizzle(low, b)), i8x16.add(h1, swizzle(high, b)));
    }
  }
}

/**
 * Adds `groups` (a multiple of 4) groups of `streams` tiles, tileStride bytes apart, to their sums, 4 groups of a tile
 * in turn: the 4-group scheme's byte sums then stay under 256, and every stream is read linearly.
 */
export function sumTiles4(w: usize, tileStride: usize, streams: i32, table: usize, groups: i32, sums: usize): void {
  const mask = v128.load(NIBBLE);
  const sumsEnd = sums + (<usize>streams << 7);
  const tableEnd = table + (<usize>groups << 5);
  for (; table < tableEnd; table += 128, w += 64) {
    let from = w;
    for (let to = sums; to < sumsEnd; to += 128, from += tileStride) {
      let low = v128.load(table), high = v128.load(table, 16), x = v128.load(from);
      let a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      let l0 = swizzle(low, a), h0 = swizzle(high, a), l1 = swizzle(low, b), h1 = swizzle(high, b);
      low = v128.load(table, 32), high = v128.load(table, 48), x = v128.load(from, 16);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 64), high = v128.load(table, 80), x = v128.load(from, 32);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      l0 = i8x16.add(l0, swizzle(low, a)), h0 = i8x16.add(h0, swizzle(high, a));
      l1 = i8x16.add(l1, swizzle(low, b)), h1 = i8x16.add(h1, swizzle(high, b));
      low = v128.load(table, 96), high = v128.load(table, 112), x = v128.load(from, 48);
      a = v128.and(x, mask), b = v128.and(i16x8.shr_u(x, 4), mask);
      flush(to, i8x16.add(l0, swizzle(low, a)), i8x16.add(h0, swizzle(high, a)));
      flush(to + 64, i8x16.add(l1, swizzle(low, b)), i8x16.add(h1, swizzle(high, b)));
    }
  }
}

/** Adds byte sums of 16 rows to their u16 sums. */
function flush(to: usize, low: v128, high: v128): void {
  v128.store(to, i16x8.add(v128.load(to), low));
  v128.store(to, i16x8.add(v128.load(to, 16), i16x8.shr_u(low, 8)), 16);
  v128.store(to, i16x8.add(v128.load(to, 32), high), 32);
  v128.store(to, i16x8.add(v128.load(to, 48), i16x8.shr_u(high, 8)), 48);
}

/** Zeroes the sums of `streams` tiles. */
export function clearSums(sums: usize, streams: i32): void {
  memory.fill(sums, 0, <usize>streams << 7);
}

/** Sums of rows 0..7 of 16 (lanes in row order), given the address of their [all, odd]. */
export function evenSums(sums: usize): v128 {
  return i16x8.sub(v128.load(sums), i16x8.shl(v128.load(sums, 16), 8));
}

/** Sums of rows 8..15 of 16. */
export function oddSums(sums: usize): v128 {
  return v128.load(sums, 16);
}
