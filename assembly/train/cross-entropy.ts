/**
 * Cross-entropy of logits f32 (n, vocab, row stride) against targets i32 (n); rows with a target below 0 do not count.
 *
 *   loss[row] = log Σ exp(logit) - logit[target]            f64 (n), summed in row order by `sumLosses`
 *   dlogits   = (softmax(logits) - [i = target]) · scale
 */
import { loadRest, storeRest } from "../lanes";
import { expF32x4, expF64, logF64 } from "../math";
import { CrossEntropyBackStep, CrossEntropyStep } from "./steps";

/** Losses of rows [begin, end). */
export function crossEntropy(step: CrossEntropyStep, begin: i32, end: i32): void {
  const vocab = step.vocab;
  for (let row = begin; row < end; row++) {
    const target = load<i32>(step.targets + ((<usize>row) << 2)),
      x = step.logits + ((<usize>row * step.stride) << 2);
    let value: f64 = 0;
    if (target >= 0) {
      const most = <f64>largest(x, vocab);
      let sum: f64 = 0;
      for (let i = 0; i < vocab; i++) sum += expF64(<f64>load<f32>(x + ((<usize>i) << 2)) - most);
      value = logF64(sum) + most - <f64>load<f32>(x + ((<usize>target) << 2));
    }
    store<f64>(step.loss + ((<usize>row) << 3), value);
  }
}

/** Gradients of rows [begin, end). dLogits may be logits. `scale` is usually 1 / (rows of the batch). */
export function crossEntropyBackward(step: CrossEntropyBackStep, begin: i32, end: i32): void {
  const vocab = step.vocab,
    scale = step.scale;
  for (let row = begin; row < end; row++) {
    const target = load<i32>(step.targets + ((<usize>row) << 2)),
      x = step.logits + ((<usize>row * step.stride) << 2),
      d = step.dLogits + ((<usize>row * step.stride) << 2);
    if (target < 0) {
      memory.fill(d, 0, (<usize>vocab) << 2);
      continue;
    }
    const most = f32x4.splat(largest(x, vocab)),
      body = vocab & ~3,
      rest = (<usize>body) << 2;
    let sum: f64 = 0;
    for (let i = 0; i < body; i += 4) {
      const e = expF32x4(f32x4.sub(v128.load(x + ((<usize>i) << 2)), most));
      v128.store(d + ((<usize>i) << 2), e);
      sum += sumOf(e);
    }
    if (body < vocab) storeRest(d + rest, expF32x4(f32x4.sub(loadRest(x + rest, vocab - body), most)), vocab - body);
    for (let i = body; i < vocab; i++) sum += <f64>load<f32>(d + ((<usize>i) << 2));
    const factor = <f32>(<f64>scale / sum);
    for (let i = 0; i < vocab; i++) store<f32>(d + ((<usize>i) << 2), load<f32>(d + ((<usize>i) << 2)) * factor);
    store<f32>(d + ((<usize>target) << 2), load<f32>(d + ((<usize>target) << 2)) - scale);
  }
}

/** Σ loss in row order, and how many targets counted: f64 (2) at out. */
export function sumLosses(loss: usize, targets: usize, n: i32, out: usize): void {
  let sum: f64 = 0,
    count: f64 = 0;
  for (let row = 0; row < n; row++) {
    sum += load<f64>(loss + ((<usize>row) << 3));
    if (load<i32>(targets + ((<usize>row) << 2)) >= 0) count += 1;
  }
  store<f64>(out, sum);
  store<f64>(out, count, 8);
}

function sumOf(v: v128): f64 {
  const pairs = f64x2.add(
    f64x2.promote_low_f32x4(v),
    f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)),
  );
  return f64x2.extract_lane(pairs, 0) + f64x2.extract_lane(pairs, 1);
}

/** NaN reaches the loss through the sum, not through the maximum. */
function largest(x: usize, n: i32): f32 {
  let most: f32 = -Infinity;
  for (let i = 0; i < n; i++) {
    const v = load<f32>(x + ((<usize>i) << 2));
    if (v > most) most = v;
  }
  return most;
}
