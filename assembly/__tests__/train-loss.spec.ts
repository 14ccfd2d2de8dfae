import { CrossEntropyTwin } from "../reference/train-forward";
import { Distance, differenceAt, widened } from "../reference/train-differences";
import { share } from "../step";
import { crossEntropy, crossEntropyBackward, sumLosses } from "../train/cross-entropy";
import { CrossEntropyBackStep, CrossEntropyStep } from "../train/steps";
import { Random, differing, freeStep, isGuard, newStep } from "./fixtures";
import { Arrays, get, isNan, put } from "./train-arrays";

const VOCABS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 257];
const SCALE: f32 = 0.125;

function targetsOf(arrays: Arrays, n: i32, vocab: i32, random: Random): usize {
  const targets = arrays.room(4 * n);
  // Every third does not count: -1 or another number below 0.
  for (let row = 0; row < n; row++)
    store<i32>(
      targets + <usize>(4 * row),
      row % 3 == 1 ? (row == 1 ? -1 : i32.MIN_VALUE) : random.between(0, vocab - 1),
    );
  return targets;
}

function targetOf(targets: usize, row: i32): i32 {
  return load<i32>(targets + <usize>(4 * row));
}

function rowTwin(logits: usize, vocab: i32, target: i32): CrossEntropyTwin {
  return new CrossEntropyTwin(widened(logits, vocab), target, <f64>SCALE);
}

function losses(logits: usize, stride: i32, vocab: i32, targets: usize, loss: usize, begin: i32, end: i32): void {
  const step = newStep<CrossEntropyStep>();
  step.logits = logits;
  step.stride = stride;
  step.vocab = vocab;
  step.targets = targets;
  step.loss = loss;
  crossEntropy(step, begin, end);
  freeStep(step);
}

function gradients(
  logits: usize,
  stride: i32,
  vocab: i32,
  targets: usize,
  scale: f32,
  dLogits: usize,
  begin: i32,
  end: i32,
): void {
  const step = newStep<CrossEntropyBackStep>();
  step.logits = logits;
  step.stride = stride;
  step.vocab = vocab;
  step.targets = targets;
  step.scale = scale;
  step.dLogits = dLogits;
  crossEntropyBackward(step, begin, end);
  freeStep(step);
}

/** Largest relative error of losses; gaps between rows untouched, the same bits in 1, 2, 3 shares. */
function lossError(vocab: i32, size: f32): f64 {
  const arrays = new Arrays(),
    random = new Random(<u32>vocab),
    n = 7,
    stride = vocab + 3,
    distance = new Distance();
  const logits = arrays.floats(n * stride, random, size),
    targets = targetsOf(arrays, n, vocab, random),
    loss = arrays.room(8 * n);
  losses(logits, stride, vocab, targets, loss, 0, n);
  for (let row = 0; row < n; row++) {
    const twin = rowTwin(logits + <usize>(4 * row * stride), vocab, targetOf(targets, row));
    distance.add(load<f64>(loss + <usize>(8 * row)) * <f64>SCALE, twin.value());
    if (targetOf(targets, row) < 0 && load<f64>(loss + <usize>(8 * row)) != 0) return Infinity;
  }
  for (let pieces = 2; pieces <= 3; pieces++) {
    const split = arrays.room(8 * n);
    for (let t = 0; t < pieces; t++)
      losses(logits, stride, vocab, targets, split, share(n, 1, t, pieces), share(n, 1, t + 1, pieces));
    if (differing(split, loss, 8 * n) != 0) return Infinity;
  }
  return arrays.close() == 0 ? distance.relative() : Infinity;
}

/** Largest error of gradients against central differences, relative to `scale`, the largest possible. */
function gradientError(vocab: i32, size: f32): f64 {
  const arrays = new Arrays(),
    random = new Random(<u32>vocab),
    n = 7,
    stride = vocab + 3;
  const logits = arrays.floats(n * stride, random, size),
    targets = targetsOf(arrays, n, vocab, random),
    d = arrays.room(4 * n * stride);
  gradients(logits, stride, vocab, targets, SCALE, d, 0, n);
  let worst: f64 = 0;
  for (let row = 0; row < n; row++) {
    const twin = rowTwin(logits + <usize>(4 * row * stride), vocab, targetOf(targets, row));
    for (let i = 0; i < vocab; i++) {
      const error = abs<f64>(<f64>get(d, row * stride + i) - differenceAt(twin, twin.logits, i));
      worst = error <= worst ? worst : error == error ? error : Infinity;
    }
    if (!isGuard(d + <usize>(4 * (row * stride + vocab)), 12)) return Infinity;
  }
  return arrays.close() == 0 ? worst / <f64>SCALE : Infinity;
}

/** Bytes in which shares, and gradients written over the logits, differ from the whole. */
function wrongSplits(vocab: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>vocab),
    n = 7,
    bytes = 4 * n * vocab;
  const logits = arrays.floats(n * vocab, random, 4),
    targets = targetsOf(arrays, n, vocab, random),
    whole = arrays.room(bytes);
  gradients(logits, vocab, vocab, targets, SCALE, whole, 0, n);
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const over = arrays.copy(logits, bytes),
      split = arrays.room(bytes);
    for (let t = 0; t < pieces; t++) {
      const begin = share(n, 1, t, pieces),
        end = share(n, 1, t + 1, pieces);
      gradients(logits, vocab, vocab, targets, SCALE, split, begin, end);
      gradients(over, vocab, vocab, targets, SCALE, over, begin, end);
    }
    wrong += differing(split, whole, bytes) + differing(over, whole, bytes);
  }
  return wrong + arrays.close();
}

describe("training: cross-entropy", () => {
  test("losses within 1e-14 of the definition, any vocabulary and split", () => {
    for (let i = 0; i < VOCABS.length; i++) {
      expect(lossError(VOCABS[i], 4)).toBeLessThan(1e-14);
      expect(lossError(VOCABS[i], 0.01)).toBeLessThan(1e-14);
    }
  });
  test("gradients within 1e-6 of central differences, nothing beside", () => {
    for (let i = 0; i < VOCABS.length; i++) {
      expect(gradientError(VOCABS[i], 4)).toBeLessThan(1e-6);
      expect(gradientError(VOCABS[i], 40)).toBeLessThan(1e-6);
    }
  });
  test("gradients do not depend on the split and may replace the logits", () => {
    for (let i = 0; i < VOCABS.length; i++) expect(wrongSplits(VOCABS[i])).toBe(0);
  });
  test("a row's gradients sum to zero within roundings", () => {
    const arrays = new Arrays(),
      x = arrays.floats(257, new Random(5), 6),
      d = arrays.room(1028),
      target = arrays.room(4);
    store<i32>(target, 256);
    gradients(x, 257, 257, target, 1, d, 0, 1);
    let sum: f64 = 0;
    for (let i = 0; i < 257; i++) sum += <f64>get(d, i);
    expect(abs<f64>(sum)).toBeLessThan(1e-6);
    expect(arrays.close()).toBe(0);
  });
  test("logits of ±1e30 neither overflow nor vanish", () => {
    const arrays = new Arrays(),
      x = arrays.room(20),
      d = arrays.room(20),
      target = arrays.room(4),
      loss = arrays.room(8);
    for (let i = 0; i < 5; i++) put(x, i, i == 2 ? <f32>1e30 : <f32>-1e30);
    store<i32>(target, 2);
    losses(x, 5, 5, target, loss, 0, 1);
    expect(load<f64>(loss)).toBe(0);
    gradients(x, 5, 5, target, 1, d, 0, 1);
    for (let i = 0; i < 5; i++) expect(get(d, i)).toBe(0);
    store<i32>(target, 0);
    losses(x, 5, 5, target, loss, 0, 1);
    expect(load<f64>(loss)).toBe(<f64>get(x, 2) - <f64>get(x, 0));
    gradients(x, 5, 5, target, 1, d, 0, 1);
    for (let i = 0; i < 5; i++) expect(get(d, i)).toBe(i == 0 ? -1 : i == 2 ? 1 : 0);
    expect(arrays.close()).toBe(0);
  });
  test("a NaN anywhere in a row is its loss and all its gradients, and those of no other row", () => {
    for (let at = 0; at < 7; at++) {
      for (let target = 0; target < 7; target++) {
        const arrays = new Arrays(),
          x = arrays.floats(21, new Random(3), 2),
          d = arrays.room(84),
          targets = arrays.room(12);
        const loss = arrays.room(24),
          sum = arrays.room(16);
        for (let row = 0; row < 3; row++) store<i32>(targets + <usize>(4 * row), target);
        put(x, 7 + at, <f32>NaN);
        losses(x, 7, 7, targets, loss, 0, 3);
        gradients(x, 7, 7, targets, 1, d, 0, 3);
        for (let i = 0; i < 21; i++) expect(isNan(get(d, i))).toBe(i / 7 == 1);
        for (let row = 0; row < 3; row++) expect(isNan(<f32>load<f64>(loss + <usize>(8 * row)))).toBe(row == 1);
        sumLosses(loss, targets, 3, sum);
        expect(isNan(<f32>load<f64>(sum))).toBe(true);
        expect(arrays.close()).toBe(0);
      }
    }
  });
  test("a row of NaN, and one that overflowed, are not a loss of zero", () => {
    const arrays = new Arrays(),
      x = arrays.room(24),
      targets = arrays.room(8),
      loss = arrays.room(16);
    for (let i = 0; i < 6; i++) put(x, i, i < 3 ? <f32>NaN : <f32>Infinity);
    store<i64>(targets, 0);
    losses(x, 3, 3, targets, loss, 0, 2);
    expect(isNan(<f32>load<f64>(loss))).toBe(true);
    expect(isNan(<f32>load<f64>(loss, 8))).toBe(true);
    expect(arrays.close()).toBe(0);
  });
  test("losses are summed in order, the targets that count are counted", () => {
    const arrays = new Arrays(),
      random = new Random(6),
      n = 11,
      targets = targetsOf(arrays, n, 9, random),
      loss = arrays.room(8 * n),
      out = arrays.room(16);
    let sum: f64 = 0,
      count: f64 = 0;
    for (let row = 0; row < n; row++) {
      const value = <f64>random.signed() * 1e8 + <f64>random.signed();
      store<f64>(loss + <usize>(8 * row), value);
      sum += value;
      if (targetOf(targets, row) >= 0) count += 1;
    }
    sumLosses(loss, targets, n, out);
    expect(load<f64>(out)).toBe(sum);
    expect(load<f64>(out, 8)).toBe(count);
    expect(arrays.close()).toBe(0);
  });
});
