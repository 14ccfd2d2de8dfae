/**
 * Q6_K rows, widened once at load to a byte a weight, times 12-bit activations.
 *
 *   file, 256 weights in 210 bytes:  | ql 128 | qh 64 | scale 16 × i8 | d f16 |
 *     half h (128 weights), weight g·32 + l of it (g 0..3, l 0..31):
 *       low 4 bits: byte h·64 + (g & 1)·32 + l of ql, low nibble if g < 2, else high
 *       high 2 bits: bits 2g of byte h·32 + l of qh
 *     value = d · scale[weight / 16] · (bits − 32)
 *
 *   memory:  i8 (rows, k) bits − 32 | i8 (rows, k / 16) scales | f32 (rows, k / 256) d
 *
 *   y = Σ over blocks, in order, of f32(isum) · f32(d · a),  isum = Σ scale · Σ (bits − 32) · q, exact
 *
 * isum fits i32: 256 · 32 · 128 · 2047 = 2,146,435,072 < 2^31, which is what sets the 12 bits of the activations (in
 * ±2047, one scale a block). Unpacking 6 bits took more instructions than the product itself: 26 ms for the head of
 * BitNet 2B4T, widened 16 ms for a third more bytes (Node 20, Zen 5). Four rows at distance rows/4 at once, scales in
 * arrays of their own: with one row 32 ms, because a single stream waits for memory.
 */
import { f16Scalar, sumLanes4 } from "../simd";

const BLOCK: i32 = 256;
const FILE_BLOCK_BYTES: i32 = 210;
/** Rows multiplied at once. */
const STREAMS: i32 = 4;

function scalesOf(w: usize, rows: i32, k: i32): usize { return w + <usize>rows * k; }
function factorsOf(w: usize, rows: i32, k: i32): usize { return scalesOf(w, rows, k) + <usize>rows * (k / 16); }

/**
 * y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k).
 * @param q16 activations i16 (n, k) in ±2047; actScale f32 (n, k / 256)
 */
export function q6KMatmul(
  w: usize, q16: usize, actScale: usize, y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32, rows: i32, k: i32,
): void {
  const distance = (rowEnd - rowBegin + STREAMS - 1) / STREAMS, last = rowEnd - 1;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    // Fewer than four rows a set: the last row is computed again, to the same bits.
    const r1 = min(r + distance, last), r2 = min(r + 2 * distance, last), r3 = min(r + 3 * distance, last);
    for (let i = 0; i < n; i++) {
      const sums = fourRows(w, rows, k, r, r1, r2, r3, q16 + ((<usize>i * k) << 1), actScale + ((<usize>i * (k / BLOCK)) << 2));
      const to = y + ((<usize>i * yStride) << 2);
      v128.store32_lane(to + (<usize>r << 2), sums, 0);
      v128.store32_lane(to + (<usize>r1 << 2), sums, 1);
      v128.store32_lane(to + (<usize>r2 << 2), sums, 2);
      v128.store32_lane(to + (<usize>r3 << 2), sums, 3);
    }
  }
}

function fourRows(w: usize, rows: i32, k: i32, r0: i32, r1: i32, r2: i32, r3: i32, q: usize, a: usize): v128 {
  const scales = scalesOf(w, rows, k), nScales = k / 16, factors = factorsOf(w, rows, k), nBlocks = k / BLOCK;
  let w0 = w + <usize>r0 * k, s0 = scales + <usize>r0 * nScales, d0 = factors + ((<usize>r0 * nBlocks) << 2);
  const w1 = <usize>(r1 - r0) * k, w2 = <usize>(r2 - r0) * k, w3 = <usize>(r3 - r0) * k;
  const s1 = <usize>(r1 - r0) * nScales, s2 = <usize>(r2 - r0) * nScales, s3 = <usize>(r3 - r0) * nScales;
  const d1 = <usize>((r1 - r0) * nBlocks) << 2, d2 = <usize>((r2 - r0) * nBlocks) << 2, d3 = <usize>((r3 - r0) * nBlocks) << 2;
  let total = f32x4.splat(0);
  for (const end = w0 + k; w0 < end; a += 4, d0 += 4) {
    let b0 = i32x4.splat(0), b1 = b0, b2 = b0, b3 = b0;
    for (const blockEnd = w0 + BLOCK; w0 < blockEnd; w0 += 16, s0++, q += 32) {
      const q0 = v128.load(q), q1 = v128.load(q, 16);
      b0 = addSixteen(b0, w0, s0, q0, q1);
      b1 = addSixteen(b1, w0 + w1, s0 + s1, q0, q1);
      b2 = addSixteen(b2, w0 + w2, s0 + s2, q0, q1);
      b3 = addSixteen(b3, w0 + w3, s0 + s3, q0, q1);
    }
    const d = f32x4(load<f32>(d0), load<f32>(d0 + d1), load<f32>(d0 + d2), load<f32>(d0 + d3));
    const sums = f32x4.convert_i32x4_s(sumLanes4(b0, b1, b2, b3));
    total = f32x4.add(total, f32x4.mul(sums, f32x4.mul(d, v128.load32_splat(a))));
  }
  return total;
}

/** sums + scale · (products of 16 weights with 16 activations), in four partial sums. */
function addSixteen(sums: v128, w: usize, scale: usize, q0: v128, q1: v128): v128 {
  const low = i32x4.dot_i16x8_s(v128.load8x8_s(w), q0), high = i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), q1);
  return i32x4.add(sums, i32x4.mul(i32x4.add(low, high), i32x4.shr_s(v128.load8_splat(scale), 24)));
}

/** Widens the file's row at `row` to row `r` of w (rows, k). */
export function widenQ6KRow(row: usize, w: usize, rows: i32, r: i32, k: i32): void {
  let to = w + <usize>r * k, scale = scalesOf(w, rows, k) + <usize>r * (k / 16), factor = factorsOf(w, rows, k) + ((<usize>r * (k / BLOCK)) << 2);
  for (let left = k; left > 0; left -= BLOCK, row += FILE_BLOCK_BYTES) {
    for (let half: usize = 0; half < 2; half++, to += 128) {
      for (let l: usize = 0; l < 32; l += 16) widenSixteen(row + half * 64 + l, row + 128 + half * 32 + l, to + l);
    }
    v128.store(scale, v128.load(row, 192));
    store<f32>(factor, f16Scalar(load<u16>(row, 208)));
    scale += 16, factor += 4;
  }
}

/** 16 weights in each g: 0, 1, 2, 3, which lie 32 apart. */
function widenSixteen(ql: usize, qh: usize, to: usize): void {
  const l = v128.load(ql), m = v128.load(ql, 32), h = v128.load(qh);
  const low = i8x16.splat(15), high = i8x16.splat(48), centre = i8x16.splat(32);
  v128.store(to, i8x16.sub(v128.or(v128.and(l, low), v128.and(i16x8.shl(h, 4), high)), centre));
  v128.store(to, i8x16.sub(v128.or(v128.and(m, low), v128.and(i16x8.shl(h, 2), high)), centre), 32);
  v128.store(to, i8x16.sub(v128.or(v128.and(i16x8.shr_u(l, 4), low), v128.and(h, high)), centre), 64);
  v128.store(to, i8x16.sub(v128.or(v128.and(i16x8.shr_u(m, 4), low), v128.and(i16x8.shr_u(h, 2), high)), centre), 96);
}

/** Row r of w (rows, k) as numbers: d · scale · (bits − 32). */
export function q6KRow(w: usize, rows: i32, r: i32, k: i32, out: usize): void {
  const from = w + <usize>r * k, scale = scalesOf(w, rows, k) + <usize>r * (k / 16), factor = factorsOf(w, rows, k) + ((<usize>r * (k / BLOCK)) << 2);
  for (let i = 0; i < k; i++) {
    const d = load<f32>(factor + (<usize>(i / BLOCK) << 2)) * <f32>load<i8>(scale + <usize>(i / 16));
    store<f32>(out + (<usize>i << 2), d * <f32>load<i8>(from + <usize>i));
  }
}
