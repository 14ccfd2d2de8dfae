/** Splits, windows and the generator that draws them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { NO_TARGET, createDataset } from "../../src/train/dataset.ts";
import type { DatasetOptions } from "../../src/train/dataset.ts";
import { createWindowRandom } from "../../src/train/random.ts";
import { fingerprint } from "../../src/train/digest.ts";

const isCode =
  (code: string, pattern = /^/) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === code && pattern.test(error.message);

/** Ids that are their own positions. */
const positions = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);
const dataset = (n: number, options: Partial<DatasetOptions> = {}) =>
  createDataset(positions(n), { vocabSize: n, ...options });

describe("the generator", () => {
  test("is xoshiro128**: the published sequence of the state 1, 2, 3, 4", () => {
    const random = createWindowRandom(0);
    random.restore(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0));
    const drawn = Array.from({ length: 10 }, () => random.below(2 ** 32));
    assert.deepEqual(drawn, reference([1, 2, 3, 4], 10));
    assert.deepEqual(drawn.slice(0, 3), [11520, 0, 5927040]);
  });

  test("continues from its state, and close seeds differ", () => {
    const one = createWindowRandom(7);
    for (let i = 0; i < 5; i++) one.below(100);
    const state = one.state(),
      rest = Array.from({ length: 20 }, () => one.below(1000));
    const other = createWindowRandom(0);
    other.restore(state);
    assert.deepEqual(
      Array.from({ length: 20 }, () => other.below(1000)),
      rest,
    );
    const firsts = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1].map((seed) => createWindowRandom(seed).below(2 ** 32));
    assert.equal(new Set(firsts).size, firsts.length);
  });

  test("draws each number of a range equally often, unlike a remainder", () => {
    const random = createWindowRandom(3),
      n = 3 * 2 ** 30,
      draws = 30_000;
    // Of 2^32 numbers, n = 3·2^30 leaves 2^30: a remainder would draw the lowest third half the time, not a third.
    let low = 0;
    for (let i = 0; i < draws; i++) if (random.below(n) < 2 ** 30) low++;
    assert.ok(Math.abs(low / draws - 1 / 3) < 0.015, `${low / draws}`);
    for (let i = 0; i < 10; i++) assert.equal(random.below(1), 0);
  });

  test("refuses invalid states and seeds", () => {
    for (const bytes of [0, 15, 17])
      assert.throws(() => createWindowRandom(0).restore(new Uint8Array(bytes).fill(1)), isCode("checkpoint/mismatch"));
    assert.throws(() => createWindowRandom(0).restore(new Uint8Array(16)), isCode("checkpoint/mismatch"));
    for (const seed of [-1, 0.5, NaN, 2 ** 53])
      assert.throws(() => createWindowRandom(seed), isCode("train/bad-option"));
  });
});

/** xoshiro128** once more, in 64-bit integers, from its authors' description. */
function reference(seed: readonly number[], n: number): number[] {
  const s = seed.map(BigInt),
    mask = 0xffffffffn;
  const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  return Array.from({ length: n }, () => {
    const result = (rotate((s[1] * 5n) & mask, 7n) * 9n) & mask,
      t = (s[1] << 9n) & mask;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11n);
    return Number(result);
  });
}

describe("training windows", () => {
  test("hold neighbours, targets one further, from every start in the training part and nowhere else", () => {
    const data = dataset(50, { validationTokens: 20 });
    assert.deepEqual([data.nTrainTokens, data.nValidationTokens], [30, 20]);
    const inputs = new Int32Array(4 * 5),
      targets = new Int32Array(4 * 5),
      starts = new Set<number>();
    for (let i = 0; i < 200; i++) {
      data.nextBatch(4, 5, inputs, targets);
      for (let row = 0; row < 4; row++) {
        const start = inputs[row * 5];
        starts.add(start);
        assert.deepEqual(
          [...inputs.subarray(row * 5, row * 5 + 5)],
          [0, 1, 2, 3, 4].map((j) => start + j),
        );
        assert.deepEqual(
          [...targets.subarray(row * 5, row * 5 + 5)],
          [1, 2, 3, 4, 5].map((j) => start + j),
        );
      }
    }
    assert.deepEqual(
      [...starts].sort((a, b) => a - b),
      Array.from({ length: 25 }, (_, i) => i),
    );
  });

  test("repeat for the same seed, and continue from a state", () => {
    const take = (data: ReturnType<typeof dataset>): number[] => {
      const inputs = new Int32Array(6);
      data.nextBatch(3, 2, inputs, new Int32Array(6));
      return [...inputs];
    };
    const one = dataset(1000, { seed: 5 }),
      same = dataset(1000, { seed: 5 }),
      other = dataset(1000, { seed: 6 });
    const first = take(one);
    assert.deepEqual(take(same), first);
    assert.notDeepEqual(take(other), first);
    const state = one.state(),
      second = take(one);
    assert.equal(state.length, 16);
    assert.notDeepEqual(second, first);
    other.restore(state);
    assert.deepEqual(take(other), second);
  });

  test("of the only length that fits are the whole part; longer ones are a typed error", () => {
    const data = dataset(12, { validationTokens: 2 }),
      inputs = new Int32Array(9);
    data.nextBatch(1, 9, inputs, new Int32Array(9));
    assert.deepEqual([...inputs], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.throws(
      () => data.nextBatch(1, 10, new Int32Array(10), new Int32Array(10)),
      isCode("train/bad-data", /more than 10 tokens.*found 10/),
    );
    assert.throws(() => data.nextBatch(1, 9, new Int32Array(8), new Int32Array(9)), isCode("train/bad-option"));
    assert.throws(() => data.nextBatch(0, 9, new Int32Array(0), new Int32Array(0)), isCode("train/bad-option"));
  });
});

describe("validation windows", () => {
  for (const [nValidation, seqLength, batch] of [
    [21, 5, 3],
    [20, 5, 3],
    [22, 5, 2],
    [2, 5, 1],
    [3, 1, 2],
    [17, 16, 4],
    [18, 16, 4],
  ]) {
    test(`of ${seqLength} over ${nValidation} ids predict every id but the first, once, from the one before`, () => {
      const data = dataset(100, { validationTokens: nValidation }),
        nWindows = data.validationWindows(seqLength);
      const inputs = new Int32Array(batch * seqLength),
        targets = new Int32Array(batch * seqLength),
        lengths = new Int32Array(batch);
      const predicted: number[] = [];
      let filled = 0;
      for (let first = 0; first < nWindows; first += batch) {
        inputs.fill(77);
        targets.fill(77);
        filled += data.validationBatch(first, batch, seqLength, inputs, targets, lengths);
        for (let row = 0; row < batch; row++) {
          assert.equal(lengths[row] > 0, first + row < nWindows);
          for (let i = 0; i < seqLength; i++) {
            const at = row * seqLength + i;
            if (i >= lengths[row]) assert.deepEqual([inputs[at], targets[at]], [0, NO_TARGET]);
            else {
              assert.equal(targets[at], inputs[at] + 1);
              predicted.push(targets[at]);
            }
          }
        }
      }
      assert.deepEqual(
        predicted,
        Array.from({ length: nValidation - 1 }, (_, i) => 100 - nValidation + 1 + i),
      );
      assert.equal(filled, nValidation - 1);
    });
  }

  test("there are none without a validation part", () => {
    const data = dataset(10, { validationFraction: 0 });
    assert.deepEqual([data.nTrainTokens, data.validationWindows(4)], [10, 0]);
    assert.equal(data.validationBatch(0, 1, 4, new Int32Array(4), new Int32Array(4), new Int32Array(1)), 0);
  });

  test("do not move the training windows", () => {
    const data = dataset(100),
      before = data.state();
    data.validationBatch(0, 1, 4, new Int32Array(4), new Int32Array(4), new Int32Array(1));
    assert.deepEqual(data.state(), before);
  });
});

describe("a data set", () => {
  test("gives a tenth to validation unless told", () => {
    assert.deepEqual([dataset(1009).nTrainTokens, dataset(1009).nValidationTokens], [909, 100]);
    assert.equal(dataset(1000, { validationFraction: 0.25 }).nValidationTokens, 250);
  });

  test("refuses ids outside the vocabulary, and says where", () => {
    for (const ids of [Uint8Array.of(1, 2, 9, 3), Uint16Array.of(1, 2, 9, 3), Int32Array.of(1, 2, 9, 3)]) {
      assert.throws(() => createDataset(ids, { vocabSize: 9 }), isCode("train/bad-data", /0 to 8, found 9 at token 2/));
    }
    assert.throws(
      () => createDataset(Int32Array.of(0, -1), { vocabSize: 9 }),
      isCode("train/bad-data", /found -1 at token 1/),
    );
    assert.equal(createDataset(new Uint8Array(100).fill(255), { vocabSize: 256 }).nTrainTokens, 90);
  });

  test("refuses validation parts that do not fit", () => {
    const bad = (n: number, options: Partial<DatasetOptions>, code: string): void =>
      assert.throws(() => dataset(n, options), isCode(code), JSON.stringify(options));
    bad(100, { validationTokens: 99 }, "train/bad-data");
    bad(100, { validationTokens: 1 }, "train/bad-data");
    bad(1, {}, "train/bad-data");
    bad(100, { validationTokens: -1 }, "train/bad-option");
    bad(100, { validationTokens: 1.5 }, "train/bad-option");
    for (const validationFraction of [-0.1, 1, NaN]) bad(100, { validationFraction }, "train/bad-option");
    bad(100, { validationFraction: 0.1, validationTokens: 10 }, "train/bad-option");
    bad(100, { vocabSize: 0 }, "train/bad-option");
  });

  test("has a fingerprint that changes with any id", async () => {
    const ids = new Uint8Array(5 * 1024 * 1024).map((_, i) => i >> 3),
      print = await fingerprint(ids);
    assert.match(print, /^[0-9a-f]{64}$/);
    const shared = new Uint8Array(new SharedArrayBuffer(ids.length + 3), 3);
    shared.set(ids);
    assert.equal(await fingerprint(shared), print);
    shared[4 * 1024 * 1024 + 5] ^= 1;
    assert.notEqual(await fingerprint(shared), print);
    assert.notEqual(await fingerprint(ids.subarray(0, ids.length - 1)), print);
  });
});
