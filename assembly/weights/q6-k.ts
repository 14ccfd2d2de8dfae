/**
 * Q6_K rows times activations.
 *
 *   block of 256 weights, 210 bytes:  | ql 128 | qh 64 | scale 16 × i8 | d f16 |
 *   half h (128 weights), weight g·32 + l of it (g 0..3, l 0..31):
 *     low 4 bits: byte h·64 + (g & 1)·32 + l of ql, low nibble if g < 2, else high
 *     high 2 bits: bits 2g of byte h·32 + l of qh
 *   value = d · scale[weight / 16] · (bits − 32)
 *
 * The −32 is taken out of the sums of 16 (32 times the activations' sum). Order in f32: the eight scaled sums of 16
 * that a lane sees in a block, the four lanes, the blocks.
 */
import { sumFloats } from "../lanes";
import { f16Scalar, sumLanes4 } from "../simd";
import { MASKS, dotBytes } from "./dense-block";

const BLOCK: i32 = 256;
const BLOCK_BYTES: i32 = 210;

/** Factors that pick one of each two i16, times 1 and times 32: the first of both, then the second. */
const PICKS: usize = memory.data<i16>([
  1, 0, 1, 0, 1, 0, 1, 0, 32, 0, 32, 0, 32, 0, 32, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 32, 0, 32, 0, 32, 0, 32,
], 16);

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q6KMatmul(
  w: usize, q16: usize, actScale: usize, actSum: usize, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32,
  rows: i32, k: i32,
): void {
  const nBlocks = k / BLOCK;
  let row = w + <usize>rowBegin * nBlocks * BLOCK_BYTES;
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < n; i++) {
      const blocks = <usize>i * nBlocks;
      const sum = dotRow(row, q16 + (blocks << 9), actScale + (blocks << 5), actSum + (blocks << 5), nBlocks);
      store<f32>(y + ((<usize>i * yStride + r) << 2), sum);
    }
    row += <usize>nBlocks * BLOCK_BYTES;
  }
}

function dotRow(w: usize, q: usize, scale: usize, sum: usize, nBlocks: i32): f32 {
  let total: f32 = 0;
  for (; nBlocks > 0; nBlocks--) {
    total += dotBlock(w, q, scale, sum);
    w += BLOCK_BYTES;
    q += 512;
    scale += 32;
    sum += 32;
  }
  return total;
}

/** Each half in two turns: the first 16 of every 32 weights, then the others. Small loops keep V8 within its registers. */
function dotBlock(w: usize, q: usize, scale: usize, sum: usize): f32 {
  const low = v128.load(MASKS), high = v128.load(MASKS, 16), evens = v128.load(MASKS, 32);
  let total = f32x4.splat(0), ql = w, qh = w + 128;
  for (let scales = w + 192; scales < w + 208; scales += 8) {
    const s = v128.load8x8_s(scales), sums = v128.load(sum), a = v128.load(scale);
    for (let pick = PICKS; pick < PICKS + 64; pick += 32) {
      const centred = i32x4.sub(fourSums(ql, qh, q, low, high, evens), i32x4.dot_i16x8_s(sums, v128.load(pick, 16)));
      const factors = f32x4.mul(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(s, v128.load(pick))), a);
      total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(centred), factors));
      ql += 16;
      qh += 16;
      q += 32;
    }
    ql += 32;
    q += 192;
    scale += 16;
    sum += 16;
  }
  return sumFloats(total) * f16Scalar(load<u16>(w, 208));
}

/** Σ bits · q of 16 weights in each g: 0, 1, 2, 3. */
function fourSums(ql: usize, qh: usize, q: usize, low: v128, high: v128, evens: v128): v128 {
  const h = v128.load(qh), l = v128.load(ql), m = v128.load(ql, 32);
  return sumLanes4(
    dotBytes(v128.or(v128.and(l, low), v128.and(i16x8.shl(h, 4), high)), q, evens),
    dotBytes(v128.or(v128.and(m, low), v128.and(i16x8.shl(h, 2), high)), q + 64, evens),
    dotBytes(v128.or(v128.and(i16x8.shr_u(l, 4), low), v128.and(h, high)), q + 128, evens),
    dotBytes(v128.or(v128.and(i16x8.shr_u(m, 4), low), v128.and(i16x8.shr_u(h, 2), high)), q + 192, evens),
  );
}
