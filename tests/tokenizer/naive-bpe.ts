/**
 * Byte-pair encoding written for clearness alone, on strings: the oracle, and the trainer of the small vocabularies.
 */

/** Merges neighbours, lowest rank first and leftmost on ties; a rule is "left right". */
export function mergeNaively(symbols: readonly string[], ranks: ReadonlyMap<string, number>): string[] {
  let merged = [...symbols];
  for (;;) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < merged.length; i++) {
      const rank = ranks.get(`${merged[i]} ${merged[i + 1]}`);
      if (rank !== undefined && rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return merged;
    merged = [...merged.slice(0, at), merged[at] + merged[at + 1], ...merged.slice(at + 2)];
  }
}

/** The most frequent pairs of the pieces, one after another. */
export function trainMerges(pieces: readonly (readonly string[])[], count: number): string[] {
  const rules: string[] = [];
  let words = pieces.map((piece) => [...piece]);
  while (rules.length < count) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]} ${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    if (best === undefined) break;
    rules.push(best[0]);
    const ranks = new Map([[best[0], 0]]);
    words = words.map((word) => mergeNaively(word, ranks));
  }
  return rules;
}
