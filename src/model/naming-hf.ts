/**
 * Tensor names of Hugging Face checkpoints, and how their matrices are kept.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import type { Encoding, LinearRole, TensorNaming, VectorRole } from "./weights.ts";

const HF_LINEARS: Readonly<Record<LinearRole, string>> = {
  attnQ: "self_attn.q_proj", attnK: "self_attn.k_proj", attnV: "self_attn.v_proj", attnOutput: "self_attn.o_proj",
  ffnGate: "mlp.gate_proj", ffnUp: "mlp.up_proj", ffnDown: "mlp.down_proj",
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

/** What `quantization_config` says about linears: packed scales divide or multiply, floats may be masters. */
export interface HfQuantization {
  readonly scaleDivides: boolean;
  readonly floatsAreMasters: boolean;
  /** Parts of the names of modules that are what they are, whatever the rest says (`modules_to_not_convert`). */
  readonly keptModules: readonly string[];
}

/** Names of a Hugging Face checkpoint; `quantization` undefined for a model without BitLinear layers. */
export function hfNaming(quantization: HfQuantization | undefined): TensorNaming {
  return {
    tokenEmbd: "model.embed_tokens.weight",
    outputNorm: "model.norm.weight",
    output: "lm_head.weight",
    vector: (layer, role) => HF_VECTORS[role].map((name) => `model.layers.${layer}.${name}.weight`),
    linear: (layer, role) => `model.layers.${layer}.${HF_LINEARS[role]}`,
    normIn: (linear) => [`${linear}.rms_norm.weight`, `${linear}.norm_in.weight`],
    encoding: (matrix, tensors) => hfEncoding(matrix, tensors, quantization),
  };
}

function hfEncoding(matrix: TensorInfo, tensors: ReadonlyMap<string, TensorInfo>, quantization: HfQuantization | undefined): Encoding {
  if (matrix.type === "U8") {
    const scale = tensors.get(matrix.name.replace(/\.weight$/, ".weight_scale"))
      ?? fail("model/missing-tensor", `tensor "${matrix.name}_scale": packed weights need it, the file does not have it`);
    return { kind: "packed", scale, divide: quantization?.scaleDivides ?? true };
  }
  if (!quantization?.floatsAreMasters || !matrix.name.includes(".layers.")) return { kind: "typed" };
  const modules = matrix.name.replace(/\.weight$/, "").split(".");
  const kept = quantization.keptModules.some((name) => `.${modules.join(".")}.`.includes(`.${name}.`));
  return { kind: kept ? "typed" : "masters" };
}
