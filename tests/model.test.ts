/** Raw logits, perplexity and embeddings, over an engine whose answers are known. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Pooling, pool } from "../src/generate/embed.ts";
import { Model } from "../src/model.ts";
import { BOS, EOS, bytesOf, fakeEngine, fakeTokenizer } from "./generate/fakes.ts";

/** Logit i after id n is n + i / 1000. */
const rowOf = (ids: readonly number[], logits: Float32Array): void =>
  void logits.forEach((_, i) => (logits[i] = ids[ids.length - 1] + i / 1000));

describe("logits", () => {
  const model = new Model({ engine: fakeEngine(rowOf, { contextLength: 8 }), tokenizer: fakeTokenizer(), loadMs: 0 });

  test("have one row per id, from position 0", async () => {
    const rows = await model.logits([3, 7]);
    assert.equal(rows.length, 2 * model.vocabSize);
    assert.equal(rows[0], 3);
    assert.equal(rows[model.vocabSize], 7);
    assert.equal(rows[2 * model.vocabSize - 1], Math.fround(7 + 261 / 1000));
  });

  test("refuse wrong ids, and none or too many", async () => {
    await assert.rejects(model.logits([]), { code: "option/invalid" });
    await assert.rejects(model.logits([262]), { code: "model/bad-token" });
    await assert.rejects(model.logits(new Array<number>(9).fill(1)), {
      code: "model/context-full",
      message: /9 ids.*holds 8/,
    });
    const large = new Model({ engine: fakeEngine(rowOf, { vocabSize: 200_000, contextLength: 4096 }), loadMs: 0 });
    await assert.rejects(large.logits(new Array<number>(2000).fill(1)), {
      code: "option/invalid",
      message: /eachLogits/,
    });
    await assert.rejects(model.logits([1], { signal: AbortSignal.abort() }), { code: "aborted" });
  });
});

describe("perplexity", () => {
  /** After id n: probability 1/2 for n + 1, the rest evenly. */
  const model = (contextLength: number, addBos: boolean) =>
    new Model({
      engine: fakeEngine(
        (ids, logits) => void (logits.fill(Math.log(0.5 / 261)), (logits[ids[ids.length - 1] + 1] = Math.log(0.5))),
        { contextLength },
      ),
      tokenizer: fakeTokenizer({ addBos }),
      loadMs: 0,
    });

  test("is 2 if every id has probability 1/2", async () => {
    const result = await model(64, false).perplexity([10, 11, 12, 13, 14]);
    assert.ok(Math.abs(result.perplexity - 2) < 1e-6);
    assert.deepEqual([result.tokens, result.windows, result.context], [4, 1, 64]);
  });

  test("cuts windows, and scores all but the first id of each", async () => {
    const result = await model(64, false).perplexity([10, 11, 12, 50, 51, 52, 90], { context: 3 });
    assert.deepEqual([result.tokens, result.windows], [4, 2]);
    assert.ok(Math.abs(result.perplexity - 2) < 1e-6);
  });

  test("puts BOS before each window, so that every id is scored", async () => {
    const result = await model(64, true).perplexity("abcdefg", { context: 4 });
    assert.deepEqual([result.tokens, result.windows], [7, 3]);
    // The first of each window is unexpected.
    const expected = Math.exp((3 * Math.log(522) + 4 * Math.log(2)) / 7);
    assert.ok(Math.abs(result.perplexity - expected) < 1e-3, `${result.perplexity}, wanted ${expected}`);
  });

  test("reports progress, and refuses texts too short to measure", async () => {
    const seen: number[] = [];
    await model(64, false).perplexity([1, 2, 3, 4], {
      context: 2,
      onProgress: ({ done, total }) => void seen.push(done, total),
    });
    assert.deepEqual(seen, [0, 2, 1, 2, 2, 2]);
    for (const context of [1, 65, 2.5])
      await assert.rejects(model(64, false).perplexity([1, 2], { context }), { code: "option/invalid" });
    await assert.rejects(model(64, false).perplexity([1]), { code: "option/invalid" });
    await assert.rejects(model(64, false).perplexity(""), { code: "option/invalid" });
    await assert.rejects(model(64, false).perplexity([1, 999]), { code: "model/bad-token" });
  });
});

describe("embeddings", () => {
  test("pool the last state, the first or the mean, cut or not, and have length 1", () => {
    const hidden = Float32Array.from([1, 2, 3, 4]);
    const of = (pooling: Pooling, normalize: boolean, dimensions = 2, states = hidden) =>
      pool(states, 2, { pooling, normalize, dimensions });
    assert.deepEqual(of("last", false), Float32Array.from([3, 4]));
    assert.deepEqual(of("cls", false), Float32Array.from([1, 2]));
    assert.deepEqual(of("mean", false), Float32Array.from([2, 3]));
    assert.deepEqual(of("last", true), Float32Array.from([0.6, 0.8]));
    assert.deepEqual(of("last", true, 1), Float32Array.from([1]), "cut, then of length 1");
    assert.deepEqual(of("mean", false, 1), Float32Array.from([2]));
    assert.deepEqual(of("mean", true, 2, new Float32Array(4)), new Float32Array(2));
  });

  test("end with EOS if the model was trained so, or when asked", async () => {
    const embedding = { pooling: "last", appendEos: true } as const;
    const model = new Model({ engine: fakeEngine(rowOf), tokenizer: fakeTokenizer(), loadMs: 0, embedding });
    // The fake engine's state of an id is (id, 1, 0, −id).
    assert.deepEqual((await model.embed(["a"], { normalize: false }))[0], Float32Array.from([EOS, 1, 0, -EOS]));
    assert.deepEqual(
      (await model.embed(["a"], { normalize: false, appendEos: false }))[0],
      Float32Array.from([97, 1, 0, -97]),
    );
    const mean = (BOS + 97 + EOS) / 3;
    assert.deepEqual(
      (await model.embed(["a"], { normalize: false, pooling: "mean" }))[0],
      Float32Array.from([mean, 1, 0, -mean]),
    );
    const plain = new Model({ engine: fakeEngine(rowOf), tokenizer: fakeTokenizer(), loadMs: 0 });
    assert.deepEqual((await plain.embed(["a"], { normalize: false }))[0], Float32Array.from([97, 1, 0, -97]));
  });

  test("follow the order of the texts, with progress; wrong texts are refused before any work", async () => {
    const engine = fakeEngine(rowOf, { contextLength: 4 });
    const model = new Model({ engine, tokenizer: fakeTokenizer({ addBos: false }), loadMs: 0 });
    const seen: number[] = [];
    const vectors = await model.embed(["a", "b"], { normalize: false, onProgress: ({ done }) => void seen.push(done) });
    assert.deepEqual(
      vectors.map((vector) => vector[0]),
      bytesOf("ab"),
    );
    assert.deepEqual(seen, [0, 1, 2]);
    assert.deepEqual(await model.embed([]), []);
    await assert.rejects(model.embed(["a", "abcde"]), { code: "model/context-full" });
    await assert.rejects(model.embed([""]), { code: "option/invalid" });
    await assert.rejects(model.embed(["a"], { pooling: "max" as "mean" }), { code: "option/invalid" });
  });
});
