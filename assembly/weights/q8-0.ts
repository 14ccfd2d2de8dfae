/**
 * Q8_0 rows times activations.
 *
 *   block of 32 weights, 34 bytes:  | d f16 | 32 × i8 |        value = d · byte
 *
 * Four blocks are summed together, lane j taking every fourth, the lanes at the end of the row. Where a row ends inside
 * a group of four, the missing ones repeat the last block with an activation scale of zero.
 */
import { loadRest, sumFloats } from "../lanes";
import { sumLanes4 } from "../simd";
import { MASKS, fourHalfs } from "./dense-block";

const BLOCK: i32 = 32;
const BLOCK_BYTES: i32 = 34;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q8_0Matmul(
  w: usize, q16: usize, actScale: usize, actSum: usize, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32,
  rows: i32, k: i32,
): void {
  const nBlocks = k / BLOCK;
  let row = w + <usize>rowBegin * nBlocks * BLOCK_BYTES;
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
  let total = f32x4.splat(0);
  for (let left = nBlocks; left > 0; left -= 4) {
    const last = min(3, left - 1), a = last == 3 ? v128.load(scale) : loadRest(scale, left);
    total = f32x4.add(total, dotFour(w, q, min(1, last), min(2, last), last, a));
    w += 4 * BLOCK_BYTES;
    q += 256;
    scale += 16;
  }
  return sumFloats(total);
}

/** Blocks 0, b1, b2, b3 from w and q on. */
function dotFour(w: usize, q: usize, b1: i32, b2: i32, b3: i32, a: v128): v128 {
  const w1 = w + b1 * BLOCK_BYTES, w2 = w + b2 * BLOCK_BYTES, w3 = w + b3 * BLOCK_BYTES;
  const sums = sumLanes4(dotBlock(w, q), dotBlock(w1, q + (b1 << 6)), dotBlock(w2, q + (b2 << 6)), dotBlock(w3, q + (b3 << 6)));
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(sums, 8)), f32x4.mul(fourHalfs(w, w1, w2, w3), a));
}

/**
 * 32 products times 256, in four partial sums: a byte stays in the high half of its 16 bits, which spares widening it.
 * 32 · 128 · 2047 · 256 is just under 2^31.
 */
function dotBlock(w: usize, q: usize): v128 {
  const odds = v128.load(MASKS, 48);
  return i32x4.add(dotSigned(v128.load(w, 2), q, odds), dotSigned(v128.load(w, 18), q + 32, odds));
}

function dotSigned(u: v128, q: usize, odds: v128): v128 {
  const even = i32x4.dot_i16x8_s(i16x8.shl(u, 8), v128.load(q));
  return i32x4.add(even, i32x4.dot_i16x8_s(v128.and(u, odds), v128.load(q, 16)));
}
