/** Scalar twins of attention: one query head at one token, positions and dimensions one after another. */
import { expF64 } from "../math";
import { absmax, dotInLanes, exp2F32, softmaxRow } from "./ops";

/** A vector rounded to ±top: integer i. */
export function roundedInteger(x: usize, i: i32, dim: i32, top: f32): i32 {
  const most = absmax(x, 0, dim);
  return most == 0 ? 0 : <i32>nearest<f32>(load<f32>(x + ((<usize>i) << 2)) * (top / most));
}

/**
 * out (dim) = attention of q (dim) over `length` positions of k, v: f32 (length, dim); weights: f32 (length), scratch.
 */
export function attendHead(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  weights: usize,
  length: i32,
  dim: i32,
  scale: f32,
): void {
  for (let p = 0; p < length; p++) {
    store<f32>(weights + ((<usize>p) << 2), dotInLanes(q, k + <usize>(4 * p * dim), dim) * scale);
  }
  softmaxRow(weights, length);
  for (let d = 0; d < dim; d++) {
    let sum: f32 = 0;
    for (let p = 0; p < length; p++)
      sum += load<f32>(v + <usize>(4 * (p * dim + d))) * load<f32>(weights + <usize>(4 * p));
    store<f32>(out + <usize>(4 * d), sum);
  }
}

/**
 * The same over one head's 8-bit cache (ops/attention-q8.ts): integers of 14 bits times bytes, tiles of 64 positions in
 * the order in which turns read four parts of them, from the tile of position `first` on. weights: f32 (length),
 * scratch.
 */
export function attendHeadQ8(
  q: usize,
  keys: usize,
  values: usize,
  out: usize,
  weights: usize,
  first: i32,
  length: i32,
  context: i32,
  dim: i32,
  scale: f32,
): void {
  const factor: f32 = (absmax(q, 0, dim) / 8191) * (scale * <f32>1.4426950408889634);
  let top = -(<f32>Infinity);
  for (let p = first; p < length; p++) {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += roundedInteger(q, d, dim, 8191) * keyByte(keys, p, d, dim);
    const score = <f32>sum * (factor * keyScale(keys, p, dim));
    top = max<f32>(top, score);
    store<f32>(weights + <usize>(4 * p), score);
  }
  for (let d = 0; d < dim; d++) store<f32>(out + <usize>(4 * d), 0);
  const begin = first & -64,
    nTiles = (length - begin + 63) / 64,
    nTurns = (nTiles + 3) / 4;
  let total: f64 = 0;
  for (let turn = 0; turn < nTurns; turn++) {
    for (let t = turn; t < nTiles; t += nTurns)
      total += <f64>addTile(values, out, weights, first, begin + 64 * t, length, context, dim, top);
  }
  for (let d = 0; d < dim; d++) store<f32>(out + <usize>(4 * d), load<f32>(out + <usize>(4 * d)) * <f32>(1.0 / total));
}

/** Adds those of the tile at p0 in [first, length) to out; returns the sum of their weights, in four lanes. */
function addTile(
  values: usize,
  out: usize,
  weights: usize,
  first: i32,
  p0: i32,
  length: i32,
  context: i32,
  dim: i32,
  top: f32,
): f32 {
  const sums: StaticArray<f32> = [0, 0, 0, 0];
  const end = min(p0 + 64, length);
  let most: f32 = 0;
  for (let p = max(p0, first); p < end; p++) {
    const at = weights + <usize>(4 * p),
      e = exp2F32(load<f32>(at) - top);
    sums[p & 3] += e;
    store<f32>(at, e * valueScale(values, p));
    most = max<f32>(most, load<f32>(at));
  }
  const factor: f32 = most < <f32>7.888609052210118e-31 ? 0 : 16383 / most;
  for (let d = 0; d < dim; d++) {
    let sum = 0;
    for (let p = max(p0, first); p < end; p++) {
      sum += <i32>nearest<f32>(load<f32>(weights + <usize>(4 * p)) * factor) * valueByte(values, p, d, context, dim);
    }
    const at = out + <usize>(4 * d);
    store<f32>(at, load<f32>(at) + <f32>sum * (most / 16383));
  }
  return sums[0] + sums[2] + (sums[1] + sums[3]);
}

/** Offsets of a vector's parts in one head's 8-bit cache. */
function keyRecord(keys: usize, p: i32, dim: i32): usize {
  return keys + <usize>((p >> 3) * (64 + 8 * dim) + 4 * (p & 7));
}

export function keyScale(keys: usize, p: i32, dim: i32): f32 {
  return load<f32>(keyRecord(keys, p, dim));
}

export function keySum(keys: usize, p: i32, dim: i32): i32 {
  return load<i32>(keyRecord(keys, p, dim), 32);
}

export function keyByte(keys: usize, p: i32, d: i32, dim: i32): i32 {
  return load<i8>(keyRecord(keys, p, dim) + <usize>(64 + 32 * (d >> 2) + (d & 3)));
}

export function valueScale(values: usize, p: i32): f32 {
  return load<f32>(values + <usize>(4 * p));
}

export function valueByte(values: usize, p: i32, d: i32, context: i32, dim: i32): i32 {
  const tile = values + <usize>(roundUp64(context) * 4 + (p >> 6) * 64 * dim),
    record = (p & 63) >> 2;
  return load<i8>(tile + <usize>(256 * (d >> 2) + 16 * record + 4 * (d & 3) + (p & 3)));
}

function roundUp64(context: i32): i32 {
  return (context + 63) & ~63;
}

/** Bytes of one head's keys, and of its values. */
export function headKeyBytes(context: i32, dim: i32): i32 {
  return roundUp64(context) * (8 + dim);
}

export function headValueBytes(context: i32, dim: i32): i32 {
  return roundUp64(context) * (4 + dim);
}

/**
 * Dimension d of attention without rounding, in f64. Keys and values are f32 (length, dim), or one head's 8-bit cache.
 * scores: f64 (length), scratch.
 */
export function attendExact(
  q: usize,
  k: usize,
  v: usize,
  eight: bool,
  length: i32,
  context: i32,
  dim: i32,
  d: i32,
  scale: f64,
  scores: usize,
): f64 {
  let top = -Infinity,
    total: f64 = 0,
    sum: f64 = 0;
  for (let p = 0; p < length; p++) {
    let score: f64 = 0;
    for (let i = 0; i < dim; i++) {
      const key = eight
        ? <f64>keyByte(k, p, i, dim) * <f64>keyScale(k, p, dim)
        : <f64>load<f32>(k + <usize>(4 * (p * dim + i)));
      score += <f64>load<f32>(q + <usize>(4 * i)) * key * scale;
    }
    store<f64>(scores + <usize>(8 * p), score);
    top = max<f64>(top, score);
  }
  for (let p = 0; p < length; p++) {
    const w = expF64(load<f64>(scores + <usize>(8 * p)) - top);
    total += w;
    sum +=
      w *
      (eight
        ? <f64>valueByte(v, p, d, context, dim) * <f64>valueScale(v, p)
        : <f64>load<f32>(v + <usize>(4 * (p * dim + d))));
  }
  return sum / total;
}
