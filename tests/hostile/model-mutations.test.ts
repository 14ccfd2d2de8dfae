/**
 * Whole models with random damage in header and weights, and configs with every member replaced by every odd value:
 * each loads and gives logits, or is refused by a typed error, in bounded time, with nothing left open.
 *
 * ONEBIT_FUZZ: mutated headers of the file tests; of whole models, a two-thousandth of it (default 200) is tried.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../synthetic/random.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { parseGguf } from "../../src/files/gguf.ts";
import { load } from "../../src/load.ts";
import { ggufBytes, value } from "../model/gguf-bytes.ts";
import { hfFolder } from "../model/hf-folder.ts";
import { FOLDER, memoryPlatform } from "../model/memory-platform.ts";
import type { TinyShape } from "../model/tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 128,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 32,
  nFf: 256,
  nVocab: 64,
  tied: true,
  qkNorm: true,
};
const N_MUTATIONS = Math.max(200, Math.floor(Number(process.env.ONEBIT_FUZZ ?? 0) / 2000));
/** A model takes 10 ms; a machine under load, some times that. What must not happen takes for ever. */
const TIME_MAX_MS = 10_000;
/** More than the model needs, and nothing that a wrong size could take for long. */
const MEMORY_LIMIT_BYTES = 1e8;

describe("random bytes of a whole model", () => {
  test(`${N_MUTATIONS} times`, async (t) => {
    const keys = {
      "rope.scaling.type": value("string", "yarn"),
      "rope.scaling.factor": value("float32", 4),
      "rope.scaling.original_context_length": value("uint32", 32),
      "attention.head_count_kv": value("uint32[]", [2]),
      hidden_activation: value("string", "silu"),
    };
    const good = await ggufBytes(SHAPE, { architecture: "qwen3", body: "Q2_0", tables: "F16", keys });
    const headBytes = parseGguf(good).dataPosition,
      random = seededRandom(5),
      outcomes = new Map<string, number>();
    for (let i = 0; i < N_MUTATIONS; i++) {
      const bytes = good.slice();
      for (let left = 1 + (random.u32() % 3); left > 0; left--) {
        const at = random.u32() % (random.u32() % 4 > 0 ? headBytes : bytes.length);
        bytes[at] = random.u32() & 1 ? random.u32() : bytes[at] ^ (1 << (random.u32() % 8));
      }
      const outcome = await outcomeOf({ model: bytes }, "model", `mutation ${i}`);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    t.diagnostic([...outcomes].map(([outcome, n]) => `${outcome} ${n}`).join(", "));
    assert.ok(outcomes.get("loaded")! > 20 && outcomes.size > 5, "the damage is too mild or too great to tell");
  });
});

const ODD_VALUES = [
  null,
  true,
  "",
  "x",
  -1,
  0,
  0.5,
  3,
  2 ** 31,
  2 ** 53,
  1e308,
  -1e308,
  [],
  [1],
  {},
  { type: "x" },
] as const;

describe("odd values in config.json", () => {
  const SCALING = {
    rope_type: "yarn",
    factor: 2,
    original_max_position_embeddings: 32,
    beta_fast: 32,
    beta_slow: 1,
    attention_factor: 1,
  };
  const QUANTIZATION = {
    quant_method: "bitnet",
    linear_class: "autobitlinear",
    quantization_mode: "offline",
    modules_to_not_convert: ["lm_head"],
  };
  const members = [
    "model_type",
    "architectures",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "hidden_act",
    "tie_word_embeddings",
    "quantization_config",
    "rope_scaling",
    "_name_or_path",
  ];
  const changes = (odd: unknown): [string, Record<string, unknown>][] => [
    ...members.map((name): [string, Record<string, unknown>] => [name, { [name]: odd }]),
    ...Object.keys(SCALING).map((name): [string, Record<string, unknown>] => [
      `rope_scaling.${name}`,
      { rope_scaling: { ...SCALING, [name]: odd } },
    ]),
    ...Object.keys(QUANTIZATION).map((name): [string, Record<string, unknown>] => [
      `quantization_config.${name}`,
      { quantization_config: { ...QUANTIZATION, [name]: odd } },
    ]),
  ];
  for (const odd of ODD_VALUES) {
    test(JSON.stringify(odd), async () => {
      const good = await hfFolder(SHAPE, { modelType: "qwen3", linears: "multiply" });
      const config = JSON.parse(new TextDecoder().decode(good["config.json"])) as Record<string, unknown>;
      for (const [name, change] of changes(odd)) {
        const files = { ...good, "config.json": new TextEncoder().encode(JSON.stringify({ ...config, ...change })) };
        await outcomeOf(files, FOLDER, `${name} = ${JSON.stringify(odd)}`);
      }
    });
  }
});

/** "loaded", or the code of the error; anything else fails the test. */
async function outcomeOf(files: Readonly<Record<string, Uint8Array>>, path: string, what: string): Promise<string> {
  const platform = memoryPlatform(files),
    begin = performance.now();
  const outcome = await load(path, { platform, threads: 1, memoryLimitBytes: MEMORY_LIMIT_BYTES }).then(
    async (model) => {
      // Absurd but finite weights may overflow.
      const logits = await model.logits([1, 2, 3]).catch((error: unknown) => {
        assert.ok(error instanceof OnebitError && error.code === "model/not-finite", `${what}: ${String(error)}`);
      });
      assert.equal(logits?.length ?? 3 * model.vocabSize, 3 * model.vocabSize, what);
      await model.close();
      return "loaded";
    },
    (error: unknown) => {
      assert.ok(error instanceof OnebitError, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
      assert.ok(error.message.length < 1000 && !/undefined|\[object/.test(error.message), `${what}: ${error.message}`);
      return error.code;
    },
  );
  assert.equal(platform.nOpen(), 0, what);
  assert.ok(performance.now() - begin < TIME_MAX_MS, `${what}: took ${performance.now() - begin} ms`);
  return outcome;
}
