/**
 * The ids that can still be drawn, with their logits.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Numeric } from "../kernels/numeric.ts";

/** The remaining ids with their logits; `sorted` when the logits descend, of equals the lower id first. */
export interface Candidates {
  readonly ids: Int32Array;
  readonly logits: Float64Array;
  readonly sorted: boolean;
}

/** exp(logit − largest) of each candidate and their sum: probabilities before the division. */
export interface Weighed {
  readonly weights: Float64Array;
  readonly sum: number;
  readonly max: number;
}

/**
 * The k likeliest (found without sorting the rest), or with k = 0 every id. Banned (−∞) and NaN logits never take part.
 *
 * @throws OnebitError `option/invalid` when none is left
 */
export function gather(logits: Float32Array, k: number, numeric: Numeric): Candidates {
  if (k > 0 && k < logits.length) {
    const best = numeric.topK(logits, k);
    let n = best.ids.length;
    while (n > 0 && !(best.logits[n - 1] > -Infinity)) n--;
    if (n === 0) failAllBanned();
    return { ids: best.ids.subarray(0, n), logits: Float64Array.from(best.logits.subarray(0, n)), sorted: true };
  }
  const ids = new Int32Array(logits.length);
  const values = new Float64Array(logits.length);
  let n = 0;
  for (let id = 0; id < logits.length; id++) {
    if (!(logits[id] > -Infinity)) continue;
    ids[n] = id;
    values[n++] = logits[id];
  }
  if (n === 0) failAllBanned();
  return { ids: ids.subarray(0, n), logits: values.subarray(0, n), sorted: false };
}

export function weigh({ logits }: Candidates, numeric: Numeric): Weighed {
  const max = largest(logits),
    weights = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    weights[i] = numeric.exp(logits[i] - max);
    sum += weights[i];
  }
  return { weights, sum, max };
}

export function largest(logits: Float64Array): number {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  return max;
}

/** The candidates at these places, in this order. */
export function pick(candidates: Candidates, order: Int32Array, sorted: boolean): Candidates {
  const ids = new Int32Array(order.length);
  const logits = new Float64Array(order.length);
  order.forEach((from, to) => {
    ids[to] = candidates.ids[from];
    logits[to] = candidates.logits[from];
  });
  return { ids, logits, sorted };
}

/** Of sorted candidates those from the place `begin` on, before `end`. */
export function slice({ ids, logits }: Candidates, begin: number, end: number): Candidates {
  return { ids: ids.subarray(begin, end), logits: logits.subarray(begin, end), sorted: true };
}

/** Those for which `isKept`, in their order. */
export function keepWhere(candidates: Candidates, isKept: (i: number) => boolean): Candidates {
  return pick(candidates, indices(candidates.ids.length).filter(isKept), candidates.sorted);
}

export function sort(candidates: Candidates): Candidates {
  if (candidates.sorted) return candidates;
  return pick(candidates, indices(candidates.ids.length).sort(likelierFirst(candidates)), true);
}

/** The likeliest alone. */
export function likeliest(candidates: Candidates): Candidates {
  const order = likelierFirst(candidates);
  let best = 0;
  for (let i = 1; i < candidates.ids.length; i++) if (order(i, best) < 0) best = i;
  return pick(candidates, Int32Array.of(best), true);
}

export function likelierFirst({ ids, logits }: Candidates): (a: number, b: number) => number {
  return (a, b) => logits[b] - logits[a] || ids[a] - ids[b];
}

export function indices(n: number): Int32Array {
  const all = new Int32Array(n);
  for (let i = 0; i < n; i++) all[i] = i;
  return all;
}

export function failAllBanned(): never {
  fail("option/invalid", "no id can be drawn: every logit is -Infinity or NaN after penalties and logitBias");
}
