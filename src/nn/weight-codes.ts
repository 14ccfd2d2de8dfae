/**
 * The codes and scale of a weight matrix, as the kernels' quantiser makes them in every pass.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { quantizeWeights } from "./ops.ts";
import type { Parameter } from "./parameter.ts";
import type { Runtime } from "./runtime.ts";
import { Tape } from "./tape.ts";

/** A rounded matrix: value = code · scale. */
export interface WeightCodes {
  /** -1, 0, +1 (only -1, +1 with 1 bit), row-major (rows, columns). */
  readonly codes: Int8Array;
  /** Exactly representable in half precision. */
  readonly scale: number;
  /** Outputs. */
  readonly rows: number;
  /** Inputs. */
  readonly columns: number;
}

/** @throws OnebitError `train/not-enough-memory`, `option/invalid` for 32 bits, which have no codes */
export function weightCodes(runtime: Runtime, weight: Parameter, bits: 1 | 1.58 | 32): WeightCodes {
  const tape = new Tape(runtime, { gradients: false }),
    operand = quantizeWeights(tape, tape.parameter(weight), bits);
  const { codes: quantized, rows, columns } = operand;
  if (!quantized)
    return fail("option/invalid", `codes of "${weight.name}": wanted weights of 1 or 1.58 bits, got ${bits}`);
  const graph = tape.compile({ outputs: [quantized.values, quantized.scale] });
  try {
    graph.forward();
    const words = new Int16Array(runtime.memory.buffer, quantized.values.address, rows * quantized.kp);
    const codes = withMemoryNow(
      "train/not-enough-memory",
      `codes of "${weight.name}", ${rows * columns} bytes`,
      () => new Int8Array(rows * columns),
    );
    for (let row = 0; row < rows; row++)
      codes.set(words.subarray(row * quantized.kp, row * quantized.kp + columns), row * columns);
    return { codes, scale: graph.f32(quantized.scale)[0], rows, columns };
  } finally {
    graph.free();
  }
}
