/**
 * x · Wᵀ for layers: with learned weights, rounded in every pass, or with weights packed once (packed-matrix.ts). Both
 * give the same bits.
 *
 * @module
 */
import { addBias, product, quantizeActivations, quantizeWeights } from "./ops.ts";
import type { Parameter } from "./parameter.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** 1.58: ternary absmean; 1: sign with the mean removed; 32: float. */
export type WeightBits = 1 | 1.58 | 32;
/** 8: int8 absmax a row; 1: sign; 32: float. */
export type ActivationBits = 1 | 8 | 32;

export const WEIGHT_BITS: readonly WeightBits[] = [1, 1.58, 32];
export const ACTIVATION_BITS: readonly ActivationBits[] = [1, 8, 32];

/** What multiplies: learned weights, or packed ones. */
export interface Projection {
  /** x (n, in) → (n, out). Projections of the same x on one tape round it once. */
  project(tape: Tape, x: Tensor): Tensor;
}

/** A projection and its bias. */
export interface Linear {
  /** x · Wᵀ. */
  readonly projection: Projection;
  /** (out), if there is one. */
  readonly bias?: Parameter;
}

export function learnedProjection(
  weight: Parameter,
  weightBits: WeightBits,
  activationBits: ActivationBits,
): Projection {
  return {
    project(tape, x) {
      const rounded = tape.once(x, `activations of ${activationBits} bits`, () =>
        quantizeActivations(tape, x, activationBits),
      );
      return product(tape, rounded, quantizeWeights(tape, tape.parameter(weight), weightBits));
    },
  };
}

export function recordLinear(tape: Tape, { projection, bias }: Linear, x: Tensor): Tensor {
  const y = projection.project(tape, x);
  return bias ? addBias(tape, y, tape.parameter(bias)) : y;
}
