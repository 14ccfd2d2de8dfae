/**
 * What a Hugging Face folder says in its config, against a GGUF file that says the same: the same logits, bit for bit.
 * Its q and k rows are never permuted, so the GGUF twin of a `llama` folder is the half-split graph, `qwen2`.
 */
import { describe, test } from "node:test";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { type HfChoices, hfFolder } from "./hf-folder.ts";
import { VARIANTS, assertSameBits, logitsOf } from "./logits.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 128, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 32, nFf: 256, nVocab: 70 };

interface Twins {
  readonly shape?: Partial<TinyShape>;
  readonly hf: HfChoices;
  readonly gguf: GgufChoices;
}

const vector = (name: string, values: Float32Array): TinyTensor => ({
  name,
  kind: "vector",
  shape: [values.length],
  values,
});
const plus =
  (...more: readonly TinyTensor[]) =>
  (tensors: readonly TinyTensor[]) => [...tensors, ...more];

/** Positions 16 · theta^(−2i/32) apart in turns: some below, some inside, some above the band 1…4 of 64 positions. */
const LLAMA3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
const SHORT = Float32Array.from({ length: 16 }, (_, i) => 1 + i / 16),
  LONG = Float32Array.from({ length: 16 }, (_, i) => 1 + i / 4);

/** No longer 1-bit weights: every third is half as large. */
const floats = (tensors: readonly TinyTensor[]) =>
  tensors.map((tensor) =>
    tensor.kind === "linear"
      ? { ...tensor, codes: undefined, values: tensor.values.map((weight, i) => (i % 3 === 0 ? weight / 2 : weight)) }
      : tensor,
  );

/** The rows of q and k as GGUF files of `llama` and `minicpm` have them: dimensions that rotate together in pairs. */
const paired =
  (headDim: number) =>
  (tensors: readonly TinyTensor[]): readonly TinyTensor[] =>
    tensors.map((tensor) => {
      if (!/attn_[qk]\.(?:weight|bias)$/.test(tensor.name)) return tensor;
      const { shape, values, codes } = tensor,
        k = shape.length === 2 ? shape[0] : 1,
        half = headDim / 2;
      const reorder = <List extends Float32Array | Int8Array>(list: List): List => {
        const out = list.slice() as List;
        for (let row = 0; row < list.length / k; row++) {
          const within = row % headDim,
            from = row - within + (within % 2) * half + Math.floor(within / 2);
          out.set(list.subarray(from * k, (from + 1) * k), row * k);
        }
        return out;
      };
      return { ...tensor, values: reorder(values), ...(codes && { codes: reorder(codes) }) };
    });

/** Plain floats of a folder are packed where they are ternary, as all of a tiny model are: PQ2_0 is the same. */
const TWINS: Readonly<Record<string, Twins>> = {
  "llama, floats, F32": {
    hf: { modelType: "llama", tensors: floats },
    gguf: { architecture: "qwen2", body: "F32", tensors: floats },
  },
  "llama, floats, BF16": {
    hf: { modelType: "llama", floats: "BF16", weights: "BF16", tensors: floats },
    gguf: { architecture: "qwen2", body: "BF16", tables: "BF16", vectors: "BF16", tensors: floats },
  },
  "llama, floats, F16, tied": {
    shape: { tied: true },
    hf: { modelType: "llama", floats: "F16", weights: "F16", tensors: floats },
    gguf: { architecture: "qwen2", body: "F16", tables: "F16", vectors: "F16", tensors: floats },
  },
  "llama with biases": { shape: { biases: true }, hf: { modelType: "llama" }, gguf: { architecture: "qwen2" } },
  "llama, packed (Llama3-8B-1.58, Falcon3)": {
    hf: { modelType: "llama", linears: "divide", floats: "BF16" },
    gguf: { architecture: "qwen2", body: "I2_S", tables: "BF16" },
  },
  "llama, masters of onebitllms": {
    hf: { modelType: "llama", linears: "masters" },
    gguf: { architecture: "qwen2", body: "I2_S" },
  },
  "qwen2, biases of q, k and v": {
    shape: { biases: true },
    hf: { modelType: "qwen2", config: { use_sliding_window: false, sliding_window: 64 } },
    gguf: { architecture: "qwen2" },
  },
  "llama, whose GGUF has its rows in pairs": {
    shape: { biases: true },
    hf: { modelType: "llama" },
    gguf: { architecture: "llama", tensors: paired(32) },
  },
  "rows in pairs, heads of 80 rows": {
    shape: { nEmbd: 320, nHeads: 4, nKvHeads: 2, headDim: 80, nFf: 320 },
    hf: { modelType: "llama" },
    gguf: { architecture: "llama", body: "Q2_0", tensors: paired(80) },
  },
  ...Object.fromEntries(
    (["F32", "F16", "BF16"] as const).map((type): [string, Twins] => [
      `rows in pairs, floats, ${type}`,
      {
        shape: { headDim: 16 },
        hf: { modelType: "llama", weights: type, tensors: floats },
        gguf: { architecture: "llama", body: type, tensors: (tensors) => paired(16)(floats(tensors)) },
      },
    ]),
  ),
  "minicpm: factors on embeddings, branches and logits": {
    hf: { modelType: "minicpm", config: { scale_emb: 12, scale_depth: 1.5 * Math.SQRT2, dim_model_base: 32 } },
    gguf: {
      architecture: "minicpm",
      tensors: paired(32),
      keys: {
        embedding_scale: value("float32", 12),
        residual_scale: value("float32", 1.5),
        logit_scale: value("float32", 4),
      },
    },
  },
  qwen3: { shape: { qkNorm: true }, hf: { modelType: "qwen3" }, gguf: { architecture: "qwen3" } },
  "qwen3, norms of each projection's input, packed": {
    shape: { qkNorm: true, normIn: true },
    hf: { modelType: "qwen3", linears: "multiply" },
    gguf: { architecture: "qwen3", body: "I2_S" },
  },
  "bitnet, tied by config though a head is there": {
    shape: { subNorms: true },
    hf: { modelType: "bitnet", linears: "multiply", config: { tie_word_embeddings: true } },
    gguf: { architecture: "bitnet-b1.58", body: "I2_S" },
  },
  "the first reproduction: llama by name, BitnetForCausalLM by architecture, SiLU, masters without a config": {
    shape: { subNorms: true, tied: true },
    hf: {
      modelType: "llama",
      linears: "masters",
      config: { architectures: ["BitnetForCausalLM"], quantization_config: undefined },
    },
    gguf: { architecture: "bitnet", body: "I2_S" },
  },
  "linear scaling": {
    hf: { modelType: "llama", config: { rope_scaling: { type: "linear", factor: 4 } } },
    gguf: {
      architecture: "qwen2",
      keys: { "rope.scaling.type": value("string", "linear"), "rope.scaling.factor": value("float32", 4) },
    },
  },
  YaRN: {
    hf: {
      modelType: "llama",
      config: { rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 } },
    },
    gguf: {
      architecture: "qwen2",
      keys: {
        "rope.scaling.type": value("string", "yarn"),
        "rope.scaling.factor": value("float32", 4),
        "rope.scaling.original_context_length": value("uint32", 32),
      },
    },
  },
  "LongRoPE, short": longRope(128, undefined),
  "LongRoPE, long": longRope(32, 1.25),
  "Llama 3 scaling, whose factors GGUF has as a tensor": {
    hf: { modelType: "llama", config: { rope_scaling: { rope_type: "llama3", ...LLAMA3 } } },
    gguf: { architecture: "qwen2", tensors: plus(vector("rope_freqs.weight", llama3Factors())) },
  },
};

for (const variant of VARIANTS) {
  describe(`a folder and its GGUF twin, ${variant}`, () => {
    for (const [name, { shape = {}, hf, gguf }] of Object.entries(TWINS)) {
      test(name, async () => {
        const whole = { ...SHAPE, ...shape };
        const wanted = await logitsOf(await ggufBytes(whole, { body: "PQ2_0", ...gguf }), { variant });
        assertSameBits(await logitsOf(await hfFolder(whole, hf), { variant }), wanted, name);
      });
    }
  });
}

/** Factors by the context allocated, 128: long when the model was trained on less. */
function longRope(originalContext: number, attentionFactor: number | undefined): Twins {
  const attention = attentionFactor === undefined ? {} : { attention_factor: attentionFactor };
  return {
    hf: {
      modelType: "llama",
      config: {
        rope_scaling: {
          type: "longrope",
          short_factor: [...SHORT],
          long_factor: [...LONG],
          original_max_position_embeddings: originalContext,
          ...attention,
        },
      },
    },
    gguf: {
      architecture: "qwen2",
      tensors: plus(vector("rope_factors_short.weight", SHORT), vector("rope_factors_long.weight", LONG)),
      keys: {
        "rope.scaling.type": value("string", "longrope"),
        "rope.scaling.original_context_length": value("uint32", originalContext),
        "rope.scaling.attn_factor": value("float32", attentionFactor ?? 1),
      },
    },
  };
}

/** Divisors of the frequencies, as converters write them (transformers, `modeling_rope_utils`). */
function llama3Factors(): Float32Array {
  return Float32Array.from({ length: 16 }, (_, i) => {
    const wavelength = 2 * Math.PI * 10_000 ** ((2 * i) / 32),
      original = LLAMA3.original_max_position_embeddings;
    if (wavelength < original / LLAMA3.high_freq_factor) return 1;
    if (wavelength > original / LLAMA3.low_freq_factor) return LLAMA3.factor;
    const smooth =
      (original / wavelength - LLAMA3.low_freq_factor) / (LLAMA3.high_freq_factor - LLAMA3.low_freq_factor);
    return 1 / ((1 - smooth) / LLAMA3.factor + smooth);
  });
}
