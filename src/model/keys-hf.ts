/**
 * Refuses `config.json` members that would change a model's output and that onebit does not compute, unless their value
 * matches what the graph does anyway. Any other unread member is reported to the user as unused.
 *
 * Source: the configurations of transformers, and what its models do with them.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { JsonValue } from "../files/json.ts";
import { type ConfigReader, shown } from "./config-reader.ts";
import type { ModelConfig } from "./config.ts";

interface KeyRule {
  /** What the graph does: the value that changes nothing. Absent and null always change nothing. */
  readonly wanted: (config: ModelConfig) => string;
  readonly isNeutral: (value: JsonValue, config: ModelConfig) => boolean;
}

const is = (wanted: JsonValue): KeyRule => ({ wanted: () => String(wanted), isNeutral: (value) => value === wanted });
/** Switched off. */
const OFF: KeyRule = {
  wanted: () => "0 or false",
  isNeutral: (value) => value === 0 || value === false || (Array.isArray(value) && value.length === 0),
};
const FACTOR = is(1);
const TRUE = is(true);

const RULES: Readonly<Record<string, KeyRule>> = {
  // Factors on logits, embeddings and sums of the residual stream.
  attention_multiplier: {
    wanted: ({ headDim }) => `1/√${headDim}`,
    isNeutral: (value, { headDim }) => typeof value === "number" && Math.abs(value * Math.sqrt(headDim) - 1) < 1e-5,
  },
  embedding_multiplier: FACTOR,
  residual_multiplier: FACTOR,
  logits_scaling: FACTOR,
  logit_scale: FACTOR,
  scale_emb: FACTOR,
  embedding_scale: FACTOR,
  residual_scale: FACTOR,
  scale_depth: OFF,
  dim_model_base: OFF,
  mup_denominator: {
    wanted: ({ nLayers }) => `${nLayers}`,
    isNeutral: (value, { nLayers }) => value === nLayers,
  },
  final_logit_softcapping: OFF,
  attn_logit_softcapping: OFF,
  logits_soft_cap: OFF,
  swiglu_limit: OFF,
  use_parallel_residual: OFF,
  parallel_attn: OFF,
  // Attention.
  query_pre_attn_scalar: {
    wanted: ({ headDim }) => `${headDim}`,
    isNeutral: (value, { headDim }) => value === headDim,
  },
  clip_qkv: OFF,
  qkv_clip: OFF,
  alibi: OFF,
  attn_temperature_tuning: OFF,
  attn_output_gate: OFF,
  is_causal: TRUE,
  use_bidirectional_attention: OFF,
  is_encoder_decoder: OFF,
  use_qk_norm: qkNorm(),
  qk_layernorm: qkNorm(),
  qk_norm: qkNorm(),
  attention_chunk_size: OFF,
  kv_lora_rank: OFF,
  q_lora_rank: OFF,
  num_kv_shared_layers: OFF,
  // Biases under names that the readers do not know.
  qkv_bias: OFF,
  use_bias: OFF,
  add_bias_linear: OFF,
  lm_head_bias: OFF,
  // Rotation, besides the members that config-hf.ts reads.
  rotary_dim: { wanted: ({ headDim }) => `${headDim}`, isNeutral: (value, { headDim }) => value === headDim },
  rotary_pct: FACTOR,
  rotary_percent: FACTOR,
  partial_rotary_factor: FACTOR,
  "rope_scaling.partial_rotary_factor": FACTOR,
  "rope_parameters.partial_rotary_factor": FACTOR,
  "rope_scaling.mrope_section": OFF,
  "rope_parameters.mrope_section": OFF,
  "rope_scaling.alpha": OFF,
  "rope_parameters.alpha": OFF,
  rope_interleaved: OFF,
  rope_interleave: OFF,
  nope_on_global_attention: OFF,
  no_rope_layers: {
    wanted: () => "1 for every layer",
    isNeutral: (value) => Array.isArray(value) && value.every((each) => each === 1),
  },
  rope_local_base_freq: {
    wanted: ({ ropeTheta }) => `${ropeTheta}`,
    isNeutral: (value, { ropeTheta }) => value === ropeTheta,
  },
  // Layers other than attention and feed-forward, and experts.
  num_experts: OFF,
  num_local_experts: OFF,
  n_routed_experts: OFF,
  moe_num_experts: OFF,
  num_experts_per_tok: OFF,
  num_nextn_predict_layers: OFF,
  mtp_num_hidden_layers: OFF,
  full_attention_interval: FACTOR,
  activation_sparsity_pattern: OFF,
  hidden_size_per_layer_input: OFF,
  hidden_activation: {
    wanted: ({ activation }) => `"${activation}"`,
    isNeutral: (value, { activation }) =>
      value === activation || (value === "gelu_pytorch_tanh" && activation === "gelu"),
  },
  // The first reproduction of b1.58: there, 1-bit weights mean −1, 0, +1, and activations have 8 bits.
  weight_bits: is(1),
  input_bits: is(8),
};

function qkNorm(): KeyRule {
  return { wanted: ({ qkNorm: has }) => String(has), isNeutral: (value, config) => value === config.qkNorm };
}

/**
 * Refuses members that ask for more than the graph does; `reader` knows which were read.
 * @returns paths of unread members that change nothing, as far as we know
 * @throws OnebitError `model/bad-config` naming the member
 */
export function checkUnreadMembers(reader: ConfigReader, config: ModelConfig): readonly string[] {
  const paths: string[] = [];
  for (const [path, value] of reader.unread()) {
    paths.push(path);
    const member = path.replace(/^text_config\./, "");
    if (value === null || !Object.hasOwn(RULES, member)) continue;
    const rule = RULES[member];
    if (!rule.isNeutral(value, config)) {
      fail(
        "model/bad-config",
        `config.json: ${path}: wanted ${rule.wanted(config)}, found ${shown(value)}: the graph that onebit runs ` +
          `for "${config.architecture}" does not compute this`,
      );
    }
  }
  return paths;
}
