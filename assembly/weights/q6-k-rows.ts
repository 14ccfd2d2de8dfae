/**
 * Q6_K rows times several rows of activations (q6-k.ts has the layouts): a chunk of weights is unpacked once for two or
 * four rows of activations.
 *
 *   tile     weight rows   rows of activations              lanes of its sums
 *   fours    1             4 (or 3: the last one twice)     a row of activations each
 *   twos     2             2                                first weight row: two of activations; second
 *
 * Eight distant weight rows take turns of a block, as with one row of activations. Sapphire Rapids, one thread, weights
 * from memory: 2 rows take 1.25 times as long as one, 4 take 1.95, 8 take 4.1; one after the other they took 1.6, 3.0
 * and 5.9.
 */
import {
  Q6_K_ACTIVATION_BYTES as ACTIVATION_BYTES,
  Q6_K_BLOCK as BLOCK,
  Q6_K_BLOCK_BYTES as BLOCK_BYTES,
} from "../abi";
import { activations, activationScales, outputs } from "../matmul-step";
import { sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CHUNKS, CHUNK_BYTES, FACTOR, TOP, dotFour, groupScales, pairFour } from "./q6-k-products";

// S is the integer that adds products: i32 (dotI8), or i16 (dotPairs) where the CPU has no instruction for four.

/**
 * y of weight rows r + s distance, s = 0..7, times two to four rows of activations. With fewer than eight, the last row
 * is computed again, to the same bits.
 */
export function multiplySet<S>(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  r: i32,
  distance: i32,
  last: i32,
): void {
  const bytes = <usize>(step.k / BLOCK) * BLOCK_BYTES,
    y = outputs(step, output),
    yBytes = (<usize>step.yStride) << 2;
  const r1 = min(r + distance, last),
    r2 = min(r + 2 * distance, last),
    r3 = min(r + 3 * distance, last),
    r4 = min(r + 4 * distance, last),
    r5 = min(r + 5 * distance, last),
    r6 = min(r + 6 * distance, last),
    r7 = min(r + 7 * distance, last);
  let q = activations(step, input),
    a = activationScales(step, input),
    w = step.weights;
  let t0 = f32x4.splat(0),
    t1 = t0,
    t2 = t0,
    t3 = t0,
    t4 = t0,
    t5 = t0,
    t6 = t0,
    t7 = t0;
  for (const end = w + bytes; w < end; w += BLOCK_BYTES, q += 4 * ACTIVATION_BYTES, a += 4) {
    const w0 = w + <usize>r * bytes,
      w1 = w + <usize>r1 * bytes,
      w2 = w + <usize>r2 * bytes,
      w3 = w + <usize>r3 * bytes,
      w4 = w + <usize>r4 * bytes,
      w5 = w + <usize>r5 * bytes,
      w6 = w + <usize>r6 * bytes,
      w7 = w + <usize>r7 * bytes;
    if (n == 2) {
      (t0 = twos<S>(t0, step, w0, w1, q, a)), (t2 = twos<S>(t2, step, w2, w3, q, a));
      (t4 = twos<S>(t4, step, w4, w5, q, a)), (t6 = twos<S>(t6, step, w6, w7, q, a));
    } else {
      (t0 = fours<S>(t0, step, n, w0, q, a)), (t1 = fours<S>(t1, step, n, w1, q, a));
      (t2 = fours<S>(t2, step, n, w2, q, a)), (t3 = fours<S>(t3, step, n, w3, q, a));
      (t4 = fours<S>(t4, step, n, w4, q, a)), (t5 = fours<S>(t5, step, n, w5, q, a));
      (t6 = fours<S>(t6, step, n, w6, q, a)), (t7 = fours<S>(t7, step, n, w7, q, a));
    }
  }
  if (n == 2) {
    storeTwos(t0, y, yBytes, r, r1), storeTwos(t2, y, yBytes, r2, r3);
    storeTwos(t4, y, yBytes, r4, r5), storeTwos(t6, y, yBytes, r6, r7);
  } else {
    const yLast = <usize>(n - 1) * yBytes;
    storeFours(t0, y, yBytes, yLast, r), storeFours(t1, y, yBytes, yLast, r1);
    storeFours(t2, y, yBytes, yLast, r2), storeFours(t3, y, yBytes, yLast, r3);
    storeFours(t4, y, yBytes, yLast, r4), storeFours(t5, y, yBytes, yLast, r5);
    storeFours(t6, y, yBytes, yLast, r6), storeFours(t7, y, yBytes, yLast, r7);
  }
}

/** totals + one block of a weight row, times four rows of activations. */
function fours<S>(totals: v128, step: MatmulStep, n: i32, w: usize, q: usize, a: usize): v128 {
  const top = v128.load(TOP),
    stride = <usize>step.actRowBytes,
    last = <usize>(n - 1) * stride;
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  let scales = w,
    chunk = w + CHUNKS;
  for (const end = w + CHUNKS; scales < end; scales += 4, chunk += CHUNK_BYTES, q += ACTIVATION_BYTES) {
    const x = v128.load(chunk),
      y = v128.load(chunk, 16),
      z = v128.load(chunk, 32);
    const lowest = i16x8.shr_u(v128.or(i16x8.shr_u(v128.and(x, top), 2), v128.and(y, top)), 2),
      u3 = i16x8.shr_u(v128.or(lowest, v128.and(z, top)), 2),
      u0 = v128.andnot(x, top),
      u1 = v128.andnot(y, top),
      u2 = v128.andnot(z, top),
      scale = groupScales(scales);
    s0 = i32x4.add(s0, i32x4.mul(products<S>(u0, u1, u2, u3, q), scale));
    s1 = i32x4.add(s1, i32x4.mul(products<S>(u0, u1, u2, u3, q + stride), scale));
    s2 = i32x4.add(s2, i32x4.mul(products<S>(u0, u1, u2, u3, q + 2 * stride), scale));
    s3 = i32x4.add(s3, i32x4.mul(products<S>(u0, u1, u2, u3, q + last), scale));
  }
  const aStride = <usize>step.scaleRowBytes,
    factors = f32x4(
      load<f32>(a),
      load<f32>(a + aStride),
      load<f32>(a + 2 * aStride),
      load<f32>(a + <usize>(n - 1) * aStride),
    ),
    sums = f32x4.convert_i32x4_s(sumLanes4(s0, s1, s2, s3));
  return f32x4.add(totals, f32x4.mul(sums, f32x4.mul(v128.load32_splat(w, FACTOR), factors)));
}

/** totals + one block of two weight rows, times two rows of activations. */
function twos<S>(totals: v128, step: MatmulStep, w0: usize, w1: usize, q: usize, a: usize): v128 {
  const top = v128.load(TOP),
    stride = <usize>step.actRowBytes;
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (let i: usize = 0, chunk = CHUNKS; i < CHUNKS; i += 4, chunk += CHUNK_BYTES, q += ACTIVATION_BYTES) {
    let x = v128.load(w0 + chunk),
      y = v128.load(w0 + chunk, 16),
      z = v128.load(w0 + chunk, 32);
    let lowest = i16x8.shr_u(v128.or(i16x8.shr_u(v128.and(x, top), 2), v128.and(y, top)), 2),
      u3 = i16x8.shr_u(v128.or(lowest, v128.and(z, top)), 2),
      scale = groupScales(w0 + i);
    (x = v128.andnot(x, top)), (y = v128.andnot(y, top)), (z = v128.andnot(z, top));
    s0 = i32x4.add(s0, i32x4.mul(products<S>(x, y, z, u3, q), scale));
    s1 = i32x4.add(s1, i32x4.mul(products<S>(x, y, z, u3, q + stride), scale));
    (x = v128.load(w1 + chunk)), (y = v128.load(w1 + chunk, 16)), (z = v128.load(w1 + chunk, 32));
    lowest = i16x8.shr_u(v128.or(i16x8.shr_u(v128.and(x, top), 2), v128.and(y, top)), 2);
    (u3 = i16x8.shr_u(v128.or(lowest, v128.and(z, top)), 2)), (scale = groupScales(w1 + i));
    (x = v128.andnot(x, top)), (y = v128.andnot(y, top)), (z = v128.andnot(z, top));
    s2 = i32x4.add(s2, i32x4.mul(products<S>(x, y, z, u3, q), scale));
    s3 = i32x4.add(s3, i32x4.mul(products<S>(x, y, z, u3, q + stride), scale));
  }
  const d0 = load<f32>(w0, FACTOR),
    d1 = load<f32>(w1, FACTOR),
    a0 = load<f32>(a),
    a1 = load<f32>(a + <usize>step.scaleRowBytes),
    sums = f32x4.convert_i32x4_s(sumLanes4(s0, s1, s2, s3));
  return f32x4.add(totals, f32x4.mul(sums, f32x4.mul(f32x4(d0, d0, d1, d1), f32x4(a0, a1, a0, a1))));
}

function products<S>(u0: v128, u1: v128, u2: v128, u3: v128, q: usize): v128 {
  if (sizeof<S>() == 2) return pairFour(u0, u1, u2, u3, q + 16, v128.load(q));
  return dotFour(u0, u1, u2, u3, q + 16, v128.load(q));
}

function storeFours(sums: v128, y: usize, yBytes: usize, yLast: usize, r: i32): void {
  const to = y + ((<usize>r) << 2);
  v128.store32_lane(to, sums, 0), v128.store32_lane(to + yBytes, sums, 1);
  v128.store32_lane(to + 2 * yBytes, sums, 2), v128.store32_lane(to + yLast, sums, 3);
}

function storeTwos(sums: v128, y: usize, yBytes: usize, r0: i32, r1: i32): void {
  const first = y + ((<usize>r0) << 2),
    second = y + ((<usize>r1) << 2);
  v128.store32_lane(first, sums, 0), v128.store32_lane(first + yBytes, sums, 1);
  v128.store32_lane(second, sums, 2), v128.store32_lane(second + yBytes, sums, 3);
}
