/**
 * Sets of code points as sorted ranges.
 *
 * @module
 */

/** Both ends belong to it. */
export type Range = readonly [first: number, last: number];

export const CODE_POINT_MAX = 0x10ffff;

/** Sorted, and joined where they touch. */
export function joinedRanges(ranges: readonly Range[]): Range[] {
  const sorted = ranges.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = joined[joined.length - 1];
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

/** All other code points. */
export function otherRanges(ranges: readonly Range[]): Range[] {
  const others: Range[] = [];
  let from = 0;
  for (const [first, last] of joinedRanges(ranges)) {
    if (first > from) others.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= CODE_POINT_MAX) others.push([from, CODE_POINT_MAX]);
  return others;
}

/** What is in both. */
export function commonRanges(left: readonly Range[], right: readonly Range[]): Range[] {
  return otherRanges([...otherRanges(left), ...otherRanges(right)]);
}

/** What of sorted ranges lies between `from` and `to`, both included. */
export function cutRanges(ranges: readonly Range[], from: number, to: number): Range[] {
  return ranges
    .filter(([first, last]) => last >= from && first <= to)
    .map(([first, last]) => [Math.max(first, from), Math.min(last, to)]);
}
