/** Binary codes → the table layout of 4-weight groups (tables.ts). */
import { rowOfByte, transposeBegin, transposeEnd } from "./pack-transpose";
import { TABLE_GROUPS, tileOffset } from "./tables";

/**
 * Packs one tile.
 * @param codes u8 [32][codeStride], 0 or 1
 * @param dst the tensor; kp a multiple of 128
 */
export function packBinaryTile(codes: usize, codeStride: i32, dst: usize, tile: i32, nTiles: i32, kp: i32): void {
  const groups = kp >> 2;
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    let to = dst + tileOffset(g, tile, nTiles, groups);
    let from = codes + <usize>(4 * g);
    for (let left = min(TABLE_GROUPS, groups - g); left > 0; left -= 16, to += 256, from += 64) {
      for (let i = 0; i < 4; i++) {
        const a = byteOf(from, codeStride, i);
        const b = byteOf(from, codeStride, i + 4);
        const c = byteOf(from, codeStride, i + 8);
        transposeBegin(to, i, a, b, c, byteOf(from, codeStride, i + 12));
      }
      transposeEnd(to);
    }
  }
}

/** Byte p of 16 groups of the tile. */
function byteOf(from: usize, codeStride: i32, p: i32): v128 {
  const low = from + <usize>(rowOfByte(p) * codeStride);
  const high = low + <usize>(16 * codeStride);
  return v128.or(nibbles(low), i16x8.shl(nibbles(high), 4));
}

/** 64 codes of a row as 16 nibbles, the first code in bit 0. */
function nibbles(from: usize): v128 {
  const low = i16x8.narrow_i32x4_u(fours(v128.load(from)), fours(v128.load(from, 16)));
  const high = i16x8.narrow_i32x4_u(fours(v128.load(from, 32)), fours(v128.load(from, 48)));
  return i8x16.narrow_i16x8_u(low, high);
}

/** Each 32-bit lane c0 + 2^8 c1 + 2^16 c2 + 2^24 c3 becomes c0 + 2 c1 + 4 c2 + 8 c3. */
function fours(x: v128): v128 {
  const twos = v128.or(x, i32x4.shr_u(x, 7));
  return v128.and(v128.or(v128.and(twos, i32x4.splat(3)), i32x4.shr_u(twos, 14)), i32x4.splat(15));
}
