/** Queries on a row of logits, f32 (n): the best, the k best, probabilities. NaN never wins and never counts. */
import { maxFloats } from "../lanes";
import { expF32x4, expF64, logF64 } from "../math";

export { expF64, logF64 } from "../math";

/** Index of the largest value, the first of equals; -1 when there is none (n = 0, or all NaN). */
export function argmax(x: usize, n: i32): i32 {
  const most = largest(x, n),
    wanted = f32x4.splat(most);
  let i = 0;
  while (i + 4 <= n && !v128.any_true(f32x4.eq(v128.load(x + ((<usize>i) << 2)), wanted))) i += 4;
  for (; i < n; i++) {
    if (load<f32>(x + ((<usize>i) << 2)) == most) return i;
  }
  return -1;
}

/**
 * The k largest values, descending, equals by lower index: ids i32 (k), logits f32 (k). Returns how many it found
 * (fewer than k if n is, or with NaNs). A heap holds the k best so far, the worst on top: one comparison rejects most
 * values.
 */
export function topK(x: usize, n: i32, k: i32, outIds: usize, outLogits: usize): i32 {
  let size = 0;
  if (k <= 0) return 0;
  for (let i = 0; i < n; i++) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (v != v) continue;
    if (size < k) {
      siftUp(outIds, outLogits, size, i, v);
      size++;
    } else if (v > load<f32>(outLogits)) {
      siftDown(outIds, outLogits, size, i, v);
    }
  }
  for (let last = size - 1; last > 0; last--) {
    const id = load<i32>(outIds + ((<usize>last) << 2)),
      v = load<f32>(outLogits + ((<usize>last) << 2));
    place(outIds, outLogits, last, load<i32>(outIds), load<f32>(outLogits));
    siftDown(outIds, outLogits, last, id, v);
  }
  return size;
}

/** Whether (v, id) comes after (w, other) in the result. */
function worse(v: f32, id: i32, w: f32, other: i32): bool {
  return v < w || (v == w && id > other);
}

function place(ids: usize, logits: usize, at: i32, id: i32, v: f32): void {
  store<i32>(ids + ((<usize>at) << 2), id);
  store<f32>(logits + ((<usize>at) << 2), v);
}

/** Adds an entry at the end of the heap. */
function siftUp(ids: usize, logits: usize, at: i32, id: i32, v: f32): void {
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const w = load<f32>(logits + ((<usize>parent) << 2)),
      other = load<i32>(ids + ((<usize>parent) << 2));
    if (!worse(v, id, w, other)) break;
    place(ids, logits, at, other, w);
    at = parent;
  }
  place(ids, logits, at, id, v);
}

/** Replaces the top of a heap of `size`. */
function siftDown(ids: usize, logits: usize, size: i32, id: i32, v: f32): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    let w = load<f32>(logits + ((<usize>child) << 2)),
      other = load<i32>(ids + ((<usize>child) << 2));
    if (child + 1 < size) {
      const w2 = load<f32>(logits + ((<usize>child) << 2), 4),
        other2 = load<i32>(ids + ((<usize>child) << 2), 4);
      if (worse(w2, other2, w, other)) {
        child++;
        w = w2;
        other = other2;
      }
    }
    if (!worse(w, other, v, id)) break;
    place(ids, logits, at, other, w);
    at = child;
  }
  place(ids, logits, at, id, v);
}

/** out[i] = e^(x[i] - max) / Σ; may be in place. The sum runs in f64, four lanes apart, the rest after them. */
export function softmax(x: usize, n: i32, out: usize): void {
  const most = f32x4.splat(largest(x, n)),
    body = n & ~3;
  let low = f64x2.splat(0),
    high = low;
  for (let i = 0; i < body; i += 4) {
    const e = expF32x4(f32x4.sub(v128.load(x + ((<usize>i) << 2)), most));
    v128.store(out + ((<usize>i) << 2), e);
    low = f64x2.add(low, f64x2.promote_low_f32x4(e));
    high = f64x2.add(
      high,
      f64x2.promote_low_f32x4(i8x16.shuffle(e, e, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)),
    );
  }
  const sums = f64x2.add(low, high);
  let total = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (let i = body; i < n; i++) {
    const e = expF32x4(f32x4.sub(v128.load32_zero(x + ((<usize>i) << 2)), most));
    v128.store32_lane(out + ((<usize>i) << 2), e, 0);
    total += <f64>f32x4.extract_lane(e, 0);
  }
  const factor = <f32>(1.0 / total),
    factors = f32x4.splat(factor);
  for (let i = 0; i < body; i += 4)
    v128.store(out + ((<usize>i) << 2), f32x4.mul(v128.load(out + ((<usize>i) << 2)), factors));
  for (let i = body; i < n; i++) store<f32>(out + ((<usize>i) << 2), load<f32>(out + ((<usize>i) << 2)) * factor);
}

/** ln Σ e^x[i], in f64 throughout. */
export function logSumExp(x: usize, n: i32): f64 {
  const most = <f64>largest(x, n);
  if (most == -Infinity) return most;
  let total: f64 = 0;
  for (let i = 0; i < n; i++) total += expF64(<f64>load<f32>(x + ((<usize>i) << 2)) - most);
  return most + logF64(total);
}

/** The largest value, -Infinity when there is none. */
export function largest(x: usize, n: i32): f32 {
  let most = f32x4.splat(-Infinity),
    a = most,
    b = most,
    c = most,
    i = 0;
  const body = n & ~3;
  // Four separate maxima: one would wait for itself, 4 cycles a vector.
  for (; i + 16 <= n; i += 16) {
    const at = x + ((<usize>i) << 2);
    most = f32x4.pmax(most, v128.load(at));
    a = f32x4.pmax(a, v128.load(at, 16));
    b = f32x4.pmax(b, v128.load(at, 32));
    c = f32x4.pmax(c, v128.load(at, 48));
  }
  most = f32x4.pmax(f32x4.pmax(most, a), f32x4.pmax(b, c));
  for (; i < body; i += 4) most = f32x4.pmax(most, v128.load(x + ((<usize>i) << 2)));
  let result = maxFloats(most);
  for (let i = body; i < n; i++) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (v > result) result = v;
  }
  return result;
}
