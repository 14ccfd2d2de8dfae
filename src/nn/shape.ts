/**
 * The shape of a trainable transformer: its sizes, and how it rounds weights and activations.
 *
 * @module
 */

export interface TransformerShape {
  readonly vocabSize: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffHidden: number;
  readonly activation: "silu" | "relu2" | "gelu";
  readonly glu: boolean;
  readonly ropeTheta: number;
  readonly normEps: number;
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
