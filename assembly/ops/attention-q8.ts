/**
 * Attention over an 8-bit cache: a quarter of the memory of attention.ts, the same shapes and items.
 *
 *   K, V cache: i8 (nKvHeads, contextLength, headDim), scale absmax / 127 of each vector f32 (nKvHeads, contextLength)
 *
 * A query is rounded to 16 bits for the scores, so they are exact integer sums (255 · 32767 · headDim < 2^31 up to a
 * headDim of 256); its integers wait in the query's own place in `out`, which is written last. The values' scales are
 * multiplied into the weights; an output runs over positions in turn, in f32.
 */
import { maxFloats } from "../lanes";
import { sumLanes, sumLanes4 } from "../simd";
import { softmax } from "./logits";

const VALUE_TILE: i32 = 64;
const QUERY_MAX: f32 = 32767;
const VALUE_MAX: f32 = 127;

/** Rounds n tokens' keys and values (f32, row stride kvStride) into the cache, for heads [headBegin, headEnd). */
export function storeKvQ8(
  k: usize, v: usize, kvStride: i32, kCache: usize, vCache: usize, kScale: usize, vScale: usize, position0: i32, n: i32,
  nKvHeads: i32, headDim: i32, contextLength: i32, headBegin: i32, headEnd: i32,
): void {
  for (let head = headBegin; head < headEnd; head++) {
    for (let i = 0; i < n; i++) {
      const from = (<usize>i * kvStride + head * headDim) << 2, vector = <usize>head * contextLength + position0 + i;
      store<f32>(kScale + (vector << 2), roundBytes(k + from, kCache + vector * <usize>headDim, headDim));
      store<f32>(vScale + (vector << 2), roundBytes(v + from, vCache + vector * <usize>headDim, headDim));
    }
  }
}

/** dim values to i8, half to even; returns their scale. */
function roundBytes(x: usize, to: usize, dim: i32): f32 {
  const most = absmax(x, dim), factor = f32x4.splat(most == 0 ? 0 : VALUE_MAX / most);
  for (let i = 0; i < dim; i += 4) {
    const words = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x + (<usize>i << 2)), factor)));
    const halves = i16x8.narrow_i32x4_s(words, words);
    v128.store32_lane(to + i, i8x16.narrow_i16x8_s(halves, halves), 0);
  }
  return most / VALUE_MAX;
}

/** A query to i16, half to even; returns its scale. */
function roundQuery(x: usize, to: usize, dim: i32): f32 {
  const most = absmax(x, dim), factor = f32x4.splat(most == 0 ? 0 : QUERY_MAX / most);
  for (let i = 0; i < dim; i += 4) {
    const words = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x + (<usize>i << 2)), factor)));
    v128.store64_lane(to + (<usize>i << 1), i16x8.narrow_i32x4_s(words, words), 0);
  }
  return most / QUERY_MAX;
}

function absmax(x: usize, dim: i32): f32 {
  let most = f32x4.splat(0);
  for (let i = 0; i < dim; i += 4) most = f32x4.pmax(most, f32x4.abs(v128.load(x + (<usize>i << 2))));
  return maxFloats(most);
}

/** Attention of items [itemBegin, itemEnd), as `attend` of attention.ts. */
export function attendQ8(
  q: usize, qStride: i32, kCache: usize, vCache: usize, kScale: usize, vScale: usize, out: usize, outStride: i32,
  position0: i32, n: i32, nHeads: i32, nKvHeads: i32, headDim: i32, contextLength: i32, scale: f32, itemBegin: i32,
  itemEnd: i32, scratch: usize,
): void {
  const group = nHeads / nKvHeads, stride = <usize>contextLength << 2, headBytes = <usize>headDim << 2;
  for (let item = itemBegin; item < itemEnd; item++) {
    const token = item / nKvHeads, kvHead = item % nKvHeads, length = position0 + token + 1;
    const vectors = <usize>kvHead * contextLength, heads = <usize>kvHead * group * headBytes;
    const queries = q + ((<usize>token * qStride) << 2) + heads, results = out + ((<usize>token * outStride) << 2) + heads;
    const keys = kCache + vectors * <usize>headDim, values = vCache + vectors * <usize>headDim;
    for (let g = 0; g < group; g++) {
      const rounded = results + <usize>g * headBytes;
      const factor = roundQuery(queries + <usize>g * headBytes, rounded, headDim) * scale;
      scores(rounded, keys, kScale + (vectors << 2), scratch + <usize>g * stride, length, headDim, factor);
      softmax(scratch + <usize>g * stride, length, scratch + <usize>g * stride);
      multiply(scratch + <usize>g * stride, vScale + (vectors << 2), length);
    }
    weightedValues(scratch, stride, values, results, group, length, headDim);
  }
}

/** scores[p] = (q·k[p]) · (factor · kScale[p]), four positions at a time. */
function scores(q: usize, k: usize, kScale: usize, out: usize, length: i32, headDim: i32, factor: f32): void {
  const body = length & ~3, f = f32x4.splat(factor);
  for (let p = 0; p < body; p += 4) {
    const keys = k + <usize>p * headDim, at = <usize>p << 2;
    const sums = sumLanes4(
      products(q, keys, headDim), products(q, keys + headDim, headDim),
      products(q, keys + 2 * headDim, headDim), products(q, keys + 3 * headDim, headDim),
    );
    v128.store(out + at, f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(f, v128.load(kScale + at))));
  }
  for (let p = body; p < length; p++) {
    const sum = sumLanes(products(q, k + <usize>p * headDim, headDim)), at = <usize>p << 2;
    store<f32>(out + at, <f32>sum * (factor * load<f32>(kScale + at)));
  }
}

/** q·k in four partial sums. */
function products(q: usize, k: usize, headDim: i32): v128 {
  let sums = i32x4.splat(0), i = 0;
  for (; i + 8 <= headDim; i += 8) {
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(q + (<usize>i << 1)), v128.load8x8_s(k + i)));
  }
  if (i == headDim) return sums;
  const rest = i16x8.extend_low_i8x16_s(v128.load32_zero(k + i));
  return i32x4.add(sums, i32x4.dot_i16x8_s(v128.load64_zero(q + (<usize>i << 1)), rest));
}

/** weights[p] *= scales[p]. */
function multiply(weights: usize, scales: usize, length: i32): void {
  const body = length & ~3;
  for (let p = 0; p < body; p += 4) {
    const at = <usize>p << 2;
    v128.store(weights + at, f32x4.mul(v128.load(weights + at), v128.load(scales + at)));
  }
  for (let p = body; p < length; p++) {
    const at = <usize>p << 2;
    store<f32>(weights + at, load<f32>(weights + at) * load<f32>(scales + at));
  }
}

/** out[g] = Σ weights[g][p] · v[p], positions in turn; a tile of positions serves every query while it is in L1. */
function weightedValues(weights: usize, weightStride: usize, v: usize, out: usize, group: i32, length: i32, headDim: i32): void {
  const headBytes = <usize>headDim << 2;
  memory.fill(out, 0, <usize>group * headBytes);
  for (let p = 0; p < length; p += VALUE_TILE) {
    const count = min(VALUE_TILE, length - p), values = v + <usize>p * headDim, from = weights + (<usize>p << 2);
    for (let g = 0; g < group; g++) addValues(from + <usize>g * weightStride, values, headDim, out + <usize>g * headBytes, count);
  }
}

function addValues(weights: usize, v: usize, headDim: i32, out: usize, count: i32): void {
  let at = 0;
  for (; at + 16 <= headDim; at += 16) addValues16(weights, v + at, headDim, out + (<usize>at << 2), count);
  for (; at < headDim; at += 4) {
    let sum = v128.load(out + (<usize>at << 2));
    for (let i = 0; i < count; i++) {
      const halves = i16x8.extend_low_i8x16_s(v128.load32_zero(v + at + i * headDim));
      const values = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(halves));
      sum = f32x4.add(sum, f32x4.mul(values, v128.load32_splat(weights + (<usize>i << 2))));
    }
    v128.store(out + (<usize>at << 2), sum);
  }
}

function addValues16(weights: usize, v: usize, headDim: i32, out: usize, count: i32): void {
  let s0 = v128.load(out), s1 = v128.load(out, 16), s2 = v128.load(out, 32), s3 = v128.load(out, 48);
  for (const end = weights + (<usize>count << 2); weights < end; weights += 4) {
    const w = v128.load32_splat(weights), low = v128.load8x8_s(v), high = v128.load8x8_s(v, 8);
    s0 = f32x4.add(s0, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), w));
    s1 = f32x4.add(s1, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), w));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), w));
    s3 = f32x4.add(s3, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), w));
    v += headDim;
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
}
