/**
 * A value of a graph.
 *
 * @module
 */
import { BOOLEAN, check, kind, whole } from "../core/options.ts";
import { checkShape } from "./nd-array.ts";

/**
 * A value of a graph: 32-bit words unless `bytesPerItem` says otherwise. {@link Tape} makes them.
 *
 * @example
 * ```ts
 * import { Tensor } from "onebit/nn";
 *
 * const x = new Tensor([2, 3, 4], false);
 * console.log(x.rows, x.columns, x.sizeBytes); // 6 4 96
 * ```
 */
export class Tensor {
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** How many items. */
  readonly size: number;
  /** 1 to 8. */
  readonly bytesPerItem: number;
  /** Whether a gradient can flow back through it. */
  readonly needsGradient: boolean;
  /** Where it lies: set for parameters at once, for others by `compile`. */
  address = 0;

  /** @throws OnebitError `model/bad-shape`, `option/invalid` */
  constructor(shape: readonly number[], needsGradient: boolean, bytesPerItem = 4) {
    this.shape = checkShape(shape, "shape of a value");
    this.size = this.shape.reduce((product, extent) => product * extent, 1);
    this.needsGradient = check("needsGradient", needsGradient, BOOLEAN);
    this.bytesPerItem = check("bytesPerItem", bytesPerItem, whole(1, 8));
  }

  /** size · bytesPerItem. */
  get sizeBytes(): number {
    return this.size * this.bytesPerItem;
  }

  /** Rows of a matrix: all but the last dimension. */
  get rows(): number {
    return this.size / this.columns;
  }

  /** The last extent. */
  get columns(): number {
    return this.shape.at(-1) ?? 1;
  }
}

export const TENSOR = kind<Tensor>("a Tensor", (value) => value instanceof Tensor);
