/**
 * Files that are well-formed and no model, or a damaged one: each is refused by a typed error that names the tensor or
 * the key, nothing stays open, and a good model loads afterwards.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError, type ErrorCode } from "../../src/core/errors.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { load } from "../../src/load.ts";
import { TYPE, f32, pair, rawGguf, str, u32 } from "../files/raw-gguf.ts";
import { type GgufChoices, ggufBytes, value } from "../model/gguf-bytes.ts";
import { type HfChoices, hfFolder } from "../model/hf-folder.ts";
import { IDS, logitsOf } from "../model/logits.ts";
import { FOLDER, memoryPlatform } from "../model/memory-platform.ts";
import type { TinyShape, TinyTensor } from "../model/tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 64,
  subNorms: true,
};
const LAST = "blk.1.ffn_down.weight";

type Case = readonly [what: string, choices: Partial<GgufChoices>, code: ErrorCode, message: RegExp];

const without = (name: string) => (tensors: readonly TinyTensor[]) => tensors.filter((tensor) => tensor.name !== name);
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
const damaged = (name: string, change: (bytes: Uint8Array) => void) => (found: string, bytes: Uint8Array) =>
  void (found === name && change(bytes));

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
  ["an architecture to come", { architecture: "qwen35" }, "model/unsupported-architecture", /delta net/],
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

/** A value for each place a type keeps a 16-bit float at: bytes from the start of a block, or of a tensor's tail. */
const SCALES: readonly (readonly [type: TensorTypeName, blockBytes: number, offset: number])[] = [
  ["TQ1_0", 54, 52],
  ["TQ2_0", 66, 64],
  ["Q2_0", 18, 0],
  ["PQ2_0", 34, 0],
  ["PTQ1_0", 28, 26],
  ["Q4_0", 18, 0],
  ["Q8_0", 34, 0],
  ["Q4_K", 144, 0],
  ["Q4_K", 144, 2],
  ["Q6_K", 210, 208],
  ["F16", 2, 0],
];
const HALVES = { NaN: 0x7e01, infinity: 0x7c00, "−infinity": 0xfc00 };

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
    [43, /STQ1_0/],
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

describe("a scale that is not finite is refused, with its tensor and row", () => {
  for (const [type, blockBytes, offset] of SCALES) {
    test(`${type}, byte ${offset} of a block`, async () => {
      for (const [what, bits] of Object.entries(HALVES)) {
        // The last block of row 37 of 256.
        const change = (bytes: Uint8Array) => {
          const rowBytes = bytes.length / 256,
            at = 38 * rowBytes - blockBytes + offset;
          bytes[at] = bits & 255;
          bytes[at + 1] = bits >> 8;
        };
        const choices: GgufChoices = { architecture: "bitnet", body: type, damage: damaged(LAST, change) };
        await refused(
          choices,
          "tensor/bad-data",
          /"blk\.1\.ffn_down\.weight": row 37 .* not finite; the file is damaged|"blk\.1\.ffn_down\.weight": row 37 has a scale that is not finite: the file is damaged/,
          what,
        );
      }
    });
  }

  test("Q1_0", async () => {
    const change = (bytes: Uint8Array) => void (bytes[18 * 9 + 1] = 0x7c);
    await refused(
      { architecture: "qwen2", body: "Q1_0", damage: damaged(LAST, change) },
      "tensor/bad-data",
      /row 2 has a scale that is not finite/,
      "infinity",
      { binary: true, subNorms: false },
    );
  });

  for (const [what, wrong] of Object.entries({ NaN, infinity: Infinity })) {
    const float = (at: number) => (bytes: Uint8Array) =>
      new DataView(bytes.buffer, bytes.byteOffset).setFloat32(at < 0 ? bytes.length + at : at, wrong, true);
    test(`I2_S, ${what}`, () =>
      refused(
        { architecture: "bitnet-b1.58", body: "I2_S", damage: damaged(LAST, float(-32)) },
        "tensor/bad-data",
        /its scale is/,
      ));
    test(`F32, ${what}`, () =>
      refused(
        { architecture: "bitnet", damage: damaged(LAST, float(4 * 512 * 5)) },
        "tensor/bad-data",
        /row 5 holds a number that is not finite/,
      ));
    test(`a norm, ${what}`, () =>
      refused(
        { architecture: "bitnet", damage: damaged("blk.0.ffn_norm.weight", float(12)) },
        "tensor/bad-data",
        /"blk\.0\.ffn_norm\.weight": value 3 is not a finite number/,
      ));
    test(`a norm in F16, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          vectors: "F16",
          damage: damaged("blk.0.ffn_norm.weight", (bytes) => bytes.set([0, wrong === Infinity ? 0x7c : 0x7e], 6)),
        },
        "tensor/bad-data",
        /value 3 is not a finite number/,
      ));
    test(`an embedding in BF16, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          tables: "BF16",
          damage: damaged("token_embd.weight", (bytes) =>
            bytes.set([wrong === Infinity ? 0x80 : 0xc0, 0x7f], 2 * 256 * 63 + 4),
          ),
        },
        "tensor/bad-data",
        /"token_embd\.weight": row 63 holds/,
      ));
    test(`an embedding in F16 that becomes Q8_0, ${what}`, async () => {
      const bytes = await ggufBytes(SHAPE, {
        architecture: "bitnet",
        tables: "F16",
        damage: damaged("token_embd.weight", (data) =>
          data.set([0, wrong === Infinity ? 0x7c : 0x7e], 2 * 256 * 63 + 4),
        ),
      });
      await assert.rejects(load(bytes, { threads: 1, dense: "q8" }), {
        code: "tensor/bad-data",
        message: /row 63 holds/,
      });
    });
    test(`a factor on a projection's result, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          body: "TQ2_0",
          tensors: (tensors) => [
            ...tensors,
            { name: "blk.1.ffn_down.scale", kind: "vector", shape: [1], values: Float32Array.of(1) },
          ],
          damage: damaged("blk.1.ffn_down.scale", float(0)),
        },
        "tensor/bad-data",
        /"blk\.1\.ffn_down\.scale": its scale is/,
      ));
  }

  test("rotary factors that are 0 or not finite", async () => {
    for (const wrong of [0, NaN, Infinity]) {
      const factors: TinyTensor = {
        name: "rope_freqs.weight",
        kind: "vector",
        shape: [32],
        values: new Float32Array(32).fill(1),
      };
      const damage = damaged("rope_freqs.weight", (bytes) =>
        new DataView(bytes.buffer, bytes.byteOffset).setFloat32(20, wrong, true),
      );
      await refused(
        { architecture: "bitnet", tensors: (tensors) => [...tensors, factors], damage },
        wrong === 0 ? "model/bad-config" : "tensor/bad-data",
        /rope_freqs|rotary factors/,
      );
    }
  });
});

describe("a code that no ternary weight has is refused", () => {
  for (const [type, at] of [
    ["TQ2_0", 3],
    ["I2_S", 3],
    ["Q2_0", 5],
    ["PQ2_0", 5],
  ] as const) {
    test(type, () =>
      refused(
        {
          architecture: "bitnet-b1.58",
          body: type,
          damage: damaged(LAST, (bytes) => void (bytes[at] |= 0x0c)),
        },
        "tensor/bad-data",
        /"blk\.1\.ffn_down\.weight": row 0 holds the code 3/,
      ),
    );
  }

  test("packed by Hugging Face", () =>
    refusedFolder(
      {
        modelType: "bitnet",
        linears: "multiply",
        safetensors: changed("model.layers.1.mlp.down_proj.weight", (bytes) => void (bytes[700] |= 0x30)),
      },
      "tensor/bad-data",
      /"model\.layers\.1\.mlp\.down_proj\.weight": row \d+ holds the code 3/,
    ));
});

type FolderCase = readonly [what: string, choices: Partial<HfChoices>, code: ErrorCode, message: RegExp];

const FOLDERS: readonly FolderCase[] = [
  ["no model_type", { config: { model_type: undefined } }, "model/bad-config", /model_type/],
  ["a model_type that is a number", { config: { model_type: 3 } }, "model/bad-config", /model_type/],
  ["an unknown model_type", { config: { model_type: "mamba" } }, "model/unsupported-architecture", /"mamba"/],
  [
    "no hidden_size",
    { config: { hidden_size: undefined } },
    "model/bad-config",
    /hidden_size: wanted a positive integer, found nothing/,
  ],
  [
    "a hidden_size as text",
    { config: { hidden_size: "256" } },
    "model/bad-config",
    /hidden_size: wanted a number, found "256"/,
  ],
  ["a hidden_size below 0", { config: { hidden_size: -256 } }, "model/bad-config", /hidden_size/],
  ["a hidden_size and a half", { config: { hidden_size: 256.5 } }, "model/bad-config", /hidden_size/],
  ["no layers", { config: { num_hidden_layers: 0 } }, "model/bad-config", /num_hidden_layers/],
  ["more layers than any model", { config: { num_hidden_layers: 1e9 } }, "model/bad-config", /layers/],
  ["heads in a list", { config: { num_attention_heads: [4, 4] } }, "model/bad-config", /num_attention_heads/],
  ["key heads and a half", { config: { num_key_value_heads: 1.5 } }, "model/bad-config", /key.?value.?heads/i],
  ["key heads below 0", { config: { num_key_value_heads: -2 } }, "model/bad-config", /key.?value.?heads/i],
  ["no key heads", { config: { num_key_value_heads: 0 } }, "model/bad-config", /key.?value.?heads/i],
  ["a head size off 4", { config: { head_dim: 30.5 } }, "model/bad-config", /head size/],
  [
    "a context and a half",
    { config: { max_position_embeddings: 128.5 } },
    "model/bad-config",
    /max_position_embeddings|context/,
  ],
  [
    "a context below 1",
    { config: { max_position_embeddings: 0 } },
    "model/bad-config",
    /max_position_embeddings|context/,
  ],
  ["an epsilon of 2", { config: { rms_norm_eps: 2 } }, "model/bad-config", /epsilon/],
  ["an epsilon as text", { config: { rms_norm_eps: "1e-5" } }, "model/bad-config", /rms_norm_eps/],
  ["a rotary base below 0", { config: { rope_theta: -1 } }, "model/bad-config", /rotary base/],
  ["an unknown activation", { config: { hidden_act: "tanh" } }, "model/bad-config", /"tanh"/],
  [
    "an activation of the object prototype",
    { config: { hidden_act: "constructor" } },
    "model/bad-config",
    /"constructor"/,
  ],
  [
    "an unknown rotary scaling",
    { config: { rope_scaling: { rope_type: "dynamic", factor: 2 } } },
    "model/bad-config",
    /"dynamic"/,
  ],
  ["a rotary scaling as text", { config: { rope_scaling: "linear" } }, "model/bad-config", /rope_scaling/],
  [
    "a linear scaling below 0",
    { config: { rope_scaling: { type: "linear", factor: -2 } } },
    "model/bad-config",
    /scaling factor/,
  ],
  [
    "YaRN from a context below 0",
    { config: { rope_scaling: { rope_type: "yarn", factor: 2, original_max_position_embeddings: -5 } } },
    "model/bad-config",
    /original context/,
  ],
  [
    "Llama 3 scaling without a band",
    { config: { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 } } },
    "model/bad-config",
    /frequenc/,
  ],
  ["LongRoPE without factors", { config: { rope_scaling: { type: "longrope" } } }, "model/bad-config", /short_factor/],
  [
    "LongRoPE with too few factors",
    { config: { rope_scaling: { type: "longrope", short_factor: [1, 1], long_factor: [1, 1] } } },
    "model/bad-config",
    /wanted 32 numbers, found 2/,
  ],
  [
    "LongRoPE with factors of 0",
    {
      config: {
        rope_scaling: { type: "longrope", short_factor: new Array(32).fill(0), long_factor: new Array(32).fill(1) },
      },
    },
    "model/bad-config",
    /rotary factors/,
  ],
  [
    "another quantisation",
    { config: { quantization_config: { quant_method: "gptq" } } },
    "model/bad-config",
    /quant_method: wanted "bitnet", found "gptq"/,
  ],
  ["a quantisation without a method", { config: { quantization_config: {} } }, "model/bad-config", /found "nothing"/],
  ["a quantisation as text", { config: { quantization_config: "bitnet" } }, "model/bad-config", /quantization_config/],
  [
    "an unknown linear class",
    { config: { quantization_config: { quant_method: "bitnet", linear_class: "bitlinear2" } } },
    "model/bad-config",
    /"bitlinear2"/,
  ],
  [
    "no weights for a layer",
    { tensors: without(LAST) },
    "model/missing-tensor",
    /"model\.layers\.1\.mlp\.down_proj\.weight"/,
  ],
  [
    "no scale beside packed weights",
    {
      linears: "multiply",
      safetensors: (tensors) => tensors.filter(({ name }) => name !== "model.layers.0.self_attn.q_proj.weight_scale"),
    },
    "model/missing-tensor",
    /q_proj\.weight_scale"/,
  ],
  [
    "scales in a vector",
    { linears: "multiply", safetensors: scaled([2], Float32Array.of(1, 1)) },
    "model/bad-shape",
    /wanted one number/,
  ],
  [
    "a scale that is not a number",
    { linears: "multiply", safetensors: scaled([1], Float32Array.of(NaN)) },
    "tensor/bad-data",
    /its scale is NaN/,
  ],
  [
    "a scale of 0 to divide by",
    { linears: "divide", safetensors: scaled([1], Float32Array.of(0)) },
    "tensor/bad-data",
    /q_proj\.weight_scale": its scale is 0/,
  ],
  [
    "a scale to divide by whose inverse is infinite",
    { linears: "divide", safetensors: scaled([1], Float32Array.of(1e-44)) },
    "tensor/bad-data",
    /q_proj\.weight_scale"/,
  ],
  [
    "masters that are not numbers",
    {
      linears: "masters",
      safetensors: changed("model.layers.1.mlp.down_proj.weight", (bytes) => bytes.set([0, 0, 0xc0, 0x7f], 400)),
    },
    "tensor/bad-data",
    /"model\.layers\.1\.mlp\.down_proj\.weight": it holds numbers that are not finite/,
  ],
];

describe("a folder that is no model is refused", () => {
  for (const [what, choices, code, message] of FOLDERS)
    test(what, () => refusedFolder({ modelType: "bitnet", ...choices }, code, message));
});

describe("what such files mistake for a model's own is refused or read as the format says", () => {
  test("rope_parameters of newer configs: base and scaling are found there", async () => {
    const newer = { rope_theta: undefined, rope_parameters: { rope_type: "linear", factor: 2, rope_theta: 500_000 } };
    const older = { rope_theta: 500_000, rope_scaling: { type: "linear", factor: 2 } };
    const [found, wanted] = await Promise.all(
      [newer, older].map(async (config) => logitsOf(await hfFolder(SHAPE, { modelType: "bitnet", config }))),
    );
    assert.deepEqual(found, wanted);
  });

  test("bitnet without hidden_act has squared ReLU", async () => {
    const [found, wanted] = await Promise.all(
      [undefined, "relu2"].map(async (hidden_act) =>
        logitsOf(await hfFolder(SHAPE, { modelType: "bitnet", config: { hidden_act } })),
      ),
    );
    assert.deepEqual(found, wanted);
  });

  test("projections of modules_to_not_convert are no masters", async () => {
    const quantization_config = { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" };
    const skip = async (modules: readonly string[] | undefined) =>
      logitsOf(
        await hfFolder(SHAPE, {
          modelType: "bitnet",
          config: { quantization_config: { ...quantization_config, modules_to_not_convert: modules } },
        }),
      );
    const all = await skip(undefined),
      none = await skip(["mlp", "self_attn"]);
    assert.deepEqual(
      none,
      await logitsOf(
        await hfFolder(SHAPE, {
          modelType: "bitnet",
          config: {
            quantization_config: { ...quantization_config, linear_class: "bitlinear", quantization_mode: "offline" },
          },
        }),
      ),
    );
    assert.notDeepEqual(all, none);
    assert.deepEqual(await skip(["lm_head"]), all);
  });
});

async function refused(
  choices: GgufChoices,
  code: ErrorCode,
  message: RegExp,
  what = "",
  shape: Partial<TinyShape> = {},
): Promise<void> {
  await refusedFile(
    { "model.gguf": await ggufBytes({ ...SHAPE, ...shape }, choices) },
    "model.gguf",
    code,
    message,
    what,
  );
}

async function refusedFolder(choices: HfChoices, code: ErrorCode, message: RegExp): Promise<void> {
  await refusedFile(await hfFolder(SHAPE, choices), FOLDER, code, message, "");
}

async function refusedFile(
  files: Readonly<Record<string, Uint8Array>>,
  path: string,
  code: ErrorCode,
  message: RegExp,
  what: string,
): Promise<void> {
  const platform = memoryPlatform(files);
  const loading = load(path, { platform, threads: 1 });
  await assert.rejects(loading, (error) => {
    assert.ok(error instanceof OnebitError, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.match(error.message, message, what);
    return true;
  });
  assert.ok(platform.nOpened() > 0);
  assert.equal(platform.nOpen(), 0, "files stay open");
}

/** Changes the bytes of one tensor of a safetensors file. */
function changed(
  name: string,
  change: (bytes: Uint8Array) => void,
): (tensors: readonly SafetensorToWrite[]) => readonly SafetensorToWrite[] {
  return (tensors) =>
    tensors.map((tensor) =>
      tensor.name === name
        ? { ...tensor, data: () => [...(tensor.data() as Iterable<Uint8Array>)].map((bytes) => (change(bytes), bytes)) }
        : tensor,
    );
}

/** Replaces the first projection's scale. */
function scaled(
  shape: readonly number[],
  values: Float32Array,
): (tensors: readonly SafetensorToWrite[]) => readonly SafetensorToWrite[] {
  return (tensors) =>
    tensors.map((tensor) =>
      tensor.name === "model.layers.0.self_attn.q_proj.weight_scale"
        ? { ...tensor, shape, data: () => [new Uint8Array(values.slice().buffer)] }
        : tensor,
    );
}

test("and a good model still loads", async () => {
  const logits = await logitsOf(await ggufBytes(SHAPE, { architecture: "bitnet", body: "TQ2_0" }));
  assert.equal(logits.length, IDS.length * SHAPE.nVocab);
  assert.ok(logits.every(Number.isFinite));
});
