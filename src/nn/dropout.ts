/**
 * Dropout (Srivastava et al., 2014): in training it zeroes values at random and scales up the rest to keep the mean.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { check, checkOptions } from "../core/options.ts";
import { ArrayLayer, LAYER_OPTIONS, type LayerOptions, writeDropoutState } from "./layer.ts";
import { dropout } from "./ops.ts";
import { checkShape } from "./nd-array.ts";
import { RATE } from "./option-checks.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Dropout (Srivastava et al., 2014, JMLR 15, §4), (…) → (…): in training values become zero with probability `rate`,
 * the others are divided by 1 - rate.
 *
 * The masks follow from the seed and the number of forward passes since the layer was made: the same on every engine,
 * for any number of threads.
 *
 * @example
 * ```ts
 * import { Dropout, array } from "onebit/nn";
 *
 * const layer = new Dropout(0.5, { seed: 1 });
 * console.log(layer.forward(array([1, 1, 1, 1])).data, layer.eval().forward(array([1, 1])).data);
 * ```
 */
export class Dropout extends ArrayLayer {
  /** From 0 to below 1. */
  readonly rate: number;
  readonly #state: number;
  #passes = 0;

  /** @throws OnebitError `option/invalid` unless 0 ≤ rate < 1 */
  constructor(rate: number, options: LayerOptions = {}) {
    super(checkOptions("Dropout", options, LAYER_OPTIONS));
    this.rate = check("dropout", rate, RATE);
    this.#state = this.addBlock(abi.DROPOUT_BYTES, "state of dropout");
  }

  outputShape(shape: readonly number[]): readonly number[] {
    return checkShape(shape, "Dropout");
  }

  record(tape: Tape, x: Tensor): Tensor {
    return dropout(tape, x, this.rate, { address: this.#state }, 0);
  }

  override beginPass(): void {
    // The kernels hash this word; an odd multiple keeps the masks of close seeds apart.
    if (this.isTraining) this.#passes++;
    writeDropoutState(this.runtime, this.#state, Math.imul(this.seed, 0x9e3779b1) + this.#passes, this.isTraining);
  }
}
