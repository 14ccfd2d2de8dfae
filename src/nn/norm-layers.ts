/**
 * RMSNorm (Zhang and Sennrich, 2019) and LayerNorm (Ba, Kiros and Hinton, 2016) over the last dimension.
 *
 * @module
 */
import { BOOLEAN, type OptionTable, check, checkOptions } from "../core/options.ts";
import { ArrayLayer, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { requireColumns } from "./nd-array.ts";
import { layerNorm, rmsNorm } from "./ops.ts";
import { COUNT, POSITIVE } from "./option-checks.ts";
import type { Parameter } from "./parameter.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@link LayerNorm}. */
export interface NormOptions extends LayerOptions {
  /** Added to the mean square, or the variance. Default 1e-5. */
  readonly eps?: number;
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions extends NormOptions {
  /** Whether a gain for each column is learned. Default true. */
  readonly gain?: boolean;
}

export const NORM_OPTIONS: OptionTable<NormOptions> = { ...LAYER_OPTIONS, eps: POSITIVE };
export const RMS_NORM_OPTIONS: OptionTable<RMSNormOptions> = { ...NORM_OPTIONS, gain: BOOLEAN };

/**
 * x / √(mean(x²) + eps) · weight over the last dimension, (…, dim) → the same (Zhang and Sennrich, 2019, arXiv
 * 1910.07467, §4).
 * Parameter: `weight` (dim), unless `gain` is false.
 *
 * @example
 * ```ts
 * import { RMSNorm, array } from "onebit/nn";
 *
 * console.log(new RMSNorm(2).forward(array([3, 4])).data); // about 0.849, 1.131
 * ```
 */
export class RMSNorm extends ArrayLayer {
  /** The last extent. */
  readonly dim: number;
  /** Added to the mean square. */
  readonly eps: number;
  readonly #weight: Parameter | undefined;
  /** Address of ones that stand in for a gain. */
  readonly #ones: number;

  /** @throws OnebitError `option/invalid` */
  constructor(dim: number, given: RMSNormOptions = {}) {
    const options = checkOptions("RMSNorm", given, RMS_NORM_OPTIONS);
    super(options);
    this.dim = check("dim", dim, COUNT);
    this.eps = options.eps ?? 1e-5;
    this.#weight = options.gain === false ? undefined : this.addParameter("weight", [dim]);
    this.#ones = this.#weight?.address ?? this.addBlock(dim * 4, "ones of a norm");
    this.runtime.f32(this.#ones, dim).fill(1);
  }

  outputShape(shape: readonly number[]): readonly number[] {
    requireColumns(shape, this.dim, "RMSNorm");
    return shape;
  }

  record(tape: Tape, x: Tensor): Tensor {
    return rmsNorm(tape, x, this.#weight ? tape.parameter(this.#weight) : tape.at(this.#ones, [this.dim]), this.eps);
  }
}

/**
 * (x - mean) / √(variance + eps) · weight + bias over the last dimension, (…, dim) → the same (Ba et al., 2016, arXiv
 * 1607.06450, §3). Parameters: `weight` and `bias` (dim).
 *
 * @example
 * ```ts
 * import { LayerNorm, array } from "onebit/nn";
 *
 * console.log(new LayerNorm(2).forward(array([3, 4])).data); // about -1, 1
 * ```
 */
export class LayerNorm extends ArrayLayer {
  /** The last extent. */
  readonly dim: number;
  /** Added to the variance. */
  readonly eps: number;
  readonly #weight: Parameter;
  readonly #bias: Parameter;

  /** @throws OnebitError `option/invalid` */
  constructor(dim: number, given: NormOptions = {}) {
    const options = checkOptions("LayerNorm", given, NORM_OPTIONS);
    super(options);
    this.dim = check("dim", dim, COUNT);
    this.eps = options.eps ?? 1e-5;
    this.#weight = this.addParameter("weight", [dim]);
    this.#bias = this.addParameter("bias", [dim]);
    this.#weight.value.fill(1);
  }

  outputShape(shape: readonly number[]): readonly number[] {
    requireColumns(shape, this.dim, "LayerNorm");
    return shape;
  }

  record(tape: Tape, x: Tensor): Tensor {
    return layerNorm(tape, x, tape.parameter(this.#weight), tape.parameter(this.#bias), this.eps);
  }
}

/** Which norm a layer puts somewhere. */
export type NormKind = "rms" | "layer" | "none";
