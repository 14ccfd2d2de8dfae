/**
 * Q4_0 rows times activations.
 *
 *   block of 32 weights, 18 bytes:  | d f16 | 16 bytes |      value = d · (nibble − 8)
 *   weights 0..15 are the low nibbles, 16..31 the high ones
 *
 * Order in f32: four lanes, lane j with weights 4j … 4j+3 of every 16, the blocks in turn, then the lanes.
 */
import { sumFloats } from "../lanes";
import { activations, activationScales, outputs } from "../matmul-step";
import { f16Scalar } from "../simd";
import { MatmulStep } from "../steps";
import { MASKS, dotSigned } from "./dense-block";

const BLOCK: i32 = 32;
const BLOCK_BYTES: i32 = 18;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q4_0Matmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const q16 = activations(step, input),
    actScale = activationScales(step, input),
    y = outputs(step, output),
    yStride = step.yStride;
  const nBlocks = step.k / BLOCK;
  let row = step.weights + <usize>rowBegin * nBlocks * BLOCK_BYTES;
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < n; i++) {
      const blocks = <usize>i * nBlocks;
      const sum = dotRow(row, q16 + (blocks << 6), actScale + (blocks << 2), nBlocks);
      store<f32>(y + ((<usize>i * yStride + r) << 2), sum);
    }
    row += <usize>nBlocks * BLOCK_BYTES;
  }
}

function dotRow(w: usize, q: usize, scale: usize, nBlocks: i32): f32 {
  const low = v128.load(MASKS),
    odds = v128.load(MASKS, 48),
    eights = v128.load(MASKS, 64);
  let total = f32x4.splat(0);
  for (; nBlocks > 0; nBlocks--) {
    const nibbles = v128.load(w, 2);
    const first = i8x16.sub(v128.and(nibbles, low), eights),
      second = i8x16.sub(v128.and(i16x8.shr_u(nibbles, 4), low), eights);
    const products = i32x4.add(dotSigned(first, q, odds), dotSigned(second, q + 32, odds));
    const factor = f32x4.splat(f16Scalar(load<u16>(w)) * load<f32>(scale));
    total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(products, 8)), factor));
    w += BLOCK_BYTES;
    q += 64;
    scale += 4;
  }
  return sumFloats(total);
}
