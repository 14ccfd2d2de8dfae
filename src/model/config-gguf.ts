/**
 * GGUF metadata → {@link ModelConfig}. Keys and defaults as llama.cpp has them.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { findBoolean, findInteger, findNumber, findNumberArray, findString, findStringArray, getInteger, getNumber, getString } from "../files/gguf-metadata.ts";
import type { GgufMetadata } from "../files/gguf-metadata.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { TENSOR_TYPES } from "../files/tensor-types.ts";
import { type Architecture, ggufArchitecture } from "./architectures.ts";
import { checkConfig } from "./check-config.ts";
import type { Activation, ActivationMode, ModelConfig, RopeScaling } from "./config.ts";

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu", swish: "silu", relu2: "relu2", "relu_sqr": "relu2", gelu: "gelu", "gelu_pytorch_tanh": "gelu",
};

/** Dimensions of BitNet b1.58 2B4T, whose conversions by mainline tools call themselves `bitnet` but need relu². */
const TWO_B_FOUR_T = { nEmbd: 2560, nFf: 6912, vocabSize: 128256 };

/**
 * @throws OnebitError `model/unsupported-architecture`, `model/bad-config`, `gguf/bad-value`
 */
export function configFromGguf(metadata: GgufMetadata, tensors: ReadonlyMap<string, TensorInfo>): ModelConfig {
  const name = getString(metadata, "general.architecture"), architecture = ggufArchitecture(name);
  const key = (suffix: string) => `${name}.${suffix}`;
  const nEmbd = getInteger(metadata, key("embedding_length"), 1), nHeads = uniform(metadata, key("attention.head_count"));
  const headDim = findInteger(metadata, key("attention.key_length"), 1) ?? nEmbd / nHeads;
  const valueDim = findInteger(metadata, key("attention.value_length"), 1) ?? headDim;
  if (valueDim !== headDim) fail("model/bad-config", `metadata key "${key("attention.value_length")}": wanted ${headDim}, the key length; found ${valueDim}`);
  const contextLengthTrained = getInteger(metadata, key("context_length"), 1);
  const nFf = uniform(metadata, key("feed_forward_length")), vocabSize = vocabularySize(metadata, key("vocab_size"), tensors);
  return checkConfig({
    architecture: name,
    name: findString(metadata, "general.name") ?? name,
    nLayers: getInteger(metadata, key("block_count"), 1),
    nEmbd, nHeads, headDim, nFf, vocabSize, contextLengthTrained,
    nKvHeads: metadata.has(key("attention.head_count_kv")) ? uniform(metadata, key("attention.head_count_kv")) : nHeads,
    normEps: getNumber(metadata, key("attention.layer_norm_rms_epsilon")),
    ropeTheta: findNumber(metadata, key("rope.freq_base")) ?? 10_000,
    ropeDim: findInteger(metadata, key("rope.dimension_count"), 2) ?? headDim,
    ropePairs: architecture.ropePairs,
    ropeScaling: ropeScaling(metadata, key, contextLengthTrained),
    activation: activationOf(metadata, key("hidden_activation"), architecture, { nEmbd, nFf, vocabSize }),
    activationMode: activationMode(architecture, tensors),
    subNorms: architecture.subNorms,
    qkNorm: architecture.qkNorm,
    alwaysTied: architecture.alwaysTied,
    embeddingScale: architecture.scales ? findNumber(metadata, key("embedding_scale")) ?? 1 : 1,
    residualScale: architecture.scales ? findNumber(metadata, key("residual_scale")) ?? 1 : 1,
    logitScale: architecture.scales ? 1 / (findNumber(metadata, key("logit_scale")) ?? 1) : 1,
  });
}

/** A number that a file may also give for each layer; layers that differ are refused. */
function uniform(metadata: GgufMetadata, key: string): number {
  const value = metadata.get(key);
  if (!ArrayBuffer.isView(value)) return getInteger(metadata, key, 1);
  const values = Array.from(findNumberArray(metadata, key) ?? []);
  const [first] = values;
  if (!Number.isInteger(first) || first < 1 || values.some((each) => each !== first)) {
    fail("model/bad-config", `metadata key "${key}": wanted the same number for every layer, found [${values.slice(0, 8).join(", ")}…]; models whose layers differ are not supported`);
  }
  return first;
}

/** Rows of the embedding table: what logits are made for, whatever the metadata says. */
function vocabularySize(metadata: GgufMetadata, key: string, tensors: ReadonlyMap<string, TensorInfo>): number {
  const rows = tensors.get("token_embd.weight")?.shape[1];
  return rows ?? findInteger(metadata, key, 1) ?? findStringArray(metadata, "tokenizer.ggml.tokens")?.length
    ?? fail("model/missing-tensor", 'tensor "token_embd.weight": the model needs it, the file does not have it');
}

function activationOf(
  metadata: GgufMetadata, key: string, architecture: Architecture, sizes: { nEmbd: number; nFf: number; vocabSize: number },
): Activation {
  const name = findString(metadata, key);
  if (name !== undefined) {
    if (!Object.hasOwn(ACTIVATIONS, name)) fail("model/bad-config", `metadata key "${key}": wanted one of ${Object.keys(ACTIVATIONS).join(", ")}; found "${name}"`);
    return ACTIVATIONS[name];
  }
  const is2B4T = architecture.subNorms && Object.entries(TWO_B_FOUR_T).every(([size, n]) => sizes[size as keyof typeof sizes] === n);
  return is2B4T ? "relu2" : architecture.activation;
}

/** I2_S is only written for models trained with 8-bit activations, whatever architecture they declare. */
function activationMode(architecture: Architecture, tensors: ReadonlyMap<string, TensorInfo>): ActivationMode {
  for (const tensor of tensors.values()) {
    if (tensor.name.startsWith("blk.") && TENSOR_TYPES[tensor.type].name === "I2_S") return "token";
  }
  return architecture.activationMode;
}

function ropeScaling(metadata: GgufMetadata, key: (suffix: string) => string, contextLength: number): RopeScaling {
  const kind = findString(metadata, key("rope.scaling.type")) ?? "none";
  const factor = findNumber(metadata, key("rope.scaling.factor")) ?? 1;
  const originalContext = findInteger(metadata, key("rope.scaling.original_context_length"), 1) ?? contextLength;
  const attentionFactor = findNumber(metadata, key("rope.scaling.attn_factor"));
  switch (kind) {
    case "none": return { kind };
    case "linear": return factor === 1 ? { kind: "none" } : { kind, factor };
    case "yarn": return {
      kind, factor, originalContext, attentionFactor: undefined, attentionScale: attentionFactor ?? 1,
      betaFast: findNumber(metadata, key("rope.scaling.yarn_beta_fast")) ?? 32,
      betaSlow: findNumber(metadata, key("rope.scaling.yarn_beta_slow")) ?? 1,
    };
    case "longrope": return { kind, factor: 1, originalContext, attentionFactor };
    default: return fail("model/bad-config", `metadata key "${key("rope.scaling.type")}": wanted none, linear, yarn or longrope; found "${kind}"`);
  }
}

/** True when the file says its vectors are meant for similarity: `<arch>.pooling_type` (1 mean, 3 last). */
export function poolingFromGguf(metadata: GgufMetadata): "mean" | "last" | undefined {
  const name = findString(metadata, "general.architecture") ?? "", pooling = findInteger(metadata, `${name}.pooling_type`);
  return pooling === 1 ? "mean" : pooling === 3 ? "last" : undefined;
}

/** True when a text to embed ends with the end-of-text token. */
export function appendsEos(metadata: GgufMetadata): boolean {
  return findBoolean(metadata, "tokenizer.ggml.add_eos_token") ?? false;
}
