/**
 * What a model of finite weights may still compute: numbers beyond f32. Nobody gets ids or vectors of such a row.
 *
 * @module
 */
import { fail } from "./errors.ts";

/**
 * Largest f32, and the smallest temperature that leaves a logit of that size finite when it divides it. Long before, at
 * 1e-8, the likeliest id has all of the probability: that is what 0 stands for.
 */
export const F32_MAX = 3.4028234663852886e38;
export const TEMPERATURE_MIN = 1e-200;

/**
 * A logit of -Infinity is one that bans its id; some other id must be left.
 * @param row which one it is, as the error names it
 * @throws OnebitError `model/not-finite` for a logit that is NaN or Infinity, or when there is no number at all
 */
export function requireLogits(logits: Float32Array, row: number): void {
  let most = -Infinity, bad = -1;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (!(logit < Infinity)) bad = id;
    else if (logit > most) most = logit;
  }
  if (bad >= 0 || most === -Infinity) notFinite(`logits of row ${row}`, bad >= 0 ? `${logits[bad]} for id ${bad}` : "-Infinity for every id");
}

/** @throws OnebitError `model/not-finite` for a number that is none */
export function requireFinite(values: Float32Array, what: string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) notFinite(what, `${values[bad]} as number ${bad}`);
}

export function notFinite(what: string, found: string): never {
  return fail("model/not-finite", `${what}: wanted finite numbers, got ${found}; weights or scales of this model are so large that its sums overflow. Get the file anew, or convert it again`);
}
