/**
 * The shape of a trainable transformer: its sizes, and how it rounds weights and activations.
 *
 * @module
 */
import { BOOLEAN, type OptionTable, oneOf, required } from "../core/options.ts";
import { COUNT, POSITIVE } from "./option-checks.ts";
import { ACTIVATION_BITS, WEIGHT_BITS } from "./projection.ts";

/** A transformer's sizes, and how it rounds. */
export interface TransformerShape {
  /** Tokens. */
  readonly vocabSize: number;
  /** Width of the hidden states. */
  readonly dim: number;
  /** Layers. */
  readonly depth: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads, a divisor of `heads`. */
  readonly kvHeads: number;
  /** Width of a head, a multiple of 8. */
  readonly headDim: number;
  /** Width inside the feed-forward. */
  readonly ffHidden: number;
  /** The function inside the feed-forward. */
  readonly activation: "silu" | "relu2" | "gelu";
  /** Whether the feed-forward is gated. */
  readonly glu: boolean;
  /** Base of the rotary positions. */
  readonly ropeTheta: number;
  /** Added to the mean square in norms. */
  readonly normEps: number;
  /** Most positions of a sequence. */
  readonly contextLength: number;
  /** 1.58: ternary absmean; 1: sign with the mean removed; 32: float. */
  readonly weightBits: 1 | 1.58 | 32;
  /** 8: int8 absmax per token; 1: sign; 32: float. */
  readonly activationBits: 1 | 8 | 32;
  /** RMSNorm before attn_output and before ffn_down (BitNet's sub-layer norms). */
  readonly subNorms: boolean;
  /** The head shares the embedding's weights. */
  readonly tied: boolean;
}

/** Every member is required. */
export const TRANSFORMER_SHAPE: OptionTable<TransformerShape> = {
  vocabSize: required(COUNT),
  dim: required(COUNT),
  depth: required(COUNT),
  heads: required(COUNT),
  kvHeads: required(COUNT),
  headDim: required(COUNT),
  ffHidden: required(COUNT),
  activation: required(oneOf("silu", "relu2", "gelu")),
  glu: required(BOOLEAN),
  ropeTheta: required(POSITIVE),
  normEps: required(POSITIVE),
  contextLength: required(COUNT),
  weightBits: required(oneOf(...WEIGHT_BITS)),
  activationBits: required(oneOf(...ACTIVATION_BITS)),
  subNorms: required(BOOLEAN),
  tied: required(BOOLEAN),
};
