/**
 * Models of finite weights so large that their sums overflow: whoever asks for ids or vectors gets tokens and numbers, or
 * an error that names the row. No id is undefined, no number is NaN.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { F32_MAX, TEMPERATURE_MIN } from "../../src/core/finite.ts";
import { checkOptions } from "../../src/core/options.ts";
import { pool } from "../../src/generate/embed.ts";
import { Model } from "../../src/generate/model.ts";
import { GENERATE_OPTIONS, type SamplingOptions, checkSampling } from "../../src/generate/options.ts";
import { createSampler } from "../../src/generate/sampler.ts";
import { load } from "../../src/load.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { syntheticVocabulary } from "../../benchmarks/synthetic/vocabulary.ts";
import { type GgufChoices, ggufBytes, value } from "../model/gguf-bytes.ts";
import type { TinyShape, TinyTensor } from "../model/tiny-model.ts";
import { fakeEngine, fakeTokenizer, numeric } from "./fakes.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 320, scales: "blocks" };
const VOCABULARY = syntheticVocabulary(SHAPE.nVocab, "qwen2", 1);
const KEYS: GgufChoices["keys"] = {
  "tokenizer.ggml.model": value("string", "gpt2"),
  "tokenizer.ggml.pre": value("string", "qwen2"),
  "tokenizer.ggml.tokens": value("string[]", VOCABULARY.tokens),
  "tokenizer.ggml.token_type": value("int32[]", VOCABULARY.types),
  "tokenizer.ggml.merges": value("string[]", VOCABULARY.merges),
  "tokenizer.ggml.eos_token_id": value("uint32", VOCABULARY.eosId),
};

/** Tensors whose name matches, times a factor, within what f32 holds. */
function scaled(pattern: RegExp, factor: number): GgufChoices["tensors"] {
  const times = (x: number) => Math.max(-F32_MAX, Math.min(F32_MAX, x * factor));
  const change = (tensor: TinyTensor): TinyTensor => ({ ...tensor, values: tensor.values.map(times), ...(tensor.scales && { scales: tensor.scales.map((x) => Math.min(60000, times(x))) }) });
  return (tensors) => tensors.map((tensor) => (pattern.test(tensor.name) ? change(tensor) : tensor));
}

/** Which tensors are absurd, and the types that hold them. */
const ABSURD: Readonly<Record<string, GgufChoices>> = Object.fromEntries(
  [/output\.weight/, /attn_q|attn_k/, /attn_v|attn_output/, /ffn_gate|ffn_up/, /ffn_down/, /norm/, /token_embd/, /./].flatMap((pattern) =>
    (["F32", "BF16", "TQ2_0"] as const).map((body): [string, GgufChoices] => [
      `${pattern.source}, ${body}`, { architecture: "llama", body, tables: body === "TQ2_0" ? "F32" : body, tensors: scaled(pattern, body === "TQ2_0" ? 1e38 : 1e37), keys: KEYS },
    ])),
);

/** What `ask` gives, or undefined for the one error that may be. */
async function answered<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    assert.ok(error instanceof OnebitError && error.code === "model/not-finite", String(error));
    assert.match(error.message, /row \d+/);
    return undefined;
  }
}

describe("a whole model", () => {
  let refused = 0;
  for (const [name, choices] of Object.entries(ABSURD)) {
    test(name, async () => {
      const bytes = await ggufBytes(SHAPE, choices);
      for (const options of [{}, { kvType: "q8", activationMode: "token" }] as const) {
        const model = await load(bytes, { threads: 1, contextLength: 32, ...options });
        try {
          const isId = (id: number) => Number.isInteger(id) && id >= 0 && id < model.tokenizer.vocabSize;
          for (const sampling of [{ temperature: 0 }, { temperature: 1, seed: 1, topK: 0 }, { temperature: TEMPERATURE_MIN, topP: 1, repetitionPenalty: 0.01 }]) {
            const result = await answered(() => model.generate([1, 2, 3], { maxTokens: 3, logprobs: 2, ignoreEnd: true, ...sampling }).result());
            if (!result) refused++;
            else assert.ok(result.ids.length > 0 && result.ids.every(isId), `${result.ids}`);
          }
          for (const vector of (await answered(() => model.embed(["a text"]))) ?? []) assert.ok(vector.every(Number.isFinite));
          const measured = await answered(() => model.perplexity([1, 2, 3, 4, 5]));
          assert.ok(measured === undefined || Number.isFinite(measured.meanNll), String(measured?.meanNll));
        } finally {
          await model.close();
        }
      }
    });
  }
  test("some of these overflow", () => assert.ok(refused > 20, `${refused} generations were refused`));
});

describe("the sampler", () => {
  const next = (logits: readonly number[], options: SamplingOptions, history: readonly number[] = [7, 7, 0]) => {
    const row = Float32Array.from(logits), id = createSampler(checkSampling(checkOptions("generate", { seed: 1, ...options }, GENERATE_OPTIONS), row.length), numeric).next(row, history);
    assert.deepEqual(row, Float32Array.from(logits), "the logits come back untouched");
    return id;
  };

  test("logits of any size, penalties, biases and temperatures: one of the ids", () => {
    const rows = [[F32_MAX, -F32_MAX, 0], [F32_MAX, F32_MAX, 1], [-F32_MAX, -F32_MAX, -F32_MAX], [1e-45, 0, -1e-45], [NaN, 3, -Infinity]];
    for (const row of rows) {
      for (const temperature of [0, TEMPERATURE_MIN, 1e-30, 1e-3, 1, 100]) {
        for (const options of [{}, { topK: 0, topP: 1 }, { typicalP: 1e-300 }, { minP: 1 }, { topP: 1e-300, topK: 2 }, { repetitionPenalty: 0.01 }, { repetitionPenalty: 10 }, { logitBias: { 0: 1e6, 1: -1e6 } }]) {
          const id = next(row, { temperature, ...options });
          assert.ok(id >= 0 && id < 3 && Number.isFinite(row[id]), `${id} of ${row.join()} with ${JSON.stringify({ temperature, ...options })}`);
        }
      }
    }
  });

  test("the smallest temperature draws the likeliest", () => {
    for (let seed = 0; seed < 50; seed++) assert.equal(next([1, 1.0001, 0.5], { temperature: TEMPERATURE_MIN, seed }), 1);
  });

  test("a smaller one, which would overflow, is refused", () => {
    for (const temperature of [1e-310, 5e-324, 1e-201, -0.1]) {
      assert.throws(() => checkOptions("generate", { temperature }, GENERATE_OPTIONS), { code: "option/invalid", message: /temperature: wanted 0, or a number from 1e-200 to 100/ });
    }
    assert.equal(checkOptions("generate", { temperature: 0 }, GENERATE_OPTIONS).temperature, 0);
  });

  test("nothing to draw names the row", () => {
    for (const temperature of [0, 1]) {
      for (const row of [[NaN, NaN], [-Infinity, NaN], [-Infinity, -Infinity], [Infinity, 1], [Infinity, Infinity]]) {
        assert.throws(() => next(row, { temperature }), { code: "model/not-finite", message: /logits of row 2: / }, row.join());
      }
    }
  });
});

test("a generation is refused at the row that is not finite, and the next call goes on", async () => {
  const engine = fakeEngine((ids, logits) => void logits.fill(0).fill(ids.length === 5 ? NaN : 1, 9, 10));
  const model = new Model({ engine, tokenizer: fakeTokenizer({ addBos: false }), loadMs: 0 });
  await assert.rejects(model.generate([1, 2, 3], { temperature: 0 }).text(), { code: "model/not-finite", message: /logits of row 4: wanted finite numbers, got NaN for id 9/ });
  assert.deepEqual((await model.generate([1, 2], { temperature: 0, maxTokens: 2 }).result()).ids, [9, 9]);
  await assert.rejects(model.perplexity([1, 2, 3, 4, 5, 6, 7]), { code: "model/not-finite", message: /row 4/ });
});

test("ids of the head's padding, which are no tokens, are never drawn, named or biased", async () => {
  const tokenizer = fakeTokenizer({ addBos: false }), vocabSize = tokenizer.vocabSize + 10;
  const engine = fakeEngine((_, logits) => void logits.fill(0).fill(50, tokenizer.vocabSize).fill(10, 65, 66), { vocabSize });
  const model = new Model({ engine, tokenizer, loadMs: 0 });
  for (const temperature of [0, 1]) {
    const pieces = [];
    for await (const piece of model.generate([1], { temperature, maxTokens: 5, logprobs: 3, topK: 0, topP: 1, seed: 2 })) pieces.push(piece);
    for (const { id, topLogprobs } of pieces) assert.ok([id, ...topLogprobs!.map((each) => each.id)].every((each) => each < tokenizer.vocabSize));
  }
  await assert.rejects(model.generate([1], { logitBias: { [tokenizer.vocabSize]: 1 } }).text(), { code: "option/invalid" });
});

test("a vector of numbers, or an error that names text and row", () => {
  const hidden = Float32Array.of(1, 2, Infinity, 4, 3, 4);
  assert.deepEqual([...pool(hidden, 2, "last", true)].map((x) => x.toFixed(1)), ["0.6", "0.8"]);
  assert.throws(() => pool(hidden, 2, "mean", true, "embed: text 3"), { code: "model/not-finite", message: /embed: text 3, hidden state of row 1: wanted finite numbers, got Infinity/ });
  assert.deepEqual([...pool(Float32Array.of(F32_MAX, F32_MAX), 1, "mean", false)], [F32_MAX]);
  assert.deepEqual([...pool(new Float32Array(2), 2, "last", true)], [0, 0]);
});

test("a transformer of layers", () => {
  const model = new BitNetTransformer({ numTokens: 20, dim: 32, depth: 1, heads: 2, seed: 1 });
  assert.throws(() => model.generate([1], { temperature: 1e-310 }), { code: "option/invalid" });
  assert.ok(model.generate([1], { temperature: TEMPERATURE_MIN, maxTokens: 4 }).every((id) => id >= 0 && id < 20));
  for (const [name, parameter] of model.parameters()) if (name.includes("token_embd") || name === "output_norm.weight") parameter.value.fill(3e38);
  for (const each of [model, model.pack()]) {
    for (const temperature of [0, 1]) assert.throws(() => each.generate([1, 2], { temperature }), { code: "model/not-finite", message: /logits of row 1/ });
  }
});
