/**
 * The linear layer of the BitNet papers (arXiv 2310.11453, 2402.17764): it norms and rounds its input, rounds its
 * weights in every pass, and learns the float masters.
 *
 *   y = scales · (codes of norm(x) · codes of Wᵀ) + b
 *
 * @module
 */
import { BOOLEAN, type Kind, type OptionTable, check, checkOptions, kind, oneOf, optional } from "../core/options.ts";
import { createInitializer } from "./initialize.ts";
import { ArrayLayer, LAYER_OPTIONS, type LayerOptions, copyParameters } from "./layer.ts";
import { requireColumns } from "./nd-array.ts";
import { RMSNorm } from "./norm-layers.ts";
import { COUNT, POSITIVE, notOfPacked } from "./option-checks.ts";
import { PackedMatrix, requirePackable } from "./packed-matrix.ts";
import type { Parameter } from "./parameter.ts";
import {
  ACTIVATION_BITS,
  type ActivationBits,
  type Linear,
  type Projection,
  WEIGHT_BITS,
  type WeightBits,
  learnedProjection,
  recordLinear,
} from "./projection.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";
import { type WeightCodes, weightCodes } from "./weight-codes.ts";

/** How weights and activations are rounded. */
export interface BitOptions {
  /** 1.58: -1, 0, +1 by absmean; 1: sign with the mean removed; 32: float. Default 1.58. */
  readonly weightBits?: WeightBits;
  /** 8: int8 by the absmax of a row; 1: sign; 32: float. Default 8. */
  readonly activationBits?: ActivationBits;
}

/** Options of {@link BitLinear}. */
export interface BitLinearOptions extends LayerOptions, BitOptions {
  /** Default true; it starts as zeros. */
  readonly bias?: boolean;
  /** What happens to x before it is rounded. Default "rms". */
  readonly norm?: "rms" | "none";
  /** Whether that norm learns a gain. Default false. */
  readonly gain?: boolean;
  /** Default 1e-5. */
  readonly normEps?: number;
}

export const BIT_OPTIONS: OptionTable<BitOptions> = {
  weightBits: oneOf(...WEIGHT_BITS),
  activationBits: oneOf(...ACTIVATION_BITS),
};

export const BIT_LINEAR_OPTIONS: OptionTable<BitLinearOptions> = {
  ...LAYER_OPTIONS,
  ...BIT_OPTIONS,
  bias: BOOLEAN,
  norm: oneOf("rms", "none"),
  gain: BOOLEAN,
  normEps: POSITIVE,
};

/** Packed child layers by name, as `pack` passes them to a composite layer. */
export function packedParts<Parts>(...names: readonly (keyof Parts & string)[]): Kind<Parts | undefined> {
  return optional(
    kind<Parts>(
      "what pack() made",
      (value) =>
        typeof value === "object" &&
        value !== null &&
        names.every((name) => (value as Readonly<Record<string, unknown>>)[name] instanceof BitLinear),
    ),
  );
}

/**
 * The linear layer of the BitNet papers, (…, inFeatures) → (…, outFeatures): y = scales · (codes of norm(x) · codes of
 * Wᵀ) + b.
 * The floats behind the codes are learned; gradients pass the rounding as if it were not there.
 *
 * Ternary weights: Ma et al., 2024, arXiv 2402.17764, §2; binary: Wang et al., 2023, arXiv 2310.11453, §2.1; gradients:
 * Bengio et al., 2013, arXiv 1308.3432, §4. Parameters: `weight` (out, in), `bias` (out), `norm.weight` (in) with a
 * gain.
 *
 * @example
 * ```ts
 * import { BitLinear, array } from "onebit/nn";
 *
 * const layer = new BitLinear(4, 2),
 *   y = layer.forward(array([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]));
 * console.log(y.shape, layer.backward(y).shape); // 2, 2 and 2, 4
 * layer.close();
 * ```
 */
export class BitLinear extends ArrayLayer {
  /** Columns that go in. */
  readonly inFeatures: number;
  /** Columns that come out. */
  readonly outFeatures: number;
  /** How weights are rounded. */
  readonly weightBits: WeightBits;
  /** How activations are rounded. */
  readonly activationBits: ActivationBits;
  /** The product behind the norm. */
  readonly linear: Linear;
  readonly #options: BitLinearOptions;
  readonly #norm: RMSNorm | undefined;
  readonly #weight: Parameter | undefined;
  readonly #packed: PackedMatrix | undefined;

  /**
   * @param given options; weights start within ±1/√inFeatures
   * @param packed weights of {@link pack}, which this layer then owns
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`, `engine/unsupported`
   */
  constructor(inFeatures: number, outFeatures: number, given: BitLinearOptions = {}, packed?: PackedMatrix) {
    const options = checkOptions("BitLinear", given, BIT_LINEAR_OPTIONS),
      { weightBits = 1.58, activationBits = 8, norm = "rms" } = options;
    check("packed", packed, optional(kind("what pack() made", (value) => value instanceof PackedMatrix)));
    super(options);
    this.inFeatures = check("inFeatures", inFeatures, COUNT);
    this.outFeatures = check("outFeatures", outFeatures, COUNT);
    this.weightBits = weightBits;
    this.activationBits = activationBits;
    this.#options = { ...options, runtime: this.runtime };
    const { runtime, seed } = this;
    if (norm === "rms")
      this.#norm = this.addChild(
        "norm",
        new RMSNorm(inFeatures, { runtime, seed, eps: options.normEps, gain: options.gain ?? false }),
      );
    this.#packed = packed;
    let projection: Projection | undefined = packed;
    if (!projection) {
      this.#weight = this.addParameter("weight", [outFeatures, inFeatures]);
      // ±1/√in, as for any linear: the output's variance is 1/3 of the input's.
      createInitializer(runtime, seed)(this.#weight, 1 / Math.sqrt(inFeatures));
      projection = learnedProjection(this.#weight, this.weightBits, this.activationBits);
    }
    this.linear = { projection, bias: options.bias === false ? undefined : this.addParameter("bias", [outFeatures]) };
    if (packed) this.eval();
  }

  outputShape(shape: readonly number[]): readonly number[] {
    requireColumns(shape, this.inFeatures, "BitLinear");
    return [...shape.slice(0, -1), this.outFeatures];
  }

  record(tape: Tape, x: Tensor): Tensor {
    return recordLinear(tape, this.linear, this.#norm ? this.#norm.record(tape, x) : x);
  }

  /** Whether `pack` made it. */
  get isPacked(): boolean {
    return this.#packed !== undefined;
  }

  /** Bytes of the weights as they are multiplied: packed, or floats. */
  get weightBytes(): number {
    return this.#packed?.sizeBytes ?? this.inFeatures * this.outFeatures * 4;
  }

  /** What the weights are rounded to. @throws OnebitError `option/invalid` when they are packed, or floats */
  weightCodes(): WeightCodes {
    this.requireOpen();
    return weightCodes(this.runtime, this.requireLearned("weightCodes"), this.weightBits);
  }

  /**
   * The layer for inference: its weights as they are now, packed to 2 bits or 1 bit each, multiplied by integer
   * kernels. It is in eval mode for good and gives the bits that this layer gives in eval mode.
   *
   * @throws OnebitError `option/invalid` for float weights or activations; `train/not-enough-memory`
   * @example
   * ```ts
   * import { BitLinear, array } from "onebit/nn";
   *
   * const layer = new BitLinear(512, 400),
   *   packed = layer.pack(),
   *   x = array(new Float32Array(512).fill(1), [1, 512]);
   * console.log(packed.weightBytes, layer.weightBytes);
   * console.log(packed.forward(x).data[0] === layer.eval().forward(x).data[0]); // true
   * ```
   */
  pack(): BitLinear {
    requirePackable(this);
    const { runtime } = this,
      packed = new PackedMatrix(runtime, this.weightCodes(), this);
    const layer = new BitLinear(this.inFeatures, this.outFeatures, this.#options, packed);
    copyParameters(this, layer);
    return layer;
  }

  /** The learned weights (out, in). @throws OnebitError `option/invalid` when they are packed */
  get weight(): Parameter {
    return this.requireLearned("weight");
  }

  private requireLearned(what: string): Parameter {
    return this.#weight ?? notOfPacked(what);
  }

  override train(): this {
    return this.#packed ? notOfPacked("train") : super.train();
  }

  override close(): void {
    if (!this.isClosed) this.#packed?.free();
    super.close();
  }
}
