/**
 * What a file says is used, or refused by name: tensors that no graph has a place for, and keys that ask for what the
 * graph does not compute. What changes nothing is listed as not used.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { OnebitError } from "../../src/core/errors.ts";
import type { GgufEntry } from "../../src/files/gguf-writer.ts";
import { type ModelSource, inspect, load } from "../../src/load.ts";
import { ggufBytes, value } from "./gguf-bytes.ts";
import { type HfChoices, hfFolder } from "./hf-folder.ts";
import { assertSameBits, logitsOf } from "./logits.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 64, nLayers: 1, nHeads: 4, nKvHeads: 2, headDim: 16, nFf: 64, nVocab: 64 };
const vector = (name: string, length: number, each = 1.5): TinyTensor => ({
  name,
  kind: "vector",
  shape: [length],
  values: new Float32Array(length).fill(each),
});

async function refused(
  source: ModelSource | Record<string, Uint8Array>,
  code: ErrorCode,
  ...names: string[]
): Promise<void> {
  const platform = source instanceof Uint8Array ? undefined : memoryPlatform(source as Record<string, Uint8Array>);
  for (const open of [load, inspect]) {
    await assert.rejects(
      open(platform === undefined ? (source as Uint8Array) : FOLDER, { threads: 1, platform }),
      (error) => {
        assert.ok(error instanceof OnebitError, String(error));
        assert.equal(error.code, code, error.message);
        for (const name of names) assert.ok(error.message.includes(name), `${error.message}: wanted ${name}`);
        return true;
      },
    );
  }
}

describe("tensors that the graph has no place for", () => {
  const extra: readonly (readonly [architecture: string, tensor: TinyTensor, shape?: Partial<TinyShape>])[] = [
    ["llama", vector("blk.0.attn_q.scales", 64)],
    ["llama", vector("blk.0.attn_q.weight_scale", 1)],
    ["llama", vector("blk.0.attn_q.input_scale", 1)],
    ["llama", vector("blk.0.attn_q_norm.weight", 16)],
    ["llama", vector("blk.0.attn_sub_norm.weight", 64)],
    ["llama", vector("blk.0.post_attention_norm.weight", 64)],
    ["llama", vector("blk.0.attn_sinks.weight", 4)],
    ["llama", vector("blk.0.attn_norm.bias", 64)],
    ["llama", vector("output_norm.bias", 64)],
    ["llama", vector("output.bias", 64)],
    ["llama", vector("output.scale", 1)],
    ["llama", vector("token_embd_norm.weight", 64)],
    ["llama", vector("blk.1.attn_norm.weight", 64)],
    ["llama", vector("blk.0.ffn_gate_inp.weight", 64)],
    ["llama", vector("rope_factors_long.weight", 8)],
    ["llama", vector("anything", 1)],
    ["bitnet", vector("blk.0.post_ffw_norm.weight", 64), { subNorms: true }],
    ["qwen3", vector("blk.0.attn_k_norm.bias", 16), { qkNorm: true }],
  ];
  for (const [architecture, tensor, shape] of extra) {
    test(`${architecture}, ${tensor.name}`, async () => {
      const bytes = await ggufBytes(
        { ...SHAPE, ...shape },
        { architecture, tensors: (tensors) => [...tensors, tensor] },
      );
      await refused(bytes, "model/unused-tensor", `"${tensor.name}"`, architecture);
    });
  }

  test("of many, three are named and the others counted", async () => {
    const strange = Array.from({ length: 50 }, (_, i) => vector(`strange.${i}`, 1));
    const bytes = await ggufBytes(SHAPE, { architecture: "llama", tensors: (tensors) => [...tensors, ...strange] });
    await refused(bytes, "model/unused-tensor", '"strange.0", "strange.1", "strange.2" and 47 more');
  });

  test("Llama 3.1's factors and LongRoPE's exclude each other", async () => {
    const both = [
      vector("rope_freqs.weight", 8),
      vector("rope_factors_short.weight", 8),
      vector("rope_factors_long.weight", 8),
    ];
    const longRope = { "rope.scaling.type": value("string", "longrope") };
    const file = (keys: Record<string, GgufEntry>) =>
      ggufBytes(SHAPE, { architecture: "llama", keys, tensors: (tensors) => [...tensors, ...both] });
    await refused(await file({}), "model/unused-tensor", "rope_factors_short.weight");
    await refused(await file(longRope), "model/unused-tensor", "rope_freqs.weight");
  });

  const folders: readonly (readonly [name: string, choices: Partial<HfChoices>, length?: number])[] = [
    ["model.layers.0.mlp.up_proj.zeros", {}, 64],
    ["model.layers.0.mlp.up_proj.scale", {}],
    ["model.layers.0.mlp.up_proj.weight_scale", {}],
    ["model.layers.0.mlp.up_proj.weight_scale_2", { linears: "multiply" }],
    ["model.layers.0.mlp.up_proj.weight_scale", { linears: "masters" }],
    ["model.layers.0.mlp.up_proj.g_idx", {}],
    ["model.layers.0.self_attn.q_norm.weight", {}, 16],
    ["model.layers.0.self_attn.q_proj.bias", { config: { attention_bias: false } }, 64],
    ["model.layers.0.mlp.up_proj.bias", { config: { mlp_bias: false } }, 64],
    ["model.layers.7.input_layernorm.weight", {}, 64],
    ["model.layers.0.self_attn.q_proj.lora_A.weight", {}, 64],
    ["lm_head.bias", {}, 64],
  ];
  for (const [name, choices, length = 1] of folders) {
    test(`a folder, ${name}, ${JSON.stringify(choices)}`, async () => {
      const safetensors: HfChoices["safetensors"] = (tensors) => [
        ...tensors,
        { name, shape: [length], type: "F32", data: () => [new Uint8Array(4 * length).fill(0x3c)] },
      ];
      await refused(
        await hfFolder(SHAPE, { modelType: "llama", ...choices, safetensors }),
        "model/unused-tensor",
        `"${name}"`,
      );
    });
  }

  test("harmless ones are listed, and change nothing", async () => {
    const table = {
      name: "model.layers.0.self_attn.rotary_emb.inv_freq",
      shape: [8],
      type: "F32",
      data: () => [new Uint8Array(32)],
    } as const;
    const tied = { tie_word_embeddings: true };
    const files = await hfFolder(SHAPE, {
      modelType: "llama",
      config: tied,
      safetensors: (tensors) => [...tensors, table],
    });
    const { unused } = await inspect(FOLDER, { platform: memoryPlatform(files) });
    assert.deepEqual(unused.tensors, ["lm_head.weight", table.name]);
    assertSameBits(
      await logitsOf(files),
      await logitsOf(await hfFolder({ ...SHAPE, tied: true }, { modelType: "llama" })),
      "harmless tensors",
    );
    const bitnet = await ggufBytes({ ...SHAPE, subNorms: true }, { architecture: "bitnet" });
    assert.deepEqual((await inspect(bitnet)).unused.tensors, ["output.weight"]);
  });
});

/** Key after the architecture, a value that changes nothing, one that would. */
const GGUF_KEYS: readonly (readonly [key: string, neutral: GgufEntry, other: GgufEntry])[] = [
  ...[
    "logit_scale",
    "residual_scale",
    "embedding_scale",
    "attention.output_scale",
    "attention.value_scale",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_attn_factor",
  ].map((key) => [key, value("float32", 1), value("float32", 1.25)] as const),
  ...[
    "final_logit_softcapping",
    "attn_logit_softcapping",
    "attention.clamp_kqv",
    "attention.max_alibi_bias",
    "attention.temperature_scale",
    "rope.scaling.alpha",
    "rope.scaling.yarn_log_multiplier",
  ].map((key) => [key, value("float32", 0), value("float32", 30)] as const),
  ...[
    "expert_count",
    "expert_used_count",
    "expert_shared_count",
    "nextn_predict_layers",
    "attention.temperature_length",
    "attention.q_lora_rank",
    "attention.kv_lora_rank",
    "attention.shared_kv_layers",
    "ssm.conv_kernel",
    "attention.indexer.top_k",
    "token_shift_count",
  ].map((key) => [key, value("uint32", 0), value("uint32", 8)] as const),
  ...["use_parallel_residual", "swin_norm"].map((key) => [key, value("bool", false), value("bool", true)] as const),
  ["attention.causal", value("bool", true), value("bool", false)],
  ["attention.scale", value("float32", 0.25), value("float32", 0.2)],
  ["attention.sliding_window", value("uint32", 128), value("uint32", 127)],
  ["attention.sliding_window", value("uint32", 0), value("uint32", 1)],
  ["attention.recurrent_layers", value("bool[]", [false]), value("bool[]", [true])],
  ["rope.dimension_sections", value("int32[]", [0, 0, 0, 0]), value("int32[]", [4, 2, 2, 0])],
  ["rope.scaling.yarn_ext_factor", value("float32", 0), value("float32", 1)],
  ["rope.scaling.yarn_ext_factor", value("float32", -1), value("float32", 0.5)],
  ["swiglu_clamp_exp", value("float32[]", [0]), value("float32[]", [7])],
  ["embedding_length_out", value("uint32", 64), value("uint32", 32)],
  ["full_attention_interval", value("uint32", 1), value("uint32", 4)],
  ["pooling_type", value("uint32", 0), value("uint32", 4)],
];

describe("GGUF keys that the graph does not compute", () => {
  for (const [key, neutral, other] of GGUF_KEYS) {
    test(`${key} ${String(other[2])}`, async () => {
      const file = (entry: GgufEntry | undefined) =>
        ggufBytes(SHAPE, { architecture: "llama", keys: { [key]: entry } });
      assertSameBits(await logitsOf(await file(neutral)), await logitsOf(await file(undefined)), key);
      await refused(await file(other), "model/bad-config", `"llama.${key}"`);
    });
  }

  test("a Hadamard rotation of the weights, and a file that is no model", async () => {
    for (const [key, entry] of [
      ["prism.hadamard.block_size", value("uint32", 64)],
      ["general.type", value("string", "adapter")],
    ] as const) {
      await refused(await ggufBytes(SHAPE, { architecture: "llama", keys: { [key]: entry } }), "model/bad-config", key);
    }
  });

  test("a factor without a type is linear, also under its old name; with LongRoPE it is refused", async () => {
    const file = (keys: Record<string, GgufEntry>) => ggufBytes(SHAPE, { architecture: "llama", keys });
    const wanted = await logitsOf(
      await file({ "rope.scaling.type": value("string", "linear"), "rope.scaling.factor": value("float32", 4) }),
    );
    assertSameBits(await logitsOf(await file({ "rope.scaling.factor": value("float32", 4) })), wanted, "factor alone");
    assertSameBits(await logitsOf(await file({ "rope.scale_linear": value("float32", 4) })), wanted, "the old name");
    const plain = await logitsOf(await file({}));
    assert.notDeepEqual(plain, wanted);
    assertSameBits(await logitsOf(await file({ "rope.scaling.factor": value("float32", 0) })), plain, "factor 0");
    assertSameBits(
      await logitsOf(
        await file({ "rope.scaling.type": value("string", "none"), "rope.scaling.factor": value("float32", 4) }),
      ),
      plain,
      "type none",
    );
    await refused(
      await file({ "rope.scaling.type": value("string", "longrope"), "rope.scaling.factor": value("float32", 4) }),
      "model/bad-config",
      "rope.scaling.factor",
    );
  });

  test("unknown keys are listed, known ones are not", async () => {
    const keys = {
      "attention.strange": value("uint32", 3),
      vocab_size: value("uint32", 64),
      expert_count: value("uint32", 0),
      "general.name": value("string", "x"),
    };
    const { unused } = await inspect(await ggufBytes(SHAPE, { architecture: "llama", keys }));
    assert.deepEqual(
      unused,
      { keys: ["llama.expert_count", "llama.attention.strange"].sort(), tensors: [] },
      JSON.stringify(unused),
    );
  });

  test("MiniCPM's scales are required, all of them, by name", async () => {
    const scales = {
      embedding_scale: value("float32", 12),
      residual_scale: value("float32", 0.25),
      logit_scale: value("float32", 4),
    };
    const names = Object.keys(scales);
    for (let without = 1; without < 8; without++) {
      const absent = names.filter((_, i) => (without >> i) & 1);
      const keys = Object.fromEntries(Object.entries(scales).filter(([name]) => !absent.includes(name)));
      await refused(
        await ggufBytes(SHAPE, { architecture: "minicpm", keys }),
        "model/bad-config",
        ...absent.map((name) => `"minicpm.${name}"`),
      );
    }
    assert.ok(
      (await logitsOf(await ggufBytes(SHAPE, { architecture: "minicpm", keys: scales }))).every(Number.isFinite),
    );
  });
});

const YARN = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 };

/** Members that change nothing, and the same with a value that would. */
const MEMBERS: readonly (readonly [path: string, neutral: Record<string, unknown>, other: Record<string, unknown>])[] =
  [
    ...[
      "logit_scale",
      "scale_emb",
      "logits_scaling",
      "embedding_multiplier",
      "residual_multiplier",
      "partial_rotary_factor",
    ].map((key) => [key, { [key]: 1 }, { [key]: 0.5 }] as const),
    ...[
      "final_logit_softcapping",
      "attn_logit_softcapping",
      "clip_qkv",
      "num_local_experts",
      "num_experts",
      "n_routed_experts",
      "q_lora_rank",
    ].map((key) => [key, { [key]: null }, { [key]: 8 }] as const),
    ...[
      "alibi",
      "use_parallel_residual",
      "attn_temperature_tuning",
      "use_qk_norm",
      "use_bidirectional_attention",
      "rope_interleaved",
      "qkv_bias",
    ].map((key) => [key, { [key]: false }, { [key]: true }] as const),
    ["is_causal", { is_causal: true }, { is_causal: false }],
    ["attention_multiplier", { attention_multiplier: 0.25 }, { attention_multiplier: 0.1 }],
    ["query_pre_attn_scalar", { query_pre_attn_scalar: 16 }, { query_pre_attn_scalar: 32 }],
    ["sliding_window", { sliding_window: 128 }, { sliding_window: 64 }],
    [
      "sliding_window",
      { sliding_window: 64, use_sliding_window: false },
      { sliding_window: 64, use_sliding_window: true },
    ],
    [
      "sliding_window",
      { sliding_window: 64, use_sliding_window: true, max_window_layers: 1 },
      { sliding_window: 64, use_sliding_window: true, max_window_layers: 0 },
    ],
    ["layer_types", { layer_types: ["full_attention"] }, { layer_types: ["sliding_attention"] }],
    ["no_rope_layers", { no_rope_layers: [1] }, { no_rope_layers: [0] }],
    ["weight_bits", { weight_bits: 1 }, { weight_bits: 2 }],
    ["input_bits", { input_bits: 8 }, { input_bits: 4 }],
    ["hidden_activation", { hidden_activation: "silu" }, { hidden_activation: "gelu" }],
    ["hidden_act", { hidden_act: "swish" }, { hidden_act: "gelu" }],
    ["rope_scaling.factor", { rope_scaling: {} }, { rope_scaling: { factor: 4 } }],
    [
      "rope_scaling.factor",
      { rope_scaling: { rope_type: "default", factor: 1 } },
      { rope_scaling: { rope_type: "linear" } },
    ],
    [
      "rope_parameters.partial_rotary_factor",
      { rope_parameters: { partial_rotary_factor: 1 } },
      { rope_parameters: { partial_rotary_factor: 0.5 } },
    ],
    [
      "rope_scaling.mrope_section",
      { rope_scaling: { mrope_section: [] } },
      { rope_scaling: { mrope_section: [4, 2, 2] } },
    ],
  ];

describe("members of config.json that the graph does not compute", () => {
  for (const [path, neutral, other] of MEMBERS) {
    test(`${path} ${JSON.stringify(other)}`, async () => {
      const folder = (config: Record<string, unknown>) => hfFolder(SHAPE, { modelType: "llama", config });
      assertSameBits(await logitsOf(await folder(neutral)), await logitsOf(await folder({})), path);
      await refused(await folder(other), "model/bad-config", `config.json: ${path}`);
    });
  }

  test("YaRN: a magnitude that is a quotient, no truncation", async () => {
    const folder = (more: Record<string, unknown>) =>
      hfFolder(SHAPE, { modelType: "llama", config: { rope_scaling: { ...YARN, ...more } } });
    assertSameBits(
      await logitsOf(await folder({ mscale: 0.7, mscale_all_dim: 0.7 })),
      await logitsOf(await folder({ attention_factor: 1 })),
      "equal",
    );
    assertSameBits(
      await logitsOf(await folder({ mscale: 0.7 })),
      await logitsOf(await folder({})),
      "one alone is not read",
    );
    assertSameBits(
      await logitsOf(await folder({ factor: undefined })),
      await logitsOf(await folder({})),
      "context over the original one",
    );
    await refused(await folder({ mscale: 0.7, mscale_all_dim: 1 }), "model/bad-config", "rope_scaling.mscale");
    await refused(await folder({ truncate: false }), "model/bad-config", "rope_scaling.truncate");
  });

  test("LongRoPE: a factor that is not the quotient of the contexts", async () => {
    const ones = new Array(8).fill(1),
      base = { rope_type: "longrope", short_factor: ones, long_factor: ones, original_max_position_embeddings: 64 };
    const folder = (more: Record<string, unknown>) =>
      hfFolder(SHAPE, { modelType: "llama", config: { rope_scaling: { ...base, ...more } } });
    assertSameBits(await logitsOf(await folder({ factor: 2 })), await logitsOf(await folder({})), "the quotient");
    await refused(await folder({ factor: 3 }), "model/bad-config", "rope_scaling.factor");
  });

  test("the base of rotation inside rope_scaling or rope_parameters wins", async () => {
    const folder = (config: Record<string, unknown>) => hfFolder(SHAPE, { modelType: "llama", config });
    const wanted = await logitsOf(await folder({ rope_theta: 500 }));
    for (const key of ["rope_parameters", "rope_scaling"]) {
      assertSameBits(
        await logitsOf(await folder({ rope_theta: 10_000, [key]: { rope_type: "default", rope_theta: 500 } })),
        wanted,
        key,
      );
    }
  });

  test("defaults are those of the class of the model", async () => {
    const absent = {
      rms_norm_eps: undefined,
      rope_theta: undefined,
      num_key_value_heads: undefined,
      head_dim: undefined,
      max_position_embeddings: undefined,
    };
    const config = async (modelType: string, shape: Partial<TinyShape>) => {
      const files = await hfFolder(
        { ...SHAPE, ...shape },
        { modelType, config: { ...absent, tie_word_embeddings: undefined } },
      );
      return (await inspect(FOLDER, { platform: memoryPlatform(files) })).config;
    };
    const bitnet = await config("bitnet", { nHeads: 5, nKvHeads: 5, headDim: 16, nEmbd: 80, subNorms: true });
    assert.deepEqual(
      [bitnet.normEps, bitnet.ropeTheta, bitnet.nKvHeads, bitnet.contextLengthTrained],
      [1e-5, 500_000, 5, 2048],
    );
    const llama = await config("llama", { nKvHeads: 4 });
    assert.deepEqual(
      [llama.normEps, llama.ropeTheta, llama.nKvHeads, llama.contextLengthTrained],
      [1e-6, 10_000, 4, 2048],
    );
    const qwen3 = await config("qwen3", { nHeads: 32, nKvHeads: 32, headDim: 128, qkNorm: true });
    assert.deepEqual(
      [qwen3.normEps, qwen3.ropeTheta, qwen3.headDim, qwen3.contextLengthTrained],
      [1e-6, 10_000, 128, 32_768],
    );
  });

  test("no head where the config says that the table is not tied", async () => {
    const untied = { tie_word_embeddings: false },
      tied = { ...SHAPE, tied: true };
    await refused(
      await hfFolder(tied, { modelType: "llama", config: untied }),
      "model/missing-tensor",
      '"lm_head.weight"',
      "tie_word_embeddings",
    );
  });

  test("norms of projections must be there when the config says so, with the model's epsilon", async () => {
    const quantization = {
      quant_method: "bitnet",
      linear_class: "autobitlinear",
      quantization_mode: "online",
      use_rms_norm: true,
    };
    const folder = (more: Record<string, unknown>, normIn: boolean) =>
      hfFolder(
        { ...SHAPE, normIn },
        { modelType: "llama", linears: "masters", config: { quantization_config: { ...quantization, ...more } } },
      );
    assert.ok((await logitsOf(await folder({ rms_norm_eps: 1e-5 }, true))).every(Number.isFinite));
    await refused(await folder({ rms_norm_eps: 1e-5 }, false), "model/missing-tensor", "rms_norm.weight");
    await refused(await folder({}, true), "model/bad-config", "quantization_config.rms_norm_eps");
  });

  test("unknown members are listed by their paths", async () => {
    const config = {
      torch_dtype: "bfloat16",
      rope_scaling: { rope_type: "linear", factor: 2, strange: 1 },
      eos_token_id: 3,
    };
    const { unused } = await inspect(FOLDER, {
      platform: memoryPlatform(await hfFolder(SHAPE, { modelType: "llama", config })),
    });
    assert.deepEqual(unused, { keys: ["torch_dtype", "rope_scaling.strange"], tensors: [] });
  });
});
