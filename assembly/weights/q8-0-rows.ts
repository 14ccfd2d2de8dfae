/**
 * Q8_0 rows times several rows of activations (q8-0.ts has the layout and the order of sums): the bytes and the scale
 * of a block are widened once for two or four rows of activations.
 *
 *   tile     weight rows   rows of activations
 *   fours    2             4 (or 3: the last one twice)
 *   twos     4             2
 *
 *   totals, scratch: 8 weight rows x 4 rows of activations x four f32 lanes
 *
 * Eight distant weight rows take turns of 544 bytes, as with one row of activations. Sapphire Rapids, one thread,
 * weights from memory: 2 rows take 1.15 times as long as one, 4 take 1.65 (2.7 without turns), 8 take 3.4; one after
 * the other they took 1.5, 2.6 and 5.0.
 */
import { sumFloats } from "../lanes";
import { activations, activationScales, outputs } from "../matmul-step";
import { f16Scalar } from "../simd";
import { MatmulStep } from "../steps";
import { MASKS } from "./dense-block";

const BLOCK: i32 = 32;
const BLOCK_BYTES: i32 = 34;
/** Blocks of a turn. */
const TURN_BLOCKS: i32 = 16;
/** Bytes of the totals of a weight row. */
const TOTALS_BYTES: usize = 64;

/**
 * y of weight rows r + s distance, s = 0..7, times two to four rows of activations. With fewer than eight, the last row
 * is computed again, to the same bits.
 * @param totals 512 bytes private to the thread
 */
export function multiplySet(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  r: i32,
  distance: i32,
  last: i32,
  totals: usize,
): void {
  const nBlocks = step.k / BLOCK;
  memory.fill(totals, 0, 8 * TOTALS_BYTES);
  for (let block = 0; block < nBlocks; block += TURN_BLOCKS) {
    const end = min(block + TURN_BLOCKS, nBlocks);
    for (let s = 0; s < 8; s += n == 2 ? 4 : 2) {
      const row = min(r + s * distance, last),
        to = totals + <usize>s * TOTALS_BYTES;
      if (n == 2) twos(step, input, row, distance, last, block, end, to);
      else fours(step, input, n, row, distance, last, block, end, to);
    }
  }
  for (let s = 0; s < 8; s++) {
    const row = min(r + s * distance, last);
    for (let i = 0; i < n; i++) {
      const sums = v128.load(totals + <usize>s * TOTALS_BYTES + ((<usize>i) << 4));
      store<f32>(outputs(step, output + i) + ((<usize>row) << 2), sumFloats(sums));
    }
  }
}

// A tile adds blocks [block, end) of weight rows r, r + distance … to their totals.

function fours(
  step: MatmulStep,
  input: usize,
  n: i32,
  r: i32,
  distance: i32,
  last: i32,
  block: i32,
  end: i32,
  totals: usize,
): void {
  const bytes = rowBytes(step),
    apart = <usize>(min(r + distance, last) - r) * bytes,
    stride = <usize>step.actRowBytes,
    aStride = <usize>step.scaleRowBytes,
    qLast = <usize>(n - 1) * stride,
    aLast = <usize>(n - 1) * aStride;
  const odds = v128.load(MASKS, 48);
  let w = step.weights + <usize>r * bytes + <usize>block * BLOCK_BYTES,
    a = activationScales(step, input) + ((<usize>block) << 2);
  // One pointer to the activations for each weight row, as in ternary-dot-rows.ts.
  let q = activations(step, input) + ((<usize>block) << 6),
    again = q;
  let s0 = v128.load(totals),
    s1 = v128.load(totals, 16),
    s2 = v128.load(totals, 32),
    s3 = v128.load(totals, 48),
    t0 = v128.load(totals, 64),
    t1 = v128.load(totals, 80),
    t2 = v128.load(totals, 96),
    t3 = v128.load(totals, 112);
  for (const turn = w + <usize>(end - block) * BLOCK_BYTES; w < turn; w += BLOCK_BYTES, q += 64, again += 64, a += 4) {
    let x = v128.load(w, 2),
      z = v128.load(w, 18),
      u0 = i16x8.shl(x, 8),
      u1 = v128.and(x, odds),
      u2 = i16x8.shl(z, 8),
      u3 = v128.and(z, odds),
      d = f32x4.splat(f16Scalar(load<u16>(w)));
    s0 = addBlock(s0, u0, u1, u2, u3, q, d, a);
    s1 = addBlock(s1, u0, u1, u2, u3, q + stride, d, a + aStride);
    s2 = addBlock(s2, u0, u1, u2, u3, q + 2 * stride, d, a + 2 * aStride);
    s3 = addBlock(s3, u0, u1, u2, u3, q + qLast, d, a + aLast);
    (x = v128.load(w + apart, 2)), (z = v128.load(w + apart, 18));
    (u0 = i16x8.shl(x, 8)), (u1 = v128.and(x, odds)), (u2 = i16x8.shl(z, 8)), (u3 = v128.and(z, odds));
    d = f32x4.splat(f16Scalar(load<u16>(w + apart)));
    t0 = addBlock(t0, u0, u1, u2, u3, again, d, a);
    t1 = addBlock(t1, u0, u1, u2, u3, again + stride, d, a + aStride);
    t2 = addBlock(t2, u0, u1, u2, u3, again + 2 * stride, d, a + 2 * aStride);
    t3 = addBlock(t3, u0, u1, u2, u3, again + qLast, d, a + aLast);
  }
  v128.store(totals, s0), v128.store(totals, s1, 16), v128.store(totals, s2, 32), v128.store(totals, s3, 48);
  v128.store(totals, t0, 64), v128.store(totals, t1, 80), v128.store(totals, t2, 96), v128.store(totals, t3, 112);
}

function twos(
  step: MatmulStep,
  input: usize,
  r: i32,
  distance: i32,
  last: i32,
  block: i32,
  end: i32,
  totals: usize,
): void {
  const bytes = rowBytes(step),
    apart1 = <usize>(min(r + distance, last) - r) * bytes,
    apart2 = <usize>(min(r + 2 * distance, last) - r) * bytes,
    apart3 = <usize>(min(r + 3 * distance, last) - r) * bytes,
    stride = <usize>step.actRowBytes,
    aStride = <usize>step.scaleRowBytes;
  const odds = v128.load(MASKS, 48);
  let w = step.weights + <usize>r * bytes + <usize>block * BLOCK_BYTES,
    a = activationScales(step, input) + ((<usize>block) << 2);
  let q0 = activations(step, input) + ((<usize>block) << 6),
    q1 = q0,
    q2 = q0,
    q3 = q0;
  let s0 = v128.load(totals),
    t0 = v128.load(totals, 16),
    s1 = v128.load(totals, 64),
    t1 = v128.load(totals, 80),
    s2 = v128.load(totals, 128),
    t2 = v128.load(totals, 144),
    s3 = v128.load(totals, 192),
    t3 = v128.load(totals, 208);
  for (const turn = w + <usize>(end - block) * BLOCK_BYTES; w < turn; w += BLOCK_BYTES, a += 4) {
    let x = v128.load(w, 2),
      z = v128.load(w, 18),
      u0 = i16x8.shl(x, 8),
      u1 = v128.and(x, odds),
      u2 = i16x8.shl(z, 8),
      u3 = v128.and(z, odds),
      d = f32x4.splat(f16Scalar(load<u16>(w)));
    s0 = addBlock(s0, u0, u1, u2, u3, q0, d, a);
    t0 = addBlock(t0, u0, u1, u2, u3, q0 + stride, d, a + aStride);
    (x = v128.load(w + apart1, 2)), (z = v128.load(w + apart1, 18));
    (u0 = i16x8.shl(x, 8)), (u1 = v128.and(x, odds)), (u2 = i16x8.shl(z, 8)), (u3 = v128.and(z, odds));
    d = f32x4.splat(f16Scalar(load<u16>(w + apart1)));
    s1 = addBlock(s1, u0, u1, u2, u3, q1, d, a);
    t1 = addBlock(t1, u0, u1, u2, u3, q1 + stride, d, a + aStride);
    (x = v128.load(w + apart2, 2)), (z = v128.load(w + apart2, 18));
    (u0 = i16x8.shl(x, 8)), (u1 = v128.and(x, odds)), (u2 = i16x8.shl(z, 8)), (u3 = v128.and(z, odds));
    d = f32x4.splat(f16Scalar(load<u16>(w + apart2)));
    s2 = addBlock(s2, u0, u1, u2, u3, q2, d, a);
    t2 = addBlock(t2, u0, u1, u2, u3, q2 + stride, d, a + aStride);
    (x = v128.load(w + apart3, 2)), (z = v128.load(w + apart3, 18));
    (u0 = i16x8.shl(x, 8)), (u1 = v128.and(x, odds)), (u2 = i16x8.shl(z, 8)), (u3 = v128.and(z, odds));
    d = f32x4.splat(f16Scalar(load<u16>(w + apart3)));
    s3 = addBlock(s3, u0, u1, u2, u3, q3, d, a);
    t3 = addBlock(t3, u0, u1, u2, u3, q3 + stride, d, a + aStride);
    (q0 += 64), (q1 += 64), (q2 += 64), (q3 += 64);
  }
  v128.store(totals, s0), v128.store(totals, t0, 16), v128.store(totals, s1, 64), v128.store(totals, t1, 80);
  v128.store(totals, s2, 128), v128.store(totals, t2, 144), v128.store(totals, s3, 192), v128.store(totals, t3, 208);
}

function rowBytes(step: MatmulStep): usize {
  return <usize>(step.k / BLOCK) * BLOCK_BYTES;
}

/** total + the products of a block, whose bytes are in the high halves of u0..u3, as in dotSigned. */
function addBlock(total: v128, u0: v128, u1: v128, u2: v128, u3: v128, q: usize, d: v128, a: usize): v128 {
  const first = i32x4.add(i32x4.dot_i16x8_s(u0, v128.load(q)), i32x4.dot_i16x8_s(u1, v128.load(q, 16))),
    second = i32x4.add(i32x4.dot_i16x8_s(u2, v128.load(q, 32)), i32x4.dot_i16x8_s(u3, v128.load(q, 48))),
    products = f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.add(first, second), 8));
  return f32x4.add(total, f32x4.mul(products, f32x4.mul(d, v128.load32_splat(a))));
}
