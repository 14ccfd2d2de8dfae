/**
 * Steps of the sampler that leave ids out, with llama.cpp's definitions. Each sees probabilities normalised over what
 * the step before it left, and leaves at least one id.
 *
 * @module
 */
import type { Numeric, RandomSource } from "../kernels/numeric.ts";
import {
  type Candidates,
  indices,
  keepWhere,
  largest,
  likeliest,
  likelierFirst,
  pick,
  slice,
  sort,
  weigh,
} from "./candidates.ts";

/** The k likeliest. */
export function keepTopK(candidates: Candidates, k: number): Candidates {
  return slice(sort(candidates), 0, k);
}

/**
 * Candidates whose logit is at most `n` standard deviations below the largest (Tang et al., 2024, arXiv 2411.07641).
 */
export function keepTopNSigma(candidates: Candidates, n: number): Candidates {
  const { logits } = candidates,
    mean = logits.reduce((sum, logit) => sum + logit, 0) / logits.length,
    variance = logits.reduce((sum, logit) => sum + (logit - mean) * (logit - mean), 0) / logits.length,
    least = largest(logits) - n * Math.sqrt(variance);
  return keepWhere(candidates, (i) => logits[i] >= least);
}

/**
 * The candidates whose surprise is nearest to the entropy, until they weigh `typicalP` (Meister et al., 2022, arXiv
 * 2202.00666).
 */
export function keepTypical(candidates: Candidates, typicalP: number, numeric: Numeric): Candidates {
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

/** The shortest run of the likeliest candidates that weighs `topP` (Holtzman et al., 2019, arXiv 1904.09751). */
export function keepTopP(candidates: Candidates, topP: number, numeric: Numeric): Candidates {
  const { weights, sum } = weigh(candidates, numeric);
  let order = indices(weights.length);
  if (!candidates.sorted) {
    // Ids below this weight together weigh less than 1 − topP: only the rest needs sorting.
    const cutoff = ((1 - topP) * sum) / weights.length;
    order = order.filter((i) => weights[i] >= cutoff).sort(likelierFirst(candidates));
  }
  return pick(candidates, order.subarray(0, countToReach(order, weights, topP * sum)), true);
}

/** Candidates at least `minP` times as likely as the likeliest (Nguyen et al., 2024, arXiv 2407.01082). */
export function keepMinP(candidates: Candidates, minP: number, numeric: Numeric): Candidates {
  const { weights } = weigh(candidates, numeric);
  return keepWhere(candidates, (i) => weights[i] >= minP);
}

/**
 * Exclude top choices (Weidmann, 2024): with this probability, leaves out the likeliest candidates, all but the last of
 * those that have at least `threshold`.
 */
export function excludeTopChoices(
  candidates: Candidates,
  { probability, threshold }: { readonly probability: number; readonly threshold: number },
  random: RandomSource,
  numeric: Numeric,
): Candidates {
  // Drawn also where it cannot matter: what comes next must not depend on how many candidates are left.
  if (random.next() > probability) return candidates;
  const { weights, sum } = weigh(candidates, numeric),
    likely = indices(weights.length).filter((i) => weights[i] >= threshold * sum),
    excluded = new Set(likely.sort(likelierFirst(candidates)).subarray(0, -1));
  return excluded.size === 0 ? candidates : keepWhere(candidates, (i) => !excluded.has(i));
}

/** Those whose surprise, −log2 of the probability, is at most `bits`, likeliest first; at least the likeliest. */
export function keepUnsurprising(candidates: Candidates, bits: number, numeric: Numeric): Candidates {
  const { weights, sum } = weigh(candidates, numeric),
    least = numeric.exp(-bits * Math.LN2) * sum,
    // Only these are sorted: all of a vocabulary of 128k take 50 ms.
    kept = sort(keepWhere(candidates, (i) => weights[i] >= least));
  return kept.ids.length > 0 ? kept : likeliest(candidates);
}

function countToReach(order: Int32Array, weights: Float64Array, goal: number): number {
  let total = 0;
  for (let n = 0; n < order.length; n++) {
    total += weights[order[n]];
    if (total >= goal) return n + 1;
  }
  return order.length;
}
