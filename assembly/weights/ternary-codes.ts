/**
 * Layout T2 of ternary weights, for dot products.
 *
 *   row-major, kp / 4 bytes a row; 64 weights in 16 B: byte i, bits 2j..2j+1 = code w + 1 of weight 64 b + 16 j + i
 *
 * A shift by 2j and a mask of 3 leave the codes of 16 adjacent weights, so the dot's second operand is never above 2.
 */
import { dotI8, f16Scalar } from "../simd";
import { EmbedStep } from "../steps";

/** 16 bytes of 3. */
export const CODE_MASK: usize = memory.data<u8>([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], 16);

/** acc + the dot product of the 64 codes in x with q0..q3; only the sum of its lanes is defined (dotI8). */
export function dot64(x: v128, mask: v128, q0: v128, q1: v128, q2: v128, q3: v128, acc: v128): v128 {
  acc = dotI8(q0, v128.and(x, mask), acc);
  acc = dotI8(q1, v128.and(i16x8.shr_u(x, 2), mask), acc);
  acc = dotI8(q2, v128.and(i16x8.shr_u(x, 4), mask), acc);
  return dotI8(q3, v128.and(i16x8.shr_u(x, 6), mask), acc);
}

/**
 * One row as numbers, for matrices that are both embedding and head: out f32[k], (code - 1) * scale, f32[rows] when
 * scaleBlock is 0, else u16 f16 [rows][kp / scaleBlock].
 */
export function ternaryDotRow(step: EmbedStep, row: i32, out: usize): void {
  const kp = step.kp,
    k = step.k,
    scale = step.scale,
    scaleBlock = step.scaleBlock;
  const from = step.weights + <usize>row * <usize>(kp >> 2);
  const scales = scale + ((<usize>row * <usize>(scaleBlock != 0 ? kp / scaleBlock : 0)) << 1);
  for (let i = 0; i < k; i++) {
    const code = (load<u8>(from + <usize>(((i >> 6) << 4) + (i & 15))) >> <u8>(((i >> 4) & 3) << 1)) & 3;
    const s =
      scaleBlock != 0
        ? f16Scalar(load<u16>(scales + ((<usize>(i / scaleBlock)) << 1)))
        : load<f32>(scale + ((<usize>row) << 2));
    store<f32>(out + ((<usize>i) << 2), <f32>(<i32>code - 1) * s);
  }
}
