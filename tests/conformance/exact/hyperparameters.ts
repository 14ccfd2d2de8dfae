/**
 * What the forward pass needs to know of a model, read from GGUF metadata.
 *
 * Written apart from `src/model`, on purpose: an oracle that shares its reading of the keys shares its mistakes.
 */
import type { GgufWeights } from "./gguf-weights.ts";

export interface Hyperparameters {
  readonly architecture: string;
  readonly nLayers: number;
  readonly nEmbd: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly normEps: number;
  readonly ropeDim: number;
  /** With its alpha. */
  readonly ropeTheta: number;
  readonly ropeScaling: string;
  readonly ropeFactor: number;
  readonly ropeOriginalContext: number;
  /** Undefined when the file does not give it. */
  readonly ropeAttentionFactor: number | undefined;
  readonly activation: string;
  /** Scores are divided by its root. */
  readonly scoreSize: number;
  /** Positions that a layer sees, its own the last; Infinity for all. */
  readonly windows: readonly number[];
  /** Rotary base of the layers that do not see all. */
  readonly slidingTheta: number;
  readonly embeddingScale: number;
  readonly residualScale: number;
  /** Logits are divided by it. */
  readonly logitScale: number;
}

export function readHyperparameters(weights: GgufWeights): Hyperparameters {
  const architecture = String(weights.metadata("general.architecture"));
  const find = (key: string) => weights.metadata(`${architecture}.${key}`);
  const number = (key: string, fallback?: number): number => {
    const value = find(key) ?? fallback;
    if (value === undefined) throw new Error(`the file has no ${architecture}.${key}`);
    return Number(value);
  };
  const nEmbd = number("embedding_length");
  const nHeads = number("attention.head_count");
  const headDim = number("attention.key_length", nEmbd / nHeads);
  const attentionFactor = find("rope.scaling.attn_factor");
  return {
    architecture,
    nLayers: number("block_count") - number("nextn_predict_layers", 0),
    nEmbd,
    nHeads,
    nKvHeads: number("attention.head_count_kv", nHeads),
    headDim,
    normEps: number("attention.layer_norm_rms_epsilon"),
    ropeDim: number("rope.dimension_count", headDim),
    ropeTheta: number("rope.freq_base", 10_000) * number("rope.scaling.alpha", 1) ** (headDim / (headDim - 2)),
    ropeScaling: String(find("rope.scaling.type") ?? "none"),
    ropeFactor: number("rope.scaling.factor", 1),
    ropeOriginalContext: number("rope.scaling.original_context_length", number("context_length")),
    ropeAttentionFactor: attentionFactor === undefined ? undefined : Number(attentionFactor),
    activation: String(
      find("hidden_activation") ?? defaultActivation(architecture, nEmbd, number("feed_forward_length")),
    ),
    scoreSize: architecture === "gemma3" && number("block_count") === 62 ? nEmbd / nHeads : headDim,
    windows: windowsOf(architecture, number("block_count"), find),
    slidingTheta: number("rope.freq_base_swa", 10_000),
    embeddingScale: architecture === "gemma3" ? Math.sqrt(nEmbd) : number("embedding_scale", 1),
    residualScale: number("residual_scale", 1),
    logitScale: number("logit_scale", 1),
  };
}

/** Squared ReLU for BitNet, except in files of the first one (`bitnet`), which 2B4T's own dimensions tell from 2B4T. */
function defaultActivation(architecture: string, nEmbd: number, nFf: number): string {
  if (architecture === "bitnet") return nEmbd === 2560 && nFf === 6912 ? "relu2" : "silu";
  if (architecture === "gemma3") return "gelu";
  return architecture.startsWith("bitnet") ? "relu2" : "silu";
}

/** Gemma 3: five layers of six see a window, unless a list says which do, or a number which one of so many does not. */
function windowsOf(architecture: string, nLayers: number, find: (key: string) => unknown): number[] {
  const window = Number(find("attention.sliding_window") ?? 0),
    pattern = find("attention.sliding_window_pattern") ?? 6;
  const slides = (layer: number) =>
    Array.isArray(pattern) ? pattern[layer] === true : layer % Number(pattern) !== Number(pattern) - 1;
  return Array.from({ length: nLayers }, (_, layer) =>
    architecture === "gemma3" && window > 0 && slides(layer) ? window : Infinity,
  );
}
