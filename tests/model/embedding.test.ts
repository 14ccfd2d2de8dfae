/**
 * Embeddings of a whole model: the graph of BitNet-Embedding (Qwen3 with a norm of each projection's input), the ids
 * that are read, pooling and length. The head of these models is made of unit vectors, so that logits are the hidden
 * state and the exact pass says what it must be. Weights are floats: `architectures.test.ts` has ternary ones.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticVocabulary } from "../synthetic/vocabulary.ts";
import { load } from "../../src/load.ts";
import { exactLogits } from "../conformance/exact/forward.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { VARIANTS } from "./logits.ts";
import type { TinyShape } from "./tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 128,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 32,
  nFf: 256,
  nVocab: 320,
  qkNorm: true,
  normIn: true,
  branches: 1 / 8,
};
const VOCABULARY = syntheticVocabulary(SHAPE.nVocab, "qwen2", 1);
const TEXTS = ["one", "a longer text, of more than one batch of rows", "two"];

const KEYS: GgufChoices["keys"] = {
  "tokenizer.ggml.model": value("string", "gpt2"),
  "tokenizer.ggml.pre": value("string", "qwen2"),
  "tokenizer.ggml.tokens": value("string[]", VOCABULARY.tokens),
  "tokenizer.ggml.token_type": value("int32[]", VOCABULARY.types),
  "tokenizer.ggml.merges": value("string[]", VOCABULARY.merges),
  "tokenizer.ggml.eos_token_id": value("uint32", VOCABULARY.eosId),
};

const UNITS: GgufChoices["tensors"] = (tensors) =>
  tensors.map((tensor) => {
    const unit = (at: number) => (at % SHAPE.nEmbd === Math.floor(at / SHAPE.nEmbd) ? 1 : 0);
    return tensor.name === "output.weight" ? { ...tensor, values: tensor.values.map((_, i) => unit(i)) } : tensor;
  });

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "embedding-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("embeddings against the exact hidden states", () => {
  const cases: readonly (readonly [what: string, keys: GgufChoices["keys"], pooling: "last" | "mean", eos: boolean])[] =
    [
      ["BitNet-Embedding, known by its norms: the state of EOS", {}, "last", true],
      [
        "pooling_type 3, EOS asked for",
        { pooling_type: value("uint32", 3), "tokenizer.ggml.add_eos_token": value("bool", true) },
        "last",
        true,
      ],
      [
        "pooling_type 3, no EOS",
        { pooling_type: value("uint32", 3), "tokenizer.ggml.add_eos_token": value("bool", false) },
        "last",
        false,
      ],
      ["pooling_type 1: the mean", { pooling_type: value("uint32", 1) }, "mean", false],
    ];
  for (const [what, keys, pooling, eos] of cases) {
    test(what, async () => {
      const path = join(folder, "model.gguf");
      writeFileSync(
        path,
        await ggufBytes(SHAPE, { architecture: "qwen3", body: "F16", tensors: UNITS, keys: { ...KEYS, ...keys } }),
      );
      for (const variant of VARIANTS) {
        const model = await load(path, { threads: 2, variant });
        try {
          const vectors = await model.embed(TEXTS);
          for (const [i, text] of TEXTS.entries()) {
            const ids = [...model.tokenizer.encode(text, { addSpecial: false }), ...(eos ? [VOCABULARY.eosId] : [])];
            if (i === 1) assert.ok(ids.length > 32, `${ids.length} ids are one batch`);
            const wanted = pooled(
              (await exactLogits(path, ids)).map((row) => row.slice(0, 128)),
              pooling,
            );
            assert.equal(vectors[i].length, 128);
            vectors[i].forEach((found, at) =>
              assert.ok(Math.abs(found - wanted[at]) < 1e-5, `${text}, ${at}: found ${found}, wanted ${wanted[at]}`),
            );
          }
          assert.deepEqual(
            (await model.embed(["two", "one"])).reverse(),
            [vectors[0], vectors[2]],
            "the order of texts changes a vector",
          );
          const [raw] = await model.embed(["one"], { normalize: false });
          const length = Math.sqrt(raw.reduce((sum, each) => sum + each * each, 0));
          raw.forEach((each, at) => assert.ok(Math.abs(each / length - vectors[0][at]) < 1e-6));
        } finally {
          await model.close();
        }
      }
    });
  }
});

/** The last state or the mean of all, of length 1. */
function pooled(states: readonly Float64Array[], pooling: "last" | "mean"): Float64Array {
  const sum =
    pooling === "last"
      ? states[states.length - 1]
      : states[0].map((_, i) => states.reduce((total, state) => total + state[i], 0));
  const length = Math.sqrt(sum.reduce((total, each) => total + each * each, 0));
  return sum.map((each) => each / length);
}
