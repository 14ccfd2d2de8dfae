/**
 * Python's string operations on marked text.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { characterAt, characterBefore, isSpace, skipSpaces, SPACES, trimmedEnd } from "./characters.ts";
import { capitalized, folded, swapped, titleOf } from "./letter-case.ts";
import { concat, join, MarkedText, templateText } from "./marked-text.ts";
import { codePointLength, search, spendSearch, spendSearchBackwards } from "./text-search.ts";
import { raise, Tuple } from "./values.ts";

/** Without `chars`: white space. */
export function strip(
  text: MarkedText,
  chars: MarkedText | undefined,
  sides: "both" | "start" | "end",
  budget: Budget,
): MarkedText {
  const set = chars === undefined ? undefined : new Set(chars.text);
  // Building a set costs much.
  if (chars !== undefined) budget.spend(chars.length);
  const goes = (char: string): boolean => (set === undefined ? isSpace(char.charCodeAt(0)) : set.has(char));
  let begin = 0;
  let end = text.length;
  if (sides !== "end") {
    for (let char: string; begin < end && goes((char = characterAt(text.text, begin))); ) begin += char.length;
  }
  if (sides !== "start") {
    for (let char: string; end > begin && goes((char = characterBefore(text.text, end))); ) end -= char.length;
  }
  return text.slice(begin, end);
}

/** @param most splits at most; Infinity for all */
export function split(text: MarkedText, separator: MarkedText | undefined, most: number, budget: Budget): MarkedText[] {
  if (separator === undefined) return splitWords(text, most, budget);
  if (separator.length === 0) raise("split: the separator is empty");
  spendSearch(text, separator, budget);
  const pieces: MarkedText[] = [];
  let begin = 0;
  for (
    let at = text.text.indexOf(separator.text);
    at >= 0 && pieces.length < most;
    at = text.text.indexOf(separator.text, begin)
  ) {
    pieces.push(cut(text, begin, at, budget));
    begin = at + separator.length;
  }
  pieces.push(cut(text, begin, text.length, budget));
  return pieces;
}

function splitWords(text: MarkedText, most: number, budget: Budget): MarkedText[] {
  const pieces: MarkedText[] = [];
  for (let begin = skipSpaces(text.text); begin < text.length; ) {
    if (pieces.length >= most) {
      pieces.push(cut(text, begin, text.length, budget));
      break;
    }
    let end = begin;
    while (end < text.length && !isSpace(text.text.charCodeAt(end))) end++;
    pieces.push(cut(text, begin, end, budget));
    begin = skipSpaces(text.text, end);
  }
  return pieces;
}

/** As {@link split}, but counts from the end. */
export function rsplit(
  text: MarkedText,
  separator: MarkedText | undefined,
  most: number,
  budget: Budget,
): MarkedText[] {
  if (most === Infinity) return split(text, separator, most, budget);
  const pieces: MarkedText[] = [];
  let end = separator === undefined ? trimmedEnd(text.text) : text.length;
  if (separator !== undefined) {
    if (separator.length === 0) raise("rsplit: the separator is empty");
    spendSearchBackwards(text, separator, budget);
  }
  while (pieces.length < most) {
    const [from, to] =
      separator === undefined ? wordBefore(text.text, end) : placeBefore(text.text, separator.text, end);
    if (from < 0) break;
    pieces.push(cut(text, to, end, budget));
    end = from;
  }
  if (separator !== undefined || end > 0) pieces.push(cut(text, 0, end, budget));
  return pieces.reverse();
}

/** The last separator before `end`: its begin, or −1, and its end. */
function placeBefore(text: string, separator: string, end: number): [from: number, to: number] {
  const at = end < separator.length ? -1 : text.lastIndexOf(separator, end - separator.length);
  return [at, at + separator.length];
}

/** The spaces before the word that ends at `end`: where they begin, or −1 without a word here, and where they end. */
function wordBefore(text: string, end: number): [from: number, to: number] {
  if (end === 0) return [-1, 0];
  let to = end;
  while (to > 0 && !isSpace(text.charCodeAt(to - 1))) to--;
  return [trimmedEnd(text, to), to];
}

export function splitLines(text: MarkedText, keepsEnds: boolean, budget: Budget): MarkedText[] {
  const lines: MarkedText[] = [];
  const ends = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;
  let begin = 0;
  for (let match = ends.exec(text.text); match !== null; match = ends.exec(text.text)) {
    const after = match.index + match[0].length;
    lines.push(cut(text, begin, keepsEnds ? after : match.index, budget));
    begin = after;
  }
  if (begin < text.length) lines.push(cut(text, begin, text.length, budget));
  return lines;
}

/** The text before the separator, the separator, the text after; without one, the whole text is first, or last. */
export function partition(text: MarkedText, separator: MarkedText, fromEnd: boolean, budget: Budget): Tuple {
  if (separator.length === 0) raise("partition: the separator is empty");
  if (fromEnd) spendSearchBackwards(text, separator, budget);
  const at = fromEnd ? text.text.lastIndexOf(separator.text) : search(text, separator, budget);
  const empty = templateText("");
  if (at < 0) return Tuple.copy(fromEnd ? [empty, empty, text] : [text, empty, empty]);
  return Tuple.copy([text.slice(0, at), separator, text.slice(at + separator.length)]);
}

function cut(text: MarkedText, begin: number, end: number, budget: Budget): MarkedText {
  // Each piece is an object, copies its characters and searches its marks.
  budget.spend(2 + ((end - begin) >> 5));
  const piece = text.slice(begin, end);
  budget.spend(piece.flips.length);
  return piece;
}

/** @param most replacements at most; Infinity for all. An empty `old` matches between characters, as in Python. */
export function replace(
  text: MarkedText,
  old: MarkedText,
  replacement: MarkedText,
  most: number,
  budget: Budget,
): MarkedText {
  if (old.length > 0) {
    const pieces = split(text, old, most, budget);
    budget.spend(pieces.length * replacement.cost);
    return pieces.length === 1 ? text.asMarkup(false) : join(pieces, replacement);
  }
  const chars = Array.from(text.text);
  const n = Math.min(chars.length + 1, most);
  budget.spend(2 * chars.length + n * replacement.cost);
  const parts: MarkedText[] = [];
  let at = 0;
  for (let i = 0; i <= chars.length; i++) {
    if (i < n) parts.push(replacement);
    if (i === chars.length) break;
    parts.push(text.slice(at, at + chars[i].length));
    at += chars[i].length;
  }
  return concat(parts);
}

/** How often `wanted` occurs; overlapping occurrences count once. */
export function countOf(text: MarkedText, wanted: MarkedText, budget: Budget): number {
  return wanted.length === 0 ? codePointLength(text) + 1 : split(text, wanted, Infinity, budget).length - 1;
}

/** Changes the case of letters. Engines look up non-ASCII letters one by one. */
function changeCase(text: MarkedText, budget: Budget, change: (chars: string) => string): MarkedText {
  budget.spend(text.length >> 3);
  return text.map(change);
}

export function upper(text: MarkedText, budget: Budget): MarkedText {
  return changeCase(text, budget, (chars) => chars.toUpperCase());
}

export function lower(text: MarkedText, budget: Budget): MarkedText {
  return changeCase(text, budget, (chars) => chars.toLowerCase());
}

export function capitalize(text: MarkedText, budget: Budget): MarkedText {
  return changeCase(text, budget, capitalized);
}

/** The filter `title`: a word begins after a space or one of `-({[<`. */
export function titleWords(text: MarkedText, budget: Budget): MarkedText {
  budget.spend(text.length);
  const words = new RegExp(`[^-${SPACES}({[<]+`, "g");
  return text.map((chars) =>
    chars.replace(words, (word) => {
      const [first] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    }),
  );
}

/** The method `title`. */
export function titleLetters(text: MarkedText, budget: Budget): MarkedText {
  budget.spend(text.length);
  return text.map(titleOf);
}

export function swapCase(text: MarkedText, budget: Budget): MarkedText {
  budget.spend(2 * text.length);
  return text.map(swapped);
}

export function caseFold(text: MarkedText, budget: Budget): MarkedText {
  budget.spend(text.length);
  return text.map(folded);
}

/** Pads to `width` code points. */
export function pad(
  text: MarkedText,
  width: number,
  fill: MarkedText,
  side: "left" | "right" | "center",
  budget: Budget,
): MarkedText {
  if (codePointLength(fill) !== 1) raise("wanted exactly one fill character");
  const missing = width - codePointLength(text);
  if (!(missing > 0)) return text.asMarkup(false);
  // Python puts the odd fill character on the left when the width is odd.
  const left = side === "left" ? missing : side === "right" ? 0 : Math.floor(missing / 2) + (missing & width & 1);
  return concat([repeatText(fill, left, budget), text, repeatText(fill, missing - left, budget)]);
}

export function repeatText(text: MarkedText, times: number, budget: Budget): MarkedText {
  const n = Math.max(0, times);
  budget.spend(1 + (n * text.length) / 32 + n * text.flips.length);
  if (!text.hasInput) return new MarkedText(text.text.repeat(n));
  if (text.flips.length === 1 && text.flips[0] === 0) return new MarkedText(text.text.repeat(n), text.flips);
  return concat(new Array<MarkedText>(n).fill(text));
}

const HTML: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" };

/** Escapes HTML's five characters; markup stays as it is. */
export function escapeHtml(text: MarkedText, budget: Budget, force = false): MarkedText {
  if (text.isMarkup && !force) return text;
  const parts: MarkedText[] = [];
  budget.spend(text.length >> 4);
  const dangerous = /[&<>'"]/g;
  let begin = 0;
  for (let match = dangerous.exec(text.text); match !== null; match = dangerous.exec(text.text)) {
    budget.spend(4);
    const escaped = text.slice(match.index, match.index + 1);
    parts.push(cut(text, begin, match.index, budget), new MarkedText(HTML[match[0]], escaped.flips));
    begin = match.index + 1;
  }
  parts.push(cut(text, begin, text.length, budget));
  return concat(parts).asMarkup(true);
}
