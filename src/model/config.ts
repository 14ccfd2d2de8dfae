/**
 * What the forward pass needs to know of a model from any file.
 *
 * @module
 */
import type { Architecture } from "./architectures.ts";

/**
 * How `rope.scaling.type` changes the rotary frequencies. `attentionFactor` replaces the scaling's own factor on cos
 * and sin; `attentionScale` multiplies it.
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

export interface ModelConfig extends Architecture {
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
  readonly ropeScaling: RopeScaling;
  readonly embeddingScale: number;
  readonly residualScale: number;
  /** Factor on the logits. */
  readonly logitScale: number;
}
