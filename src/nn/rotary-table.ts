/**
 * Angles of rotary position embeddings from the kernels: computed once, or in a graph for its current positions.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { StepWriter } from "../kernels/step-writer.ts";
import type { RotaryTable } from "./ops.ts";
import type { Runtime } from "./runtime.ts";
import type { Tape } from "./tape.ts";

/** Cosines and sines of positions 0 … length - 1; pair i turns by base^(-2i / headDim) per position. */
export function createRotaryTable(runtime: Runtime, length: number, headDim: number, theta: number): RotaryTable {
  const half = headDim / 2,
    bytes = length * half * 4;
  const cos = runtime.allocate(bytes, "cosines of positions"),
    sin = runtime.allocate(bytes, "sines of positions");
  const frequencies = runtime.allocate(half * 8, "frequencies of positions"),
    program = runtime.allocate(abi.STEP_BYTES, "program of positions");
  runtime.kernels.ropeFrequencies(frequencies, headDim, theta);
  const writer = new StepWriter(runtime.memory, program, abi.STEP_BYTES, (address: number) => address);
  // The barrier holds until every thread has finished, so the program's memory can be freed and reused.
  writer.step("ropeTable", { frequencies, nHalf: half, magnitude: 1, cos, sin });
  runtime.run(program, 1, { rows: length, places: runtime.placesFrom(0, length) });
  runtime.free(program);
  runtime.free(frequencies);
  return { cos, sin };
}

/** f64 (headDim / 2): angle of each pair per position, theta^(-2i / headDim). */
export interface RotaryFrequencies {
  readonly address: number;
  readonly headDim: number;
}

/** @param address f64 (headDim / 2), owned by the caller */
export function writeRotaryFrequencies(
  runtime: Runtime,
  address: number,
  headDim: number,
  theta: number,
): RotaryFrequencies {
  runtime.kernels.ropeFrequencies(address, headDim, theta);
  return { address, headDim };
}

/** The table of `length` positions from the graph's (`Graph.forward(position)`), made once a pass. */
export function recordRotaryTable(tape: Tape, frequencies: RotaryFrequencies, length: number): RotaryTable {
  const half = frequencies.headDim / 2;
  return tape.once(frequencies, `angles of ${length} positions`, () => {
    const cos = tape.value([length, half], false),
      sin = tape.value([length, half], false);
    tape.setSequenceLength(length);
    tape.step(
      "ropeTable",
      { frequencies: tape.at(frequencies.address, [half], 8), nHalf: half, magnitude: 1, cos, sin },
      { headRows: true },
    );
    return { cos, sin };
  });
}
