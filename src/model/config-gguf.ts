/**
 * GGUF metadata → {@link ModelConfig}, with llama.cpp's keys and defaults.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import {
  findBoolean,
  findInteger,
  findNumber,
  findNumberArray,
  findString,
  findStringArray,
  getInteger,
  getNumber,
  getString,
} from "../files/gguf-metadata.ts";
import type { GgufMetadata } from "../files/gguf-metadata.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { MODEL_NAME_CHARS_MAX } from "../core/limits.ts";
import { TENSOR_TYPES } from "../files/tensor-types.ts";
import type { ActivationMode } from "../kernels/choices.ts";
import { type Activation, type Architecture, ggufArchitecture } from "./architectures.ts";
import { GGUF_ENDS } from "./blocks.ts";
import { checkConfig } from "./check-config.ts";
import type { ModelConfig, RopeScaling } from "./config.ts";
import { slidingFromGguf } from "./sliding-gguf.ts";
import { hybridLayers } from "./delta-net.ts";
import { hadamardFromGguf } from "./hadamard.ts";
import { ReadKeys, checkUnreadKeys, requireKeys } from "./keys-gguf.ts";

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  relu2: "relu2",
  relu_sqr: "relu2",
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu",
};

/** muP scales: with 1 instead of these a model answers differently. */
const SCALE_KEYS = ["embedding_scale", "residual_scale", "logit_scale"];

/** Gemma 3 27B, told from its smaller kin as in llama.cpp: its scores are scaled by another size than its heads'. */
const GEMMA3_27B_LAYERS = 62;

/** Dimensions of BitNet b1.58 2B4T: mainline tools convert it as `bitnet`, but it needs relu². */
const TWO_B_FOUR_T = { nEmbd: 2560, nFf: 6912, vocabSize: 128256 };

/** The configuration from the metadata, and the keys that do not affect it. */
export interface GgufConfig {
  readonly config: ModelConfig;
  readonly unusedKeys: readonly string[];
}

/** @throws OnebitError `model/unsupported-architecture`, `model/bad-config`, `gguf/bad-value` */
export function describeGguf(metadata: GgufMetadata, tensors: ReadonlyMap<string, TensorInfo>): GgufConfig {
  const keys = new ReadKeys(metadata),
    config = readConfig(keys, tensors);
  poolingFromGguf(keys);
  return { config, unusedKeys: checkUnreadKeys(keys, config) };
}

/** The configuration alone. @throws as {@link describeGguf} */
export function configFromGguf(metadata: GgufMetadata, tensors: ReadonlyMap<string, TensorInfo>): ModelConfig {
  return describeGguf(metadata, tensors).config;
}

function readConfig(metadata: GgufMetadata, tensors: ReadonlyMap<string, TensorInfo>): ModelConfig {
  const name = getString(metadata, "general.architecture"),
    architecture = ggufArchitecture(name);
  const key = (suffix: string) => `${name}.${suffix}`;
  const nEmbd = getInteger(metadata, key("embedding_length"), 1),
    nHeads = uniform(metadata, key("attention.head_count"));
  const headDim = findInteger(metadata, key("attention.key_length"), 1) ?? nEmbd / nHeads;
  const valueDim = findInteger(metadata, key("attention.value_length"), 1) ?? headDim;
  if (valueDim !== headDim)
    fail(
      "model/bad-config",
      `metadata key "${key("attention.value_length")}": wanted ${headDim}, the key length; found ${valueDim}`,
    );
  const contextLengthTrained = getInteger(metadata, key("context_length"), 1);
  if (architecture.scales) requireKeys(metadata, SCALE_KEYS.map(key));
  const nLayers = getInteger(metadata, key("block_count"), 1),
    sliding = architecture.slides ? slidingFromGguf(metadata, key, nLayers) : undefined,
    alpha = (architecture.raisesBase && findNumber(metadata, key("rope.scaling.alpha"))) || 0;
  const nFf = uniform(metadata, key("feed_forward_length")),
    vocabSize = vocabularySize(metadata, key("vocab_size"), tensors);
  const ropeDim = findInteger(metadata, key("rope.dimension_count"), 2) ?? headDim,
    hadamard = hadamardFromGguf(metadata);
  return checkConfig({
    ...architecture,
    architecture: name,
    name: (findString(metadata, "general.name") ?? name).slice(0, MODEL_NAME_CHARS_MAX),
    nLayers,
    ...(architecture.hybrid && hybridLayers(metadata, key, ropeDim)),
    nEmbd,
    nHeads,
    headDim,
    nFf,
    vocabSize,
    contextLengthTrained,
    nKvHeads: metadata.has(key("attention.head_count_kv")) ? uniform(metadata, key("attention.head_count_kv")) : nHeads,
    normEps: getNumber(metadata, key("attention.layer_norm_rms_epsilon")),
    ropeTheta: findNumber(metadata, key("rope.freq_base")) ?? 10_000,
    ...(alpha !== 0 && { ropeAlpha: alpha }),
    ropeDim,
    ropeScaling: ropeScaling(metadata, key, contextLengthTrained),
    activation: activationOf(metadata, key("hidden_activation"), architecture, { nEmbd, nFf, vocabSize }),
    activationMode: activationMode(architecture, tensors),
    embeddingScale: architecture.scales
      ? getNumber(metadata, key("embedding_scale"))
      : architecture.rootScale
        ? Math.sqrt(nEmbd)
        : 1,
    residualScale: architecture.scales ? getNumber(metadata, key("residual_scale")) : 1,
    logitScale: architecture.scales ? 1 / getNumber(metadata, key("logit_scale")) : 1,
    ...(sliding && { sliding }),
    ...(normsInputs(tensors) && !tensors.has(GGUF_ENDS.output) && { embeddingOnly: true }),
    ...(architecture.slides && nLayers === GEMMA3_27B_LAYERS && { attentionScale: 1 / Math.sqrt(nEmbd / nHeads) }),
    ...(hadamard === undefined ? {} : { hadamard }),
  });
}

/** A number that a file may also list per layer; layers that differ are refused. */
function uniform(metadata: GgufMetadata, key: string): number {
  const value = metadata.get(key);
  if (!ArrayBuffer.isView(value)) return getInteger(metadata, key, 1);
  const values = Array.from(findNumberArray(metadata, key) ?? []);
  const [first] = values;
  if (!Number.isInteger(first) || first < 1 || values.some((each) => each !== first)) {
    fail(
      "model/bad-config",
      `metadata key "${key}": wanted the same number for every layer, found [${values.slice(0, 8).join(", ")}…]; ` +
        "models whose layers differ are not supported",
    );
  }
  return first;
}

/** Rows of the embedding table: these get logits, whatever the metadata says. */
function vocabularySize(metadata: GgufMetadata, key: string, tensors: ReadonlyMap<string, TensorInfo>): number {
  const rows = tensors.get(GGUF_ENDS.tokenEmbd)?.shape[1],
    told = findInteger(metadata, key, 1);
  return (
    rows ??
    told ??
    findStringArray(metadata, "tokenizer.ggml.tokens")?.length ??
    fail("model/missing-tensor", `tensor "${GGUF_ENDS.tokenEmbd}": the model needs it, the file does not have it`)
  );
}

function activationOf(
  metadata: GgufMetadata,
  key: string,
  architecture: Architecture,
  sizes: { nEmbd: number; nFf: number; vocabSize: number },
): Activation {
  const name = findString(metadata, key);
  if (name !== undefined) {
    if (!Object.hasOwn(ACTIVATIONS, name))
      fail(
        "model/bad-config",
        `metadata key "${key}": wanted one of ${Object.keys(ACTIVATIONS).join(", ")}; found ${quoted(name)}`,
      );
    return ACTIVATIONS[name];
  }
  const is2B4T =
    architecture.subNorms && Object.entries(TWO_B_FOUR_T).every(([size, n]) => sizes[size as keyof typeof sizes] === n);
  return is2B4T ? "relu2" : architecture.activation;
}

/** Only models trained with 8-bit activations are written as I2_S, whatever architecture they declare. */
function activationMode(architecture: Architecture, tensors: ReadonlyMap<string, TensorInfo>): ActivationMode {
  for (const tensor of tensors.values()) {
    if (tensor.name.startsWith(GGUF_ENDS.layers) && TENSOR_TYPES[tensor.type].name === "I2_S") return "token";
  }
  return architecture.activationMode;
}

/** As in llama.cpp: a factor without a type is linear, unless it is 0; the older key counts if the newer is absent. */
function ropeScaling(metadata: GgufMetadata, key: (suffix: string) => string, contextLength: number): RopeScaling {
  const type = findString(metadata, key("rope.scaling.type")),
    kind = type ?? "linear";
  const told = findNumber(metadata, key("rope.scaling.factor")) ?? findNumber(metadata, key("rope.scale_linear")) ?? 1;
  const factor = type === undefined && told === 0 ? 1 : told;
  const attentionFactor = findNumber(metadata, key("rope.scaling.attn_factor"));
  const originalContext = () => findInteger(metadata, key("rope.scaling.original_context_length"), 1) ?? contextLength;
  const refuseUnlessOne = (value: number, suffix: string) => {
    if (value !== 1)
      fail(
        "model/bad-config",
        `metadata key "${key(suffix)}": wanted 1 for a rotary scaling of type "${kind}", found ${value}`,
      );
  };
  switch (kind) {
    case "none":
    case "linear":
      refuseUnlessOne(attentionFactor ?? 1, "rope.scaling.attn_factor");
      return kind === "none" || factor === 1 ? { kind: "none" } : { kind, factor };
    case "yarn":
      return {
        kind,
        factor,
        originalContext: originalContext(),
        attentionFactor: undefined,
        attentionScale: attentionFactor ?? 1,
        betaFast: findNumber(metadata, key("rope.scaling.yarn_beta_fast")) ?? 32,
        betaSlow: findNumber(metadata, key("rope.scaling.yarn_beta_slow")) ?? 1,
      };
    case "longrope":
      refuseUnlessOne(factor, "rope.scaling.factor");
      return { kind, factor: 1, originalContext: originalContext(), attentionFactor };
    default:
      return fail(
        "model/bad-config",
        `metadata key "${key("rope.scaling.type")}": wanted none, linear, yarn or longrope; found ${quoted(kind)}`,
      );
  }
}

/** BitNet embedding models norm the input of every projection; no others do. */
export function normsInputs(tensors: ReadonlyMap<string, TensorInfo>): boolean {
  return [...tensors.keys()].some((name) => name.endsWith("_norm_in.weight"));
}

/** How a model for similarity pools its vectors: `<arch>.pooling_type`. @throws OnebitError `model/bad-config` */
export function poolingFromGguf(metadata: GgufMetadata): GgufPooling | undefined {
  const key = `${findString(metadata, "general.architecture") ?? ""}.pooling_type`,
    pooling = findInteger(metadata, key);
  if (pooling !== undefined && !Object.hasOwn(POOLINGS, pooling)) {
    fail("model/bad-config", `metadata key "${key}": wanted 0 (none), 1 (mean), 2 (cls) or 3 (last), found ${pooling}`);
  }
  return pooling === undefined ? undefined : POOLINGS[pooling];
}

/** By its number in the file. */
export type GgufPooling = "mean" | "cls" | "last";

const POOLINGS: Readonly<Record<number, GgufPooling | undefined>> = { 0: undefined, 1: "mean", 2: "cls", 3: "last" };

/** True if a text to embed ends with the end-of-text token. */
export function appendsEos(metadata: GgufMetadata): boolean {
  return findBoolean(metadata, "tokenizer.ggml.add_eos_token") ?? false;
}
