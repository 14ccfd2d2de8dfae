/**
 * Refuses GGUF keys that would change a model's output and that onebit does not compute, unless their value matches
 * what the graph does anyway. Any other unread key is reported to the user as unused.
 *
 * Source: the keys of llama.cpp (`llama-arch.cpp`) and what its graphs do with them.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { GgufMetadata, GgufValue } from "../files/gguf-metadata.ts";
import { type ModelConfig, attentionScaleOf } from "./config.ts";

interface KeyRule {
  /** What the graph does: the value that changes nothing. */
  readonly wanted: (config: ModelConfig) => string;
  readonly isNeutral: (value: GgufValue, config: ModelConfig) => boolean;
}

/** Switched off: 0, false, or a list of these. */
const OFF: KeyRule = { wanted: () => "0", isNeutral: isOff };
/** A factor, which llama.cpp leaves out when it is 0. */
const FACTOR: KeyRule = { wanted: () => "1", isNeutral: (value) => value === 0 || value === 1 };
const NEVER: KeyRule = { wanted: () => "no such key", isNeutral: () => false };

/** By the part of the key after the architecture; a rule ending in "." covers all keys that begin with it. */
const RULES: Readonly<Record<string, KeyRule>> = {
  // Factors on logits, embeddings and sums of the residual stream.
  logit_scale: FACTOR,
  residual_scale: FACTOR,
  embedding_scale: FACTOR,
  final_logit_softcapping: OFF,
  attn_logit_softcapping: OFF,
  router_logit_softcapping: OFF,
  swiglu_clamp_exp: OFF,
  swiglu_clamp_shexp: OFF,
  activation_sparsity_scale: OFF,
  use_parallel_residual: OFF,
  norm_before_residual: OFF,
  swin_norm: OFF,
  rescale_every_n_layers: OFF,
  // Attention.
  "attention.scale": {
    wanted: (config) => `${attentionScaleOf(config)}`,
    isNeutral: (value, config) =>
      value === 0 || (typeof value === "number" && Math.abs(value / attentionScaleOf(config) - 1) < 1e-5),
  },
  "attention.output_scale": FACTOR,
  "attention.value_scale": FACTOR,
  "attention.temperature_length": OFF,
  "attention.temperature_scale": OFF,
  "attention.clamp_kqv": OFF,
  "attention.max_alibi_bias": OFF,
  "attention.relative_buckets_count": OFF,
  "attention.causal": { wanted: () => "true", isNeutral: (value) => value === true },
  "attention.sliding_window": {
    wanted: ({ contextLengthTrained }) => `0, or at least the context of ${contextLengthTrained}`,
    isNeutral: (value, { contextLengthTrained }) =>
      isOff(value) || (typeof value === "number" && value >= contextLengthTrained),
  },
  "attention.q_lora_rank": OFF,
  "attention.kv_lora_rank": OFF,
  "attention.key_length_mla": OFF,
  "attention.value_length_mla": OFF,
  "attention.shared_kv_layers": OFF,
  "attention.recurrent_layers": OFF,
  "attention.output_group_count": OFF,
  "attention.output_lora_rank": OFF,
  "attention.compress_ratios": OFF,
  "attention.indexer.": OFF,
  // Rotation, besides the keys that config-gguf.ts reads.
  "rope.dimension_sections": OFF,
  "rope.scaling.alpha": OFF,
  "rope.scaling.yarn_log_multiplier": OFF,
  "rope.scaling.yarn_attn_factor": FACTOR,
  "rope.scaling.yarn_ext_factor": {
    wanted: ({ ropeScaling }) => (ropeScaling.kind === "yarn" ? "1" : "0"),
    // Below 0, llama.cpp takes it from the scaling's type.
    isNeutral: (value, { ropeScaling }) =>
      typeof value === "number" && (value < 0 || value === (ropeScaling.kind === "yarn" ? 1 : 0)),
  },
  "rope.freq_base_per_layer": NEVER,
  // Layers other than attention and feed-forward, and experts.
  expert_count: OFF,
  expert_used_count: OFF,
  expert_shared_count: OFF,
  expert_group_count: OFF,
  nextn_predict_layers: OFF,
  decoder_block_count: OFF,
  n_deepstack_layers: OFF,
  hash_layer_count: OFF,
  full_attention_interval: { wanted: () => "1", isNeutral: (value) => value === 0 || value === 1 },
  token_shift_count: OFF,
  embedding_length_per_layer_input: OFF,
  features_length: OFF,
  embedding_length_out: {
    wanted: ({ nEmbd }) => `${nEmbd}`,
    isNeutral: (value, { nEmbd }) => value === 0 || value === nEmbd,
  },
  "ssm.": OFF,
  "wkv.": OFF,
  "kda.": OFF,
  "shortconv.": OFF,
  "hyper_connection.": OFF,
  "altup.": OFF,
  "laurel.": OFF,
  "posnet.": OFF,
  "convnext.": OFF,
  dense_2_feat_in: OFF,
  dense_2_feat_out: OFF,
  dense_3_feat_in: OFF,
  dense_3_feat_out: OFF,
};

/** Keys without an architecture. `prism.hadamard` rotates the weights: without the rotation they are noise. */
const GLOBAL_RULES: Readonly<Record<string, KeyRule>> = {
  "general.type": { wanted: () => '"model"', isNeutral: (value) => value === "model" },
  "prism.hadamard.": NEVER,
};

/** Keys that describe the file, its tokenizer and its shards, which other parts read. */
const ELSEWHERE = /^(general|tokenizer|split|quantize)\./;

/** Remembers which keys were read. */
export class ReadKeys extends Map<string, GgufValue> {
  readonly #read = new Set<string>();

  override get(key: string): GgufValue | undefined {
    this.#read.add(key);
    return super.get(key);
  }

  isRead(key: string): boolean {
    return this.#read.has(key);
  }
}

/**
 * Refuses keys that ask for more than the graph does; `config` has read `metadata` already.
 * @returns unread keys that change nothing, as far as we know
 * @throws OnebitError `model/bad-config` naming the key
 */
export function checkUnreadKeys(metadata: ReadKeys, config: ModelConfig): readonly string[] {
  const prefix = `${config.architecture}.`;
  const unread = [...metadata].filter(([key]) => !metadata.isRead(key));
  for (const [key, value] of unread) {
    const rule = key.startsWith(prefix) ? ruleOf(RULES, key.slice(prefix.length)) : ruleOf(GLOBAL_RULES, key);
    if (rule === undefined || rule.isNeutral(value, config)) continue;
    fail(
      "model/bad-config",
      `metadata key ${quoted(key)}: wanted ${rule.wanted(config)}, found ${shown(value)}: the graph that onebit ` +
        `runs for ${quoted(config.architecture)} does not compute this`,
    );
  }
  return unread.map(([key]) => key).filter((key) => !ELSEWHERE.test(key));
}

function ruleOf(rules: Readonly<Record<string, KeyRule>>, key: string): KeyRule | undefined {
  if (Object.hasOwn(rules, key)) return rules[key];
  // Families nest at most two deep: "attention.indexer.top_k".
  for (let dot = key.indexOf("."); dot >= 0; dot = key.indexOf(".", dot + 1)) {
    const family = key.slice(0, dot + 1);
    if (Object.hasOwn(rules, family)) return rules[family];
  }
  return undefined;
}

function isOff(value: GgufValue): boolean {
  if (typeof value === "object")
    return Array.from<unknown>(value as ArrayLike<unknown>).every(
      (item) => item === 0 || item === 0n || item === false,
    );
  return value === 0 || value === false;
}

function shown(value: GgufValue): string {
  if (typeof value === "string") return quoted(value);
  return typeof value === "object" ? `a list of ${value.length}` : String(value);
}

/**
 * Keys whose absence would change the result: llama.cpp once required them, and later guesses them from a model's size.
 */
export function requireKeys(metadata: GgufMetadata, keys: readonly string[]): void {
  const absent = keys.filter((key) => !metadata.has(key));
  if (absent.length === 0) return;
  const names = absent.map((key) => `"${key}"`).join(", ");
  fail(
    "model/bad-config",
    `metadata: wanted ${absent.length === 1 ? "the key" : "the keys"} ${names}, found nothing; convert the model ` +
      "again with a tool that writes them",
  );
}
