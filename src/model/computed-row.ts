/**
 * Checks the numbers a model computes: finite weights may still be so large that their sums are not.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";

/** One row of a model's results: after which id, at which position. */
export interface ComputedRow {
  readonly model: string;
  /** `logits`, `hidden state`. */
  readonly what: string;
  readonly id: number;
  readonly position: number;
}

/**
 * Refuses a row that holds NaN or ±∞. Costs a tenth of a millisecond for 128,000 logits.
 * @throws OnebitError `model/not-finite`, naming the row
 */
export function requireFinite(values: Float32Array, { model, what, id, position }: ComputedRow): void {
  // Zero times a finite number is zero, else NaN: one sum is faster than a test of each.
  let zero = 0;
  for (let i = 0; i < values.length; i++) zero += values[i] * 0;
  if (zero === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  fail(
    "model/not-finite",
    `model ${quoted(model)}: the ${what} after id ${id}, row ${position}, is ${values[at]} at ${at} of ` +
      `${values.length}: its numbers overflow; its file is damaged, or its scales are wrong`,
  );
}
