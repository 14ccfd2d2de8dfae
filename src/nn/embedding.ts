/**
 * Embedding: rows of a table by id.
 *
 * @module
 */
import { check, checkOptions } from "../core/options.ts";
import { createInitializer } from "./initialize.ts";
import { IdLayer, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { embed } from "./ops.ts";
import { checkShape } from "./nd-array.ts";
import { COUNT } from "./option-checks.ts";
import type { Parameter } from "./parameter.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Rows of a table by id, ids (…) → (…, dim). Parameter: `weight` (numTokens, dim), which starts with the deviation
 * 0.02, as
 * GPT-2's.
 *
 * @example
 * ```ts
 * import { Embedding, ids } from "onebit/nn";
 *
 * console.log(new Embedding(10, 4).forward(ids([7, 0])).shape); // 1, 2, 4
 * ```
 */
export class Embedding extends IdLayer {
  /** Ids are below it. */
  readonly numTokens: number;
  /** Width of a row. */
  readonly dim: number;
  readonly #weight: Parameter;

  /** @throws OnebitError `option/invalid`, `train/not-enough-memory` */
  constructor(numTokens: number, dim: number, options: LayerOptions = {}) {
    super(checkOptions("Embedding", options, LAYER_OPTIONS));
    this.numTokens = check("numTokens", numTokens, COUNT);
    this.dim = check("dim", dim, COUNT);
    this.#weight = this.addParameter("weight", [numTokens, dim]);
    createInitializer(this.runtime, this.seed)(this.#weight, 0.02 * Math.sqrt(3));
  }

  outputShape(shape: readonly number[]): readonly number[] {
    return [...checkShape(shape, "Embedding"), this.dim];
  }

  record(tape: Tape, ids: Tensor): Tensor {
    return embed(tape, ids, tape.parameter(this.#weight));
  }
}
