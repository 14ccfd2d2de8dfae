/**
 * A compiled tape: its programs in memory, ready to run again and again.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { check, whole } from "../core/options.ts";
import type { Runtime } from "./runtime.ts";
import { TENSOR, type Tensor } from "./tensor.ts";

interface GraphCounts {
  /** Steps. */
  readonly forward: number;
  readonly backward: number;
  /** Rows for the steps of inference. */
  readonly rows: number;
  /** Positions of a sequence, if a step works on them. */
  readonly headRows: number | undefined;
}

/** A compiled tape: its programs, and the places of its values. {@link Tape.compile} makes it. */
export class Graph {
  /** Where it runs. */
  readonly runtime: Runtime;
  /** Bytes of all values and gradients that the graph keeps between its steps. */
  readonly valueBytes: number;
  readonly #program: number;
  readonly #counts: GraphCounts;
  readonly #gradients: ReadonlyMap<Tensor, Tensor>;

  /** @internal */
  constructor(
    runtime: Runtime,
    program: number,
    counts: GraphCounts,
    valueBytes: number,
    gradients: ReadonlyMap<Tensor, Tensor>,
  ) {
    this.runtime = runtime;
    this.#program = program;
    this.#counts = counts;
    this.valueBytes = valueBytes;
    this.#gradients = gradients;
    runtime.reservePlaces(counts.headRows ?? 0);
  }

  /**
   * Runs the forward pass.
   * @param position of the first row, for steps of inference. Default 0
   */
  forward(position = 0): void {
    this.forwardAt(this.#placesFrom(check("position", position, whole(0))));
  }

  /**
   * @internal
   * Runs the forward pass of rows with places of their own.
   */
  forwardAt(places: number): void {
    this.#run(0, this.#counts.forward, places);
  }

  /**
   * Runs the backward pass, once after each `forward`: it reuses the memory of what only it still needed. Adds to the
   * gradients of parameters.
   */
  backward(): void {
    this.#run(this.#counts.forward, this.#counts.backward, this.#placesFrom(0));
  }

  /** Runs both, in one walk. */
  forwardBackward(): void {
    this.#run(0, this.#counts.forward + this.#counts.backward, this.#placesFrom(0));
  }

  /** Outside of a cache only steps with `headRows` need positions. */
  #placesFrom(position: number): number {
    return this.runtime.placesFrom(position, this.#counts.headRows ?? 0);
  }

  #run(first: number, nSteps: number, places: number): void {
    const { rows, headRows } = this.#counts;
    this.runtime.run(this.#program + first * abi.STEP_BYTES, nSteps, { rows, places, headRows });
  }

  /**
   * A view of a value: good until memory grows.
   * @throws OnebitError `option/invalid`
   */
  f32(tensor: Tensor): Float32Array {
    return this.runtime.f32(check("tensor", tensor, TENSOR).address, tensor.size);
  }

  /** As {@link Graph.f32}, of integers. */
  i32(tensor: Tensor): Int32Array {
    return this.runtime.i32(check("tensor", tensor, TENSOR).address, tensor.size);
  }

  /** The gradient of a seed or input. @throws OnebitError `train/bad-option` when none flows there */
  gradient(tensor: Tensor): Float32Array {
    return this.f32(
      this.#gradients.get(tensor) ??
        fail("train/bad-option", "this value has no gradient: wanted a seed, or an input with needsGradient"),
    );
  }

  /** Gives its memory back. */
  free(): void {
    this.runtime.free(this.#program);
  }
}
