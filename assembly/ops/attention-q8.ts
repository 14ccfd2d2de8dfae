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
      store<f32>(rounded + (headBytes >> 1), roundQuery(queries + <usize>g * headBytes, rounded, headDim) * scale);
    }
    scores(results, keys, kScale + (vectors << 2), scratch, stride, group, length, headDim);
    for (let g = 0; g < group; g++) {
      const weights = scratch + <usize>g * stride;
      softmax(weights, length, weights);
      multiply(weights, vScale + (vectors << 2), length);
    }
    weightedValues(scratch, stride, values, results, group, length, headDim);
  }
}

/**
 * scores[g][p] = (q[g]·k[p]) · (factor[g] · kScale[p]), four positions at a time. q: for each g, headDim i16, then
 * the factor.
 */
function scores(q: usize, k: usize, kScale: usize, out: usize, stride: usize, group: i32, length: i32, headDim: i32): void {
  const body = length & ~3, headBytes = <usize>headDim << 2;
  for (let p = 0; p < body; p += 4) {
    const keys = k + <usize>p * headDim, at = <usize>p << 2, scale = v128.load(kScale + at);
    for (let g = 0; g < group; g++) {
      const query = q + <usize>g * headBytes, factor = f32x4.mul(v128.load32_splat(query + (headBytes >> 1)), scale);
      v128.store(out + <usize>g * stride + at, f32x4.mul(f32x4.convert_i32x4_s(fourProducts(query, keys, headDim)), factor));
    }
  }
  for (let p = body; p < length; p++) {
    const key = k + <usize>p * headDim, at = <usize>p << 2, scale = load<f32>(kScale + at);
    for (let g = 0; g < group; g++) {
      const query = q + <usize>g * headBytes, sum = sumLanes(products(query, key, headDim));
      store<f32>(out + <usize>g * stride + at, <f32>sum * (load<f32>(query + (headBytes >> 1)) * scale));
    }
  }
}

/** q·k of four keys in a row. */
function fourProducts(q: usize, k: usize, headDim: i32): v128 {
  const dim = <usize>headDim, k1 = k + dim, k2 = k1 + dim, k3 = k2 + dim, body = dim & ~7;
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (let i: usize = 0; i < body; i += 8) {
    const query = v128.load(q + (i << 1));
    a = i32x4.add(a, i32x4.dot_i16x8_s(query, v128.load8x8_s(k + i)));
    b = i32x4.add(b, i32x4.dot_i16x8_s(query, v128.load8x8_s(k1 + i)));
    c = i32x4.add(c, i32x4.dot_i16x8_s(query, v128.load8x8_s(k2 + i)));
    d = i32x4.add(d, i32x4.dot_i16x8_s(query, v128.load8x8_s(k3 + i)));
  }
  if (body < dim) {
    const query = v128.load64_zero(q + (body << 1));
    a = i32x4.add(a, i32x4.dot_i16x8_s(query, fourBytes(k + body)));
    b = i32x4.add(b, i32x4.dot_i16x8_s(query, fourBytes(k1 + body)));
    c = i32x4.add(c, i32x4.dot_i16x8_s(query, fourBytes(k2 + body)));
    d = i32x4.add(d, i32x4.dot_i16x8_s(query, fourBytes(k3 + body)));
  }
  return sumLanes4(a, b, c, d);
}

/** q·k in four partial sums. */
function products(q: usize, k: usize, headDim: i32): v128 {
  let sums = i32x4.splat(0), i = 0;
  for (; i + 8 <= headDim; i += 8) {
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(q + (<usize>i << 1)), v128.load8x8_s(k + i)));
  }
  if (i == headDim) return sums;
  return i32x4.add(sums, i32x4.dot_i16x8_s(v128.load64_zero(q + (<usize>i << 1)), fourBytes(k + i)));
}

/** Four bytes as i16, then zeros. */
function fourBytes(k: usize): v128 {
  return i16x8.extend_low_i8x16_s(v128.load32_zero(k));
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
    let g = 0;
    for (; g + 2 <= group; g += 2) {
      addTwo(from + <usize>g * weightStride, weightStride, values, headDim, out + <usize>g * headBytes, count);
    }
    if (g < group) addOne(from + <usize>g * weightStride, values, headDim, out + <usize>g * headBytes, 0, count);
  }
}

/** Two queries' outputs, 16 dimensions at a time: a value is widened once for both. */
function addTwo(weights: usize, weightStride: usize, v: usize, headDim: i32, out: usize, count: i32): void {
  const headBytes = <usize>headDim << 2;
  let at = 0;
  for (; at + 16 <= headDim; at += 16) {
    addTwo16(weights, weightStride, v + at, headDim, out + (<usize>at << 2), headBytes, count);
  }
  if (at == headDim) return;
  addOne(weights, v, headDim, out, at, count);
  addOne(weights + weightStride, v, headDim, out + headBytes, at, count);
}

function addTwo16(weights: usize, weightStride: usize, v: usize, headDim: i32, out: usize, outStride: usize, count: i32): void {
  const other = out + outStride;
  let a0 = v128.load(out), a1 = v128.load(out, 16), a2 = v128.load(out, 32), a3 = v128.load(out, 48);
  let b0 = v128.load(other), b1 = v128.load(other, 16), b2 = v128.load(other, 32), b3 = v128.load(other, 48);
  for (const end = weights + (<usize>count << 2); weights < end; weights += 4) {
    const low = v128.load8x8_s(v), high = v128.load8x8_s(v, 8);
    const w = v128.load32_splat(weights), u = v128.load32_splat(weights + weightStride);
    const v0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), v1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low));
    a0 = f32x4.add(a0, f32x4.mul(v0, w));
    b0 = f32x4.add(b0, f32x4.mul(v0, u));
    a1 = f32x4.add(a1, f32x4.mul(v1, w));
    b1 = f32x4.add(b1, f32x4.mul(v1, u));
    const v2 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), v3 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high));
    a2 = f32x4.add(a2, f32x4.mul(v2, w));
    b2 = f32x4.add(b2, f32x4.mul(v2, u));
    a3 = f32x4.add(a3, f32x4.mul(v3, w));
    b3 = f32x4.add(b3, f32x4.mul(v3, u));
    v += headDim;
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(out, a2, 32);
  v128.store(out, a3, 48);
  v128.store(other, b0);
  v128.store(other, b1, 16);
  v128.store(other, b2, 32);
  v128.store(other, b3, 48);
}

/** One query's output from dimension `at` on, four at a time. */
function addOne(weights: usize, v: usize, headDim: i32, out: usize, at: i32, count: i32): void {
  for (; at < headDim; at += 4) {
    let sum = v128.load(out + (<usize>at << 2));
    for (let i = 0; i < count; i++) {
      const values = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(fourBytes(v + at + i * headDim)));
      sum = f32x4.add(sum, f32x4.mul(values, v128.load32_splat(weights + (<usize>i << 2))));
    }
    v128.store(out + (<usize>at << 2), sum);
  }
}
