/**
 * The inner loop of the table kernels: look up nibbles of several tiles in one table and add the bytes (tables.ts has
 * the layouts).
 *
 * sums, u16, 128 B a tile:
 *
 *   byte 0   low table, low nibbles (rows 0..15):   16 B all, 16 B odd
 *   byte 32  high table, low nibbles:               16 B all, 16 B odd
 *   byte 64  low table, high nibbles (rows 16..31): 16 B all, 16 B odd
 *   byte 96  high table, high nibbles:              16 B all, 16 B odd
 *
 * A flush adds 16 byte sums x to 16-bit lanes (the first flush sets them): all += x (odd bytes weigh 256), odd += x >>>
 * 8. Then odd lanes are the sums of rows 8..15, and all - (odd << 8), mod 2^16, those of rows 0..7. Exact while each
 * sum is under 2^16.
 */
import { swizzle } from "../simd";

/** Bytes of the tables of 8 groups: 31 x 8 = 248 is the most a byte holds. */
const RUN: usize = 8 * 32;

const NIBBLE: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/**
 * Sums of `groups` groups of `tiles` tiles, tileStride bytes apart: two tiles at a time, 8 groups (`groups` is a
 * multiple) in turn, so that every tile is read linearly beside others. With an odd number of tiles the last is summed
 * twice: sums has room for an even number.
 *
 * The loop does one group per iteration: unrolled by hand, V8 loads everything first and spills it (33 against 48
 * GMAC/s).
 */
export function sumTiles(w: usize, tileStride: usize, tiles: i32, table: usize, groups: i32, sums: usize): void {
  const mask = v128.load(NIBBLE);
  const sumsEnd = sums + ((<usize>tiles) << 7);
  let add = false;
  for (const tableEnd = table + ((<usize>groups) << 5); table < tableEnd; table += RUN, w += RUN >> 1, add = true) {
    let first = w;
    for (let to = sums; to < sumsEnd; to += 256, first += 2 * tileStride) {
      let l0 = i8x16.splat(0),
        h0 = l0,
        l1 = l0,
        h1 = l0,
        l2 = l0,
        h2 = l0,
        l3 = l0,
        h3 = l0;
      let from = first;
      let second = to + 128 < sumsEnd ? first + tileStride : first;
      for (let at = table, end = table + RUN; at < end; at += 32, from += 16, second += 16) {
        const low = v128.load(at),
          high = v128.load(at, 16),
          x = v128.load(from),
          z = v128.load(second);
        const a = v128.and(x, mask),
          b = v128.and(i16x8.shr_u(x, 4), mask);
        l0 = i8x16.add(l0, swizzle(low, a));
        h0 = i8x16.add(h0, swizzle(high, a));
        l1 = i8x16.add(l1, swizzle(low, b));
        h1 = i8x16.add(h1, swizzle(high, b));
        const c = v128.and(z, mask),
          d = v128.and(i16x8.shr_u(z, 4), mask);
        l2 = i8x16.add(l2, swizzle(low, c));
        h2 = i8x16.add(h2, swizzle(high, c));
        l3 = i8x16.add(l3, swizzle(low, d));
        h3 = i8x16.add(h3, swizzle(high, d));
      }
      flush(to, l0, h0, add);
      flush(to + 64, l1, h1, add);
      flush(to + 128, l2, h2, add);
      flush(to + 192, l3, h3, add);
    }
  }
}

/**
 * {@link sumTiles} for two rows of activations, whose tables lie tableStride apart: splits the nibbles of a tile once
 * for both, 9.5 arithmetic instructions per group and row instead of 11. The second row's sums follow the first's,
 * sumsStride bytes on.
 */
export function sumTwoRows(
  w: usize,
  tileStride: usize,
  tiles: i32,
  table: usize,
  tableStride: usize,
  groups: i32,
  sums: usize,
  sumsStride: usize,
): void {
  const mask = v128.load(NIBBLE);
  const sumsEnd = sums + ((<usize>tiles) << 7);
  let add = false;
  for (const tableEnd = table + ((<usize>groups) << 5); table < tableEnd; table += RUN, w += RUN >> 1, add = true) {
    let first = w;
    for (let to = sums; to < sumsEnd; to += 128, first += tileStride) {
      let l0 = i8x16.splat(0),
        h0 = l0,
        l1 = l0,
        h1 = l0,
        l2 = l0,
        h2 = l0,
        l3 = l0,
        h3 = l0;
      let from = first,
        second = table + tableStride;
      for (let at = table, end = table + RUN; at < end; at += 32, second += 32, from += 16) {
        const x = v128.load(from),
          a = v128.and(x, mask),
          b = v128.and(i16x8.shr_u(x, 4), mask);
        const low = v128.load(at),
          high = v128.load(at, 16);
        l0 = i8x16.add(l0, swizzle(low, a));
        h0 = i8x16.add(h0, swizzle(high, a));
        l1 = i8x16.add(l1, swizzle(low, b));
        h1 = i8x16.add(h1, swizzle(high, b));
        const low2 = v128.load(second),
          high2 = v128.load(second, 16);
        l2 = i8x16.add(l2, swizzle(low2, a));
        h2 = i8x16.add(h2, swizzle(high2, a));
        l3 = i8x16.add(l3, swizzle(low2, b));
        h3 = i8x16.add(h3, swizzle(high2, b));
      }
      flush(to, l0, h0, add);
      flush(to + 64, l1, h1, add);
      flush(to + sumsStride, l2, h2, add);
      flush(to + sumsStride + 64, l3, h3, add);
    }
  }
}

/** Adds byte sums of 16 rows to their u16 sums, or stores them there. */
function flush(to: usize, low: v128, high: v128, add: bool): void {
  let lowOdd = i16x8.shr_u(low, 8),
    highOdd = i16x8.shr_u(high, 8);
  if (add) {
    low = i16x8.add(v128.load(to), low);
    lowOdd = i16x8.add(v128.load(to, 16), lowOdd);
    high = i16x8.add(v128.load(to, 32), high);
    highOdd = i16x8.add(v128.load(to, 48), highOdd);
  }
  v128.store(to, low);
  v128.store(to, lowOdd, 16);
  v128.store(to, high, 32);
  v128.store(to, highOdd, 48);
}

/** Sums of rows 0..7 of 16 (lanes in row order), given the address of their [all, odd]. */
export function evenSums(sums: usize): v128 {
  return i16x8.sub(v128.load(sums), i16x8.shl(v128.load(sums, 16), 8));
}

/** Sums of rows 8..15 of 16. */
export function oddSums(sums: usize): v128 {
  return v128.load(sums, 16);
}
