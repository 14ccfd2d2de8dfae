/** Medians: of measurements, and of how they compare within their rounds. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** The median of the rounds' ratios: a disturbance in a round hits both sides. */
export function medianRatio<Key extends string>(
  rounds: readonly Readonly<Record<Key, number>>[],
  above: Key,
  below: Key,
): number {
  return median(rounds.map((round) => round[above] / round[below]));
}
