/**
 * Chooses the next id from one row of logits.
 *
 * The chain: penalties (Keskar et al. 2019 for repetition; frequency and presence as in OpenAI's API), logit bias,
 * top-k, locally typical sampling (Meister et al. 2022), top-p (Holtzman et al. 2019), min-p (Nguyen et al. 2024),
 * temperature, draw. Each truncation sees probabilities normalised over what the step before it left.
 *
 * Bits agree on every engine: `exp`, `log` and the random numbers are the library's own, sums run in one order, and
 * every sort has a total order (logit descending, then id ascending).
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Numeric } from "../kernels/numeric.ts";
import type { Sampling } from "./options.ts";

/** An id and its probability. */
export interface TokenLogprob {
  /** The id. */
  id: number;
  /** Natural logarithm of the model's own probability: before penalties, bias, truncation and temperature. */
  logprob: number;
}

export interface Sampler {
  /**
   * @param logits one row; unchanged on return
   * @param history all ids before this one, prompt included
   * @throws OnebitError `option/invalid` when the logit bias bans every id
   */
  next(logits: Float32Array, history: readonly number[]): number;
}

/** The remaining ids with their logits; `sorted` when the logits descend. */
interface Candidates {
  readonly ids: Int32Array;
  readonly logits: Float64Array;
  readonly sorted: boolean;
}

interface Step {
  isOn(sampling: Sampling): boolean;
  keep(candidates: Candidates, sampling: Sampling, numeric: Numeric): Candidates;
}

/** Truncations in the order they run. Top-k runs before them, where candidates are gathered. */
const STEPS: readonly Step[] = [
  { isOn: ({ typicalP }) => typicalP < 1, keep: (c, { typicalP }, numeric) => keepTypical(c, typicalP, numeric) },
  { isOn: ({ topP }) => topP < 1, keep: (c, { topP }, numeric) => keepTopP(c, topP, numeric) },
  { isOn: ({ minP }) => minP > 0, keep: (c, { minP }, numeric) => keepMinP(c, minP, numeric) },
];

export function createSampler(sampling: Sampling, numeric: Numeric): Sampler {
  const random = numeric.random(sampling.seed);
  const steps = STEPS.filter((step) => step.isOn(sampling));
  return {
    next(logits, history) {
      const undo = adjust(logits, history, sampling);
      try {
        if (sampling.temperature === 0) return greedy(logits, numeric);
        let candidates = gather(logits, sampling.topK, numeric);
        for (const step of steps) candidates = step.keep(candidates, sampling, numeric);
        return draw(candidates, sampling.temperature, random.next(), numeric);
      } finally {
        for (const [id, logit] of undo) logits[id] = logit;
      }
    },
  };
}

/** The chosen id's log probability and those of the `n` likeliest ids. */
export function logprobs(
  logits: Float32Array,
  chosen: number,
  n: number,
  numeric: Numeric,
): { chosen: number; top: TokenLogprob[] } {
  const total = numeric.logSumExp(logits);
  const top: TokenLogprob[] = [];
  if (n > 0) {
    const best = numeric.topK(logits, n);
    best.ids.forEach((id, i) => top.push({ id, logprob: best.logits[i] - total }));
  }
  return { chosen: logits[chosen] - total, top };
}

/** Writes penalties, then bias, into `logits`; returns the old values, to be restored in order. */
function adjust(logits: Float32Array, history: readonly number[], sampling: Sampling): [id: number, logit: number][] {
  const { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyLastN, logitBias } = sampling;
  const undo: [number, number][] = [];
  if (penaltyLastN !== 0 && (repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0)) {
    for (const [id, count] of countLast(history, penaltyLastN)) {
      if (id >= logits.length) continue;
      const logit = logits[id];
      undo.push([id, logit]);
      const scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      logits[id] = scaled - count * frequencyPenalty - presencePenalty;
    }
  }
  for (const [id, bias] of logitBias) {
    undo.push([id, logits[id]]);
    logits[id] += bias;
  }
  // An id both penalised and biased was saved twice: restore the first value last.
  return undo.reverse();
}

function countLast(history: readonly number[], lastN: number): Map<number, number> {
  const counts = new Map<number, number>();
  const begin = lastN < 0 ? 0 : Math.max(0, history.length - lastN);
  for (let i = begin; i < history.length; i++) counts.set(history[i], (counts.get(history[i]) ?? 0) + 1);
  return counts;
}

function greedy(logits: Float32Array, numeric: Numeric): number {
  const id = numeric.argmax(logits);
  return logits[id] > -Infinity ? id : failAllBanned();
}

/** The k likeliest (found without sorting the rest), or every id. Banned (−∞) and NaN logits never take part. */
function gather(logits: Float32Array, k: number, numeric: Numeric): Candidates {
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

/** exp(logit − largest) of each candidate and their sum: probabilities before the division. */
function weigh({ logits }: Candidates, numeric: Numeric): { weights: Float64Array; sum: number; max: number } {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  const weights = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    weights[i] = numeric.exp(logits[i] - max);
    sum += weights[i];
  }
  return { weights, sum, max };
}

/** Keeps the candidates whose surprise is nearest to the entropy, until they weigh `typicalP`. */
function keepTypical(candidates: Candidates, typicalP: number, numeric: Numeric): Candidates {
  const { weights, sum, max } = weigh(candidates, numeric);
  const logSum = max + numeric.log(sum);
  let entropy = 0;
  for (let i = 0; i < weights.length; i++) entropy += (weights[i] / sum) * (logSum - candidates.logits[i]);
  const distance = candidates.logits.map((logit) => Math.abs(logSum - logit - entropy));
  const order = indices(weights.length).sort(
    (a, b) => distance[a] - distance[b] || candidates.ids[a] - candidates.ids[b],
  );
  const n = countToReach(order, weights, typicalP * sum);
  return pick(candidates, order.subarray(0, n), false);
}

/** The shortest run of the likeliest candidates that weighs `topP`. */
function keepTopP(candidates: Candidates, topP: number, numeric: Numeric): Candidates {
  const { weights, sum } = weigh(candidates, numeric);
  let order = indices(weights.length);
  if (!candidates.sorted) {
    // Ids below this weight together weigh less than 1 − topP: only the rest needs sorting.
    const cutoff = ((1 - topP) * sum) / weights.length;
    order = order.filter((i) => weights[i] >= cutoff);
    order.sort((a, b) => candidates.logits[b] - candidates.logits[a] || candidates.ids[a] - candidates.ids[b]);
  }
  return pick(candidates, order.subarray(0, countToReach(order, weights, topP * sum)), true);
}

/** Candidates at least `minP` times as likely as the likeliest. */
function keepMinP(candidates: Candidates, minP: number, numeric: Numeric): Candidates {
  const { weights } = weigh(candidates, numeric);
  return pick(
    candidates,
    indices(weights.length).filter((i) => weights[i] >= minP),
    candidates.sorted,
  );
}

function countToReach(order: Int32Array, weights: Float64Array, goal: number): number {
  let total = 0;
  for (let n = 0; n < order.length; n++) {
    total += weights[order[n]];
    if (total >= goal) return n + 1;
  }
  return order.length;
}

function draw(candidates: Candidates, temperature: number, uniform: number, numeric: Numeric): number {
  const logits = candidates.logits.map((logit) => logit / temperature);
  const { weights, sum } = weigh({ ...candidates, logits }, numeric);
  let left = uniform * sum;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i];
    if (left < 0) return candidates.ids[i];
  }
  // Rounding may leave a crumb at the end: it goes to the last id that can be drawn.
  return candidates.ids[weights.findLastIndex((weight) => weight > 0)];
}

function pick(candidates: Candidates, order: Int32Array, sorted: boolean): Candidates {
  const ids = new Int32Array(order.length);
  const logits = new Float64Array(order.length);
  order.forEach((from, to) => {
    ids[to] = candidates.ids[from];
    logits[to] = candidates.logits[from];
  });
  return { ids, logits, sorted };
}

function indices(n: number): Int32Array {
  const all = new Int32Array(n);
  for (let i = 0; i < n; i++) all[i] = i;
  return all;
}

function failAllBanned(): never {
  fail("option/invalid", "no id can be drawn: every logit is -Infinity or NaN after penalties and logitBias");
}
