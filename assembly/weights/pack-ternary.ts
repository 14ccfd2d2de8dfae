/** Ternary codes → the table layout of 2-weight groups (tables.ts). */
import { rowOfByte, transposeBegin, transposeEnd } from "./pack-transpose";
import { TABLE_GROUPS, tileOffset } from "./tables";

/**
 * Packs one tile.
 * @param codes u8 [32][codeStride], 0..2
 * @param dst the tensor; kp a multiple of 64
 */
export function packTernaryTile(codes: usize, codeStride: i32, dst: usize, tile: i32, nTiles: i32, kp: i32): void {
  const groups = kp >> 1;
  for (let g = 0; g < groups; g += TABLE_GROUPS) {
    let to = dst + tileOffset(g, tile, nTiles, groups);
    let from = codes + <usize>(2 * g);
    for (let left = min(TABLE_GROUPS, groups - g); left > 0; left -= 16, to += 256, from += 32) {
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

/** 3 c0 + c1 of 16 pairs of codes. */
function nibbles(from: usize): v128 {
  return i8x16.narrow_i16x8_u(pairs(v128.load(from)), pairs(v128.load(from, 16)));
}

/** Each 16-bit lane c0 + 256 c1 times 769 = 3 · 256 + 1 has 3 c0 + c1 in its high byte. */
function pairs(x: v128): v128 {
  return i16x8.shr_u(i16x8.mul(x, i16x8.splat(769)), 8);
}
