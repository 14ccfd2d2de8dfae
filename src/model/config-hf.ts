/**
 * Hugging Face `config.json` → {@link ModelConfig}, and how the weights are stored. Defaults are those of transformers'
 * configurations.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { MODEL_NAME_CHARS_MAX, MODULES_KEPT_MAX } from "../core/limits.ts";
import type { JsonObject } from "../files/json.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { type Activation, type Architecture, hfArchitecture } from "./architectures.ts";
import { HF_ENDS, HF_RENAMED } from "./blocks.ts";
import { checkConfig } from "./check-config.ts";
import { ConfigReader } from "./config-reader.ts";
import type { ModelConfig, RopeScaling } from "./config.ts";
import { hybridParts } from "./hybrid-hf.ts";
import { checkUnreadMembers } from "./keys-hf.ts";
import type { HfStorage } from "./naming-hf.ts";
import { slidingFromHf } from "./sliding-hf.ts";

/** `gelu` in transformers is the exact form, which no kernel computes: ours is off by 4e-4. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  relu2: "relu2",
  gelu_pytorch_tanh: "gelu",
  gelu_new: "gelu",
};

/** Defaults of members that a file leaves out, by `model_type`. Undefined: follows from the other sizes. */
interface Defaults {
  readonly normEps: number;
  readonly ropeTheta: number;
  readonly contextLength: number;
  readonly nKvHeads?: number;
  readonly headDim?: number;
  readonly tied?: boolean;
}

const DEFAULTS: Readonly<Record<string, Defaults>> = {
  bitnet: { normEps: 1e-5, ropeTheta: 500_000, contextLength: 2048, nKvHeads: 5 },
  gemma3_text: { normEps: 1e-6, ropeTheta: 1e6, contextLength: 131_072, nKvHeads: 4, headDim: 256, tied: true },
  hunyuan_v1_dense: { normEps: 1e-5, ropeTheta: 10_000, contextLength: 2048 },
  llama: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 2048 },
  minicpm: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 2048 },
  qwen2: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 32_768, nKvHeads: 32 },
  qwen3: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 32_768, nKvHeads: 32, headDim: 128 },
  qwen3_5: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 32_768, headDim: 256 },
  qwen3_5_text: { normEps: 1e-6, ropeTheta: 10_000, contextLength: 32_768, headDim: 256 },
};

/** Their files keep what norm weights are above 1. */
const NORMS_ABOVE_ONE = new Set(["gemma3_text"]);

/** The configuration from a `config.json`, and the members that do not affect it. */
export interface HfConfig {
  readonly config: ModelConfig;
  readonly storage: HfStorage;
  readonly unusedKeys: readonly string[];
}

/** @throws OnebitError `model/unsupported-architecture`, `model/bad-config`, `model/missing-tensor` */
export function configFromHf(json: JsonObject, tensors: ReadonlyMap<string, TensorInfo>): HfConfig {
  const whole = new ConfigReader(json),
    // Of a model that also sees, the part that reads and writes.
    reader = whole.child("text_config") ?? whole,
    config = readConfig(reader, tensors),
    storage = readStorage(reader, config);
  if (!config.slides) requireFullAttention(reader, config);
  // The tokenizer's reader uses these.
  for (const key of ["bos_token_id", "eos_token_id", "pad_token_id"]) reader.get(key);
  whole.get("model_type");
  return { config, storage, unusedKeys: checkUnreadMembers(whole, config) };
}

function readConfig(reader: ConfigReader, tensors: ReadonlyMap<string, TensorInfo>): ModelConfig {
  const modelType = reader.text("model_type") ?? reader.wrong("model_type", "the name of an architecture");
  // The first reproduction of b1.58 calls itself llama but has BitNet's sub-norms.
  const architecture = hfArchitecture(isFirstReproduction(reader) ? "bitnet" : modelType),
    defaults = DEFAULTS[modelType];
  const nEmbd = reader.count("hidden_size"),
    nHeads = reader.count("num_attention_heads"),
    nLayers = reader.count("num_hidden_layers");
  const headDim = reader.number("head_dim") ?? defaults.headDim ?? nEmbd / nHeads;
  const contextLengthTrained = reader.number("max_position_embeddings") ?? defaults.contextLength;
  // A null means that every head has its own keys and values.
  const nKvHeads =
    reader.number("num_key_value_heads") ??
    (reader.has("num_key_value_heads") ? nHeads : (defaults.nKvHeads ?? nHeads));
  const hybrid = architecture.hybrid ? hybridParts(reader, nLayers, headDim) : undefined;
  const rows = tensors.get(HF_ENDS.tokenEmbd)?.shape[1],
    told = reader.number("vocab_size");
  const config = checkConfig({
    ...architecture,
    architecture: modelType,
    name: (reader.text("_name_or_path") || modelType).slice(0, MODEL_NAME_CHARS_MAX),
    nLayers,
    nEmbd,
    nHeads,
    headDim,
    contextLengthTrained,
    nKvHeads,
    nFf: reader.count("intermediate_size"),
    vocabSize: rows ?? told ?? reader.count("vocab_size"),
    normEps: reader.number("rms_norm_eps") ?? defaults.normEps,
    ropeDim: headDim,
    ...rotation(reader, architecture, contextLengthTrained, defaults.ropeTheta),
    activation: activationOf(reader, modelType, architecture),
    activationMode:
      architecture.activationMode === "token" || reader.get("quantization_config") !== undefined ? "token" : "block",
    alwaysTied: (reader.boolean("tie_word_embeddings") ?? defaults.tied) === true,
    ...scalesOf(reader, architecture),
    ...(architecture.slides && gemmaAttention(reader, nLayers)),
    ...hybrid,
  });
  if (reader.boolean("tie_word_embeddings") === false && !tensors.has(HF_ENDS.output)) {
    fail(
      "model/missing-tensor",
      `tensor "${HF_ENDS.output}": config.json says tie_word_embeddings is false, so the model needs it; the file ` +
        "does not have it",
    );
  }
  return config;
}

/** Gemma 3's windows, and its scale of attention, which one model's heads do not have the size of. */
function gemmaAttention(reader: ConfigReader, nLayers: number): Pick<ModelConfig, "sliding" | "attentionScale"> {
  const sliding = slidingFromHf(reader, nLayers),
    scalar = reader.number("query_pre_attn_scalar") ?? 256;
  return { ...(sliding && { sliding }), attentionScale: 1 / Math.sqrt(scalar) };
}

/** MiniCPM's factors on embeddings, branches and logits (arXiv 2404.06395), from the members that they follow from. */
function scalesOf(
  reader: ConfigReader,
  { scales, rootScale }: Architecture,
): Pick<ModelConfig, "embeddingScale" | "residualScale" | "logitScale"> {
  const embeddingScale = rootScale ? Math.sqrt(reader.count("hidden_size")) : 1;
  if (!scales) return { embeddingScale, residualScale: 1, logitScale: 1 };
  return {
    embeddingScale: reader.requiredNumber("scale_emb"),
    residualScale: reader.requiredNumber("scale_depth") / Math.sqrt(reader.count("num_hidden_layers")),
    logitScale: reader.requiredNumber("dim_model_base") / reader.count("hidden_size"),
  };
}

function isFirstReproduction(reader: ConfigReader): boolean {
  const architectures = reader.get("architectures");
  return Array.isArray(architectures) && architectures.includes("BitnetForCausalLM");
}

/**
 * How weights are stored: which projections have a bias, and the form of BitLinear weights (`quantization_config`).
 * Class `bitlinear` stores 1/mean|w| and divides, `autobitlinear` stores the scale itself. Floats in a BitNet model
 * without such a configuration, or with mode `online`, are masters.
 */
function readStorage(reader: ConfigReader, config: ModelConfig): HfStorage {
  const renamed = HF_RENAMED[config.architecture] ?? {},
    norms = NORMS_ABOVE_ONE.has(config.architecture) ? { normsAboveOne: true } : {},
    attentionBias = reader.boolean("attention_bias") ?? true,
    mlpBias = reader.boolean("mlp_bias") ?? true;
  const quantization = reader.child("quantization_config"),
    isBitnet = config.architecture === "bitnet" || isFirstReproduction(reader);
  if (quantization === undefined) {
    return {
      renamed,
      ...norms,
      attentionBias,
      mlpBias,
      bitLinear: isBitnet ? { scaleDivides: true, floatsAreMasters: true, keptModules: new Set() } : undefined,
    };
  }
  const oneOf = (key: string, wanted: readonly [string, ...string[]], fallback?: string) => {
    const found = quantization.text(key) ?? fallback ?? "nothing";
    const names = wanted.map((name) => `"${name}"`).join(" or ");
    return wanted.includes(found)
      ? found
      : fail("model/bad-config", `config.json: quantization_config.${key}: wanted ${names}, found ${quoted(found)}`);
  };
  oneOf("quant_method", ["bitnet"]);
  const linearClass = oneOf("linear_class", ["bitlinear", "autobitlinear"], "bitlinear");
  const isOnline = oneOf("quantization_mode", ["offline", "online"], "offline") === "online";
  if (quantization.boolean("use_rms_norm") === true) requireSameEps(quantization, config);
  return {
    renamed,
    ...norms,
    attentionBias,
    mlpBias,
    bitLinear: {
      scaleDivides: linearClass === "bitlinear",
      floatsAreMasters: isOnline || linearClass === "autobitlinear",
      keptModules: keptModules(quantization),
      normIn: quantization.boolean("use_rms_norm"),
    },
  };
}

/** In transformers, norms of projections have their own epsilon; here they use the model's. */
function requireSameEps(quantization: ConfigReader, { normEps }: ModelConfig): void {
  if ((quantization.number("rms_norm_eps") ?? 1e-6) !== normEps)
    quantization.wrong("rms_norm_eps", `${normEps}, that of the model's other norms (1e-6 where there is none)`);
}

/** Names of modules, or runs of their parts between dots, that are stored unconverted. */
function keptModules(quantization: ConfigReader): ReadonlySet<string> {
  const names = quantization.texts("modules_to_not_convert");
  if (names.length > MODULES_KEPT_MAX)
    fail(
      "model/bad-config",
      `config.json: quantization_config.modules_to_not_convert: ${names.length} names, the limit ` +
        `is ${MODULES_KEPT_MAX}`,
    );
  return new Set(names.map((name) => name.replace(/^\.|\.$/g, "")));
}

function activationOf(reader: ConfigReader, modelType: string, { activation, slides }: Architecture): Activation {
  const key = slides ? "hidden_activation" : "hidden_act",
    name = reader.text(key);
  if (name === undefined) return modelType === "bitnet" || slides ? activation : "silu";
  return Object.hasOwn(ACTIVATIONS, name)
    ? ACTIVATIONS[name]
    : reader.wrong(key, `one of ${Object.keys(ACTIVATIONS).join(", ")}`);
}

/** A window shorter than the context would hide keys that our graph reads. Qwen's windows are off by default. */
function requireFullAttention(
  reader: ConfigReader,
  { architecture, contextLengthTrained, nLayers, hybrid }: ModelConfig,
): void {
  const window = reader.number("sliding_window"),
    first = reader.number("max_window_layers") ?? 0;
  const isUsed = reader.boolean("use_sliding_window") ?? !architecture.startsWith("qwen");
  if (isUsed && window !== undefined && window > 0 && window < contextLengthTrained && first < nLayers) {
    reader.wrong(
      "sliding_window",
      `none, or one of the context's ${contextLengthTrained} positions (windows are not supported)`,
    );
  }
  const types = reader.texts("layer_types");
  if (hybrid) return;
  if (types.some((type) => type !== "full_attention")) reader.wrong("layer_types", '"full_attention" for every layer');
}

/**
 * Newer configs call it `rope_parameters` and keep the base there too, for each type of layer if these differ. As in
 * transformers, `rope_scaling` wins unless empty.
 */
function ropeParameters(reader: ConfigReader): ConfigReader | undefined {
  const scaling = reader.child("rope_scaling");
  if (scaling !== undefined && !scaling.isEmpty) return scaling;
  const parameters = reader.child("rope_parameters");
  return parameters?.has("full_attention") ? parameters.child("full_attention") : parameters;
}

function rotation(
  reader: ConfigReader,
  { raisesBase = false }: Architecture,
  contextLength: number,
  theta: number,
): Pick<ModelConfig, "ropeTheta" | "ropeAlpha" | "ropeScaling"> {
  const scaling = ropeParameters(reader),
    base = scaling?.number("rope_theta") ?? reader.number("rope_theta") ?? theta;
  const isRaised = raisesBase && (scaling?.text("rope_type") ?? scaling?.text("type")) === "dynamic";
  if (scaling === undefined || !isRaised) return { ropeTheta: base, ropeScaling: ropeScaling(reader, contextLength) };
  // Tencent's files call it dynamic; without an alpha the base would depend on the length of the text.
  if ((scaling.number("factor") ?? 1) !== 1) scaling.wrong("factor", "1 beside an alpha");
  return { ropeTheta: base, ropeAlpha: scaling.requiredNumber("alpha"), ropeScaling: { kind: "none" } };
}

function ropeScaling(reader: ConfigReader, contextLength: number): RopeScaling {
  const scaling = ropeParameters(reader);
  if (scaling === undefined) return { kind: "none" };
  const kind = scaling.text("rope_type") ?? scaling.text("type") ?? "default";
  const originalContext = () =>
    scaling.number("original_max_position_embeddings") ??
    reader.number("original_max_position_embeddings") ??
    contextLength;
  switch (kind) {
    case "default":
      if ((scaling.number("factor") ?? 1) !== 1)
        scaling.wrong("factor", "none without a rope_type (linear, llama3, yarn or longrope)");
      return { kind: "none" };
    case "linear":
      return { kind, factor: scaling.requiredNumber("factor") };
    case "llama3":
      return {
        kind,
        factor: scaling.requiredNumber("factor"),
        originalContext: originalContext(),
        lowFreqFactor: scaling.requiredNumber("low_freq_factor"),
        highFreqFactor: scaling.requiredNumber("high_freq_factor"),
      };
    case "yarn":
      return yarn(scaling, originalContext(), contextLength);
    case "longrope":
      return longRope(scaling, originalContext(), contextLength);
    default:
      return scaling.wrong(
        scaling.has("rope_type") ? "rope_type" : "type",
        "default, linear, llama3, yarn or longrope",
      );
  }
}

function yarn(scaling: ConfigReader, originalContext: number, contextLength: number): RopeScaling {
  const attentionFactor = scaling.number("attention_factor"),
    mscale = scaling.number("mscale"),
    all = scaling.number("mscale_all_dim");
  if (scaling.boolean("truncate") === false) scaling.wrong("truncate", "true");
  // With both given, the magnitude is a quotient of the two: 1 when they are equal.
  const quotient =
    attentionFactor === undefined && mscale && all
      ? mscale === all
        ? 1
        : scaling.wrong("mscale", `${all}, the same as mscale_all_dim`)
      : undefined;
  return {
    kind: "yarn",
    factor: scaling.number("factor") ?? contextLength / originalContext,
    originalContext,
    betaFast: scaling.number("beta_fast") || 32,
    betaSlow: scaling.number("beta_slow") || 1,
    attentionFactor: attentionFactor ?? quotient,
    attentionScale: 1,
  };
}

function longRope(scaling: ConfigReader, originalContext: number, contextLength: number): RopeScaling {
  const stretch = contextLength / originalContext,
    factor = scaling.number("factor") ?? stretch,
    attentionFactor = scaling.number("attention_factor");
  // Releases of transformers differ in which of the two they use.
  if (factor !== stretch && attentionFactor === undefined)
    scaling.wrong("factor", `${stretch}, the context over the original one, or an attention_factor`);
  return {
    kind: "longrope",
    factor,
    originalContext,
    attentionFactor,
    short: scaling.numbers("short_factor"),
    long: scaling.numbers("long_factor"),
  };
}
