/**
 * The known name that a misspelt one was probably meant to be.
 *
 * @module
 */

/** Longer names are not compared: the distance takes time in proportion to the product of both lengths. */
const NAME_CHARS_MAX = 64;

/** Shortest name that counts as the beginning of a longer one: `context` means `contextLength`, `to` means nothing. */
const PREFIX_CHARS_MIN = 4;

/**
 * The name in `known` that is closest to `name`, or undefined when none is close. Case, `_`, `-` and `.` do not count
 * (`max_tokens` is `maxTokens`); otherwise up to one edit in three characters, or a beginning of four or more.
 *
 * @example
 * nearestName("temprature", ["temperature", "topK"]); // "temperature"
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > NAME_CHARS_MAX) return undefined;
  const wanted = plain(name);
  let best: string | undefined;
  let bestDistance = Math.floor(wanted.length / 3) + 1;
  for (const candidate of known) {
    if (candidate.length > NAME_CHARS_MAX) continue;
    const distance = distanceBetween(wanted, plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `: did you mean maxTokens?` to end a sentence with, or nothing when no known name is close. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : `: did you mean ${nearest}?`;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, "");
}

/**
 * Edits from `a` to `b`; a name that begins the other is half an edit away, so that a true misspelling never beats
 * equality.
 */
function distanceBetween(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  if (shorter >= PREFIX_CHARS_MIN && (a.startsWith(b) || b.startsWith(a))) return 0.5;
  return editDistance(a, b);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), by rows. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(above[j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2] + 1);
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return above[b.length];
}
