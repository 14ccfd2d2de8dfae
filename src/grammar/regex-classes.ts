/**
 * The classes of characters that patterns can name.
 *
 * Source: ECMA-262, "CharacterClassEscape", with the `u` flag and without `i`.
 *
 * @module
 */
import { CODE_POINT_MAX, type Range, otherRanges } from "./code-points.ts";

const DIGIT: readonly Range[] = [[0x30, 0x39]];
export const WORD: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** What `.` does not match. */
const LINE_END: readonly Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
export const DOT: readonly Range[] = otherRanges(LINE_END);

/** By the letter behind the backslash. */
export const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGIT,
  D: otherRanges(DIGIT),
  w: WORD,
  W: otherRanges(WORD),
  s: SPACE,
  S: otherRanges(SPACE),
};

/** Control characters by their letter. */
export const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d };

/** Code points by which the engine is asked at a time: the surrogates are a chunk, and no chunk has some of them. */
const CHUNK = 0x800;
const SURROGATES = 0xd800;

/**
 * The code points of a Unicode property, as the engine knows it: `L`, `Script=Greek`, `Alphabetic`. Undefined if it
 * knows no such property.
 *
 * @param name letters, digits, `_` and `=` alone
 */
export function propertyRanges(name: string): Range[] | undefined {
  let runs: RegExp;
  try {
    runs = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    return undefined;
  }
  const ranges: Range[] = [];
  for (let from = 0; from <= CODE_POINT_MAX; from += CHUNK) {
    if (from === SURROGATES) continue;
    const units = from < 0x10000 ? 1 : 2;
    for (const { 0: run, index } of chunkText(from).matchAll(runs)) {
      ranges.push([from + index / units, from + (index + run.length) / units - 1]);
    }
  }
  return ranges;
}

/** All code points from `from` on. */
function chunkText(from: number): string {
  const units = new Uint16Array(from < 0x10000 ? CHUNK : 2 * CHUNK);
  for (let i = 0; i < CHUNK; i++) {
    if (from < 0x10000) units[i] = from + i;
    else {
      units[2 * i] = 0xd800 + ((from + i - 0x10000) >> 10);
      units[2 * i + 1] = 0xdc00 + ((from + i) & 0x3ff);
    }
  }
  return String.fromCharCode.apply(null, units as unknown as number[]);
}
