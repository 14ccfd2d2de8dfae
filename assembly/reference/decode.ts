/**
 * Scalar twins of the file types with one or two bits a weight: the code of element i, by the formula of the type's
 * definition (ggml's block layouts; bitnet.cpp's I2_S; PrismML's PQ2_0 and PTQ1_0; Tencent's STQ1_0; Hugging Face's
 * packed rows).
 */
import { I2_S, PQ2_0, Q2_0, STQ1_0, TQ1_0, TQ2_0 } from "../weights/decode";

/** Elements of a block. */
export function blockElements(type: i32): i32 {
  if (type == TQ1_0 || type == TQ2_0 || type == STQ1_0) return 256;
  return type == Q2_0 ? 64 : 128;
}

export function blockBytes(type: i32): i32 {
  if (type == TQ1_0) return 54;
  if (type == TQ2_0) return 66;
  if (type == STQ1_0) return 42;
  if (type == I2_S) return 32;
  if (type == Q2_0) return 18;
  return type == PQ2_0 ? 34 : 28;
}

/** Offset of a block's f16 scale; I2_S has none. */
export function scaleOffset(type: i32): i32 {
  if (type == Q2_0 || type == PQ2_0) return 0;
  return blockBytes(type) - 2;
}

/** Code of element i of the block at `block`: 0, 1, 2, or 3 where the type's bits allow it. */
export function ternaryCode(type: i32, block: usize, i: i32): u8 {
  if (type == TQ2_0) return twoBits(block + <usize>((i >> 7) * 32 + (i & 31)), (i & 127) >> 5);
  if (type == I2_S) return twoBits(block + <usize>(i & 31), 3 - (i >> 5));
  if (type == Q2_0 || type == PQ2_0) return twoBits(block + 2 + <usize>(i >> 2), i & 3);
  if (type == STQ1_0) return stq(block, (i >> 6) * 16 + (i & 15), (i >> 4) & 3);
  if (type == TQ1_0) {
    if (i < 160) return trit(block + <usize>(i % 32), i / 32);
    if (i < 240) return trit(block + 32 + <usize>((i - 160) % 16), (i - 160) / 16);
    return trit(block + 48 + <usize>((i - 240) % 4), (i - 240) / 4);
  }
  if (i < 80) return trit(block + <usize>(i % 16), i / 16);
  if (i < 120) return trit(block + 16 + <usize>((i - 80) % 8), (i - 80) / 8);
  return trit(block + 24 + <usize>((i - 120) % 2), (i - 120) / 2);
}

/** A lane of group g: one of four is 0; the first of the others has the group's sign, which the rest keep or not. */
function stq(block: usize, g: i32, lane: i32): u8 {
  const slot = (load<u8>(block + <usize>(g >> 1)) >> <u8>(4 * (g & 1))) & 15,
    zero = <i32>(slot >> 2),
    minus = ((load<u8>(block + 32 + <usize>(g >> 3)) >> <u8>(g & 7)) & 1) != 0;
  if (lane == zero) return 1;
  const nth = lane - (lane > zero ? 1 : 0),
    isOther = nth > 0 && ((slot >> <u8>(nth - 1)) & 1) != 0;
  return minus != isOther ? 0 : 2;
}

function twoBits(at: usize, j: i32): u8 {
  return (load<u8>(at) >> <u8>(2 * j)) & 3;
}

/** ((b 3^k mod 256) 3) >> 8. */
function trit(at: usize, k: i32): u8 {
  let b = <u32>load<u8>(at);
  for (; k > 0; k--) b = (b * 3) & 255;
  return <u8>((b * 3) >> 8);
}
