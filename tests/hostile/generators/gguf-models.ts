/** Whole GGUF models: architecture × types × options, sizes that agree, and values at and past what makes sense. */
import type { Random } from "../../synthetic/random.ts";
import type { GgufEntry } from "../../../src/files/gguf-writer.ts";
import { TENSOR_TYPES, type TensorTypeName } from "../../../src/files/tensor-types.ts";
import { type GgufChoices, ggufBytes, value } from "../../model/gguf-bytes.ts";
import { HYBRID, hadamardKeys, hybridChoices } from "../../model/hybrid-model.ts";
import type { TinyShape, TinyTensor } from "../../model/tiny-model.ts";
import type { HostileGenerator } from "./generator.ts";
import { attempt } from "./outcome.ts";
import { oneIn, pick } from "./pick.ts";

const ARCHITECTURES: readonly (readonly [name: string, shape: Partial<TinyShape>])[] = [
  ["bitnet", { subNorms: true }],
  ["bitnet-b1.58", { subNorms: true, tied: true }],
  ["bitnet-25", { subNorms: true, tied: true }],
  ["llama", {}],
  ["minicpm", {}],
  ["qwen2", { biases: true }],
  ["qwen3", { qkNorm: true }],
  // Those whose graph has other tensors than the file.
  ["llama", { qkNorm: true }],
  ["qwen3", {}],
  ["bitnet", {}],
  ["qwen35", { qkNorm: true }],
  ["gemma3", {}],
  ["", {}],
];
const SIZES: readonly TinyShape[] = [
  { nEmbd: 256, nLayers: 1, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 256, nVocab: 32 },
  { nEmbd: 128, nLayers: 2, nHeads: 1, nKvHeads: 1, headDim: 128, nFf: 384, nVocab: 33 },
  { nEmbd: 4, nLayers: 1, nHeads: 1, nKvHeads: 1, headDim: 4, nFf: 4, nVocab: 1 },
  { nEmbd: 64, nLayers: 3, nHeads: 8, nKvHeads: 4, headDim: 12, nFf: 68, nVocab: 31 },
];
const TYPES = Object.values(TENSOR_TYPES)
  .filter(({ ggmlId }) => ggmlId !== undefined)
  .map(({ name }) => name);
const SCALES = {
  embedding_scale: value("float32", 12),
  residual_scale: value("float32", 0.25),
  logit_scale: value("float32", 4),
};

const FLOATS = [0, -0, 1, -1, 0.5, 1e-45, 1e-38, 1e-5, 1e4, 1e30, 3.4e38, -3.4e38, Infinity, -Infinity, NaN];
const COUNTS = [
  0,
  1,
  2,
  3,
  4,
  8,
  63,
  64,
  65,
  127,
  128,
  4096,
  65_535,
  2 ** 20,
  2 ** 24,
  2 ** 24 + 1,
  2 ** 31 - 1,
  2 ** 32 - 1,
];
const FLOAT_KEYS = [
  "attention.layer_norm_rms_epsilon",
  "rope.freq_base",
  "rope.scaling.factor",
  "rope.scaling.attn_factor",
  "rope.scaling.yarn_beta_fast",
  "rope.scaling.yarn_beta_slow",
  "embedding_scale",
  "residual_scale",
  "logit_scale",
  "attention.scale",
  "final_logit_softcapping",
  "rope.scale_linear",
];
const COUNT_KEYS = [
  "block_count",
  "context_length",
  "embedding_length",
  "feed_forward_length",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.key_length",
  "attention.value_length",
  "rope.dimension_count",
  "rope.scaling.original_context_length",
  "vocab_size",
  "expert_count",
  "attention.sliding_window",
  "full_attention_interval",
  "nextn_predict_layers",
  "ssm.conv_kernel",
  "ssm.group_count",
  "ssm.inner_size",
  "ssm.state_size",
  "ssm.time_step_rank",
  "prism.hadamard.block_size",
  "prism.hadamard.sign_widths",
  "prism.hadamard.version",
  "pooling_type",
];
const TEXT_KEYS: readonly (readonly [key: string, values: readonly string[]])[] = [
  ["rope.scaling.type", ["none", "linear", "yarn", "longrope", "spiral", ""]],
  ["hidden_activation", ["silu", "relu2", "gelu", "constructor"]],
  ["general.name", ["", "\u001b[2J", "x".repeat(5000)]],
  ["tokenizer.ggml.model", ["gpt2", "llama", "bert", "no_vocab"]],
];

export const generator: HostileGenerator = {
  name: "gguf-models",
  weight: 0.06,
  async tryOne(random) {
    const [architecture, more] = pick(random, ARCHITECTURES),
      body = pick(random, TYPES);
    // Only codes without a zero can be written in a binary type.
    const binary = TENSOR_TYPES[body].layout === "binary",
      shape = { ...pick(random, SIZES), ...more, binary };
    const choices = {
      architecture,
      keys: keysOf(random, architecture),
      tensors: changeOf(random),
      typeOf: typesOf(random, body),
      damage: damageOf(random),
    };
    const isHybrid = architecture === "qwen35" && !oneIn(random, 8),
      bytes = isHybrid ? ggufBytes(HYBRID, hybridOf(random, choices)) : ggufBytes(shape, choices);
    return await attempt({ model: await bytes });
  },
};

/** With the keys and tensors of gated delta nets, and now and then of rotated weights. */
function hybridOf(random: Random, choices: GgufChoices): GgufChoices {
  const rotation = oneIn(random, 2) ? hadamardKeys(HYBRID, { block: pick(random, [4, 8, 16, 32]) }) : {};
  return hybridChoices(HYBRID, { ...choices, keys: { ...rotation, ...choices.keys } });
}

function keysOf(random: Random, architecture: string): Record<string, GgufEntry | undefined> {
  const keys: Record<string, GgufEntry | undefined> =
    architecture === "minicpm" && !oneIn(random, 8) ? { ...SCALES } : {};
  for (let left = random.u32() % 4; left > 0; left--) {
    const kind = random.u32() % 8;
    if (kind < 3)
      keys[pick(random, FLOAT_KEYS)] = value(pick(random, ["float32", "float64"] as const), pick(random, FLOATS));
    else if (kind < 5) keys[pick(random, COUNT_KEYS)] = value("uint32", pick(random, COUNTS));
    else if (kind < 7) {
      const [key, values] = pick(random, TEXT_KEYS);
      keys[key] = value("string", pick(random, values));
    } else
      keys[pick(random, COUNT_KEYS)] = oneIn(random, 2)
        ? undefined
        : value("uint32[]", [pick(random, COUNTS), pick(random, COUNTS)]);
  }
  return keys;
}

/** One type for each kind of tensor, mostly one that fits; now and then another for a single one. */
function typesOf(random: Random, body: TensorTypeName): (tensor: TinyTensor) => TensorTypeName | undefined {
  const table = pick(random, ["F32", "F16", "BF16", "Q8_0", "Q6_K", "TQ2_0"] as const),
    odd = oneIn(random, 4)
      ? pick(
          random,
          TYPES.filter((name) => TENSOR_TYPES[name].layout !== "binary"),
        )
      : undefined,
    at = random.u32() % 20;
  let index = 0;
  return ({ kind, shape }) => {
    const wanted: TensorTypeName =
      index++ === at && odd !== undefined ? odd : kind === "linear" ? body : kind === "table" ? table : "F32";
    return shape[0] % TENSOR_TYPES[wanted].blockElements === 0 ? wanted : "F32";
  };
}

function changeOf(random: Random): ((tensors: readonly TinyTensor[]) => readonly TinyTensor[]) | undefined {
  const extra = (name: string, length: number, each: number): TinyTensor => ({
    name,
    kind: "vector",
    shape: [length],
    values: new Float32Array(length).fill(each),
  });
  const finite = FLOATS.filter(Number.isFinite);
  switch (random.u32() % 12) {
    case 0:
      return (tensors) => tensors.filter((_, i) => i !== random.u32() % tensors.length);
    case 1:
      return (tensors) => [
        ...tensors,
        extra(
          pick(random, ["rope_freqs.weight", "blk.0.attn_q.scale", "blk.0.attn_q.scales", "x"]),
          pick(random, [1, 2, 32, 64]),
          pick(random, finite),
        ),
      ];
    case 2:
      return (tensors) =>
        tensors.map((tensor, i) =>
          i === random.u32() % tensors.length
            ? { ...tensor, codes: undefined, values: tensor.values.map(() => pick(random, finite)) }
            : tensor,
        );
    case 3:
      return (tensors) => [
        ...tensors,
        extra("rope_factors_short.weight", 32, pick(random, finite)),
        extra("rope_factors_long.weight", 32, pick(random, finite)),
      ];
    default:
      return undefined;
  }
}

/** Random bytes, or those of odd floats, somewhere in one tensor. */
function damageOf(random: Random): (name: string, bytes: Uint8Array) => void {
  const at = oneIn(random, 3) ? random.u32() % 20 : -1,
    length = pick(random, [1, 2, 4, 32, 4096]),
    start = random.u32(),
    fill = pick(random, [0, 0x7c, 0x7f, 0x80, 0xff, -1]);
  let index = 0;
  return (_, bytes) => {
    if (index++ !== at || bytes.length === 0) return;
    for (let i = 0; i < Math.min(length, bytes.length); i++)
      bytes[(start + i) % bytes.length] = fill < 0 ? random.u32() : fill;
  };
}
