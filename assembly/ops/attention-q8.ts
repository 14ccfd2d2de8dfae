/**
 * Attention over an 8-bit cache: a quarter of the memory of attention.ts, the same shapes and items.
 *
 *   K cache: (nKvHeads, nPages, 8) records of eight positions
 *            | scale f32 (8) | sum of the bytes i32 (8) | i8 (headDim / 4, 8 positions, 4 dimensions) |
 *   V cache: (nKvHeads)
 *            | scale f32 (nPages, 64) | a tile a page: i8 (headDim / 4, 16 records, 4 dimensions, 4 positions) |
 *
 * A page has 64 positions; a scale is a vector's absmax / 127. Sixteen bytes hold four products for each of four sums
 * (of four positions' scores, of four dimensions' outputs), so no kernel adds across lanes. A tile's value scales are
 * read before its values: with 256 bytes of them in front of each tile, each came from memory alone, and a token of
 * 2B4T at 4,000 positions took 25.2 ms; with scales in a row, 23.5.
 *
 * The other factor of a product is rounded to 14 bits (dotQuad of simd.ts): queries by their absmax, softmax weights
 * times values' scales by the largest in a tile of 64 positions, so small weights keep their bits beside a large one
 * elsewhere. Sums are exact integers: a score's over headDim (|Σ| ≤ 127 · 8191 · headDim < 2^31 up to a headDim of
 * 2064), an output's over a tile. Tiles are added in f32, in the order of STREAMS, which depends only on the token's
 * own length. Weights after a token's own position are 0, and before its window. Against attention over the same bytes
 * in f64, an output is
 * off by less than 2e-4 of the values' size; the bytes' own error adds 0.6 % (the spec).
 */
import { KV_PAGE_POSITIONS, KV_Q8_ROW_TAIL_BYTES, KV_Q8_SCALE_BYTES, KV_Q8_SUM_BYTES } from "../abi";
import { maxFloats, sumFloats } from "../lanes";
import { exp2NegativeF32x4 } from "../math";
import { bytesA, bytesB, dotQuad, quadA, quadB, storeQuads, sumQuads } from "../simd";
import { cachedAt, pageAt, placeOf } from "../places";
import { AttendStep, StoreKvStep } from "../steps";
import { firstSeen, headPairs } from "./attention";
import { largest } from "./logits";

const KEY_POSITIONS: i32 = 8;
/** Bytes before the sums of a record's keys, and before the keys. */
const KEY_SUMS: usize = KEY_POSITIONS * KV_Q8_SCALE_BYTES;
const KEY_HEAD_BYTES: usize = KEY_SUMS + KEY_POSITIONS * KV_Q8_SUM_BYTES;
const TILE_KEY_RECORDS: i32 = KV_PAGE_POSITIONS / KEY_POSITIONS;
const TILE_RECORDS: i32 = KV_PAGE_POSITIONS / 4;
/** Weights of a tile: f32, then quads in half of the same place. */
const TILE_BYTES: i32 = KV_PAGE_POSITIONS * 4;
/**
 * Parts of the positions read in turns, half a kilobyte or one of each: one stream from memory is slow. The scores of
 * 2B4T at 4,000 positions took 11.4 ms in two parts, 9.1 in four, 17.8 in eight.
 */
const STREAMS: i32 = 4;
const VALUE_MAX: f32 = 127;
/** A query's integers are -8191 … 8191, stored with this added: quads have no sign. */
const QUERY_MAX: f32 = 8191;
const QUERY_ZERO: f32 = 8192;
const WEIGHT_MAX: f32 = 16383;
/** Scores include this factor: a power of two takes a third fewer steps than one of e. */
const LOG2_E: f32 = 1.4426950408889634;
/** 2^-100: below it WEIGHT_MAX / weight would overflow, and the weight does not matter. */
const WEIGHT_MIN: f32 = 7.888609052210118e-31;

function keyRecordBytes(headDim: i32): usize {
  return KEY_HEAD_BYTES + ((<usize>headDim) << 3);
}

function valueTileBytes(headDim: i32): usize {
  return <usize>headDim * KV_PAGE_POSITIONS;
}

/** Scales of values in `nPages` pages of one head. */
function scaleBytes(nPages: usize): usize {
  return nPages * (KV_PAGE_POSITIONS * KV_Q8_SCALE_BYTES);
}

function headKeyBytes(nPages: usize, headDim: i32): usize {
  return nPages * TILE_KEY_RECORDS * keyRecordBytes(headDim);
}

function headValueBytes(nPages: usize, headDim: i32): usize {
  return scaleBytes(nPages) + nPages * valueTileBytes(headDim);
}

/** Rounds n tokens' keys and values (f32, row stride kvStride) into the cache, for heads [headBegin, headEnd). */
export function storeKvQ8(step: StoreKvStep, places: usize, n: i32, headBegin: i32, headEnd: i32): void {
  const headDim = step.headDim,
    nPages = <usize>step.nPages;
  for (let head = headBegin; head < headEnd; head++) {
    for (let i = 0; i < n; i++) {
      const from = (<usize>i * step.kvStride + head * headDim) << 2,
        position = cachedAt(placeOf(places, i));
      const keys = step.kCache + <usize>head * headKeyBytes(nPages, headDim),
        record = keys + (position / KEY_POSITIONS) * keyRecordBytes(headDim);
      storeKey(step.k + from, record, position % KEY_POSITIONS, headDim);
      const values = step.vCache + <usize>head * headValueBytes(nPages, headDim);
      storeValue(step.v + from, values, nPages, position, headDim);
    }
  }
}

function storeKey(x: usize, record: usize, slot: usize, dim: i32): void {
  const most = absmax(x, dim),
    factor = f32x4.splat(most == 0 ? 0 : VALUE_MAX / most);
  const to = record + KEY_HEAD_BYTES + (slot << 2);
  let sum = 0;
  for (let i: usize = 0; i < <usize>dim; i += 4) {
    const bytes = roundBytes(x + (i << 2), factor);
    store<i32>(to + (i << 3), bytes);
    sum += <i32>(<i8>bytes) + <i32>(<i8>(bytes >> 8)) + <i32>(<i8>(bytes >> 16)) + (bytes >> 24);
  }
  store<f32>(record + (slot << 2), most / VALUE_MAX);
  store<i32>(record + (slot << 2), sum, KEY_SUMS);
}

function storeValue(x: usize, scales: usize, nPages: usize, position: usize, dim: i32): void {
  const most = absmax(x, dim),
    factor = f32x4.splat(most == 0 ? 0 : VALUE_MAX / most);
  const tile = scales + scaleBytes(nPages) + (position / KV_PAGE_POSITIONS) * valueTileBytes(dim),
    slot = position % KV_PAGE_POSITIONS;
  const record = tile + ((slot >> 2) << 4) + (slot & 3);
  for (let i: usize = 0; i < <usize>dim; i += 4) {
    const bytes = roundBytes(x + (i << 2), factor),
      to = record + i * KV_PAGE_POSITIONS;
    store<u8>(to, bytes);
    store<u8>(to, bytes >> 8, 4);
    store<u8>(to, bytes >> 16, 8);
    store<u8>(to, bytes >> 24, 12);
  }
  store<f32>(scales + (position << 2), most / VALUE_MAX);
}

/** Four values times a factor as four i8, rounded half to even. */
function roundBytes(x: usize, factor: v128): i32 {
  const words = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
  const halves = i16x8.narrow_i32x4_s(words, words);
  return i32x4.extract_lane(i8x16.narrow_i16x8_s(halves, halves), 0);
}

function absmax(x: usize, dim: i32): f32 {
  let most = f32x4.splat(0);
  for (let i = 0; i < dim; i += 4) most = f32x4.pmax(most, f32x4.abs(v128.load(x + ((<usize>i) << 2))));
  return maxFloats(most);
}

/** Attention of items [itemBegin, itemEnd), as `attend` of attention.ts. */
export function attendQ8(step: AttendStep, places: usize, n: i32, itemBegin: i32, itemEnd: i32, scratch: usize): void {
  const group = step.nHeads / step.nKvHeads,
    headDim = step.headDim,
    nPages = <usize>step.nPages,
    stride = scoreBytes(step),
    headBytes = (<usize>headDim) << 2;
  const pairs = headPairs(step.nHeads, step.nKvHeads);
  for (let item = itemBegin, count: i32 = 0; item < itemEnd; item += count) {
    const pair = item % pairs,
      kvHead = item / pairs / n,
      token = (item / pairs) % n,
      place = placeOf(places, token);
    const seen = firstSeen(step, place.position),
      skip = seen % KV_PAGE_POSITIONS,
      pages = place.pages + ((<usize>(seen / KV_PAGE_POSITIONS)) << 2),
      length = place.position + 1 - (seen - skip);
    count = min(pairs - pair, itemEnd - item);
    const nQueries = min(2 * count, group - 2 * pair);
    const keys = step.kCache + <usize>kvHead * headKeyBytes(nPages, headDim);
    const heads = <usize>(kvHead * group + 2 * pair) * headBytes;
    const queries = step.q + ((<usize>token * step.qStride) << 2) + heads,
      results = step.out + ((<usize>token * step.outStride) << 2) + heads;
    for (let g = 0; g < nQueries; g++) {
      const rounded = results + <usize>g * headBytes;
      store<f32>(
        rounded + (headBytes >> 1),
        roundQuery(queries + <usize>g * headBytes, rounded, headDim) * (step.scale * LOG2_E),
      );
    }
    scores(step, pages, length, results, keys, scratch, nQueries);
    for (let g = 0; g < nQueries; g++) startSum(scratch + <usize>g * stride, stride, skip, length);
    const values = step.vCache + <usize>kvHead * headValueBytes(nPages, headDim);
    weightedValues(step, pages, length, scratch, values, results, nQueries);
  }
}

/** Bytes of a query's scores, and of what stands behind them. */
function scoreBytes(step: AttendStep): usize {
  const nTiles = (step.contextLength + KV_PAGE_POSITIONS - 1) / KV_PAGE_POSITIONS;
  return <usize>nTiles * TILE_BYTES + KV_Q8_ROW_TAIL_BYTES;
}

/** Rounds a query to quads and returns its scale; after an odd number of fours the last goes twice. */
function roundQuery(x: usize, to: usize, dim: i32): f32 {
  const most = absmax(x, dim),
    factor = f32x4.splat(most == 0 ? 0 : QUERY_MAX / most),
    end = x + ((<usize>dim) << 2);
  for (; x < end; x += 32) {
    const next = x + 16 < end ? x + 16 : x;
    storeQuads(to, round14(v128.load(x), factor, QUERY_ZERO), round14(v128.load(next), factor, QUERY_ZERO));
    to += 16;
  }
  return most / QUERY_MAX;
}

/** x · factor + zero as integers, half to even: after adding 2^23 they are the sum's low bits. */
function round14(x: v128, factor: v128, zero: f32): v128 {
  return v128.and(f32x4.add(f32x4.mul(x, factor), f32x4.splat(8388608 + zero)), i32x4.splat(16383));
}

/**
 * scores[g][p] = (q[g]·k[p]) · (factor[g] · kScale[p]), base 2, by whole records: values for later positions are
 * written but meaningless. q: for each g, headDim / 4 quads, then the factor. A query without a partner goes twice.
 */
function scores(step: AttendStep, pages: usize, length: i32, q: usize, k: usize, out: usize, group: i32): void {
  const headBytes = (<usize>step.headDim) << 2,
    recordBytes = keyRecordBytes(step.headDim),
    stride = scoreBytes(step);
  const nRecords = (length - 1) / KEY_POSITIONS + 1,
    nTurns = (nRecords + STREAMS - 1) / STREAMS;
  for (let turn = 0; turn < nTurns; turn++) {
    for (let record = turn; record < nRecords; record += nTurns) {
      const page = pageAt(pages, record / TILE_KEY_RECORDS),
        keys = k + (page * TILE_KEY_RECORDS + (record % TILE_KEY_RECORDS)) * recordBytes;
      for (let g = 0; g < group; g += 2) {
        const query = q + <usize>g * headBytes,
          to = out + <usize>g * stride + ((<usize>record) << 5),
          paired = g + 1 < group;
        scoreTwo(query, paired ? query + headBytes : query, keys, headBytes >> 1, to, paired ? to + stride : to);
      }
    }
  }
}

/** Two queries by a record: eight sums in registers, each key loaded once for both. */
function scoreTwo(a: usize, b: usize, record: usize, quadBytes: usize, outA: usize, outB: usize): void {
  let a0 = i32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  for (let at: usize = 0; at < quadBytes; at += 8) {
    const qa0 = quadA(a + at),
      qa1 = quadB(a + at, qa0),
      qb0 = quadA(b + at),
      qb1 = quadB(b + at, qb0);
    const keys = record + KEY_HEAD_BYTES + (at << 2),
      k0 = bytesA(keys),
      k1 = bytesB(keys, k0);
    a0 = dotQuad(k0, qa0, a0);
    a1 = dotQuad(k1, qa1, a1);
    b0 = dotQuad(k0, qb0, b0);
    b1 = dotQuad(k1, qb1, b1);
    const k2 = bytesA(keys + 16),
      k3 = bytesB(keys + 16, k2);
    a2 = dotQuad(k2, qa0, a2);
    a3 = dotQuad(k3, qa1, a3);
    b2 = dotQuad(k2, qb0, b2);
    b3 = dotQuad(k3, qb1, b3);
  }
  const factorA = v128.load32_splat(a + quadBytes),
    factorB = v128.load32_splat(b + quadBytes);
  v128.store(outA, score(sumQuads(a0, a1), record, factorA));
  v128.store(outA, score(sumQuads(a2, a3), record + 16, factorA), 16);
  v128.store(outB, score(sumQuads(b0, b1), record, factorB));
  v128.store(outB, score(sumQuads(b2, b3), record + 16, factorB), 16);
}

/**
 * Four scores from their sums, which are too large by QUERY_ZERO times the sum of a key; `head` points to their scales.
 */
function score(sums: v128, head: usize, factor: v128): v128 {
  const products = i32x4.sub(sums, i32x4.shl(v128.load(head, KEY_SUMS), 13));
  return f32x4.mul(f32x4.convert_i32x4_s(products), f32x4.mul(factor, v128.load(head)));
}

/** out[g] = Σ weights[g][p] · v[p]; weights are replaced by their quads. Tiles are added in the order of STREAMS. */
function weightedValues(
  step: AttendStep,
  pages: usize,
  length: i32,
  weights: usize,
  scales: usize,
  out: usize,
  group: i32,
): void {
  const v = scales + scaleBytes(step.nPages),
    headBytes = (<usize>step.headDim) << 2,
    tileBytes = valueTileBytes(step.headDim),
    stride = scoreBytes(step),
    nRecords = ((length - 1) >> 2) + 1;
  const nTiles = (nRecords + TILE_RECORDS - 1) / TILE_RECORDS,
    nTurns = (nTiles + STREAMS - 1) / STREAMS;
  memory.fill(out, 0, <usize>group * headBytes);
  for (let turn = 0; turn < nTurns; turn++) {
    for (let t = turn; t < nTiles; t += nTurns) {
      const tile = weights + <usize>t * TILE_BYTES,
        tileScales = scales + scaleBytes(pageAt(pages, t)),
        count = min(TILE_RECORDS, nRecords - t * TILE_RECORDS);
      for (let g = 0; g < group; g++) {
        const row = <usize>g * stride;
        roundWeights(tile + row, weights + row + stride - KV_Q8_ROW_TAIL_BYTES, tileScales, count);
      }
    }
    for (let at: usize = 0; at < headBytes; at += 32) {
      const second = at + 16 < headBytes ? <usize>16 : 0;
      for (let t = turn; t < nTiles; t += nTurns) {
        const values = v + pageAt(pages, t) * tileBytes + at * TILE_RECORDS;
        const quadBytes = (<usize>min(TILE_RECORDS, nRecords - t * TILE_RECORDS)) << 3;
        for (let g = 0; g < group; g += 2) {
          const a = weights + <usize>t * TILE_BYTES + <usize>g * stride,
            to = out + <usize>g * headBytes + at,
            paired = g + 1 < group;
          addTwo(a, paired ? a + stride : a, quadBytes, values, second, to, paired ? to + headBytes : to);
        }
      }
    }
  }
  for (let g = 0; g < group; g++)
    divide(out + <usize>g * headBytes, headBytes, load<f64>(weights + <usize>(g + 1) * stride - KV_Q8_ROW_TAIL_BYTES));
}

function divide(x: usize, bytes: usize, by: f64): void {
  const factor = f32x4.splat(<f32>(1.0 / by));
  for (const end = x + bytes; x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), factor));
}

/**
 * Adds, behind a query's scores, the sum of its weights so far (f64) and its largest score. Scores without a position
 * become -Infinity, as those of the first `skip`.
 */
function startSum(scores: usize, stride: usize, skip: i32, length: i32): void {
  for (let p = 0; p < skip; p++) store<f32>(scores + ((<usize>p) << 2), -Infinity);
  for (let p = length; (p & 3) != 0; p++) store<f32>(scores + ((<usize>p) << 2), -Infinity);
  const tail = scores + stride - KV_Q8_ROW_TAIL_BYTES;
  store<f64>(tail, 0);
  store<f32>(tail, largest(scores, length), 8);
}

/**
 * A tile's scores become weights 2^(score - largest), which are summed; times the values' scales they become quads, one
 * per record, followed by their own scale. In place: each is written after it is read.
 */
function roundWeights(weights: usize, tail: usize, scales: usize, count: i32): void {
  const top = v128.load32_splat(tail, 8);
  const zero = f32x4.splat(0);
  let most = zero,
    sums = zero;
  for (let r: usize = 0; r < <usize>count; r++) {
    const e = exp2NegativeF32x4(f32x4.sub(v128.load(weights + (r << 4)), top));
    sums = f32x4.add(sums, e);
    // A place never stored may hold a NaN scale, which a weight of 0 does not undo: pmax of 0 and NaN is 0.
    const weighed = f32x4.pmax(zero, f32x4.mul(e, v128.load(scales + (r << 4))));
    v128.store(weights + (r << 4), weighed);
    most = f32x4.pmax(most, weighed);
  }
  store<f64>(tail, load<f64>(tail) + <f64>sumFloats(sums));
  const unit = maxFloats(most),
    factor = f32x4.splat(unit < WEIGHT_MIN ? 0 : WEIGHT_MAX / unit);
  for (let r: usize = 0; r < <usize>count; r += 2) {
    const at = weights + (r << 4);
    storeQuads(weights + (r << 3), round14(v128.load(at), factor, 0), round14(v128.load(at, 16), factor, 0));
  }
  store<f32>(weights + ((<usize>count) << 3), unit / WEIGHT_MAX);
}

/** A tile's values of eight dimensions into the outputs of two queries; a last four without a partner goes twice. */
function addTwo(a: usize, b: usize, quadBytes: usize, v: usize, second: usize, outA: usize, outB: usize): void {
  let a0 = i32x4.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    b0 = a0,
    b1 = a0,
    b2 = a0,
    b3 = a0;
  const others = v + second * TILE_RECORDS;
  for (let at: usize = 0; at < quadBytes; at += 8) {
    const wa0 = quadA(a + at),
      wa1 = quadB(a + at, wa0),
      wb0 = quadA(b + at),
      wb1 = quadB(b + at, wb0);
    const v0 = bytesA(v + (at << 1)),
      v1 = bytesB(v + (at << 1), v0);
    a0 = dotQuad(v0, wa0, a0);
    a1 = dotQuad(v1, wa1, a1);
    b0 = dotQuad(v0, wb0, b0);
    b1 = dotQuad(v1, wb1, b1);
    const v2 = bytesA(others + (at << 1)),
      v3 = bytesB(others + (at << 1), v2);
    a2 = dotQuad(v2, wa0, a2);
    a3 = dotQuad(v3, wa1, a3);
    b2 = dotQuad(v2, wb0, b2);
    b3 = dotQuad(v3, wb1, b3);
  }
  addSums(outA, second, sumQuads(a0, a1), sumQuads(a2, a3), v128.load32_splat(a + quadBytes));
  if (outB != outA) addSums(outB, second, sumQuads(b0, b1), sumQuads(b2, b3), v128.load32_splat(b + quadBytes));
}

/** Adds sums times a factor to two places, possibly the same: both are read before either is written. */
function addSums(out: usize, second: usize, sums: v128, others: v128, factor: v128): void {
  const first = f32x4.add(v128.load(out), f32x4.mul(f32x4.convert_i32x4_s(sums), factor));
  const next = f32x4.add(v128.load(out + second), f32x4.mul(f32x4.convert_i32x4_s(others), factor));
  v128.store(out, first);
  v128.store(out + second, next);
}
