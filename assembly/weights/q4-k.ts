/**
 * Q4_K rows times activations.
 *
 *   block of 256 weights, 144 bytes:  | d f16 | dmin f16 | packed 12 | qs 128 |
 *   part j (32 weights): nibbles of qs[(j / 2)·32 …], low if j is even, else high
 *   packed holds a 6-bit scale and a 6-bit min for each of the eight parts (unpackScales)
 *   value = d · scale[j] · bits − dmin · min[j]
 *
 * Order in f32: the two scaled sums of 32 that a lane sees in a block, the four lanes, the blocks; mins beside them.
 */
import { sumFloats } from "../lanes";
import { f16Scalar, sumLanes4 } from "../simd";
import { MASKS, dotBytes } from "./dense-block";

const BLOCK: i32 = 256;
const BLOCK_BYTES: i32 = 144;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q4KMatmul(
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

function dotBlock(w: usize, q: usize, scale: usize, sum: usize): f32 {
  const ones = i16x8.splat(1);
  let products = f32x4.splat(0), mins = products;
  for (let half = 0; half < 2; half++) {
    const a = v128.load(scale + (half << 4)), sums = i32x4.dot_i16x8_s(v128.load(sum + (half << 4)), ones);
    const p = fourParts(w + 16 + (half << 6), q + (half << 8));
    products = f32x4.add(products, f32x4.mul(f32x4.convert_i32x4_s(p), f32x4.mul(scales(w + 4, half), a)));
    mins = f32x4.add(mins, f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(minimums(w + 4, half), a)));
  }
  return sumFloats(products) * f16Scalar(load<u16>(w)) - sumFloats(mins) * f16Scalar(load<u16>(w, 2));
}

/** The sums of four parts, 128 weights in 64 bytes. */
function fourParts(qs: usize, q: usize): v128 {
  const low = v128.load(MASKS), evens = v128.load(MASKS, 32);
  const w0 = v128.load(qs), w1 = v128.load(qs, 16), w2 = v128.load(qs, 32), w3 = v128.load(qs, 48);
  return sumLanes4(
    i32x4.add(dotBytes(v128.and(w0, low), q, evens), dotBytes(v128.and(w1, low), q + 32, evens)),
    i32x4.add(dotBytes(v128.and(i16x8.shr_u(w0, 4), low), q + 64, evens), dotBytes(v128.and(i16x8.shr_u(w1, 4), low), q + 96, evens)),
    i32x4.add(dotBytes(v128.and(w2, low), q + 128, evens), dotBytes(v128.and(w3, low), q + 160, evens)),
    i32x4.add(dotBytes(v128.and(i16x8.shr_u(w2, 4), low), q + 192, evens), dotBytes(v128.and(i16x8.shr_u(w3, 4), low), q + 224, evens)),
  );
}

/**
 * The scales of parts 0..3 (half 0) or 4..7 (half 1) as floats. s = packed bytes: parts 0..3 are the low 6 bits of
 * s[j]; parts 4..7 the low nibble of s[j + 4] and above it the top 2 bits of s[j - 4].
 */
function scales(s: usize, half: i32): v128 {
  const first = load<u32>(s);
  return bytesToFloats(half == 0 ? first & 0x3f3f3f3f : (load<u32>(s, 8) & 0x0f0f0f0f) | ((first >> 2) & 0x30303030));
}

/** The mins: s[j + 4] as the scales above; parts 4..7 the high nibble of s[j + 4] and the top 2 bits of s[j]. */
function minimums(s: usize, half: i32): v128 {
  const second = load<u32>(s, 4);
  return bytesToFloats(half == 0 ? second & 0x3f3f3f3f : ((load<u32>(s, 8) >> 4) & 0x0f0f0f0f) | ((second >> 2) & 0x30303030));
}

function bytesToFloats(bytes: u32): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(bytes))));
}
