/**
 * Tensor names of Hugging Face checkpoints, and how their matrices are kept.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import type { LinearRole, StoredEncoding, TensorNaming, VectorRole } from "./weights.ts";

const HF_LINEARS: Readonly<Record<LinearRole, string>> = {
  attnQ: "self_attn.q_proj",
  attnK: "self_attn.k_proj",
  attnV: "self_attn.v_proj",
  attnOutput: "self_attn.o_proj",
  ffnGate: "mlp.gate_proj",
  ffnUp: "mlp.up_proj",
  ffnDown: "mlp.down_proj",
};

/** The second name of a sub-norm is that of the first reproduction of the b1.58 paper. */
const HF_VECTORS: Readonly<Record<VectorRole, readonly string[]>> = {
  attnNorm: ["input_layernorm"],
  attnQNorm: ["self_attn.q_norm"],
  attnKNorm: ["self_attn.k_norm"],
  attnSubNorm: ["self_attn.attn_sub_norm", "self_attn.inner_attn_ln"],
  ffnNorm: ["post_attention_layernorm"],
  ffnSubNorm: ["mlp.ffn_sub_norm", "mlp.ffn_layernorm"],
};

/** How a checkpoint stores its weights. */
export interface HfStorage {
  /** False where the config says that there are no biases; true where it says nothing, and the tensors decide. */
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Undefined for a model without BitLinear layers. */
  readonly bitLinear: BitLinearStorage | undefined;
}

/** What `quantization_config` says about linears: packed scales divide or multiply, floats may be masters. */
export interface BitLinearStorage {
  readonly scaleDivides: boolean;
  readonly floatsAreMasters: boolean;
  /** Names of modules, or parts of them between dots, that are what they are, whatever the rest says. */
  readonly keptModules: ReadonlySet<string>;
  /** True: every projection has a norm of its input. */
  readonly normIn?: boolean;
}

export function hfNaming({ attentionBias, mlpBias, bitLinear }: HfStorage): TensorNaming {
  return {
    tokenEmbd: "model.embed_tokens.weight",
    outputNorm: "model.norm.weight",
    output: "lm_head.weight",
    vector: (layer, role) => HF_VECTORS[role].map((name) => `model.layers.${layer}.${name}.weight`),
    linear: (layer, role) => `model.layers.${layer}.${HF_LINEARS[role]}`,
    normIn: (linear) => [`${linear}.rms_norm.weight`, `${linear}.norm_in.weight`],
    normInRequired: bitLinear?.normIn === true,
    bias: (linear) => ((linear.includes(".mlp.") ? mlpBias : attentionBias) ? `${linear}.bias` : undefined),
    outputScale: () => undefined,
    encoding: (matrix) => encodingOf(matrix, bitLinear),
    isHarmless: (name, { alwaysTied }) => ROTARY_TABLE.test(name) || (alwaysTied && name === "lm_head.weight"),
  };
}

/** Frequencies that old releases of transformers saved, and that all now compute from the config. */
const ROTARY_TABLE = /\.rotary_emb\.inv_freq$/;

function encodingOf(matrix: TensorInfo, bitLinear: BitLinearStorage | undefined): StoredEncoding {
  const isKept = bitLinear === undefined || isKeptModule(matrix.name.replace(/\.weight$/, ""), bitLinear.keptModules);
  if (matrix.type !== "U8") return { kind: bitLinear?.floatsAreMasters && !isKept ? "masters" : "typed" };
  if (!isKept)
    return { kind: "packed", scale: matrix.name.replace(/\.weight$/, ".weight_scale"), divide: bitLinear.scaleDivides };
  const why =
    bitLinear === undefined
      ? "config.json has no quantization_config that says how it is packed"
      : "modules_to_not_convert says that it is not packed";
  return fail("tensor/unsupported-type", `tensor ${quoted(matrix.name)}: wanted F32, F16 or BF16, found U8: ${why}`);
}

/** True if the name, or a run of its parts between dots, is in the list. */
function isKeptModule(name: string, kept: ReadonlySet<string>): boolean {
  const parts = name.split(".");
  return parts.some((_, begin) =>
    parts.some((_, end) => end >= begin && kept.has(parts.slice(begin, end + 1).join("."))),
  );
}
