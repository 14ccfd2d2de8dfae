/**
 * Ternary weights with one scale a row x 8-bit activations, by lookup (tables.ts has the layout of the weights,
 * short-tables.ts that of the tables).
 *
 *   acc = Σ w q, exact;  y[n][r] = f32(acc) * f32(actScale[n] * rowScale[r])
 *
 *   for each k-block: for each 8 pairs of distant tiles: for each activation row: add the lookups of each pair to y as i32
 *
 * Two tiles at distance rows/2 share the table loads and are two linear reads of memory: 64 GMAC/s against 48 with one.
 * Chunks of one and of two groups, most of those before a projection, have code of their own: 65 GMAC/s from memory
 * against 58 by the loop alone. That loop is one group long on purpose: unrolled, V8 moves every load of a chunk before
 * its lookups and spills the registers, 36 GMAC/s where it gets 61, both in the cache.
 */
import { swizzle } from "../simd";
import { CHUNKS_OFFSET, PLACES_OFFSET, SHORT_BLOCK_BYTES, TABLES_OFFSET, shortBlocks } from "./short-tables";
import { TABLE_GROUPS, TILE_ROWS, tileOffset } from "./tables";
import { clearRows, scaleRows } from "./uniform-scale";

export { ternaryTableRow } from "./table-row";

const NIBBLE: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/**
 * Pairs of tiles an activation row passes before the next row does. They stay in a level-2 cache (160 KB), and the row's
 * chunks become familiar to the branch predictor: 62 GMAC/s for 48 rows, 54 when rows take turns at every pair.
 */
const PAIRS_PER_ROW: i32 = 8;

/** Bytes of a tile's 32 sums. */
const TILE_SUM_BYTES: usize = 128;

/**
 * @param w table layout of 2-weight groups, `rows` (a multiple of 32) x kp (a multiple of 64)
 * @param tables records of activation row n at tables + n tableStride (bytes)
 * @param y f32 (n, yStride); rows [rowBegin, rowEnd), multiples of 32, are written
 * @param scratch 4 n + 192 bytes private to the thread
 */
export function ternaryTableMatmul(
  w: usize,
  rowScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  kp: i32,
  scratch: usize,
): void {
  const groups = kp >> 1, nTiles = rows / TILE_ROWS, nBlocks = shortBlocks(groups);
  const first = rowBegin / TILE_ROWS, end = rowEnd / TILE_ROWS, pairs = (end - first) >> 1;
  clearRows(y, yStride, n, rowBegin, rowEnd);
  for (let block = 0; block < nBlocks; block++) {
    const g = block * TABLE_GROUPS, records = tables + <usize>(block * SHORT_BLOCK_BYTES);
    for (let set = first; set < first + pairs; set += PAIRS_PER_ROW) {
      for (let i = 0; i < n; i++) {
        const row = (<usize>i * <usize>yStride) << 2, record = records + <usize>i * <usize>tableStride;
        for (let t = set; t < min(set + PAIRS_PER_ROW, first + pairs); t++) {
          const from = w + tileOffset(g, t, nTiles, groups), other = w + tileOffset(g, t + pairs, nTiles, groups);
          const to = y + <usize>t * TILE_SUM_BYTES + row;
          addTiles(from, other - from, record, to, to + <usize>pairs * TILE_SUM_BYTES);
        }
      }
    }
    if (first + 2 * pairs < end) {
      const from = w + tileOffset(g, end - 1, nTiles, groups), to = y + <usize>(end - 1) * TILE_SUM_BYTES;
      for (let i = 0; i < n; i++) addTiles(from, 0, records + <usize>i * <usize>tableStride, to + ((<usize>i * <usize>yStride) << 2), scratch);
    }
  }
  const offsets = scratch + TILE_SUM_BYTES;
  for (let i = 0; i < n; i++) store<i32>(offsets + (<usize>i << 2), excess(tables + <usize>i * <usize>tableStride, nBlocks));
  scaleRows(y, yStride, n, rowBegin, rowEnd, rowScale, actScale, offsets);
}

/** What every sum of an activation row is too large by. */
function excess(records: usize, nBlocks: i32): i32 {
  let total = 0;
  for (let block = 0; block < nBlocks; block++) total += load<i32>(records + <usize>(block * SHORT_BLOCK_BYTES));
  return total;
}

/** Adds one k-block of the tiles at w and w + distance to the sums y0 and y1. */
function addTiles(w: usize, distance: usize, record: usize, y0: usize, y1: usize): void {
  const mask = v128.load(NIBBLE), zero = i32x4.splat(0);
  let chunk = record + CHUNKS_OFFSET, place = record + PLACES_OFFSET, table = record + TABLES_OFFSET;
  const segments = record + 8 + (<usize>load<i32>(record, 4) << 2);
  for (let segment = record + 8; segment < segments; segment += 4) {
    // Sums of a tile's low nibbles (rows 0..15) and high ones (16..31): 16-bit lanes of both bytes, and of the odd one.
    let a = zero, aOdd = zero, b = zero, bOdd = zero, c = zero, cOdd = zero, d = zero, dOdd = zero;
    for (const end = chunk + <usize>load<i32>(segment); chunk < end; chunk++) {
      let la = zero, lb = zero, lc = zero, ld = zero;
      const length = <i32>load<u8>(chunk);
      if (length == 2) {
        const p = w + load<u16>(place), r = w + load<u16>(place, 2), t = v128.load(table), u = v128.load(table, 16);
        let x = v128.load(p), z = v128.load(r);
        la = i8x16.add(swizzle(t, v128.and(x, mask)), swizzle(u, v128.and(z, mask)));
        lb = i8x16.add(swizzle(t, v128.and(i16x8.shr_u(x, 4), mask)), swizzle(u, v128.and(i16x8.shr_u(z, 4), mask)));
        x = v128.load(p + distance), z = v128.load(r + distance);
        lc = i8x16.add(swizzle(t, v128.and(x, mask)), swizzle(u, v128.and(z, mask)));
        ld = i8x16.add(swizzle(t, v128.and(i16x8.shr_u(x, 4), mask)), swizzle(u, v128.and(i16x8.shr_u(z, 4), mask)));
        place += 4, table += 32;
      } else if (length > 2) {
        for (let left = length; left > 0; left--, place += 2, table += 16) {
          const at = w + load<u16>(place), t = v128.load(table), x = v128.load(at), z = v128.load(at + distance);
          la = i8x16.add(la, swizzle(t, v128.and(x, mask))), lb = i8x16.add(lb, swizzle(t, v128.and(i16x8.shr_u(x, 4), mask)));
          lc = i8x16.add(lc, swizzle(t, v128.and(z, mask))), ld = i8x16.add(ld, swizzle(t, v128.and(i16x8.shr_u(z, 4), mask)));
        }
      } else {
        const at = w + load<u16>(place), x = v128.load(at), z = v128.load(at + distance);
        const xa = v128.and(x, mask), xb = v128.and(i16x8.shr_u(x, 4), mask), za = v128.and(z, mask), zb = v128.and(i16x8.shr_u(z, 4), mask);
        let t = v128.load(table);
        la = swizzle(t, xa), lb = swizzle(t, xb), lc = swizzle(t, za), ld = swizzle(t, zb);
        if (length == 0) {
          a = i16x8.add(a, la), aOdd = i16x8.add(aOdd, i16x8.shr_u(la, 8)), b = i16x8.add(b, lb), bOdd = i16x8.add(bOdd, i16x8.shr_u(lb, 8));
          c = i16x8.add(c, lc), cOdd = i16x8.add(cOdd, i16x8.shr_u(lc, 8)), d = i16x8.add(d, ld), dOdd = i16x8.add(dOdd, i16x8.shr_u(ld, 8));
          t = v128.load(table, 16);
          la = swizzle(t, xa), lb = swizzle(t, xb), lc = swizzle(t, za), ld = swizzle(t, zb);
          table += 16;
        }
        place += 2, table += 16;
      }
      a = i16x8.add(a, la), aOdd = i16x8.add(aOdd, i16x8.shr_u(la, 8)), b = i16x8.add(b, lb), bOdd = i16x8.add(bOdd, i16x8.shr_u(lb, 8));
      c = i16x8.add(c, lc), cOdd = i16x8.add(cOdd, i16x8.shr_u(lc, 8)), d = i16x8.add(d, ld), dOdd = i16x8.add(dOdd, i16x8.shr_u(ld, 8));
    }
    widen(y0, a, aOdd), widen(y0 + 64, b, bOdd), widen(y1, c, cOdd), widen(y1 + 64, d, dOdd);
  }
}

/** Adds 16 sums to i32: rows 0..7 are both - (odd << 8), mod 2^16, rows 8..15 the odd ones (tables.ts). */
function widen(y: usize, both: v128, odd: v128): void {
  const even = i16x8.sub(both, i16x8.shl(odd, 8));
  v128.store(y, i32x4.add(v128.load(y), i32x4.extend_low_i16x8_u(even)));
  v128.store(y, i32x4.add(v128.load(y, 16), i32x4.extend_high_i16x8_u(even)), 16);
  v128.store(y, i32x4.add(v128.load(y, 32), i32x4.extend_low_i16x8_u(odd)), 32);
  v128.store(y, i32x4.add(v128.load(y, 48), i32x4.extend_high_i16x8_u(odd)), 48);
}
