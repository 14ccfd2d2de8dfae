/**
 * What a model is made of: a list of layers, each a list of blocks, each with the tensors it needs. Only this file has
 * their names and shapes and the options that require them; tensor lookup, the memory plan and the program follow it.
 *
 * Names are those of llama.cpp (`llama-arch.cpp`) and of transformers' models.
 *
 * @module
 */
import type { DeltaNet, ModelConfig } from "./config.ts";

/** Names in the two formats, without the `.weight` ending; for parts of a layer, the rest after the layer's name. */
export interface PartNames {
  readonly gguf: string;
  /** Names to try, in order. */
  readonly hf: readonly string[];
}

type Size = (config: ModelConfig) => number;

/** What loading does to a vector's numbers. */
export type VectorChange =
  /** w − 1 is stored. */
  | { readonly kind: "add one" }
  /** −e^w is wanted. */
  | { readonly kind: "negative exponential" }
  /** (n, columns) is stored; the columns one after another are wanted. */
  | { readonly kind: "transpose"; readonly columns: Size };

/** Norm weights, and other numbers that stay floats. */
export interface VectorPart extends PartNames {
  readonly kind: "vector";
  readonly length: Size;
  /** The names are whole: without `.weight` at their end. */
  readonly isBare?: boolean;
  /** In files of either format, or only of Hugging Face. */
  readonly change?: VectorChange;
  readonly hfChange?: VectorChange;
}

/** A vector that only some models have. */
export interface OptionalVectorPart extends PartNames {
  readonly kind: "optional vector";
  readonly length: Size;
  readonly isWanted: (config: ModelConfig) => boolean;
  readonly hfChange?: VectorChange;
}

/** y (rows) = W x (k), with its bias, norm and scale. */
export interface LinearPart extends PartNames {
  readonly kind: "linear";
  readonly rows: Size;
  readonly k: Size;
  /** Its outputs rotate by position. */
  readonly rotates?: boolean;
  /** Each head has a query, then a gate. */
  readonly isGated?: boolean;
}

export type Part = VectorPart | OptionalVectorPart | LinearPart;

const linear = (gguf: string, hf: string, rows: Size, k: Size): LinearPart => ({
  kind: "linear",
  gguf,
  hf: [hf],
  rows,
  k,
});
const vector = (gguf: string, hf: string, length: Size): VectorPart => ({ kind: "vector", gguf, hf: [hf], length });
const optional = (
  gguf: string,
  hf: readonly string[],
  length: Size,
  isWanted: OptionalVectorPart["isWanted"],
): OptionalVectorPart => ({ kind: "optional vector", gguf, hf, length, isWanted });

const nEmbd: Size = (config) => config.nEmbd,
  nFf: Size = (config) => config.nFf,
  headDim: Size = (config) => config.headDim,
  qWidth: Size = (config) => config.nHeads * config.headDim,
  kvWidth: Size = (config) => config.nKvHeads * config.headDim;

const hasPostNorms = ({ postNorms = false }: ModelConfig): boolean => postNorms;
const plusOne: VectorChange = { kind: "add one" };
/** Sizes of a delta net; 0 for models without, whose layers have no such block. */
const ofDeltaNet =
  (size: (net: DeltaNet) => number): Size =>
  ({ deltaNet }) =>
    deltaNet === undefined ? 0 : size(deltaNet);
const valueHeads = ofDeltaNet(({ nValueHeads }) => nValueHeads),
  valueWidth = ofDeltaNet(valueWidthOf),
  mixedWidth = ofDeltaNet(mixedWidthOf);
const bare = (gguf: string, hf: string): VectorPart => ({ ...vector(gguf, hf, valueHeads), isBare: true });

/** The second name of a sub-norm is from the first reproduction of the b1.58 paper. */
export const BLOCKS = {
  attention: {
    norm: vector("attn_norm", "input_layernorm", nEmbd),
    q: { ...linear("attn_q", "self_attn.q_proj", qWidth, nEmbd), rotates: true },
    k: { ...linear("attn_k", "self_attn.k_proj", kvWidth, nEmbd), rotates: true },
    v: linear("attn_v", "self_attn.v_proj", kvWidth, nEmbd),
    qNorm: optional("attn_q_norm", ["self_attn.q_norm"], headDim, ({ qkNorm }) => qkNorm),
    kNorm: optional("attn_k_norm", ["self_attn.k_norm"], headDim, ({ qkNorm }) => qkNorm),
    subNorm: optional(
      "attn_sub_norm",
      ["self_attn.attn_sub_norm", "self_attn.inner_attn_ln"],
      qWidth,
      ({ subNorms }) => subNorms,
    ),
    output: linear("attn_output", "self_attn.o_proj", nEmbd, qWidth),
    postNorm: optional("post_attention_norm", ["post_attention_layernorm"], nEmbd, hasPostNorms),
  },
  /** Qwen3.5: a gate for each value of attention. */
  gatedAttention: {
    norm: { ...vector("attn_norm", "input_layernorm", nEmbd), hfChange: plusOne },
    q: { ...linear("attn_q", "self_attn.q_proj", (config) => 2 * qWidth(config), nEmbd), isGated: true },
    k: linear("attn_k", "self_attn.k_proj", kvWidth, nEmbd),
    v: linear("attn_v", "self_attn.v_proj", kvWidth, nEmbd),
    qNorm: { ...vector("attn_q_norm", "self_attn.q_norm", headDim), hfChange: plusOne },
    kNorm: { ...vector("attn_k_norm", "self_attn.k_norm", headDim), hfChange: plusOne },
    output: linear("attn_output", "self_attn.o_proj", nEmbd, qWidth),
  },
  /** Qwen3.5: see assembly/ops/delta-net.ts. */
  deltaNet: {
    norm: { ...vector("attn_norm", "input_layernorm", nEmbd), hfChange: plusOne },
    qkv: linear("attn_qkv", "linear_attn.in_proj_qkv", mixedWidth, nEmbd),
    z: linear("attn_gate", "linear_attn.in_proj_z", valueWidth, nEmbd),
    alpha: linear("ssm_alpha", "linear_attn.in_proj_a", valueHeads, nEmbd),
    beta: linear("ssm_beta", "linear_attn.in_proj_b", valueHeads, nEmbd),
    convolution: {
      ...vector(
        "ssm_conv1d",
        "linear_attn.conv1d",
        (config) => ofDeltaNet(({ nTaps }) => nTaps)(config) * mixedWidth(config),
      ),
      change: { kind: "transpose", columns: ofDeltaNet(({ nTaps }) => nTaps) },
    },
    dtBias: bare("ssm_dt.bias", "linear_attn.dt_bias"),
    decay: { ...bare("ssm_a", "linear_attn.A_log"), hfChange: { kind: "negative exponential" } },
    headNorm: vector(
      "ssm_norm",
      "linear_attn.norm",
      ofDeltaNet((net) => net.headDim),
    ),
    output: linear("ssm_out", "linear_attn.out_proj", nEmbd, valueWidth),
  },
  feedForward: {
    norm: vector("ffn_norm", "post_attention_layernorm", nEmbd),
    gate: linear("ffn_gate", "mlp.gate_proj", nFf, nEmbd),
    up: linear("ffn_up", "mlp.up_proj", nFf, nEmbd),
    subNorm: optional("ffn_sub_norm", ["mlp.ffn_sub_norm", "mlp.ffn_layernorm"], nFf, ({ subNorms }) => subNorms),
    down: linear("ffn_down", "mlp.down_proj", nEmbd, nFf),
    postNorm: optional("post_ffw_norm", ["post_feedforward_layernorm"], nEmbd, hasPostNorms),
  },
  /** Qwen3.5: the same with another name of its norm. */
  plainFeedForward: {
    norm: { ...vector("post_attention_norm", "post_attention_layernorm", nEmbd), hfChange: plusOne },
    gate: linear("ffn_gate", "mlp.gate_proj", nFf, nEmbd),
    up: linear("ffn_up", "mlp.up_proj", nFf, nEmbd),
    down: linear("ffn_down", "mlp.down_proj", nEmbd, nFf),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Part>>>>;

export type BlockKind = keyof typeof BLOCKS;

/** The blocks of every layer, in the order in which they add to the residual stream. */
export function layersOf({ nLayers, deltaNet }: ModelConfig): readonly (readonly BlockKind[])[] {
  return Array.from({ length: nLayers }, (_, layer): readonly BlockKind[] => {
    if (deltaNet === undefined) return ["attention", "feedForward"];
    return [deltaNet.isRecurrent[layer] === true ? "deltaNet" : "gatedAttention", "plainFeedForward"];
  });
}

/** Channels of a delta net's values. */
export function valueWidthOf({ nValueHeads, headDim: dim }: DeltaNet): number {
  return nValueHeads * dim;
}

/** Channels of its queries, keys and values, which its convolution mixes. */
export function mixedWidthOf({ nKeyHeads, nValueHeads, headDim: dim }: DeltaNet): number {
  return (2 * nKeyHeads + nValueHeads) * dim;
}

/** The tensors around the layers, by whole names. Only GGUF files store rotary factors as tensors. */
export const GGUF_ENDS = {
  layers: "blk.",
  layer: (layer: number) => `blk.${layer}.`,
  tokenEmbd: "token_embd.weight",
  outputNorm: "output_norm.weight",
  output: "output.weight",
  ropeFactors: "rope_freqs.weight",
  ropeShort: "rope_factors_short.weight",
  ropeLong: "rope_factors_long.weight",
} as const;

/** Parts that a `model_type` calls otherwise, by their names in GGUF. */
export const HF_RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gemma3_text: { ffn_norm: "pre_feedforward_layernorm" },
  hunyuan_v1_dense: { attn_q_norm: "self_attn.query_layernorm", attn_k_norm: "self_attn.key_layernorm" },
};

export const HF_ENDS = {
  layer: (layer: number) => `model.layers.${layer}.`,
  tokenEmbd: "model.embed_tokens.weight",
  outputNorm: "model.norm.weight",
  output: "lm_head.weight",
} as const;
