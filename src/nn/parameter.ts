/**
 * A learned parameter: a named array in a runtime's memory, with room for its gradient.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type OptionTable, TEXT, check, kind, optional, options, required, whole } from "../core/options.ts";
import { array, checkShape } from "./nd-array.ts";
import { RUNTIME, type Runtime } from "./runtime.ts";

/** Addresses of a parameter whose memory is another's. */
export interface ParameterPlaces {
  /** Of the values. */
  readonly value: number;
  /** Of the gradient. */
  readonly gradient: number;
}

const PLACES = optional(
  options({ value: required(whole(0)), gradient: required(whole(0)) } satisfies OptionTable<ParameterPlaces>),
);

/**
 * What is learned: a named array in the memory of a runtime, with room for its gradient.
 *
 * @example
 * ```ts
 * import { Parameter, Runtime } from "onebit/nn";
 *
 * const weight = new Parameter(new Runtime(), "weight", [2, 2]);
 * weight.set([1, 0, 0, 1]);
 * console.log(weight.value, weight.gradient);
 * ```
 */
export class Parameter {
  /** For messages. */
  readonly name: string;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** How many numbers. */
  readonly size: number;
  /** Of the values. */
  readonly address: number;
  /** Whether AdamW's weight decay applies: to matrices, not to gains and biases. */
  readonly decays: boolean;
  /** Whose memory it is in. */
  readonly runtime: Runtime;
  readonly #owned: boolean;
  #gradientAddress: number | undefined;

  /**
   * @param given places in memory that somebody else frees; without them the parameter takes its own
   * @throws OnebitError `option/invalid`, `model/bad-shape`, `train/not-enough-memory`
   */
  constructor(runtime: Runtime, name: string, shape: readonly number[], given?: ParameterPlaces) {
    const places = check("places", given, PLACES);
    this.runtime = check("runtime", runtime, RUNTIME);
    this.name = check("name", name, TEXT);
    this.shape = checkShape(shape, "shape");
    this.size = this.shape.reduce((product, extent) => product * extent, 1);
    this.decays = shape.length > 1;
    this.#owned = places === undefined;
    this.address = places?.value ?? runtime.allocate(this.size * 4, `parameter "${name}"`);
    this.#gradientAddress = places?.gradient;
  }

  /**
   * Address of the gradient. Memory for it is taken when somebody first asks: what is only run needs none.
   * @throws OnebitError `train/not-enough-memory`
   */
  get gradientAddress(): number {
    return (this.#gradientAddress ??= this.runtime.allocate(this.size * 4, `gradient of "${this.name}"`));
  }

  /** A view of the values; good until memory grows. */
  get value(): Float32Array {
    return this.runtime.f32(this.address, this.size);
  }

  /** A view of the gradient; good until memory grows. */
  get gradient(): Float32Array {
    return this.runtime.f32(this.gradientAddress, this.size);
  }

  /**
   * Sets all values.
   * @throws OnebitError `model/bad-shape`, `option/invalid`
   */
  set(given: ArrayLike<number>): void {
    const values = array(given).data;
    if (values.length !== this.size)
      fail(
        "model/bad-shape",
        `parameter "${this.name}": wanted ${this.size} values (${this.shape.join(" × ")}), got ${values.length}`,
      );
    this.value.set(values);
  }

  /** Sets the gradient to zero. */
  zeroGradient(): void {
    if (this.#gradientAddress !== undefined) this.gradient.fill(0);
  }

  /** Gives its memory back, unless its places were given. */
  free(): void {
    if (!this.#owned) return;
    this.runtime.free(this.address);
    if (this.#gradientAddress !== undefined) this.runtime.free(this.#gradientAddress);
  }
}

export const PARAMETER = kind<Parameter>("a Parameter", (value) => value instanceof Parameter);
