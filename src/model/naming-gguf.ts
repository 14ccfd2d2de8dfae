/**
 * Tensor names of GGUF files.
 *
 * @module
 */
import type { LinearRole, TensorNaming, VectorRole } from "./weights.ts";

const GGUF_LINEARS: Readonly<Record<LinearRole, string>> = {
  attnQ: "attn_q",
  attnK: "attn_k",
  attnV: "attn_v",
  attnOutput: "attn_output",
  ffnGate: "ffn_gate",
  ffnUp: "ffn_up",
  ffnDown: "ffn_down",
};

const GGUF_VECTORS: Readonly<Record<VectorRole, string>> = {
  attnNorm: "attn_norm",
  attnQNorm: "attn_q_norm",
  attnKNorm: "attn_k_norm",
  attnSubNorm: "attn_sub_norm",
  ffnNorm: "ffn_norm",
  ffnSubNorm: "ffn_sub_norm",
};

export const GGUF_NAMING: TensorNaming = {
  tokenEmbd: "token_embd.weight",
  outputNorm: "output_norm.weight",
  output: "output.weight",
  ropeFactors: "rope_freqs.weight",
  ropeShort: "rope_factors_short.weight",
  ropeLong: "rope_factors_long.weight",
  vector: (layer, role) => [`blk.${layer}.${GGUF_VECTORS[role]}.weight`],
  linear: (layer, role) => `blk.${layer}.${GGUF_LINEARS[role]}`,
  normIn: (linear) => [`${linear}_norm_in.weight`],
  normInRequired: false,
  bias: (linear) => `${linear}.bias`,
  outputScale: (linear) => `${linear}.scale`,
  encoding: () => ({ kind: "typed" }),
  // The graphs of llama.cpp and of BitNet's fork take a BitNet model's embedding table for its head, whatever else is
  // there.
  isHarmless: (name, { alwaysTied }) => alwaysTied && name === "output.weight",
};
