/**
 * Causal attention over a key/value cache, and the cache itself.
 *
 *   K, V cache of a layer: f32 (nKvHeads, nPages, 64 positions, headDim): a context that got its pages in turn has each
 *                          head's positions in one stream
 *   item:                  (kvHead · n + token) · pairs + pair of the query heads that share the kvHead: the tokens of
 *                          a prompt find a head's stream in L2, and one call does its pairs together, so that it reads
 *                          a cached vector once; 5 kvHeads go evenly over two threads
 *   scratch:               f32 (nHeads / nKvHeads, contextLength), the scores
 *
 * Orders (they depend on nothing else): a score is the sum over headDim in four lanes, then (0 + 2) + (1 + 3); the
 * normaliser is that of softmax; an output runs over positions in turn. headDim is a multiple of 4. Token i of the call
 * stands at its own place (places.ts) and sees the positions of its context up to its own, or the last of them: then
 * the context is as one that begins at the page of the first it sees.
 */
import { KV_PAGE_POSITIONS } from "../abi";
import { sumFloats, sumFourFloats } from "../lanes";
import { cachedAt, pageAt, placeOf } from "../places";
import { AttendStep, StoreKvStep } from "../steps";
import { softmax } from "./logits";

/**
 * Positions loaded ahead, a quarter of them in each of four streams: 16 KB of L1. Kernels that read four rows side by
 * side get 5 GB/s from a cache in memory; while also loading the next tile, 10 (2B4T, 4,000 positions).
 */
const TILE: i32 = 32;

/** Copies n tokens' keys and values (f32, row stride kvStride) to their positions, for heads [headBegin, headEnd). */
export function storeKv(step: StoreKvStep, places: usize, n: i32, headBegin: i32, headEnd: i32): void {
  const headDim = step.headDim,
    bytes = (<usize>headDim) << 2,
    streamBytes = <usize>step.nPages * KV_PAGE_POSITIONS * bytes;
  for (let head = headBegin; head < headEnd; head++) {
    for (let i = 0; i < n; i++) {
      const from = (<usize>i * step.kvStride + head * headDim) << 2;
      const to = <usize>head * streamBytes + cachedAt(placeOf(places, i)) * bytes;
      memory.copy(step.kCache + to, step.k + from, bytes);
      memory.copy(step.vCache + to, step.v + from, bytes);
    }
  }
}

/** Pairs of query heads that share a kvHead; the last may be a single. */
export function headPairs(nHeads: i32, nKvHeads: i32): i32 {
  return (nHeads / nKvHeads + 1) >> 1;
}

/** The first position that a row sees from `position`. */
export function firstSeen(step: AttendStep, position: i32): i32 {
  return step.window == 0 ? 0 : max(0, position + 1 - step.window);
}

/** Attention of items [itemBegin, itemEnd): out (n, outStride) receives each query head's headDim values. */
export function attend(step: AttendStep, places: usize, n: i32, itemBegin: i32, itemEnd: i32, scratch: usize): void {
  const group = step.nHeads / step.nKvHeads,
    pairs = headPairs(step.nHeads, step.nKvHeads),
    scoreStride = scoreBytes(step),
    headBytes = (<usize>step.headDim) << 2,
    streamBytes = <usize>step.nPages * KV_PAGE_POSITIONS * headBytes;
  for (let item = itemBegin, count: i32 = 0; item < itemEnd; item += count) {
    const first = item % pairs,
      kvHead = item / pairs / n,
      token = (item / pairs) % n,
      place = placeOf(places, token);
    const seen = firstSeen(step, place.position),
      skip = seen % KV_PAGE_POSITIONS,
      pages = place.pages + ((<usize>(seen / KV_PAGE_POSITIONS)) << 2),
      length = place.position + 1 - (seen - skip);
    count = min(pairs - first, itemEnd - item);
    const nQueries = min(2 * count, group - 2 * first);
    const keys = step.kCache + <usize>kvHead * streamBytes,
      values = step.vCache + <usize>kvHead * streamBytes,
      heads = <usize>(kvHead * group + 2 * first) * headBytes;
    const queries = step.q + ((<usize>token * step.qStride) << 2) + heads,
      results = step.out + ((<usize>token * step.outStride) << 2) + heads;
    const firstBytes = pageAt(pages, 0) * pageBytes(headBytes);
    let touched = scores(step, pages, skip, length, queries, keys, values + firstBytes, scratch, nQueries);
    for (let g = 0; g < nQueries; g++)
      softmax(scratch + <usize>g * scoreStride, length - skip, scratch + <usize>g * scoreStride);
    // For one token, the next item, if any, is the next head's; a prompt's next token reads the same keys again.
    const next = n == 1 && item + count < itemEnd ? keys + streamBytes + firstBytes : 0;
    touched += weightedValues(step, pages, skip, length, scratch, values, next, results, nQueries);
    // Stored, so that no compiler drops the loads of touchAhead.
    store<i32>(scratch, touched);
  }
}

/** Bytes of one head's keys, or values, in a page. */
function pageBytes(headBytes: usize): usize {
  return KV_PAGE_POSITIONS * headBytes;
}

/** Bytes of a query's scores. */
function scoreBytes(step: AttendStep): usize {
  return (<usize>step.contextLength) << 2;
}

/** What to load after a page that begins at position `begin`: the next with a whole tile, or `next`. */
function afterPage(vectors: usize, pages: usize, begin: i32, length: i32, headBytes: usize, next: usize): usize {
  const then = (begin & -KV_PAGE_POSITIONS) + KV_PAGE_POSITIONS;
  return then + TILE > length ? next : vectors + pageAt(pages, then / KV_PAGE_POSITIONS) * pageBytes(headBytes);
}

/** Position `p` of one head's keys, or values. */
function vectorAt(vectors: usize, pages: usize, p: i32, headBytes: usize): usize {
  const page = vectors + pageAt(pages, p / KV_PAGE_POSITIONS) * pageBytes(headBytes);
  return page + <usize>(p % KV_PAGE_POSITIONS) * headBytes;
}

/**
 * scores[g][p] = scale · q[g]·k[skip + p], page by page. Meanwhile the next positions, then `next`, are loaded to L1.
 */
function scores(
  step: AttendStep,
  pages: usize,
  skip: i32,
  length: i32,
  q: usize,
  k: usize,
  next: usize,
  out: usize,
  group: i32,
): i32 {
  const headBytes = (<usize>step.headDim) << 2;
  let touched = 0;
  for (let begin = skip, count: i32 = 0; begin < length; begin += count) {
    const keys = vectorAt(k, pages, begin, headBytes),
      then = afterPage(k, pages, begin, length, headBytes, next);
    count = min(KV_PAGE_POSITIONS - (begin % KV_PAGE_POSITIONS), length - begin);
    touched += pageScores(step, q, keys, then, out + ((<usize>(begin - skip)) << 2), group, count);
  }
  return touched;
}

/** Four positions serve two queries at a time. */
function pageScores(step: AttendStep, q: usize, k: usize, next: usize, out: usize, group: i32, count: i32): i32 {
  const scoreStride = scoreBytes(step),
    headBytes = (<usize>step.headDim) << 2,
    scale = step.scale;
  let touched = 0,
    p = 0;
  for (; p + 4 <= count; p += 4) {
    const keys = k + <usize>p * headBytes,
      to = out + ((<usize>p) << 2);
    touched += touchAhead(k, p, count, headBytes, next);
    let g = 0;
    for (; g + 2 <= group; g += 2)
      scoreTwoByFour(q + <usize>g * headBytes, keys, headBytes, to + <usize>g * scoreStride, scoreStride, scale);
    if (g < group) scoreByFour(q + <usize>g * headBytes, keys, headBytes, to + <usize>g * scoreStride, scale);
  }
  for (; p < count; p++) {
    const key = k + <usize>p * headBytes,
      to = out + ((<usize>p) << 2);
    for (let g = 0; g < group; g++)
      store<f32>(to + <usize>g * scoreStride, score(q + <usize>g * headBytes, key, headBytes) * scale);
  }
  return touched;
}

/** Two queries by four keys: eight independent sums hide the latency of an addition. */
function scoreTwoByFour(q: usize, k: usize, headBytes: usize, out: usize, scoreStride: usize, scale: f32): void {
  let a0 = f32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  const k1 = k + headBytes,
    k2 = k1 + headBytes,
    k3 = k2 + headBytes,
    q1 = q + headBytes;
  for (let at: usize = 0; at < headBytes; at += 16) {
    const qa = v128.load(q + at),
      qb = v128.load(q1 + at);
    const key0 = v128.load(k + at),
      key1 = v128.load(k1 + at),
      key2 = v128.load(k2 + at),
      key3 = v128.load(k3 + at);
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
  let a0 = f32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0;
  const k1 = k + headBytes,
    k2 = k1 + headBytes,
    k3 = k2 + headBytes;
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
  for (let at: usize = 0; at < headBytes; at += 16)
    sums = f32x4.add(sums, f32x4.mul(v128.load(q + at), v128.load(k + at)));
  return sumFloats(sums);
}

/**
 * out[g] = Σ weights[g][p] · v[skip + p], positions in turn, page by page. Meanwhile the next positions, then `next`,
 * are loaded to L1.
 */
function weightedValues(
  step: AttendStep,
  pages: usize,
  skip: i32,
  length: i32,
  weights: usize,
  v: usize,
  next: usize,
  out: usize,
  group: i32,
): i32 {
  const headBytes = (<usize>step.headDim) << 2;
  let touched = 0;
  memory.fill(out, 0, <usize>group * headBytes);
  for (let begin = skip, count: i32 = 0; begin < length; begin += count) {
    const values = vectorAt(v, pages, begin, headBytes),
      then = afterPage(v, pages, begin, length, headBytes, next);
    count = min(KV_PAGE_POSITIONS - (begin % KV_PAGE_POSITIONS), length - begin);
    touched += addPage(step, weights + ((<usize>(begin - skip)) << 2), values, then, out, group, count);
  }
  return touched;
}

/** Four positions serve two queries at a time. */
function addPage(step: AttendStep, weights: usize, v: usize, next: usize, out: usize, group: i32, count: i32): i32 {
  const weightStride = scoreBytes(step),
    headBytes = (<usize>step.headDim) << 2;
  let touched = 0,
    p = 0;
  for (; p + 4 <= count; p += 4) {
    const values = v + <usize>p * headBytes,
      from = weights + ((<usize>p) << 2);
    touched += touchAhead(v, p, count, headBytes, next);
    let g = 0;
    for (; g + 2 <= group; g += 2) {
      const at = from + <usize>g * weightStride;
      addFourToTwo(at, at + weightStride, values, headBytes, out + <usize>g * headBytes);
    }
    if (g < group) addToOne(from + <usize>g * weightStride, values, headBytes, out + <usize>g * headBytes, 4);
  }
  for (let g = 0; g < group; g++) {
    addToOne(
      weights + <usize>g * weightStride + ((<usize>p) << 2),
      v + <usize>p * headBytes,
      headBytes,
      out + <usize>g * headBytes,
      count - p,
    );
  }
  return touched;
}

/**
 * Loads a part of each quarter of the tile after the one of a page's position p, so that all of it is here at its turn.
 * After the last whole tile of its `length` positions comes the first of `then`, if any.
 */
function touchAhead(vectors: usize, p: i32, length: i32, headBytes: usize, then: usize): i32 {
  const next = (p & -TILE) + TILE,
    quarter = headBytes * (TILE / 4),
    isLast = next + TILE > length;
  if (isLast && (then == 0 || next > length)) return 0;
  let touched = 0,
    line = (isLast ? then : vectors + <usize>next * headBytes) + <usize>((p % TILE) >> 2) * headBytes;
  for (const end = line + headBytes; line < end; line += 64) {
    touched +=
      load<i32>(line) + load<i32>(line + quarter) + load<i32>(line + 2 * quarter) + load<i32>(line + 3 * quarter);
  }
  return touched;
}

/** Four positions into the outputs of two queries: the eight weights stay in registers over all dimensions. */
function addFourToTwo(weights: usize, others: usize, v: usize, headBytes: usize, out: usize): void {
  const w0 = v128.load32_splat(weights),
    w1 = v128.load32_splat(weights, 4),
    w2 = v128.load32_splat(weights, 8),
    w3 = v128.load32_splat(weights, 12);
  const u0 = v128.load32_splat(others),
    u1 = v128.load32_splat(others, 4),
    u2 = v128.load32_splat(others, 8),
    u3 = v128.load32_splat(others, 12);
  const second = v + headBytes,
    third = second + headBytes,
    fourth = third + headBytes,
    other = out + headBytes;
  for (let at: usize = 0; at < headBytes; at += 16) {
    let value = v128.load(v + at);
    let a = f32x4.add(v128.load(out + at), f32x4.mul(value, w0)),
      b = f32x4.add(v128.load(other + at), f32x4.mul(value, u0));
    value = v128.load(second + at);
    a = f32x4.add(a, f32x4.mul(value, w1));
    b = f32x4.add(b, f32x4.mul(value, u1));
    value = v128.load(third + at);
    a = f32x4.add(a, f32x4.mul(value, w2));
    b = f32x4.add(b, f32x4.mul(value, u2));
    value = v128.load(fourth + at);
    v128.store(out + at, f32x4.add(a, f32x4.mul(value, w3)));
    v128.store(other + at, f32x4.add(b, f32x4.mul(value, u3)));
  }
}

/** `count` positions into the output of one query. */
function addToOne(weights: usize, v: usize, headBytes: usize, out: usize, count: i32): void {
  for (; count > 0; count--) {
    const w = v128.load32_splat(weights);
    for (let at: usize = 0; at < headBytes; at += 16) {
      v128.store(out + at, f32x4.add(v128.load(out + at), f32x4.mul(v128.load(v + at), w)));
    }
    v += headBytes;
    weights += 4;
  }
}
