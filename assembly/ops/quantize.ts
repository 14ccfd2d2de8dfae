/**
 * Activations from f32 to integers, three ways.
 *
 *   token   one scale for a row: int8 (W1.58A8 of "The Era of 1-bit LLMs", 2024), as i8, i16 or both
 *   block   one scale for each `block` values: i16 in ±qMax
 *   dense   blocks of 32, ±qMax, stored for the kernels of dense weights: each 16 values as
 *           | x0 x2 x4 … x14 | x1 x3 x5 … x15 |, so that even and odd weight bytes need no widening; the sums are i16,
 *           one for each 16 values (16 · 2047 fits), in the place of one i32 for 32
 *
 * `sum` is the sum of the integers or, with `magnitudes` 1, of their magnitudes (for binary tables).
 *
 * x: f32 (rows, k), row stride xStride floats. q: (rows, kp), zero from k to kp. Rounding is half to even. NaN becomes
 * 0 and an infinity makes its scale infinite, so the row's result is NaN: nothing traps. Rows of x from `input` on
 * become rows [rowBegin, rowEnd) of the rest.
 */
import { DENSE_BLOCK } from "../abi";
import { loadRest, maxFloats } from "../lanes";
import { inputRow } from "../step";
import { QuantizeBlocksStep, QuantizeTokenStep, TokenBlocksStep } from "../steps";

/**
 * Scale 127 / absmax per row. `scale` receives the dequantisation factor, `sum` the row's sum. `q8` or `q16` may be 0:
 * then it is not written.
 */
export function quantizeToken(step: QuantizeTokenStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  const k = step.k,
    kp = step.kp;
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    const at = <usize>row * kp,
      index = (<usize>row) << 2,
      from = inputRow(step, input),
      q8 = step.q8 == 0 ? 0 : step.q8 + at,
      q16 = step.q16 == 0 ? 0 : step.q16 + (at << 1);
    const factor = <f32>(127.0 / <f64>max<f32>(1e-5, absmaxRow(from, k)));
    store<f32>(step.scale + index, <f32>(1.0 / <f64>factor));
    store<i32>(step.sum + index, quantizeBytes(from, k, kp, factor, q8, q16, step.magnitudes));
  }
}

/** Sixteen values at a time to saturated int8; returns their sum. */
function quantizeBytes(x: usize, k: i32, kp: i32, factor: f32, q8: usize, q16: usize, magnitudes: i32): i32 {
  const s = f32x4.splat(factor),
    ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  for (let i = 0; i < kp; i += 16) {
    const bytes = i8x16.narrow_i16x8_s(eightIntegers(x, i, k, s), eightIntegers(x, i + 8, k, s));
    const low = i16x8.extend_low_i8x16_s(bytes),
      high = i16x8.extend_high_i8x16_s(bytes);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.add(counted(low, magnitudes), counted(high, magnitudes)), ones));
    if (q8 != 0) v128.store(q8 + i, bytes);
    if (q16 != 0) {
      v128.store(q16 + ((<usize>i) << 1), low);
      v128.store(q16 + ((<usize>i) << 1), high, 16);
    }
  }
  return sumIntegers(sums);
}

/** The row's scale once per block, and each block's sum of its q16: a token in the form for block kernels. */
export function quantizeTokenBlocks(step: TokenBlocksStep, rowBegin: i32, rowEnd: i32): void {
  const block = step.block,
    nBlocks = step.kp / block,
    magnitudes = step.magnitudes;
  for (let row = rowBegin; row < rowEnd; row++) {
    const factor = load<f32>(step.scale + ((<usize>row) << 2));
    for (let b = 0; b < nBlocks; b++) {
      const at = (<usize>row * nBlocks + b) << 2;
      store<f32>(step.blockScale + at, factor);
      const q16 = step.q16 + ((<usize>row * step.kp + b * block) << 1);
      store<i32>(step.blockSum + at, sumBlock(q16, block, magnitudes));
    }
  }
}

function sumBlock(q16: usize, block: i32, magnitudes: i32): i32 {
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  for (let i = 0; i < block; i += 8)
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(counted(v128.load(q16 + ((<usize>i) << 1)), magnitudes), ones));
  return sumIntegers(sums);
}

/**
 * Scale absmax / qMax for each `block` values (a multiple of 16; kp a multiple of it). scale: f32 (rows, kp / block);
 * sum: i32, same shape. Blocks of 32 are for the dense kernels and stored in their order (above).
 */
export function quantizeBlocks(step: QuantizeBlocksStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  const k = step.k,
    kp = step.kp,
    block = step.block,
    qMax = step.qMax,
    magnitudes = step.magnitudes;
  const q16 = step.q16,
    scale = step.scale,
    sum = step.sum,
    nBlocks = kp / block,
    dense = block == DENSE_BLOCK;
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    const from = inputRow(step, input);
    for (let b = 0; b < nBlocks; b++) {
      const begin = b * block,
        at = (<usize>row * nBlocks + b) << 2;
      const left = min(block, max(0, k - begin)),
        values = from + ((<usize>begin) << 2);
      const most = absmaxRow(values, left),
        factor: f32 = most == 0 ? 0 : <f32>qMax / most;
      const q = q16 + ((<usize>row * kp + begin) << 1);
      store<f32>(scale + at, most / <f32>qMax);
      if (dense) quantizeDenseBlock(values, left, factor, qMax, q, sum + at);
      else store<i32>(sum + at, quantizeBlock(values, left, block, factor, qMax, q, magnitudes));
    }
  }
}

function quantizeBlock(x: usize, k: i32, block: i32, factor: f32, qMax: i32, q16: usize, magnitudes: i32): i32 {
  const s = f32x4.splat(factor),
    ones = i16x8.splat(1),
    most = i16x8.splat(<i16>qMax),
    least = i16x8.splat(<i16>-qMax);
  let sums = i32x4.splat(0);
  for (let i = 0; i < block; i += 8) {
    const q = i16x8.max_s(i16x8.min_s(eightIntegers(x, i, k, s), most), least);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(counted(q, magnitudes), ones));
    v128.store(q16 + ((<usize>i) << 1), q);
  }
  return sumIntegers(sums);
}

function quantizeDenseBlock(x: usize, k: i32, factor: f32, qMax: i32, q16: usize, sum: usize): void {
  const s = f32x4.splat(factor),
    ones = i16x8.splat(1),
    most = i16x8.splat(<i16>qMax),
    least = i16x8.splat(<i16>-qMax);
  for (let i = 0; i < DENSE_BLOCK; i += 16) {
    const a = i16x8.max_s(i16x8.min_s(eightIntegers(x, i, k, s), most), least);
    const b = i16x8.max_s(i16x8.min_s(eightIntegers(x, i + 8, k, s), most), least);
    store<i16>(sum + (i >> 3), <i16>sumIntegers(i32x4.dot_i16x8_s(i16x8.add(a, b), ones)));
    v128.store(q16 + ((<usize>i) << 1), i8x16.shuffle(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29));
    v128.store(
      q16 + ((<usize>i) << 1),
      i8x16.shuffle(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31),
      16,
    );
  }
}

/**
 * Values i … i+7 of a row of k, times s, rounded half to even, saturated to i16. Products are below 2^22, or not
 * finite.
 */
export function eightIntegers(x: usize, i: i32, k: i32, s: v128): v128 {
  return i16x8.narrow_i32x4_s(
    toIntegers(f32x4.mul(fourValues(x, i, k), s)),
    toIntegers(f32x4.mul(fourValues(x, i + 4, k), s)),
  );
}

// 1.5 · 2^23. In memory, because V8 rebuilds a splatted constant at every use.
const ROUNDER: usize = memory.data<f32>([12582912, 12582912, 12582912, 12582912], 16);

/**
 * Rounded half to even; NaN is 0, infinities are far out. An f32 of ROUNDER's size has no fraction, so the addition
 * rounds, and its low bits count by ones: a third of the instructions of a rounding and a saturated conversion.
 */
function toIntegers(v: v128): v128 {
  const rounder = v128.load(ROUNDER);
  return i32x4.sub(f32x4.add(v128.and(v, f32x4.eq(v, v)), rounder), rounder);
}

/** Values i … i+3 of a row of k; zero from k on. */
function fourValues(x: usize, i: i32, k: i32): v128 {
  const p = x + ((<usize>i) << 2);
  if (i + 4 <= k) return v128.load(p);
  return i < k ? loadRest(p, k - i) : f32x4.splat(0);
}

/** Largest magnitude of k values, ignoring NaN. Four maxima at once: each waits for itself, four cycles. */
export function absmaxRow(x: usize, k: i32): f32 {
  let a = f32x4.splat(0),
    b = a,
    c = a,
    d = a,
    i = 0;
  for (; i + 16 <= k; i += 16) {
    const p = x + ((<usize>i) << 2);
    a = f32x4.pmax(a, f32x4.abs(v128.load(p)));
    b = f32x4.pmax(b, f32x4.abs(v128.load(p, 16)));
    c = f32x4.pmax(c, f32x4.abs(v128.load(p, 32)));
    d = f32x4.pmax(d, f32x4.abs(v128.load(p, 48)));
  }
  for (; i < k; i += 4) a = f32x4.pmax(a, f32x4.abs(fourValues(x, i, k)));
  return maxFloats(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
}

/** The part of eight integers that a sum counts. */
function counted(q: v128, magnitudes: i32): v128 {
  return magnitudes != 0 ? i16x8.abs(q) : q;
}

function sumIntegers(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}
