/**
 * Causal attention over a key/value cache, and the cache itself.
 *
 *   K, V cache of a layer: f32 (nKvHeads, contextLength, headDim): one head's positions are one stream
 *   item:                  token · nKvHeads + kvHead; all query heads that share the kvHead are done together, so a
 *                          cached vector is read once
 *   scratch:               f32 (nHeads / nKvHeads, contextLength), the scores
 *
 * Orders (they depend on nothing else): a score is the sum over headDim in four lanes, then (0 + 2) + (1 + 3); the
 * normaliser is that of softmax; an output runs over positions in turn. headDim is a multiple of 4.
 * Token i of the call stands at position0 + i and sees positions 0 … position0 + i.
 */
import { sumFloats, sumFourFloats } from "../lanes";
import { softmax } from "./logits";

export { attendQ8, storeKvQ8 } from "./attention-q8";

/** Positions whose values are summed while an output's accumulators stay in registers: 32 · 512 B is in L1. */
const VALUE_TILE: i32 = 32;

/** Copies n tokens' keys and values (f32, row stride kvStride) to their positions, for heads [headBegin, headEnd). */
export function storeKv(
  k: usize, v: usize, kvStride: i32, kCache: usize, vCache: usize, position0: i32, n: i32, nKvHeads: i32, headDim: i32,
  contextLength: i32, headBegin: i32, headEnd: i32,
): void {
  const bytes = <usize>headDim << 2;
  for (let head = headBegin; head < headEnd; head++) {
    for (let i = 0; i < n; i++) {
      const from = (<usize>i * kvStride + head * headDim) << 2;
      const to = (<usize>head * contextLength + position0 + i) * bytes;
      memory.copy(kCache + to, k + from, bytes);
      memory.copy(vCache + to, v + from, bytes);
    }
  }
}

/** Attention of items [itemBegin, itemEnd): out (n, outStride) receives each query head's headDim values. */
export function attend(
  q: usize, qStride: i32, kCache: usize, vCache: usize, out: usize, outStride: i32, position0: i32, n: i32, nHeads: i32,
  nKvHeads: i32, headDim: i32, contextLength: i32, scale: f32, itemBegin: i32, itemEnd: i32, scratch: usize,
): void {
  const group = nHeads / nKvHeads, scoreStride = <usize>contextLength << 2, headBytes = <usize>headDim << 2;
  for (let item = itemBegin; item < itemEnd; item++) {
    const token = item / nKvHeads, kvHead = item % nKvHeads, length = position0 + token + 1;
    const cached = <usize>kvHead * contextLength * headBytes, heads = <usize>kvHead * group * headBytes;
    const queries = q + ((<usize>token * qStride) << 2) + heads, results = out + ((<usize>token * outStride) << 2) + heads;
    scores(queries, kCache + cached, scratch, scoreStride, group, length, headDim, scale);
    for (let g = 0; g < group; g++) softmax(scratch + <usize>g * scoreStride, length, scratch + <usize>g * scoreStride);
    weightedValues(scratch, scoreStride, vCache + cached, results, group, length, headDim);
  }
}

/** scores[g][p] = scale · q[g]·k[p]. Four positions at a time share the load of a query. */
function scores(q: usize, k: usize, out: usize, scoreStride: usize, group: i32, length: i32, headDim: i32, scale: f32): void {
  const headBytes = <usize>headDim << 2, body = length & ~3;
  for (let p = 0; p < body; p += 4) {
    const keys = k + <usize>p * headBytes, to = out + (<usize>p << 2);
    let g = 0;
    for (; g + 2 <= group; g += 2) {
      scoreTwoByFour(q + <usize>g * headBytes, keys, headBytes, to + <usize>g * scoreStride, scoreStride, scale);
    }
    if (g < group) scoreByFour(q + <usize>g * headBytes, keys, headBytes, to + <usize>g * scoreStride, scale);
  }
  for (let p = body; p < length; p++) {
    for (let g = 0; g < group; g++) {
      store<f32>(out + <usize>g * scoreStride + (<usize>p << 2), score(q + <usize>g * headBytes, k + <usize>p * headBytes, headBytes) * scale);
    }
  }
}

/** Two queries by four keys: eight independent sums hide the latency of an addition. */
function scoreTwoByFour(q: usize, k: usize, headBytes: usize, out: usize, scoreStride: usize, scale: f32): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  const k1 = k + headBytes, k2 = k1 + headBytes, k3 = k2 + headBytes, q1 = q + headBytes;
  for (let at: usize = 0; at < headBytes; at += 16) {
    const qa = v128.load(q + at), qb = v128.load(q1 + at);
    const key0 = v128.load(k + at), key1 = v128.load(k1 + at), key2 = v128.load(k2 + at), key3 = v128.load(k3 + at);
    a0 = f32x4.add(a0, f32x4.mul(qa, key0));
    a1 = f32x4.add(a1, f32x4.mul(qa, key1));
    a2 = f32x4.add(a2, f32x4.mul(qa, key2));
    a3 = f32x4.add(a3, f32x4.mul(qa, key3));
    b0 = f32x4.add(b0, f32x4.mul(qb, key0));
    b1 = f32x4.add(b1, f32x4.mul(qb, key1));
    b2 = f32x4.add(b2, f32x4.mul(qb, key2));
    b3 = f32x4.add(b3, f32x4.mul(qb, key3));
  }
  const s = f32x4.splat(scale);
  v128.store(out, f32x4.mul(sumFourFloats(a0, a1, a2, a3), s));
  v128.store(out + scoreStride, f32x4.mul(sumFourFloats(b0, b1, b2, b3), s));
}

function scoreByFour(q: usize, k: usize, headBytes: usize, out: usize, scale: f32): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  const k1 = k + headBytes, k2 = k1 + headBytes, k3 = k2 + headBytes;
  for (let at: usize = 0; at < headBytes; at += 16) {
    const qa = v128.load(q + at);
    a0 = f32x4.add(a0, f32x4.mul(qa, v128.load(k + at)));
    a1 = f32x4.add(a1, f32x4.mul(qa, v128.load(k1 + at)));
    a2 = f32x4.add(a2, f32x4.mul(qa, v128.load(k2 + at)));
    a3 = f32x4.add(a3, f32x4.mul(qa, v128.load(k3 + at)));
  }
  v128.store(out, f32x4.mul(sumFourFloats(a0, a1, a2, a3), f32x4.splat(scale)));
}

function score(q: usize, k: usize, headBytes: usize): f32 {
  let sums = f32x4.splat(0);
  for (let at: usize = 0; at < headBytes; at += 16) sums = f32x4.add(sums, f32x4.mul(v128.load(q + at), v128.load(k + at)));
  return sumFloats(sums);
}

/** out[g] = Σ weights[g][p] · v[p], positions in turn. */
function weightedValues(weights: usize, weightStride: usize, v: usize, out: usize, group: i32, length: i32, headDim: i32): void {
  const headBytes = <usize>headDim << 2;
  memory.fill(out, 0, <usize>group * headBytes);
  for (let p = 0; p < length; p += VALUE_TILE) {
    const count = min(VALUE_TILE, length - p), values = v + <usize>p * headBytes, from = weights + (<usize>p << 2);
    for (let g = 0; g < group; g++) addValues(from + <usize>g * weightStride, values, headBytes, out + <usize>g * headBytes, count);
  }
}

/** out += Σ weights[i] · v[i] over `count` positions, 32 dimensions at a time, then 4. */
function addValues(weights: usize, v: usize, headBytes: usize, out: usize, count: i32): void {
  let at: usize = 0;
  for (; at + 128 <= headBytes; at += 128) addValues32(weights, v + at, headBytes, out + at, count);
  for (; at < headBytes; at += 16) {
    let sum = v128.load(out + at);
    for (let i = 0; i < count; i++) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(v + at + <usize>i * headBytes), v128.load32_splat(weights + (<usize>i << 2))));
    }
    v128.store(out + at, sum);
  }
}

function addValues32(weights: usize, v: usize, headBytes: usize, out: usize, count: i32): void {
  let s0 = v128.load(out), s1 = v128.load(out, 16), s2 = v128.load(out, 32), s3 = v128.load(out, 48);
  let s4 = v128.load(out, 64), s5 = v128.load(out, 80), s6 = v128.load(out, 96), s7 = v128.load(out, 112);
  for (const end = weights + (<usize>count << 2); weights < end; weights += 4) {
    const w = v128.load32_splat(weights);
    s0 = f32x4.add(s0, f32x4.mul(v128.load(v), w));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(v, 16), w));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(v, 32), w));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(v, 48), w));
    s4 = f32x4.add(s4, f32x4.mul(v128.load(v, 64), w));
    s5 = f32x4.add(s5, f32x4.mul(v128.load(v, 80), w));
    s6 = f32x4.add(s6, f32x4.mul(v128.load(v, 96), w));
    s7 = f32x4.add(s7, f32x4.mul(v128.load(v, 112), w));
    v += headBytes;
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
  v128.store(out, s4, 64);
  v128.store(out, s5, 80);
  v128.store(out, s6, 96);
  v128.store(out, s7, 112);
}
