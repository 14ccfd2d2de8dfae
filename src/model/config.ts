/**
 * What the forward pass needs to know of a model from any file.
 *
 * @module
 */
import type { Architecture } from "./architectures.ts";

/** How the rotary frequencies are changed for long contexts (`rope.scaling.type`). */
export type RopeScaling = NoRopeScaling | LinearRopeScaling | Llama3RopeScaling | YarnRopeScaling | LongRopeScaling;

/** As they are. */
export interface NoRopeScaling {
  /** Which it is. */
  readonly kind: "none";
}

/** Positions are divided by one factor (Chen et al., 2023, arXiv 2306.15595). */
export interface LinearRopeScaling {
  /** Which it is. */
  readonly kind: "linear";
  /** Positions are divided by it. */
  readonly factor: number;
}

/** Low frequencies are divided, high ones kept (Llama 3.1). */
export interface Llama3RopeScaling {
  /** Which it is. */
  readonly kind: "llama3";
  /** Low frequencies are divided by it. */
  readonly factor: number;
  /** Frequencies that turn less often than this over `originalContext` are low. */
  readonly lowFreqFactor: number;
  /** Frequencies that turn more often than this over `originalContext` are high. */
  readonly highFreqFactor: number;
  /** Positions before scaling. */
  readonly originalContext: number;
}

/** YaRN (Peng et al., 2023, arXiv 2309.00071). */
export interface YarnRopeScaling {
  /** Which it is. */
  readonly kind: "yarn";
  /** Low frequencies are divided by it. */
  readonly factor: number;
  /** Positions before scaling. */
  readonly originalContext: number;
  /** Frequencies that turn more often than this over `originalContext` are kept. */
  readonly betaFast: number;
  /** Frequencies that turn less often than this are divided. */
  readonly betaSlow: number;
  /** Stands in the place of YaRN's own factor on cos and sin. */
  readonly attentionFactor: number | undefined;
  /** Multiplies that factor. */
  readonly attentionScale: number;
}

/** LongRoPE (Ding et al., 2024, arXiv 2402.13753): a factor for each frequency. */
export interface LongRopeScaling {
  /** Which it is. */
  readonly kind: "longrope";
  /** Context over `originalContext`. */
  readonly factor: number;
  /** Positions before scaling. */
  readonly originalContext: number;
  /** Stands in the place of LongRoPE's own factor on cos and sin. */
  readonly attentionFactor: number | undefined;
  /** Factors for contexts up to `originalContext`. */
  readonly short?: readonly number[];
  /** Factors for longer ones. */
  readonly long?: readonly number[];
}

/** Layers that see only the last positions (Gemma 3), which then need no long rotary scaling. */
export interface SlidingWindow {
  /** Positions that a row of such a layer sees, its own the last. */
  readonly positions: number;
  /** Whether each layer is one. */
  readonly layers: readonly boolean[];
  /** Base of the rotary frequencies of these layers, which are not scaled. */
  readonly ropeTheta: number;
}

/** Layers that keep a state instead of keys and values (Yang et al., 2024, arXiv 2412.06464). */
export interface DeltaNet {
  /** Which layers; the others have gated attention. */
  readonly isRecurrent: readonly boolean[];
  /** Heads of queries and keys. */
  readonly nKeyHeads: number;
  /** Heads of values: a multiple. */
  readonly nValueHeads: number;
  /** Width of all heads. */
  readonly headDim: number;
  /** Positions that the convolution mixes. */
  readonly nTaps: number;
  /** The value heads of a key head lie side by side, not `nKeyHeads` apart. */
  readonly isGrouped: boolean;
}

/** Weights that meet rotated inputs (`prism.hadamard.…`). */
export interface Hadamard {
  /** Consecutive inputs that turn together: a power of two. */
  readonly block: number;
  /** Signs by width, ±1; undefined: none. */
  readonly signs: Readonly<Record<number, readonly number[]>> | undefined;
  /** Tensors whose inputs are rotated. */
  readonly weights: readonly string[];
  /** Rows of the embedding are rotated back when they are looked up. */
  readonly isEmbeddingRotated: boolean;
  /** That table is also the head, whose inputs are rotated. */
  readonly isHeadTied: boolean;
  /** Before that, a delta net's value heads go beside those of the same key head. */
  readonly groupsValues: boolean;
}

/** What the forward pass knows of a model, whatever file it came from. */
export interface ModelConfig extends Architecture {
  /** `general.architecture` of a GGUF, `model_type` of a Hugging Face config. */
  readonly architecture: string;
  /** What the file calls the model; else the name of the file. */
  readonly name: string;
  /** Layers. */
  readonly nLayers: number;
  /** Width of the hidden states. */
  readonly nEmbd: number;
  /** Query heads. */
  readonly nHeads: number;
  /** Key and value heads: a divisor of `nHeads` (grouped-query attention, Ainslie et al., 2023, arXiv 2305.13245). */
  readonly nKvHeads: number;
  /** Width of a head. */
  readonly headDim: number;
  /** Width of the feed-forward. */
  readonly nFf: number;
  /** Rows of the embedding: tokens and padding. */
  readonly vocabSize: number;
  /** Positions the model was trained for. */
  readonly contextLengthTrained: number;
  /** Added to the mean square in norms. */
  readonly normEps: number;
  /** Base of the rotary frequencies (Su et al., 2021, arXiv 2104.09864). */
  readonly ropeTheta: number;
  /** Raises the base, to θ · α^(d / (d − 2)) for heads of width d (NTK-aware scaling). Default 1. */
  readonly ropeAlpha?: number;
  /** Leading dimensions of a head that rotate. */
  readonly ropeDim: number;
  /** How the rotary frequencies are changed for long contexts. */
  readonly ropeScaling: RopeScaling;
  /** Embeddings are multiplied by this (muP); 1 without scales. */
  readonly embeddingScale: number;
  /** What a block adds is multiplied by this (muP); 1 without scales. */
  readonly residualScale: number;
  /** Factor on attention's scores. Default 1/√headDim. */
  readonly attentionScale?: number;
  /** Default: every layer sees all positions. */
  readonly sliding?: SlidingWindow;
  /** The model has no head: it makes vectors of texts, and does not write. Default false. */
  readonly embeddingOnly?: boolean;
  /** Factor on the logits. */
  readonly logitScale: number;
  /** Layers that are not attention; undefined: none. */
  readonly deltaNet?: DeltaNet;
  /** Rotated weights; undefined: none. */
  readonly hadamard?: Hadamard;
  /** Further layers of the file, which guess tokens ahead and do not run. Undefined: none. */
  readonly nUnusedLayers?: number;
}

/** What attention's scores are multiplied by. */
export function attentionScaleOf({ attentionScale, headDim }: ModelConfig): number {
  return attentionScale ?? 1 / Math.sqrt(headDim);
}
