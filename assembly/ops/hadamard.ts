/**
 * The Walsh-Hadamard transform of rows, whose weights were rotated before they became one bit (QuaRot: Ashkboos et al.,
 * 2024, arXiv 2404.00456).
 *
 *   x: f32 (rows, width), row stride xStride floats; y: f32 (rows, width), side by side; it may be x
 *   signs: f32 (width) of 1 and -1; or none
 *
 *   forward   y = H (signs · x) / √block, for each `block` values, a power of two from 4 on
 *   inverse   y = signs · (H x) / √block
 *   H[r][c] = -1 where r and c share an odd number of bits, else 1: log₂ block passes of sums and differences
 */
import { inputRow } from "../step";
import { HadamardStep } from "../steps";

/** Signs that turn the second of each two lanes, and the second half. */
const ODD: usize = memory.data<u32>([0, 0x80000000, 0, 0x80000000], 16);
const UPPER: usize = memory.data<u32>([0, 0, 0x80000000, 0x80000000], 16);

/** Rows of x from `input` on become rows [rowBegin, rowEnd) of y. */
export function hadamard(step: HadamardStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  const rowBytes = (<usize>step.width) << 2,
    blockBytes = (<usize>step.block) << 2,
    scale: f32 = <f32>(1.0 / sqrt<f64>(<f64>step.block)),
    before = step.inverse != 0 ? 0 : step.signs,
    after = step.inverse != 0 ? step.signs : 0;
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    const x = inputRow(step, input),
      y = step.y + <usize>row * rowBytes;
    scaled(x, y, rowBytes, before, scale);
    for (let at: usize = 0; at < rowBytes; at += blockBytes) transform(y + at, blockBytes);
    if (after != 0) scaled(y, y, rowBytes, after, 1);
  }
}

/** y = x · signs · scale. */
function scaled(x: usize, y: usize, bytes: usize, signs: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (let at: usize = 0; at < bytes; at += 16) {
    const v = f32x4.mul(v128.load(x + at), factor);
    v128.store(y + at, signs == 0 ? v : f32x4.mul(v, v128.load(signs + at)));
  }
}

/** One block, in place. */
function transform(x: usize, bytes: usize): void {
  const end = x + bytes;
  for (let at = x; at < end; at += 16) v128.store(at, transformFour(v128.load(at)));
  for (let half: usize = 16; half < bytes; half <<= 1) {
    for (let begin = x; begin < end; begin += 2 * half) {
      for (let at = begin; at < begin + half; at += 16) {
        const a = v128.load(at),
          b = v128.load(at + half);
        v128.store(at, f32x4.add(a, b));
        v128.store(at + half, f32x4.sub(a, b));
      }
    }
  }
}

/** The passes of distance one and two, within four values. */
function transformFour(v: v128): v128 {
  const odd = v128.xor(v, v128.load(ODD)),
    one = f32x4.add(i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11), odd),
    upper = v128.xor(one, v128.load(UPPER));
  return f32x4.add(i8x16.shuffle(one, one, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7), upper);
}
