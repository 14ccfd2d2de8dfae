/**
 * Q4_K rows times activations.
 *
 *   block of 256 weights, 144 bytes:  | d f16 | dmin f16 | packed 12 | qs 128 |
 *   part j (32 weights): nibbles of qs[(j / 2)·32 …], low if j is even, else high
 *   packed holds a 6-bit scale and a 6-bit min for each of the eight parts (unpackScales)
 *   value = d · scale[j] · bits − dmin · min[j]
 *
 * Order in f32: four lanes, lane j with weights 4j … 4j+3 of every 16 and with mins j and j + 4; the parts in turn, the
 * lanes, the blocks.
 */
import { sumFloats } from "../lanes";
import { activations, activationScales, activationSums, outputs } from "../matmul-step";
import { f16Scalar } from "../simd";
import { MatmulStep } from "../steps";
import { MASKS, dotBytes } from "./dense-block";

const BLOCK: i32 = 256;
const BLOCK_BYTES: i32 = 144;

/** y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts. */
export function q4KMatmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const q16 = activations(step, input),
    actScale = activationScales(step, input),
    actSum = activationSums(step, input),
    y = outputs(step, output),
    yStride = step.yStride;
  const nBlocks = step.k / BLOCK;
  let row = step.weights + <usize>rowBegin * nBlocks * BLOCK_BYTES;
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
  const ones = i16x8.splat(1),
    low = v128.load(MASKS),
    evens = v128.load(MASKS, 32);
  let products = f32x4.splat(0),
    mins = products,
    qs = w + 16;
  for (let half = 0; half < 2; half++) {
    const a = v128.load(scale + (half << 4)),
      sums = i32x4.dot_i16x8_s(v128.load(sum + (half << 4)), ones);
    mins = f32x4.add(mins, f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(minimums(w + 4, half), a)));
    let factors = f32x4.mul(scales(w + 4, half), a);
    for (const end = qs + 64; qs < end; qs += 32) {
      const u = v128.load(qs),
        v = v128.load(qs, 16);
      const even = i32x4.add(dotBytes(v128.and(u, low), q, evens), dotBytes(v128.and(v, low), q + 32, evens));
      const odd = i32x4.add(
        dotBytes(v128.and(i16x8.shr_u(u, 4), low), q + 64, evens),
        dotBytes(v128.and(i16x8.shr_u(v, 4), low), q + 96, evens),
      );
      products = f32x4.add(products, f32x4.mul(f32x4.convert_i32x4_s(even), lane0(factors)));
      products = f32x4.add(products, f32x4.mul(f32x4.convert_i32x4_s(odd), lane1(factors)));
      factors = upperPair(factors);
      q += 128;
    }
  }
  return sumFloats(products) * f16Scalar(load<u16>(w)) - sumFloats(mins) * f16Scalar(load<u16>(w, 2));
}

function lane0(v: v128): v128 {
  return i8x16.shuffle(v, v, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}

function lane1(v: v128): v128 {
  return i8x16.shuffle(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
}

function upperPair(v: v128): v128 {
  return i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
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
  return bytesToFloats(
    half == 0 ? second & 0x3f3f3f3f : ((load<u32>(s, 8) >> 4) & 0x0f0f0f0f) | ((second >> 2) & 0x30303030),
  );
}

function bytesToFloats(bytes: u32): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(bytes))));
}
