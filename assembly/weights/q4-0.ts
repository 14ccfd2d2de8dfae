/**
 * Q4_0 rows times activations.
 *
 *   block of 32 weights, 18 bytes:  | d f16 | 16 bytes |      value = d · (nibble − 8)
 *   weights 0..15 are the low nibbles, 16..31 the high ones
 *
 * Four blocks are summed together, lane j taking every fourth, the lanes at the end of the row. Where a row ends inside
 * a group of four, the missing ones repeat the last block with an activation scale of zero.
 */
import { loadRest, sumFloats } from "../lanes";
import { sumLanes4 } from "../simd";
import { MASKS, dotBytes, fourHalfs } from "./dense-block";

const BLOCK: i32 = 32;
const BLOCK_BYTES: i32 = 18;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q4_0Matmul(
  w: usize, q16: usize, actScale: usize, actSum: usize, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32,
  rows: i32, k: i32,
): void {
  const nBlocks = k / BLOCK;
  let row = w + <usize>rowBegin * nBlocks * BLOCK_BYTES;
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < n; i++) {
      const blocks = <usize>i * nBlocks;
      const sum = dotRow(row, q16 + (blocks << 6), actScale + (blocks << 2), actSum + (blocks << 2), nBlocks);
      store<f32>(y + ((<usize>i * yStride + r) << 2), sum);
    }
    row += <usize>nBlocks * BLOCK_BYTES;
  }
}

function dotRow(w: usize, q: usize, scale: usize, sum: usize, nBlocks: i32): f32 {
  let total = f32x4.splat(0);
  for (let left = nBlocks; left > 0; left -= 4) {
    const last = min(3, left - 1), a = last == 3 ? v128.load(scale) : loadRest(scale, left);
    total = f32x4.add(total, dotFour(w, q, sum, min(1, last), min(2, last), last, a));
    w += 4 * BLOCK_BYTES;
    q += 256;
    scale += 16;
    sum += 16;
  }
  return sumFloats(total);
}

/** Blocks 0, b1, b2, b3 from w, q and sum on. */
function dotFour(w: usize, q: usize, sum: usize, b1: i32, b2: i32, b3: i32, a: v128): v128 {
  const w1 = w + b1 * BLOCK_BYTES, w2 = w + b2 * BLOCK_BYTES, w3 = w + b3 * BLOCK_BYTES;
  const products = sumLanes4(dotBlock(w, q), dotBlock(w1, q + (b1 << 6)), dotBlock(w2, q + (b2 << 6)), dotBlock(w3, q + (b3 << 6)));
  const pairs = v128.load32_lane(sum + (b3 << 2), v128.load32_lane(sum + (b2 << 2), v128.load32_lane(sum + (b1 << 2), v128.load32_zero(sum), 1), 2), 3);
  const centred = i32x4.sub(products, i32x4.shl(i32x4.extadd_pairwise_i16x8_s(pairs), 3));
  return f32x4.mul(f32x4.convert_i32x4_s(centred), f32x4.mul(fourHalfs(w, w1, w2, w3), a));
}

/** 32 products of nibbles, in four partial sums. */
function dotBlock(w: usize, q: usize): v128 {
  const low = v128.load(MASKS), evens = v128.load(MASKS, 32), u = v128.load(w, 2);
  return i32x4.add(dotBytes(v128.and(u, low), q, evens), dotBytes(v128.and(i16x8.shr_u(u, 4), low), q + 32, evens));
}
