/**
 * Steps of the sampler that make what was seen before less likely.
 *
 * @module
 */
import type { Numeric } from "../kernels/numeric.ts";
import type { Sampling } from "./options.ts";
import type { SequenceBreakers } from "./sequence-breakers.ts";

/** What becomes of the logit of each id that a step changes. */
export type Changes = ReadonlyMap<number, (logit: number) => number>;

/** Repetition (Keskar et al., 2019, arXiv 1909.05858), frequency and presence penalties, as OpenAI's API has them. */
export function penalties(
  history: readonly number[],
  { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyLastN }: Sampling,
): Changes {
  const counts = new Map<number, number>();
  for (let i = windowBegin(history, penaltyLastN); i < history.length; i++)
    counts.set(history[i], (counts.get(history[i]) ?? 0) + 1);
  return mapped(counts, (count) => (logit) => {
    const scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    return scaled - count * frequencyPenalty - presencePenalty;
  });
}

/** The largest finite f32 is exp of this: llama.cpp lets no penalty grow beyond it. */
const F32_MAX_LOG = 88.7228391;

/**
 * Don't repeat yourself (DRY; Weidmann, 2024): an id that would go on with a repetition of `n` ids, `n` at least
 * `dryAllowedLength`, loses `dryMultiplier · dryBase^(n − dryAllowedLength)`. Repetitions end at sequence breakers.
 */
export function dryPenalties(
  history: readonly number[],
  { dryMultiplier, dryBase, dryAllowedLength, dryLastN }: Sampling,
  breakers: SequenceBreakers,
  numeric: Numeric,
): Changes {
  const begin = windowBegin(history, dryLastN),
    nSinceBreaker = breakers.lastIn(history, begin);
  if (nSinceBreaker < dryAllowedLength) return new Map();
  const longest = new Map<number, number>();
  endingHere(history, begin).forEach((n, i) => {
    const length = Math.min(n, nSinceBreaker),
      next = history[begin + i + 1];
    if (length < dryAllowedLength || length <= (longest.get(next) ?? -1) || breakers.isBreaker(next)) return;
    longest.set(next, length);
  });
  const lnBase = numeric.log(dryBase),
    exponentMax = dryBase > 1.000001 ? Math.trunc(F32_MAX_LOG / lnBase) : Number.POSITIVE_INFINITY;
  return mapped(longest, (length) => {
    const exponent = Math.min(length - dryAllowedLength, exponentMax);
    const penalty = dryMultiplier * numeric.exp(exponent * lnBase);
    return (logit) => logit - penalty;
  });
}

/**
 * For each id since `begin` but the last: how many ids up to it are the same as the last ones of all. By the Z
 * algorithm from the end backwards, in linear time: `[from, to)`, counted from the end, is the furthest stretch known
 * to repeat the end.
 */
function endingHere(history: readonly number[], begin: number): Int32Array {
  const n = history.length - begin,
    last = history.length - 1,
    counts = new Int32Array(Math.max(0, n - 1));
  for (let k = 1, from = 0, to = 0; k < n; k++) {
    // What was counted at the place that this one repeats, as far as the stretch goes.
    let count = k < to ? Math.min(counts[n - 1 - (k - from)], to - k) : 0;
    while (k + count < n && history[last - count] === history[last - k - count]) count++;
    counts[n - 1 - k] = count;
    if (k + count > to) [from, to] = [k, k + count];
  }
  return counts;
}

/** Where the last `lastN` ids begin; −1 is all. */
function windowBegin(history: readonly number[], lastN: number): number {
  return lastN < 0 ? 0 : Math.max(0, history.length - lastN);
}

function mapped<From, To>(map: ReadonlyMap<number, From>, change: (value: From) => To): ReadonlyMap<number, To> {
  return new Map([...map].map(([id, value]) => [id, change(value)]));
}
