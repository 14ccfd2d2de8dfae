/** How far the logits of an engine are from the exact ones. */

export interface Divergence {
  /** Kullback–Leibler divergence of the exact distribution from the engine's, nats, mean over positions. */
  readonly meanKl: number;
  readonly maxKl: number;
  /** Largest |logit − exact| over the largest |exact|. */
  readonly relativeError: number;
  /** Positions where the most likely token differs, and of these the widest exact gap between first and second. */
  readonly greedyDiffers: number;
  readonly widestGapThatDiffers: number;
}

type Row = Float32Array | Float64Array;

export function divergence(exact: readonly Row[], found: readonly Row[]): Divergence {
  if (exact.length !== found.length) throw new Error(`wanted ${exact.length} rows of logits, found ${found.length}`);
  const kls = exact.map((row, t) => klDivergence(row, found[t]));
  let error = 0;
  let magnitude = 0;
  let greedyDiffers = 0;
  let widestGapThatDiffers = 0;
  exact.forEach((row, t) => {
    for (let i = 0; i < row.length; i++) {
      error = Math.max(error, Math.abs(row[i] - found[t][i]));
      magnitude = Math.max(magnitude, Math.abs(row[i]));
    }
    const { best, gap } = topTwo(row);
    if (topTwo(found[t]).best === best) return;
    greedyDiffers++;
    widestGapThatDiffers = Math.max(widestGapThatDiffers, gap);
  });
  return {
    meanKl: kls.reduce((sum, kl) => sum + kl, 0) / kls.length,
    maxKl: Math.max(...kls),
    relativeError: error / magnitude,
    greedyDiffers,
    widestGapThatDiffers,
  };
}

/** Σ p·(log p − log q), p and q the softmax of two rows of logits. NaN when either has one. */
export function klDivergence(exact: Row, found: Row): number {
  if (exact.length !== found.length) throw new Error(`wanted ${exact.length} logits, found ${found.length}`);
  const exactTotal = logSumExp(exact);
  const foundTotal = logSumExp(found);
  let sum = 0;
  for (let i = 0; i < exact.length; i++) {
    const logP = exact[i] - exactTotal;
    sum += Math.exp(logP) * (logP - (found[i] - foundTotal));
  }
  return sum;
}

function logSumExp(row: Row): number {
  let max = -Infinity;
  for (const value of row) max = Math.max(max, value);
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  return max + Math.log(sum);
}

function topTwo(row: Row): { best: number; gap: number } {
  let best = 0;
  let second = -Infinity;
  for (let i = 1; i < row.length; i++) {
    if (row[i] > row[best]) {
      second = row[best];
      best = i;
    } else if (row[i] > second) second = row[i];
  }
  return { best, gap: row[best] - second };
}
