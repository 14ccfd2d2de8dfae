/**
 * Embeddings of a whole model: the graphs of BitNet-Embedding (Qwen3, Gemma 3; a norm of each projection's input), ids
 * that are read, pooling and length, against the exact pass. Weights are floats: `architectures.test.ts` has ternary
 * ones.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticVocabulary } from "../synthetic/vocabulary.ts";
import { load } from "../../src/load.ts";
import { exactHidden } from "../conformance/exact/forward.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { VARIANTS } from "./logits.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

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
  tied: true,
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

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "embedding-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

type Pooling = "last" | "mean" | "cls";

interface Case {
  readonly choices: Pick<GgufChoices, "architecture" | "keys">;
  readonly shape?: Partial<TinyShape>;
  readonly pooling: Pooling;
  readonly bos?: boolean;
  readonly eos: boolean;
}

const poolingType = (type: number, addEos?: boolean): GgufChoices["keys"] => ({
  pooling_type: value("uint32", type),
  ...(addEos !== undefined && { "tokenizer.ggml.add_eos_token": value("bool", addEos) }),
});
const qwen3 = (keys: GgufChoices["keys"]): Case["choices"] => ({ architecture: "qwen3", keys });
const PLAIN: Partial<TinyShape> = { normIn: false };

const CASES: Readonly<Record<string, Case>> = {
  "BitNet-Embedding 0.6B, known by its norms: the state of EOS": { choices: qwen3({}), pooling: "last", eos: true },
  "pooling_type 3, EOS asked for": { choices: qwen3(poolingType(3, true)), pooling: "last", eos: true },
  "pooling_type 3, no EOS": { choices: qwen3(poolingType(3, false)), pooling: "last", eos: false },
  "pooling_type 1 beside norms of inputs: still the last": {
    choices: qwen3(poolingType(1)),
    pooling: "last",
    eos: false,
  },
  "pooling_type 1: the mean": { choices: qwen3(poolingType(1)), shape: PLAIN, pooling: "mean", eos: false },
  "pooling_type 2: the first": { choices: qwen3(poolingType(2)), shape: PLAIN, pooling: "cls", eos: false },
  "BitNet-Embedding 270M: between BOS and EOS": {
    choices: {
      architecture: "gemma3",
      keys: {
        ...poolingType(1, true),
        "tokenizer.ggml.bos_token_id": value("uint32", VOCABULARY.bosId),
        "tokenizer.ggml.add_bos_token": value("bool", true),
      },
    },
    shape: { postNorms: true, nKvHeads: 1 },
    pooling: "last",
    bos: true,
    eos: true,
  },
};

async function write({ choices, shape }: Case): Promise<string> {
  const path = join(folder, "model.gguf"),
    keys = { ...KEYS, ...choices.keys };
  writeFileSync(path, await ggufBytes({ ...SHAPE, ...shape }, { ...choices, body: "F16", keys }));
  return path;
}

describe("embeddings against the exact hidden states", () => {
  for (const [what, one] of Object.entries(CASES)) {
    test(what, async () => {
      const path = await write(one);
      for (const variant of VARIANTS) {
        await using model = await load(path, { threads: 2, variant });
        const vectors = await model.embed(TEXTS);
        for (const [i, text] of TEXTS.entries()) {
          const ids = [
            ...(one.bos ? [VOCABULARY.bosId] : []),
            ...model.tokenizer.encode(text, { addSpecial: false }),
            ...(one.eos ? [VOCABULARY.eosId] : []),
          ];
          if (i === 1) assert.ok(ids.length > 32, `${ids.length} ids are one batch`);
          const states = await exactHidden(path, ids);
          close(vectors[i], pooled(states, one.pooling), text);
          if (i !== 1) continue;
          for (const pooling of ["last", "mean", "cls"] as const) {
            const [whole] = await model.embed([text], { pooling }),
              [cut] = await model.embed([text], { pooling, dimensions: 20 });
            close(whole, pooled(states, pooling), `${text}, ${pooling}`);
            close(
              cut,
              pooled(
                states.map((row) => row.slice(0, 20)),
                pooling,
              ),
              `${text}, ${pooling}, cut`,
            );
          }
        }
        assert.deepEqual(
          (await model.embed(["two", "one"])).reverse(),
          [vectors[0], vectors[2]],
          "the order of texts changes a vector",
        );
        const [raw] = await model.embed(["one"], { normalize: false });
        const length = Math.sqrt(raw.reduce((sum, each) => sum + each * each, 0));
        raw.forEach((each, at) => assert.ok(Math.abs(each / length - vectors[0][at]) < 1e-6));
        for (const dimensions of [0, 129, 1.5, -1])
          await assert.rejects(model.embed(["one"], { dimensions }), {
            code: "option/invalid",
            message: /^dimensions/,
          });
        await assert.rejects(model.embed(["one"], { pooling: "max" as never }), { code: "option/invalid" });
      }
    });
  }
});

describe("a model for embeddings does not write", () => {
  const noHead = { name: "OnebitError", code: "model/no-head", message: /for embeddings.*use embed/ };
  const bitNet = CASES["BitNet-Embedding 270M: between BOS and EOS"];

  test("it says so before it reads", async () => {
    await using model = await load(await write(bitNet), { threads: 1 });
    assert.equal(model.config.embeddingOnly, true);
    await assert.rejects(model.generate("one").text(), noHead);
    await assert.rejects(model.chat([{ role: "user", content: "one" }], { chatTemplate: "chatml" }).text(), noHead);
    await assert.rejects(model.logits([1, 2]), noHead);
    await assert.rejects(
      model.eachLogits([1, 2], () => {}),
      noHead,
    );
    await assert.rejects(model.perplexity([1, 2, 3]), noHead);
    using context = model.context();
    await assert.rejects(context.generate([1, 2]).text(), noHead);
    await assert.rejects(context.logits([1, 2]), noHead);
    assert.deepEqual(model.cachedIds, []);
    assert.equal((await model.embed(["one"])).length, 1);
  });

  test("one with a head of its own writes, and so does one without such norms", async () => {
    for (const shape of [{ tied: false }, PLAIN]) {
      await using model = await load(await write({ ...bitNet, shape: { ...bitNet.shape, ...shape } }), { threads: 1 });
      assert.equal(model.config.embeddingOnly, undefined);
      assert.equal((await model.logits([1, 2])).length, 2 * SHAPE.nVocab);
    }
  });

  test("ways to pool that are unknown, and norms of some inputs alone, are refused", async () => {
    const of = (choices: Partial<GgufChoices>) =>
      ggufBytes({ ...SHAPE, ...bitNet.shape }, { architecture: "gemma3", keys: KEYS, ...choices });
    await assert.rejects(load(await of({ keys: { ...KEYS, pooling_type: value("uint32", 4) } })), {
      code: "model/bad-config",
      message: /pooling_type/,
    });
    const change = async (name: string, to: (tensor: TinyTensor) => readonly TinyTensor[]) =>
      await load(await of({ tensors: (all) => all.flatMap((one) => (one.name === name ? to(one) : [one])) }));
    for (const name of ["blk.0.attn_q_norm_in.weight", "blk.1.ffn_down_norm_in.weight"]) {
      const message = new RegExp(name);
      await assert.rejects(
        change(name, () => []),
        { code: "model/missing-tensor", message },
      );
      const half = (tensor: TinyTensor) => [{ ...tensor, shape: [64], values: tensor.values.slice(0, 64) }];
      await assert.rejects(change(name, half), { code: "model/bad-shape", message });
    }
  });
});

function close(found: Float32Array, wanted: Float64Array, what: string): void {
  assert.equal(found.length, wanted.length, what);
  found.forEach((each, at) =>
    assert.ok(Math.abs(each - wanted[at]) < 1e-5, `${what}, ${at}: found ${each}, wanted ${wanted[at]}`),
  );
}

/** The last state, the first or the mean of all, of length 1. */
function pooled(states: readonly Float64Array[], pooling: Pooling): Float64Array {
  const sum =
    pooling !== "mean"
      ? states[pooling === "last" ? states.length - 1 : 0]
      : states[0].map((_, i) => states.reduce((total, state) => total + state[i], 0));
  const length = Math.sqrt(sum.reduce((total, each) => total + each * each, 0));
  return sum.map((each) => each / length);
}
