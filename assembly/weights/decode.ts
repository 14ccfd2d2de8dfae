/**
 * File blocks → codes: one byte a weight, 0, 1, 2 for -1, 0, +1 (ternary) or 0, 1 for -1, +1 (binary), and the f16
 * scale of each block as its bits. Type ids are ggml's, or the fork's that introduced the type.
 *
 * Codes are the common form between any file type and any memory layout (pack.ts); decoding is fast enough that the
 * disk limits a load.
 */
import { decodeI2S, decodeQ2, decodeTQ2 } from "./decode-two-bit";
import { allFinite } from "./decode-scales";
import { decodePTQ1, decodeTQ1 } from "./decode-base3";
import { decodeSTQ1 } from "./decode-stq";

export { decodePackedRow } from "./decode-two-bit";
export { decodeBinaryRow } from "./decode-binary";
export { decodeUnpackedRow } from "./decode-unpacked";
export { absSumRow, ternarizeRow } from "./decode-float";

export const TQ1_0: i32 = 34;
export const TQ2_0: i32 = 35;
export const I2_S: i32 = 36;
export const Q2_0: i32 = 42;
/** Tencent's; its older files have id 42, as which the host knows them by size. */
export const STQ1_0: i32 = 43;
/** Also PrismML's older Q2_0 with groups of 128, which shares id 42 with ggml's: the host tells them apart by size. */
export const PQ2_0: i32 = 142;
export const PTQ1_0: i32 = 143;

/** Every block is right. */
const DECODED: i32 = 0;
/** A code of 3: not a ternary weight. */
const NOT_TERNARY: i32 = 1;
/** A block scale is infinite or not a number. */
const BAD_SCALE: i32 = 2;

/**
 * One row of k ternary weights (k a multiple of the type's block), or any run of whole blocks.
 * @param codes u8[k] out
 * @param scales u16 out, one a block (256: TQ1_0, TQ2_0, STQ1_0; 64: Q2_0; 128: PQ2_0, PTQ1_0); not touched by I2_S
 * @returns 0, or 1 when a code 3 was seen, or 2 when a scale is not finite
 */
export function decodeTernaryRow(type: i32, src: usize, k: i32, codes: usize, scales: usize): i32 {
  let invalid: bool = false;
  let nBlocks = 0;
  switch (type) {
    case TQ1_0:
      nBlocks = k >> 8;
      decodeTQ1(src, nBlocks, codes, scales);
      break;
    case TQ2_0:
      nBlocks = k >> 8;
      invalid = decodeTQ2(src, nBlocks, codes, scales);
      break;
    case I2_S:
      return decodeI2S(src, k, codes) ? NOT_TERNARY : DECODED;
    case Q2_0:
      nBlocks = k >> 6;
      invalid = decodeQ2(src, nBlocks, 64, codes, scales);
      break;
    case PQ2_0:
      nBlocks = k >> 7;
      invalid = decodeQ2(src, nBlocks, 128, codes, scales);
      break;
    case PTQ1_0:
      nBlocks = k >> 7;
      decodePTQ1(src, nBlocks, codes, scales);
      break;
    case STQ1_0:
      nBlocks = k >> 8;
      decodeSTQ1(src, nBlocks, codes, scales);
      break;
    default:
      unreachable();
  }
  if (invalid) return NOT_TERNARY;
  return allFinite(scales, nBlocks) ? DECODED : BAD_SCALE;
}
