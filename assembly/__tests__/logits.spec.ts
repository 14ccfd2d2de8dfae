import { softmaxExact, softmaxRow } from "../reference/ops";
import { argmax, logSumExp, softmax, topK } from "../ops/logits";
import { Guarded, Random, differing } from "./fixtures";

/** Random, with many equal values, NaN and -Infinity among them. */
function fill(x: usize, n: i32, random: Random): void {
  for (let i = 0; i < n; i++) {
    let v = <f32>random.between(-40, 40) / 4;
    if (random.between(0, 30) == 0) v = <f32>NaN;
    if (random.between(0, 30) == 0) v = -(<f32>Infinity);
    store<f32>(x + <usize>(4 * i), v);
  }
}

function at(x: Guarded, i: i32): f32 {
  return load<f32>(x.at + <usize>(4 * i));
}

/** Finds each next one by a search over all, marking those taken; counts how many of the k differ. */
function wrongTop(n: i32, k: i32, random: Random): i32 {
  const x = new Guarded(4 * n),
    ids = new Guarded(4 * k),
    logits = new Guarded(4 * k),
    taken = new StaticArray<bool>(n);
  fill(x.at, n, random);
  const found = topK(x.at, n, k, ids.at, logits.at);
  let wrong = ids.intact() && logits.intact() && x.intact() ? 0 : 1,
    count = 0;
  for (; count < k; count++) {
    let best = -1;
    for (let i = 0; i < n; i++) {
      const v = at(x, i);
      if (v == v && !taken[i] && (best < 0 || v > at(x, best))) best = i;
    }
    if (best < 0) break;
    taken[best] = true;
    if (load<i32>(ids.at + <usize>(4 * count)) != best || at(logits, count) != at(x, best)) wrong++;
  }
  if (found != count) wrong++;
  x.free();
  ids.free();
  logits.free();
  return wrong;
}

describe("the best logits", () => {
  test("argmax: the first of equals, NaN never", () => {
    const x = new Guarded(16);
    store<f32>(x.at, <f32>NaN);
    store<f32>(x.at, -3, 4);
    store<f32>(x.at, 5, 8);
    store<f32>(x.at, 5, 12);
    expect(argmax(x.at, 4)).toBe(2);
    expect(argmax(x.at, 2)).toBe(1);
    expect(argmax(x.at, 1)).toBe(-1);
    expect(argmax(x.at, 0)).toBe(-1);
    store<f32>(x.at, -(<f32>Infinity));
    expect(argmax(x.at, 1)).toBe(0);
  });
  test("top k: descending, equals by lower id, without NaN", () => {
    const random = new Random(1);
    for (let n = 1; n < 60; n++) expect(wrongTop(n, 1 + (n % 7), random)).toBe(0);
    expect(wrongTop(1000, 40, random)).toBe(0);
    expect(wrongTop(500, 500, random)).toBe(0);
    expect(wrongTop(20, 64, random)).toBe(0);
    expect(topK(0, 10, 0, 0, 0)).toBe(0);
  });
});

describe("probabilities", () => {
  test("softmax: bit for bit, in place, sums to 1, near the exact one", () => {
    const random = new Random(2);
    for (let n = 1; n < 50; n++) {
      const x = new Guarded(4 * n),
        before = new Guarded(4 * n),
        want = new Guarded(4 * n);
      for (let i = 0; i < n; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * 30);
      memory.copy(before.at, x.at, 4 * n);
      memory.copy(want.at, x.at, 4 * n);
      softmaxRow(want.at, n);
      softmax(x.at, n, x.at);
      expect(differing(x.at, want.at, 4 * n)).toBe(0);
      expect(x.intact()).toBe(true);
      let sum: f64 = 0;
      for (let i = 0; i < n; i++) {
        sum += <f64>at(x, i);
        const exact = softmaxExact(before.at, n, i);
        // x - max, up to 60, is rounded to f32: 2^-19 of the probability
        expect(abs<f64>(<f64>at(x, i) - exact) <= 2.5e-6 * exact + 1e-44).toBe(true);
      }
      expect(abs<f64>(sum - 1) < 1e-6).toBe(true);
      x.free();
      before.free();
      want.free();
    }
  });
  test("log of the sum of exponentials", () => {
    const n = 1003,
      x = new Guarded(4 * n),
      random = new Random(3);
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * 20);
    for (let i = 0; i < n; i++) sum += Math.exp(<f64>at(x, i));
    expect(abs<f64>(logSumExp(x.at, n) - Math.log(sum)) < 1e-13).toBe(true);
    for (let i = 0; i < n; i++) store<f32>(x.at + <usize>(4 * i), -(<f32>Infinity));
    expect(logSumExp(x.at, n)).toBe(-Infinity);
    store<f32>(x.at, 3e38);
    expect(logSumExp(x.at, n)).toBe(<f64>load<f32>(x.at));
  });
});
