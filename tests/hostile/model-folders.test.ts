/**
 * Hugging Face folders that are well-formed and no model: each is refused by a typed error that names the tensor or the
 * key; what only looks wrong is read as the format says.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { type HfChoices, hfFolder } from "../model/hf-folder.ts";
import { logitsOf } from "../model/logits.ts";
import { LAST, SHAPE, changed, refusedFolder, without } from "./refused-model.ts";

type FolderCase = readonly [what: string, choices: Partial<HfChoices>, code: ErrorCode, message: RegExp];

const FOLDERS: readonly FolderCase[] = [
  ["no model_type", { config: { model_type: undefined } }, "model/bad-config", /model_type/],
  ["a model_type that is a number", { config: { model_type: 3 } }, "model/bad-config", /model_type/],
  ["an unknown model_type", { config: { model_type: "mamba" } }, "model/unsupported-architecture", /"mamba"/],
  [
    "a model_type of 100,000 letters",
    { config: { model_type: "y".repeat(1e5) } },
    "model/unsupported-architecture",
    /^model_type: wanted one of .{1,160}; found "y{80}…"$/,
  ],
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
