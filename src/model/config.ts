/**
 * What the forward pass needs to know of a model, whatever file it came from.
 *
 * @module
 */

/**
 * Rotary frequencies are changed by one of these (`rope.scaling.type`). `attentionFactor` stands in the place of the
 * scaling's own factor on cos and sin, `attentionScale` multiplies it.
 */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalContext: number;
    }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly originalContext: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly attentionFactor: number | undefined;
      readonly attentionScale: number;
    }
  | {
      readonly kind: "longrope";
      readonly factor: number;
      readonly originalContext: number;
      readonly attentionFactor: number | undefined;
      readonly short?: readonly number[];
      readonly long?: readonly number[];
    };

export type Activation = "silu" | "relu2" | "gelu";

/**
 * How activations meet 1-bit weights. `token`: int8 with one scale a token, part of the model (BitNet-trained
 * families, W1.58A8). `block`: finer, a scale every 64 or 128 values (families trained with float activations).
 */
export type ActivationMode = "token" | "block";

export interface ModelConfig {
  /** `general.architecture` of a GGUF, `model_type` of a Hugging Face config. */
  readonly architecture: string;
  readonly name: string;
  readonly nLayers: number;
  readonly nEmbd: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly nFf: number;
  readonly vocabSize: number;
  /** Positions the model was trained for. */
  readonly contextLengthTrained: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** Leading dimensions of a head that rotate. */
  readonly ropeDim: number;
  /** Which two dimensions rotate together: 2i and 2i+1, or i and i + ropeDim/2. */
  readonly ropePairs: "adjacent" | "half";
  readonly ropeScaling: RopeScaling;
  readonly activation: Activation;
  readonly activationMode: ActivationMode;
  /** RMS norm inside attention and feed-forward, before their output projections (BitNet). */
  readonly subNorms: boolean;
  /** RMS norm of each query and key head before rotation (Qwen3). */
  readonly qkNorm: boolean;
  /** The head reuses the embedding table even when the file has an `output.weight`. */
  readonly alwaysTied: boolean;
  readonly embeddingScale: number;
  readonly residualScale: number;
  /** Logits are multiplied by this. */
  readonly logitScale: number;
}
