/**
 * GGUF files that are well-formed and no model: each is refused by a typed error that names the tensor or the key,
 * nothing stays open, and a good model loads afterwards.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { TYPE, f32, pair, rawGguf, str, u32 } from "../files/raw-gguf.ts";
import { type GgufChoices, ggufBytes, value } from "../model/gguf-bytes.ts";
import { IDS, logitsOf } from "../model/logits.ts";
import type { TinyTensor } from "../model/tiny-model.ts";
import { LAST, SHAPE, refused, refusedFile, without } from "./refused-model.ts";

type Case = readonly [what: string, choices: Partial<GgufChoices>, code: ErrorCode, message: RegExp];

const reshaped = (name: string, shape: readonly number[]) => (tensors: readonly TinyTensor[]) =>
  tensors.map((tensor) =>
    tensor.name === name
      ? {
          ...tensor,
          shape,
          values: tensor.values.slice(
            0,
            shape.reduce((n, m) => n * m, 1),
          ),
          codes: undefined,
        }
      : tensor,
  );
const TENSORS: readonly Case[] = [
  ["no embedding", { tensors: without("token_embd.weight") }, "model/missing-tensor", /"token_embd\.weight"/],
  ["no output norm", { tensors: without("output_norm.weight") }, "model/missing-tensor", /"output_norm\.weight"/],
  [
    "no sub-norm",
    { tensors: without("blk.1.attn_sub_norm.weight") },
    "model/missing-tensor",
    /"blk\.1\.attn_sub_norm\.weight"/,
  ],
  ["no projection", { tensors: without(LAST) }, "model/missing-tensor", /"blk\.1\.ffn_down\.weight"/],
  [
    "a layer more than there are tensors",
    { keys: { block_count: value("uint32", 3) } },
    "model/missing-tensor",
    /"blk\.2\./,
  ],
  [
    "a projection of too few rows",
    { tensors: reshaped("blk.0.attn_k.weight", [256, 64]) },
    "model/bad-shape",
    /"blk\.0\.attn_k\.weight": wanted shape \[256, 128\], found \[256, 64\]/,
  ],
  [
    "a projection of too few columns",
    { tensors: reshaped(LAST, [256, 256]) },
    "model/bad-shape",
    /wanted shape \[512, 256\], found \[256, 256\]/,
  ],
  [
    "a projection the other way round",
    { tensors: reshaped(LAST, [256, 512]) },
    "model/bad-shape",
    /found \[256, 512\]/,
  ],
  [
    "a projection in three dimensions",
    { tensors: reshaped(LAST, [512, 128, 2]) },
    "model/bad-shape",
    /found \[512, 128, 2\]/,
  ],
  [
    "an embedding of other width",
    { tensors: reshaped("token_embd.weight", [128, 64]) },
    "model/bad-shape",
    /found \[128, 64\]/,
  ],
  [
    "a norm too short",
    { tensors: reshaped("output_norm.weight", [255]) },
    "model/bad-shape",
    /wanted shape \[256\], found \[255\]/,
  ],
  [
    "norms in a ternary type",
    { typeOf: ({ name }) => (name === "output_norm.weight" ? "TQ2_0" : undefined) },
    "tensor/unsupported-type",
    /wanted numbers .* found TQ2_0/,
  ],
];

const KEYS: readonly Case[] = [
  [
    "an unknown architecture",
    { architecture: "gpt2" },
    "model/unsupported-architecture",
    /wanted one of .*bitnet.*; found "gpt2"/,
  ],
  [
    "an architecture of the object prototype",
    { architecture: "__proto__" },
    "model/unsupported-architecture",
    /found "__proto__"/,
  ],
  ["an architecture to come", { architecture: "maple" }, "model/unsupported-architecture", /maple/],
  ["a delta net without its sizes", { architecture: "qwen35" }, "gguf/bad-value", /ssm\./],
  ["no architecture", { keys: { "general.architecture": undefined } }, "gguf/bad-value", /general\.architecture/],
  ["no layer count", { keys: { block_count: undefined } }, "gguf/bad-value", /bitnet\.block_count/],
  ["no layers", { keys: { block_count: value("uint32", 0) } }, "gguf/bad-value", /block_count/],
  ["four billion layers", { keys: { block_count: value("uint32", 0xffffffff) } }, "model/bad-config", /1024 layers/],
  ["no width", { keys: { embedding_length: value("uint32", 0) } }, "gguf/bad-value", /embedding_length/],
  [
    "a width of 2^32 − 4",
    { keys: { embedding_length: value("uint32", 0xfffffffc), "attention.head_count": value("uint32", 1) } },
    "model/bad-config",
    /width/,
  ],
  ["a width as text", { keys: { embedding_length: value("string", "256") } }, "gguf/bad-value", /embedding_length/],
  ["no heads", { keys: { "attention.head_count": value("uint32", 0) } }, "gguf/bad-value", /head_count/],
  [
    "heads that do not divide the width",
    {
      keys: {
        "attention.head_count": value("uint32", 3),
        "attention.key_length": undefined,
        "attention.value_length": undefined,
      },
    },
    "model/bad-config",
    /head size/,
  ],
  [
    "key heads that do not divide the heads",
    { keys: { "attention.head_count_kv": value("uint32", 3) } },
    "model/bad-config",
    /whole groups, found 4 over 3/,
  ],
  [
    "more key heads than heads",
    { keys: { "attention.head_count_kv": value("uint32", 8) } },
    "model/bad-config",
    /whole groups/,
  ],
  [
    "a head size off 4",
    { keys: { "attention.key_length": value("uint32", 6), "attention.value_length": value("uint32", 6) } },
    "model/bad-config",
    /multiple of 4, found 6/,
  ],
  [
    "values of another length than keys",
    { keys: { "attention.value_length": value("uint32", 32) } },
    "model/bad-config",
    /value_length/,
  ],
  [
    "layers whose heads differ",
    { keys: { "attention.head_count": value("uint32[]", [4, 8]) } },
    "model/bad-config",
    /same number for every layer, found \[4, 8/,
  ],
  [
    "layers whose key heads differ",
    { keys: { "attention.head_count_kv": value("uint32[]", [2, 1]) } },
    "model/bad-config",
    /same number/,
  ],
  [
    "layers whose feed-forward differs",
    { keys: { feed_forward_length: value("int32[]", [512, 256]) } },
    "model/bad-config",
    /same number/,
  ],
  [
    "an empty list of heads",
    { keys: { "attention.head_count": value("uint32[]", []) } },
    "model/bad-config",
    /same number/,
  ],
  [
    "a list of text for heads",
    { keys: { "attention.head_count": value("string[]", ["4"]) } },
    "gguf/bad-value",
    /head_count/,
  ],
  ["a context of 2^32 − 1", { keys: { context_length: value("uint32", 0xffffffff) } }, "model/bad-config", /context/],
  ["a context of 0", { keys: { context_length: value("uint32", 0) } }, "gguf/bad-value", /context_length/],
  [
    "an epsilon that is not a number",
    { keys: { "attention.layer_norm_rms_epsilon": value("float32", NaN) } },
    "gguf/bad-value",
    /epsilon/,
  ],
  [
    "an epsilon below 0",
    { keys: { "attention.layer_norm_rms_epsilon": value("float32", -1) } },
    "model/bad-config",
    /epsilon/,
  ],
  [
    "a rotary base that is not a number",
    { keys: { "rope.freq_base": value("float32", NaN) } },
    "gguf/bad-value",
    /freq_base/,
  ],
  ["a rotary base of 0", { keys: { "rope.freq_base": value("float32", 0) } }, "model/bad-config", /rotary base/],
  [
    "more rotating dimensions than a head has",
    { keys: { "rope.dimension_count": value("uint32", 128) } },
    "model/bad-config",
    /rotating dimensions/,
  ],
  [
    "an odd number of rotating dimensions",
    { keys: { "rope.dimension_count": value("uint32", 33) } },
    "model/bad-config",
    /rotating dimensions/,
  ],
  [
    "an unknown rotary scaling",
    { keys: { "rope.scaling.type": value("string", "spiral") } },
    "model/bad-config",
    /"spiral"/,
  ],
  [
    "a linear scaling by 0",
    { keys: { "rope.scaling.type": value("string", "linear"), "rope.scaling.factor": value("float32", 0) } },
    "model/bad-config",
    /scaling factor/,
  ],
  [
    "a YaRN scaling by infinity",
    { keys: { "rope.scaling.type": value("string", "yarn"), "rope.scaling.factor": value("float32", Infinity) } },
    "model/bad-config",
    /scaling factor/,
  ],
  [
    "a YaRN magnitude that is not a number",
    {
      keys: {
        "rope.scaling.type": value("string", "yarn"),
        "rope.scaling.factor": value("float32", 4),
        "rope.scaling.attn_factor": value("float32", NaN),
      },
    },
    "gguf/bad-value",
    /attn_factor/,
  ],
  [
    "YaRN turns below 0",
    {
      keys: {
        "rope.scaling.type": value("string", "yarn"),
        "rope.scaling.factor": value("float32", 4),
        "rope.scaling.yarn_beta_fast": value("float32", -1),
      },
    },
    "model/bad-config",
    /turns/,
  ],
  [
    "a LongRoPE magnitude of infinity",
    {
      keys: {
        "rope.scaling.type": value("string", "longrope"),
        "rope.scaling.attn_factor": value("float32", Infinity),
      },
    },
    "model/bad-config",
    /attention factor/,
  ],
  ["an unknown activation", { keys: { hidden_activation: value("string", "mish") } }, "model/bad-config", /"mish"/],
];

const MINICPM = {
  embedding_scale: value("float32", 12),
  residual_scale: value("float32", 0.25),
  logit_scale: value("float32", 4),
};

describe("a file that is no model is refused", () => {
  for (const [what, choices, code, message] of [...TENSORS, ...KEYS])
    test(what, () => refused({ architecture: "bitnet", ...choices }, code, message));

  for (const name of ["minicpm.embedding_scale", "minicpm.residual_scale", "minicpm.logit_scale"]) {
    for (const scale of [NaN, Infinity, 0]) {
      test(`${name} ${scale}`, () =>
        refused(
          { architecture: "minicpm", keys: { ...MINICPM, [name.slice("minicpm.".length)]: value("float32", scale) } },
          Number.isNaN(scale) ? "gguf/bad-value" : "model/bad-config",
          /finite scales|NaN/,
        ));
    }
  }
});

describe("types that are refused by name, wherever they stand", () => {
  for (const [id, message] of [
    [38, /TL1 .*convert the model to I2_S or TQ2_0/],
    [39, /TL2.*convert it to I2_S or TQ2_0/],
    [44, /unknown type id 44/],
    [6, /Q5_0 .*convert the model again/],
  ] as const) {
    test(`id ${id}`, () =>
      refusedFile(
        {
          m: rawGguf({
            tensors: [{ name: "blk.0.attn_q.weight", dims: [256, 4], type: id, offset: 0 }],
            dataBytes: 4096,
          }),
        },
        "m",
        "tensor/unsupported-type",
        message,
        "",
      ));
  }

  test("integers, which only other tools compute with", () => {
    const keys = {
      block_count: 1,
      context_length: 8,
      embedding_length: 8,
      feed_forward_length: 8,
      "attention.head_count": 1,
    };
    const linears = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map(
      (name) => `blk.0.${name}`,
    );
    // 256 bytes each, then norms of 32.
    const matrices = ["token_embd", ...linears].map((name, i) => ({
      name: `${name}.weight`,
      dims: [8, 8],
      type: 26,
      offset: i * 256,
    }));
    const norms = ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"].map((name, i) => ({
      name: `${name}.weight`,
      dims: [8],
      type: 26,
      offset: 8 * 256 + i * 32,
    }));
    const pairs = [
      pair("general.architecture", TYPE.string, str("llama")),
      pair("llama.attention.layer_norm_rms_epsilon", TYPE.f32, f32(1e-5)),
      ...Object.entries(keys).map(([key, n]) => pair(`llama.${key}`, TYPE.u32, u32(n))),
    ];
    return refusedFile(
      { m: rawGguf({ pairs, tensors: [...matrices, ...norms], dataBytes: 8 * 256 + 96 }) },
      "m",
      "tensor/unsupported-type",
      /"token_embd\.weight": no kernel multiplies by I32/,
      "",
    );
  });
});

test("and a good model still loads", async () => {
  const logits = await logitsOf(await ggufBytes(SHAPE, { architecture: "bitnet", body: "TQ2_0" }));
  assert.equal(logits.length, IDS.length * SHAPE.nVocab);
  assert.ok(logits.every(Number.isFinite));
});
