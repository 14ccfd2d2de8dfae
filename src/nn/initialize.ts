/**
 * Random initial values from the kernels' generator (assembly/random.ts): the same on every engine.
 *
 * @module
 */
import { withMemoryNow } from "../core/refused-memory.ts";
import { RANDOM_STATE_BYTES } from "../kernels/numeric.ts";
import type { Parameter } from "./parameter.ts";
import type { Runtime } from "./runtime.ts";

/** Fills a parameter with uniform numbers in [-range, range). */
export type Initializer = (parameter: Parameter, range: number) => void;

/** Starts the sequence of `seed`; each call continues it. */
export function createInitializer(runtime: Runtime, seed: number): Initializer {
  const { kernels } = runtime,
    state = runtime.allocate(RANDOM_STATE_BYTES, "state of the random generator");
  kernels.randomSeed(state, BigInt(seed));
  const words = withMemoryNow("train/not-enough-memory", "state of the random generator", () =>
    new Uint8Array(runtime.memory.buffer, state, RANDOM_STATE_BYTES).slice(),
  );
  runtime.free(state);
  return (parameter, range) => {
    // Allocate first: growing the memory detaches earlier views.
    const slot = runtime.allocate(RANDOM_STATE_BYTES, "state of the random generator"),
      { value } = parameter;
    const memory = new Uint8Array(runtime.memory.buffer, slot, RANDOM_STATE_BYTES);
    memory.set(words);
    for (let i = 0; i < value.length; i++) value[i] = (kernels.randomNext(slot) * 2 - 1) * range;
    words.set(memory);
    runtime.free(slot);
  };
}
