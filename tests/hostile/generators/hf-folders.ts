/** Hugging Face folders: every dtype for every tensor, odd configs and quantisations, odd and missing files. */
import type { Random } from "../../synthetic/random.ts";
import { SAFETENSORS_TYPES } from "../../../src/files/safetensors.ts";
import type { SafetensorToWrite } from "../../../src/files/safetensors-writer.ts";
import { TENSOR_TYPES } from "../../../src/files/tensor-types.ts";
import { type HfChoices, hfFolder } from "../../model/hf-folder.ts";
import type { TinyShape } from "../../model/tiny-model.ts";
import type { HostileGenerator } from "./generator.ts";
import { attempt } from "./outcome.ts";
import { oneIn, pick } from "./pick.ts";

const MODELS: readonly (readonly [modelType: string, shape: Partial<TinyShape>])[] = [
  ["llama", {}],
  ["llama", { biases: true }],
  ["qwen3", { qkNorm: true }],
  ["qwen3", { qkNorm: true, normIn: true }],
  ["bitnet", { subNorms: true }],
  ["bitnet", {}],
  ["qwen2", { biases: true }],
];
const SIZES: readonly TinyShape[] = [
  { nEmbd: 128, nLayers: 1, nHeads: 4, nKvHeads: 2, headDim: 32, nFf: 256, nVocab: 32 },
  { nEmbd: 84, nLayers: 2, nHeads: 3, nKvHeads: 1, headDim: 28, nFf: 148, nVocab: 66, tied: true },
  { nEmbd: 8, nLayers: 1, nHeads: 2, nKvHeads: 2, headDim: 4, nFf: 8, nVocab: 4 },
];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  "",
  "x",
  "default",
  "linear",
  "yarn",
  "longrope",
  "llama3",
  "bitnet",
  "autobitlinear",
  "online",
  "gelu",
  "\u001b]0;x\u0007",
  "y".repeat(3000),
  -1,
  0,
  1e-45,
  0.5,
  1,
  3,
  4,
  64,
  128,
  1e4,
  2 ** 24,
  2 ** 31,
  2 ** 53,
  1e308,
  -1e308,
  [],
  [1],
  ["full_attention"],
  [[]],
  {},
  { type: "linear", factor: 0 },
];
const MEMBERS = [
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
  "rope_parameters",
  "attention_bias",
  "mlp_bias",
  "sliding_window",
  "layer_types",
  "partial_rotary_factor",
  "num_experts",
  "use_qk_norm",
  "__proto__",
  "constructor",
];
const SCALING = [
  "rope_type",
  "type",
  "factor",
  "original_max_position_embeddings",
  "beta_fast",
  "beta_slow",
  "attention_factor",
  "short_factor",
  "long_factor",
  "low_freq_factor",
  "high_freq_factor",
  "rope_theta",
  "mscale",
];
const QUANTIZATION = [
  "quant_method",
  "linear_class",
  "quantization_mode",
  "modules_to_not_convert",
  "use_rms_norm",
  "rms_norm_eps",
];
const FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "generation_config.json",
  "chat_template.jinja",
  "model.safetensors.index.json",
  "vocab.json",
  "merges.txt",
  "added_tokens.json",
  "special_tokens_map.json",
];
const CONTENTS = [
  "",
  "{",
  "{}",
  "[]",
  "null",
  '{"model":{}}',
  '{"model":{"vocab":{"a":0},"merges":[]}}',
  '{"weight_map":{"a":"../x.safetensors"}}',
  '{"weight_map":{}}',
  '{"eos_token_id":[1,"x",1e9]}',
  '{"a":1,"a":2}',
  "\u0000",
  "{{ messages }}",
];

export const generator: HostileGenerator = {
  name: "hf-folders",
  weight: 0.06,
  async tryOne(random) {
    const [modelType, more] = pick(random, MODELS),
      shape = { ...pick(random, SIZES), ...more };
    const choices: HfChoices = {
      modelType,
      linears: pick(random, ["floats", "multiply", "divide", "masters"] as const),
      floats: pick(random, ["F32", "F16", "BF16"] as const),
      weights: pick(random, ["F32", "F16", "BF16"] as const),
      config: oneIn(random, 2) ? configOf(random) : {},
      safetensors: (tensors) => changed(random, tensors),
    };
    const files: Record<string, Uint8Array> = await hfFolder(shape, choices);
    if (oneIn(random, 4)) files[pick(random, FILES)] = new TextEncoder().encode(pick(random, CONTENTS));
    if (oneIn(random, 12)) cut(random, files);
    return await attempt(files);
  },
};

function configOf(random: Random): Record<string, unknown> {
  const config: Record<string, unknown> = {},
    odd = () => pick(random, VALUES);
  for (let left = random.u32() % 3; left > 0; left--) {
    const members = (names: readonly string[]) =>
      Object.fromEntries(Array.from({ length: random.u32() % 4 }, () => [pick(random, names), odd()]));
    switch (random.u32() % 6) {
      case 0:
        config.rope_scaling = {
          rope_type: pick(random, ["linear", "yarn", "llama3", "longrope"]),
          factor: 2,
          ...members(SCALING),
        };
        break;
      case 1:
        config.quantization_config = { quant_method: "bitnet", ...members(QUANTIZATION) };
        break;
      default:
        config[pick(random, MEMBERS)] = odd();
    }
  }
  return config;
}

/** Another dtype, other bytes, another name, one tensor less or twice. */
function changed(random: Random, tensors: readonly SafetensorToWrite[]): readonly SafetensorToWrite[] {
  if (oneIn(random, 2)) return tensors;
  const at = random.u32() % tensors.length,
    tensor = tensors[at],
    elements = tensor.shape.reduce((product, n) => product * n, 1);
  const type = pick(random, SAFETENSORS_TYPES),
    fill = pick(random, [0, 0x3c, 0x55, 0x7c, 0x7f, 0x80, 0xff, -1]);
  const bytes = (size: number) => [Uint8Array.from({ length: size }, () => (fill < 0 ? random.u32() : fill))];
  const without = tensors.filter((_, i) => i !== at),
    withOther = (other: SafetensorToWrite) => tensors.map((each, i) => (i === at ? other : each));
  switch (random.u32() % 6) {
    case 0:
      return without;
    case 1:
      return [...without, { ...tensor, name: `${tensor.name}${pick(random, ["s", "_scale", ".bias", "\u0000"])}` }];
    case 2:
      return withOther({ ...tensor, shape: [...tensor.shape].reverse() });
    case 3:
      return withOther({ ...tensor, data: () => bytes(elements * TENSOR_TYPES[tensor.type].blockBytes) });
    default:
      return withOther({ ...tensor, type, data: () => bytes(elements * TENSOR_TYPES[type].blockBytes) });
  }
}

function cut(random: Random, files: Record<string, Uint8Array>): void {
  const name = pick(random, Object.keys(files));
  if (oneIn(random, 3) && name !== "config.json") delete files[name];
  else files[name] = files[name].slice(0, random.u32() % (files[name].length + 1));
}
