/**
 * Hugging Face `config.json` → {@link ModelConfig}, and what its `quantization_config` says of the weights.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type JsonObject, isJsonObject } from "../files/json.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { hfArchitecture } from "./architectures.ts";
import { checkConfig } from "./check-config.ts";
import type { Activation, ModelConfig, RopeScaling } from "./config.ts";
import type { HfQuantization } from "./naming-hf.ts";

const ACTIVATIONS: Readonly<Record<string, Activation>> = { silu: "silu", relu2: "relu2", gelu: "gelu", "gelu_pytorch_tanh": "gelu" };

/** @throws OnebitError `model/unsupported-architecture`, `model/bad-config` */
export function configFromHf(json: JsonObject, tensors: ReadonlyMap<string, TensorInfo>): ModelConfig {
  const modelType = text(json, "model_type") ?? fail("model/bad-config", 'config.json: wanted "model_type", found none');
  // The first reproduction of b1.58 calls itself llama but has BitNet's sub-norms.
  const architectures = Array.isArray(json.architectures) ? json.architectures : [];
  const architecture = hfArchitecture(architectures.includes("BitnetForCausalLM") ? "bitnet" : modelType);
  const nEmbd = integer(json, "hidden_size"), nHeads = integer(json, "num_attention_heads"), headDim = optional(json, "head_dim") ?? nEmbd / nHeads;
  const contextLengthTrained = optional(json, "max_position_embeddings") ?? 2048;
  return checkConfig({
    architecture: modelType,
    name: text(json, "_name_or_path") ?? modelType,
    nLayers: integer(json, "num_hidden_layers"),
    nEmbd, nHeads, headDim, contextLengthTrained,
    nKvHeads: optional(json, "num_key_value_heads") ?? nHeads,
    nFf: integer(json, "intermediate_size"),
    vocabSize: tensors.get("model.embed_tokens.weight")?.shape[1] ?? integer(json, "vocab_size"),
    normEps: optional(json, "rms_norm_eps") ?? 1e-6,
    ropeTheta: optional(json, "rope_theta") ?? optional(ropeParameters(json), "rope_theta") ?? 10_000,
    ropeDim: headDim,
    ropePairs: architecture.ropePairs,
    ropeScaling: ropeScaling(json, contextLengthTrained),
    activation: activationOf(json, modelType === "bitnet" ? architecture.activation : "silu"),
    activationMode: architecture.activationMode === "token" || quantizationFromHf(json) ? "token" : "block",
    subNorms: architecture.subNorms,
    qkNorm: architecture.qkNorm,
    alwaysTied: json.tie_word_embeddings === true,
    embeddingScale: 1,
    residualScale: 1,
    logitScale: 1,
  });
}

/**
 * How BitLinear weights are stored (`quantization_config`), or undefined for a model without them.
 * Class `bitlinear` stores 1/mean|w| and divides, `autobitlinear` stores the scale itself. Floats in a BitNet model
 * without a configuration, or with mode `online`, are masters.
 */
export function quantizationFromHf(json: JsonObject): HfQuantization | undefined {
  const config = object(json, "quantization_config");
  const isBitnet = json.model_type === "bitnet" || (Array.isArray(json.architectures) && json.architectures.includes("BitnetForCausalLM"));
  if (!config) return isBitnet ? { scaleDivides: true, floatsAreMasters: true, keptModules: [] } : undefined;
  const method = text(config, "quant_method");
  if (method !== "bitnet") fail("model/bad-config", `config.json: quantization_config.quant_method: wanted "bitnet", found "${method ?? "nothing"}"`);
  const linearClass = text(config, "linear_class") ?? "bitlinear";
  if (linearClass !== "bitlinear" && linearClass !== "autobitlinear") {
    fail("model/bad-config", `config.json: quantization_config.linear_class: wanted "bitlinear" or "autobitlinear", found "${linearClass}"`);
  }
  const online = text(config, "quantization_mode") === "online";
  const kept = Array.isArray(config.modules_to_not_convert) ? config.modules_to_not_convert.filter((name) => typeof name === "string") : [];
  return { scaleDivides: linearClass === "bitlinear", floatsAreMasters: online || linearClass === "autobitlinear", keptModules: kept };
}

function activationOf(json: JsonObject, fallback: Activation): Activation {
  const name = text(json, "hidden_act") ?? fallback;
  return Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : fail("model/bad-config", `config.json: hidden_act: wanted one of ${Object.keys(ACTIVATIONS).join(", ")}; found "${name}"`);
}

function ropeScaling(json: JsonObject, contextLength: number): RopeScaling {
  const scaling = ropeParameters(json);
  const kind = text(scaling, "rope_type") ?? text(scaling, "type") ?? "default";
  const factor = optional(scaling, "factor") ?? 1, originalContext = optional(scaling, "original_max_position_embeddings") ?? contextLength;
  switch (kind) {
    case "default": return { kind: "none" };
    case "linear": return { kind, factor };
    case "llama3": return { kind, factor, originalContext, lowFreqFactor: optional(scaling, "low_freq_factor") ?? 1, highFreqFactor: optional(scaling, "high_freq_factor") ?? 4 };
    case "yarn": return { kind, factor, originalContext, betaFast: optional(scaling, "beta_fast") ?? 32, betaSlow: optional(scaling, "beta_slow") ?? 1, attentionFactor: optional(scaling, "attention_factor"), attentionScale: 1 };
    case "longrope": {
      const trained = optional(json, "original_max_position_embeddings") ?? originalContext, attentionFactor = optional(scaling, "attention_factor");
      return { kind, factor: contextLength / trained, originalContext: trained, attentionFactor, short: numbers(scaling, "short_factor"), long: numbers(scaling, "long_factor") };
    }
    default: return fail("model/bad-config", `config.json: rope_scaling: wanted default, linear, llama3, yarn or longrope; found "${kind}"`);
  }
}

/** What changes rotation; newer configs call it `rope_parameters` and keep the base there too. Empty when there is none. */
function ropeParameters(json: JsonObject): JsonObject {
  return object(json, "rope_scaling") ?? object(json, "rope_parameters") ?? {};
}

function text(json: JsonObject, key: string): string | undefined {
  const value = json[key];
  return typeof value === "string" ? value : undefined;
}

function object(json: JsonObject, key: string): JsonObject | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  return isJsonObject(value) ? value : fail("model/bad-config", `config.json: ${key}: wanted an object, found ${JSON.stringify(value)}`);
}

function optional(json: JsonObject, key: string): number | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" && Number.isFinite(value) ? value : fail("model/bad-config", `config.json: ${key}: wanted a number, found ${JSON.stringify(value)}`);
}

function integer(json: JsonObject, key: string): number {
  const value = optional(json, key);
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : fail("model/bad-config", `config.json: ${key}: wanted a positive integer, found ${value ?? "nothing"}`);
}

function numbers(json: JsonObject, key: string): readonly number[] {
  const value = json[key], isList = Array.isArray(value) && value.every((each) => typeof each === "number");
  return isList ? (value as number[]) : fail("model/bad-config", `config.json: ${key}: wanted a list of numbers, found ${JSON.stringify(value)?.slice(0, 80) ?? "nothing"}`);
}
