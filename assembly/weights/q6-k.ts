/**
 * Q6_K rows times activations.
 *
 *   block of 256 weights, 210 bytes:  | ql 128 | qh 64 | scale 16 × i8 | d f16 |
 *   half h (128 weights), weight g·32 + l of it (g 0..3, l 0..31):
 *     low 4 bits: byte h·64 + (g & 1)·32 + l of ql, low nibble if g < 2, else high
 *     high 2 bits: bits 2g of byte h·32 + l of qh
 *   value = d · scale[weight / 16] · (bits − 32)
 *
 * The −32 is taken out of the sums of 16 (32 times the activations' sum). Stretch of the f32 sums: a block.
 */
import { sumFloats } from "../lanes";
import { f16Scalar, sumLanes4 } from "../simd";
import { KERNEL_STREAMS, MASKS, dotBytes, twiceHigh, twiceLow } from "./dense-block";

const BLOCK: i32 = 256;
const BLOCK_BYTES: i32 = 210;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q6KMatmul(
  w: usize, q16: usize, actScale: usize, actSum: usize, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32,
  rows: i32, k: i32,
): void {
  const nBlocks = k / BLOCK, perStream = (rowEnd - rowBegin + KERNEL_STREAMS - 1) / KERNEL_STREAMS;
  for (let row = rowBegin; row < rowBegin + perStream; row++) {
    for (let i = 0; i < n; i++) {
      const blocks = <usize>i * nBlocks, out = y + ((<usize>i * yStride) << 2);
      dotRows(w, q16 + blocks * 512, actScale + blocks * 32, actSum + blocks * 32, out, row, perStream, rowEnd, nBlocks);
    }
  }
}

/** Rows row, row + step, … below rowEnd, a block of each in turn. */
function dotRows(
  w: usize, q: usize, scale: usize, sum: usize, y: usize, row: i32, step: i32, rowEnd: i32, nBlocks: i32,
): void {
  const rowBytes = <usize>nBlocks * BLOCK_BYTES;
  for (let r = row; r < rowEnd; r += step) store<f32>(y + (<usize>r << 2), 0);
  for (let b = 0; b < nBlocks; b++) {
    const at = w + <usize>b * BLOCK_BYTES;
    for (let r = row; r < rowEnd; r += step) {
      const to = y + (<usize>r << 2);
      store<f32>(to, load<f32>(to) + dotBlock(at + <usize>r * rowBytes, q, scale, sum));
    }
    q += 512;
    scale += 32;
    sum += 32;
  }
}

function dotBlock(w: usize, q: usize, scale: usize, sum: usize): f32 {
  let total = f32x4.splat(0), ql = w, qh = w + 128;
  for (let scales = w + 192; scales < w + 208; scales += 8) {
    total = dotHalf(ql, qh, scales, q, v128.load(scale), v128.load(sum), total);
    ql += 64;
    qh += 32;
    q += 256;
    scale += 16;
    sum += 16;
  }
  return sumFloats(total) * f16Scalar(load<u16>(w, 208));
}

/** 128 weights: eight sums of 16, each times its two scales. */
function dotHalf(ql: usize, qh: usize, scales: usize, q: usize, a: v128, sums: v128, total: v128): v128 {
  const low = v128.load(MASKS), high = v128.load(MASKS, 16), evens = v128.load(MASKS, 32);
  const h0 = v128.load(qh), h1 = v128.load(qh, 16);
  const l0 = v128.load(ql), l1 = v128.load(ql, 16), l2 = v128.load(ql, 32), l3 = v128.load(ql, 48);
  const first = sumLanes4(
    dotBytes(v128.or(v128.and(l0, low), v128.and(i16x8.shl(h0, 4), high)), q, evens),
    dotBytes(v128.or(v128.and(l1, low), v128.and(i16x8.shl(h1, 4), high)), q + 32, evens),
    dotBytes(v128.or(v128.and(l2, low), v128.and(i16x8.shl(h0, 2), high)), q + 64, evens),
    dotBytes(v128.or(v128.and(l3, low), v128.and(i16x8.shl(h1, 2), high)), q + 96, evens),
  );
  const second = sumLanes4(
    dotBytes(v128.or(v128.and(i16x8.shr_u(l0, 4), low), v128.and(h0, high)), q + 128, evens),
    dotBytes(v128.or(v128.and(i16x8.shr_u(l1, 4), low), v128.and(h1, high)), q + 160, evens),
    dotBytes(v128.or(v128.and(i16x8.shr_u(l2, 4), low), v128.and(i16x8.shr_u(h0, 2), high)), q + 192, evens),
    dotBytes(v128.or(v128.and(i16x8.shr_u(l3, 4), low), v128.and(i16x8.shr_u(h1, 2), high)), q + 224, evens),
  );
  const s = v128.load8x8_s(scales);
  total = f32x4.add(total, scaled(first, i32x4.extend_low_i16x8_s(sums), i32x4.extend_low_i16x8_s(s), twiceLow(a)));
  return f32x4.add(total, scaled(second, i32x4.extend_high_i16x8_s(sums), i32x4.extend_high_i16x8_s(s), twiceHigh(a)));
}

/** (products − 32 · sums) · (scales · a). */
function scaled(products: v128, sums: v128, scales: v128, a: v128): v128 {
  const centred = i32x4.sub(products, i32x4.shl(sums, 5));
  return f32x4.mul(f32x4.convert_i32x4_s(centred), f32x4.mul(f32x4.convert_i32x4_s(scales), a));
}
