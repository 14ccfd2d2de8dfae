/** Going on from a cache gives what the whole sequence gives. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BitMGQA, type BitMGQAOptions } from "../../src/nn/bit-mgqa.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { type NdArray, array, ids } from "../../src/nn/nd-array.ts";
import { randomArray, relativeError } from "./arrays.ts";
import * as exact from "./exact-ops.ts";

const BATCH = 2,
  LENGTH = 11,
  DIM = 32;
/** Steps of several positions and of one. */
const STEPS = [3, 1, 1, 4, 2];

/** Positions [begin, end) of every sequence. */
function positions({ data, shape: [batch, length, dim] }: NdArray, begin: number, end: number): NdArray {
  const pieces = Array.from({ length: batch }, (_, b) => [
    ...data.subarray((b * length + begin) * dim, (b * length + end) * dim),
  ]);
  return array(pieces.flat(), [batch, end - begin, dim]);
}

describe("BitMGQA", () => {
  const OPTIONS: readonly (readonly [string, BitMGQAOptions, number])[] = [
    ["floats", { weightBits: 32, activationBits: 32 }, 1e-5],
    [
      "floats without positions",
      { weightBits: 32, activationBits: 32, ropeTheta: false, outputNorm: "none", norm: "none" },
      1e-5,
    ],
    // Where the two orders of sums round an activation apart, an output moves by about a hundredth.
    ["1.58 × 8 bits", {}, 0.03],
  ];
  for (const [name, options, errorMax] of OPTIONS) {
    test(`step by step, ${name}`, () => {
      const layer = new BitMGQA(DIM, 4, 2, { causal: true, seed: 1, ...options }).eval(),
        x = randomArray([BATCH, LENGTH, DIM], 2),
        whole = layer.forward(x);
      const cache = layer.createCache(BATCH, LENGTH);
      for (let turn = 0; turn < 2; turn++) {
        let begin = 0;
        for (const length of STEPS) {
          const found = layer.step(positions(x, begin, begin + length), cache);
          const error = relativeError(found.data, positions(whole, begin, begin + length).data);
          assert.ok(error < errorMax, `positions from ${begin}: error ${error}`);
          begin += length;
          assert.equal(cache.position, begin);
        }
        assert.throws(() => layer.step(positions(x, 0, 1), cache), {
          code: "model/context-full",
          message: /11 of 11 positions are taken, wanted 1 more/,
        });
        cache.truncate(0);
      }
      cache.close();
      assert.throws(() => layer.step(positions(x, 0, 1), cache), { code: "model/closed" });
    });
  }

  test("a truncated cache continues from there", () => {
    const layer = new BitMGQA(DIM, 2, 1, { causal: true, weightBits: 32, activationBits: 32 }),
      x = randomArray([1, 5, DIM], 3),
      cache = layer.createCache(1, 8);
    layer.step(randomArray([1, 5, DIM], 4), cache);
    cache.truncate(0);
    layer.step(positions(x, 0, 3), cache);
    layer.step(randomArray([1, 2, DIM], 5), cache);
    cache.truncate(3);
    const found = layer.step(positions(x, 3, 5), cache).data,
      wanted = positions(layer.eval().forward(x), 3, 5).data;
    assert.ok(relativeError(found, wanted) < 1e-5);
    assert.throws(() => cache.truncate(6), { code: "option/invalid" });
  });

  test("refuses layers that are not causal, and other batches", () => {
    const layer = new BitMGQA(DIM, 4, 2);
    assert.throws(() => layer.createCache(), { code: "option/invalid", message: /causal/ });
    const causal = new BitMGQA(DIM, 4, 2, { causal: true });
    assert.throws(() => causal.step(randomArray([2, 1, DIM], 1), causal.createCache(1, 4)), {
      code: "model/bad-shape",
      message: /wanted 1 sequences, got 2/,
    });
  });

  test("a causal layer sees no later position; another does", () => {
    for (const causal of [true, false]) {
      const layer = new BitMGQA(DIM, 4, 2, { causal, seed: 3 }),
        x = randomArray([1, 6, DIM], 4),
        before = layer.forward(x);
      const changed = array(
          x.data.map((v, i) => (i >= 5 * DIM ? -v : v)),
          x.shape,
        ),
        after = layer.forward(changed);
      assert.equal(
        positions(after, 0, 5).data.every((v, i) => v === before.data[i]),
        causal,
      );
    }
  });

  test("weights are the softmax of the heads' scores", () => {
    const layer = new BitMGQA(DIM, 4, 2, {
        causal: true,
        weightBits: 32,
        activationBits: 32,
        norm: "none",
        bias: false,
        seed: 5,
      }),
      x = randomArray([2, 5, DIM], 6);
    const { output, weights } = layer.forwardWithWeights(x);
    assert.deepEqual(weights.shape, [2, 4, 5, 5]);
    assert.ok(relativeError(output.data, layer.eval().forward(x).data) < 1e-6);
    const p = (name: string) => Float64Array.from(layer.parameters().get(`${name}.weight`)!.value),
      x64 = Float64Array.from(x.data);
    const turn = (y: exact.Values, width: number) => exact.rotate(y, width, 5, 8, 10_000),
      sizes = { length: 5, nHeads: 4, nKvHeads: 2, headDim: 8, causal: true };
    const wanted = exact.attention(
      turn(exact.linear(x64, p("q_proj"), DIM), 32),
      turn(exact.linear(x64, p("k_proj"), DIM), 16),
      exact.linear(x64, p("v_proj"), DIM),
      sizes,
    );
    assert.ok(relativeError(weights.data, wanted.weights) < 1e-5);
    const normed = exact.rmsNorm(wanted.out, p("norm"), 1e-5);
    assert.ok(relativeError(output.data, exact.linear(normed, p("out_proj"), DIM)) < 1e-5);
  });
});

describe("BitNetTransformer", () => {
  const options = {
    numTokens: 40,
    dim: DIM,
    depth: 2,
    heads: 4,
    kvHeads: 2,
    weightBits: 32,
    activationBits: 32,
    contextLength: 24,
    seed: 7,
  } as const;

  test("step by step", () => {
    const model = new BitNetTransformer(options).eval(),
      x = Array.from({ length: 2 * LENGTH }, (_, i) => (i * 7) % 40),
      whole = model.forward(ids(x, [2, LENGTH]));
    const cache = model.createCache(2, LENGTH);
    let begin = 0;
    for (const length of STEPS) {
      const piece = [0, LENGTH].flatMap((from) => x.slice(from + begin, from + begin + length));
      assert.ok(
        relativeError(model.step(ids(piece, [2, length]), cache).data, positions(whole, begin, begin + length).data) <
          1e-5,
      );
      begin += length;
    }
  });

  test("generates: greedily the likeliest of whole passes, sampled by the seed", () => {
    const model = new BitNetTransformer(options),
      found = model.generate([3, 1, 4], { maxTokens: 8 }),
      sequence = [3, 1, 4];
    for (const id of found) {
      const logits = model.eval().forward(ids(sequence)).data.slice(-40);
      assert.equal(id, logits.indexOf(Math.max(...logits)));
      sequence.push(id);
    }
    assert.equal(found.length, 8);
    const sampled = (seed: number, topK?: number) =>
      model.generate([3, 1, 4], { maxTokens: 12, temperature: 2, seed, topK });
    assert.deepEqual(sampled(1), sampled(1));
    assert.notDeepEqual(sampled(1), sampled(2));
    assert.deepEqual(sampled(1, 1).slice(0, 8), found);
    assert.deepEqual(
      model.generate([3, 1, 4], { maxTokens: 8, eosId: found[2] }),
      found.slice(0, found.indexOf(found[2])),
    );
  });

  test("refuses an empty prompt, and a context that is too short", () => {
    const model = new BitNetTransformer(options);
    assert.throws(() => model.generate([]), { code: "option/invalid" });
    assert.throws(() => model.generate([40], { maxTokens: 2 }), { code: "model/bad-token" });
    assert.throws(() => model.generate([1], { maxTokens: 24 }), {
      code: "option/invalid",
      message: /contextLength: wanted at most the transformer's 24, got 25/,
    });
    assert.throws(() => model.generate([1], { maxTokens: 2, temperature: -1 }), { code: "option/invalid" });
    model.generate([1], { maxTokens: 2 });
    const used = model.runtime.usedBytes;
    model.generate([1], { maxTokens: 9 });
    assert.equal(model.runtime.usedBytes, used, "what generating takes it gives back");
  });
});
