/**
 * Splits text into the pieces inside which a byte-level vocabulary merges: hand-written matchers for the regular
 * expressions of published tokenizers, each linear in the text (a regular expression engine is quadratic on `\s+(?!\S)`
 * and long blanks).
 *
 * Stages run one after another: each splits the pieces from the one before, and stretches that its expression does not
 * match stay pieces of their own. A matcher sees only its piece, as in the reference implementations.
 *
 * @module
 */
import {
  type CharClasses,
  LETTER,
  MARK,
  NUMBER,
  PUNCTUATION,
  SPACE,
  SYMBOL,
  codePointBefore,
  isNewline,
} from "./char-classes.ts";

/** Receives the piece `[from, to)` of a text. */
export type PieceSink = (text: string, from: number, to: number) => void;

/** The end of the match that starts at `at` in a piece that ends at `end`; `at` if there is none. */
export type Matcher = (text: string, at: number, end: number) => number;

/** Makes a matcher over the given classes. */
export type MatcherMaker = (classes: CharClasses) => Matcher;

/** Chains stages in front of a sink; without stages, the whole text is one piece. */
export function chainStages(stages: readonly MatcherMaker[], classes: CharClasses, sink: PieceSink): PieceSink {
  return stages.reduceRight((next, stage) => splitBy(stage(classes), next), sink);
}

function splitBy(match: Matcher, next: PieceSink): PieceSink {
  return (text, from, to) => {
    let begin = from;
    let at = from;
    while (at < to) {
      const stop = match(text, at, to);
      if (stop === at) {
        at += codePointBefore(text, at, to) > 0xffff ? 2 : 1;
        continue;
      }
      if (begin < at) next(text, begin, at);
      next(text, at, stop);
      at = begin = stop;
    }
    if (begin < to) next(text, begin, to);
  };
}

/** Which cases of the contractions 's 't 're 've 'm 'll 'd count; `folded` is `(?i:…)`, where ſ counts as s. */
export type Contractions = "lower" | "any" | "folded";

/**
 * GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
 * Without the last alternative, a lone blank would be unmatched between two matches: the same piece.
 */
export const gpt2Words: MatcherMaker = (classes) => (text, at, end) => {
  const contraction = contractionEnd(text, at, end, "lower");
  if (contraction > at) return contraction;
  const start = text.charCodeAt(at) === 0x20 ? at + 1 : at;
  const kind = classes.at(text, start, end);
  if (kind & LETTER) return classes.runEnd(text, start, end, LETTER);
  if (kind & NUMBER) return classes.runEnd(text, start, end, NUMBER);
  if (start < end && !(kind & SPACE)) return classes.runEndWithout(text, start, end, SPACE | LETTER | NUMBER);
  return blanksEnd(classes, text, at, end);
};

/**
 * Llama 3 and its kin, with `{1,n}` digits and words of the class `W` (letters, or letters and marks):
 * `'s|'t|'re|'ve|'m|'ll|'d|[^\r\n\p{L}\p{N}]?W+|\p{N}{1,n}| ?[^\s\p{N}W]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
 */
export function llama3Words(digits: number, word = LETTER, contractions: Contractions = "any"): MatcherMaker {
  return (classes) => (text, at, end) => {
    const contraction = contractionEnd(text, at, end, contractions);
    if (contraction > at) return contraction;
    const first = codePointBefore(text, at, end);
    const kind = classes.of(first);
    if (kind & word) return classes.runEnd(text, at, end, word);
    if (kind & NUMBER) return numbersEnd(classes, text, at, end, digits);
    const second = at + (first > 0xffff ? 2 : 1);
    if (!isNewline(first) && classes.at(text, second, end) & word) return classes.runEnd(text, second, end, word);
    const start = first === 0x20 ? second : at;
    const symbol = classes.at(text, start, end);
    if (start >= end || symbol & (SPACE | NUMBER | word)) return blanksEnd(classes, text, at, end, true);
    const stop = classes.runEndWithout(text, start, end, SPACE | NUMBER | word);
    return newlinesEnd(text, stop, end);
  };
}

/**
 * DeepSeek 3: `[!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
 * where the first class is the ASCII punctuation.
 */
export const deepseek3Words: MatcherMaker = (classes) => (text, at, end) => {
  const first = codePointBefore(text, at, end);
  const kind = classes.of(first);
  const second = at + (first > 0xffff ? 2 : 1);
  if (first < 0x80 && kind & (PUNCTUATION | SYMBOL) && isAsciiLetter(text, second, end)) {
    let stop = second;
    while (isAsciiLetter(text, stop, end)) stop++;
    return stop;
  }
  const word = LETTER | MARK;
  if (kind & word) return classes.runEnd(text, at, end, word);
  const mayLead = !(kind & (PUNCTUATION | SYMBOL)) && !isNewline(first);
  if (mayLead && classes.at(text, second, end) & word) return classes.runEnd(text, second, end, word);
  const start = first === 0x20 ? second : at;
  if (classes.at(text, start, end) & (PUNCTUATION | SYMBOL)) {
    const stop = classes.runEnd(text, start, end, PUNCTUATION | SYMBOL);
    return newlinesEnd(text, stop, end);
  }
  return blanksEnd(classes, text, at, end, true);
};

/** `\p{N}{1,n}`; without `n`, `\p{N}+`. */
export function numbers(longest = Infinity): MatcherMaker {
  return (classes) => (text, at, end) => numbersEnd(classes, text, at, end, longest);
}

/** `[0-9][0-9][0-9]`. */
export const threeDigits: MatcherMaker = () => (text, at, end) =>
  at + 3 <= end && isDigit(text, at) && isDigit(text, at + 1) && isDigit(text, at + 2) ? at + 3 : at;

/** `[\p{P}…]+` with more ASCII characters. */
export function punctuationAnd(more: string): MatcherMaker {
  const extra = new Set(Array.from(more, (character) => character.charCodeAt(0)));
  return (classes) => (text, at, end) => {
    for (;;) {
      const stop = classes.runEnd(text, at, end, PUNCTUATION);
      if (stop >= end || !extra.has(text.charCodeAt(stop))) return stop;
      at = stop + 1;
    }
  };
}

/** One character of a class, or one of some ASCII characters. */
export function oneOf(mask: number, more: string): MatcherMaker {
  return (classes) => (text, at, end) => {
    const first = codePointBefore(text, at, end);
    if ((classes.of(first) & mask) === 0 && !(first < 0x80 && more.includes(String.fromCharCode(first)))) return at;
    return at + (first > 0xffff ? 2 : 1);
  };
}

/** `[\r\n]`. */
export const oneNewline: MatcherMaker = () => (text, at, end) =>
  at < end && isNewline(text.charCodeAt(at)) ? at + 1 : at;

/** `\s?C+` for a class `C`. */
export function blankThen(mask: number): MatcherMaker {
  return (classes) => (text, at, end) => {
    const start = classes.at(text, at, end) & SPACE ? at + 1 : at;
    const stop = classes.runEnd(text, start, end, mask);
    return stop > start ? stop : at;
  };
}

/** A run of UTF-16 units in any of the given ranges (first, last, first, last, …), all outside the surrogates. */
export function unitRanges(...bounds: readonly number[]): MatcherMaker {
  const inside = (unit: number): boolean => {
    for (let i = 0; i < bounds.length; i += 2) if (unit >= bounds[i] && unit <= bounds[i + 1]) return true;
    return false;
  };
  return () => (text, at, end) => {
    while (at < end && inside(text.charCodeAt(at))) at++;
    return at;
  };
}

/**
 * `\s*[\r\n]+` (when `newlines`), then `\s+(?!\S)|\s+`: a run of blanks up to its last newline; else all of it at the
 * end of the piece, all but the last blank before something (which takes that one as its lead), a lone one.
 */
export function blanksEnd(classes: CharClasses, text: string, at: number, end: number, newlines = false): number {
  const stop = classes.runEnd(text, at, end, SPACE);
  if (newlines) {
    for (let i = stop; i > at; i--) if (isNewline(text.charCodeAt(i - 1))) return i;
  }
  return stop === end || stop - at < 2 ? stop : stop - 1;
}

export function numbersEnd(classes: CharClasses, text: string, at: number, end: number, longest: number): number {
  if (longest === Infinity) return classes.runEnd(text, at, end, NUMBER);
  for (let count = 0; count < longest && classes.at(text, at, end) & NUMBER; count++) {
    at += codePointBefore(text, at, end) > 0xffff ? 2 : 1;
  }
  return at;
}

function newlinesEnd(text: string, at: number, end: number): number {
  while (at < end && isNewline(text.charCodeAt(at))) at++;
  return at;
}

/** The end of `'s|'t|'re|'ve|'m|'ll|'d` at `at`, or `at`. */
export function contractionEnd(text: string, at: number, end: number, cases: Contractions): number {
  if (at >= end || text.charCodeAt(at) !== 0x27) return at;
  const given = text.slice(at + 1, Math.min(at + 3, end));
  // `toLowerCase` differs between engines only beyond ASCII; ſ, the one other letter that folds to one of these, has
  // its own test.
  const tail = cases === "lower" ? given : given.toLowerCase();
  if (cases === "folded" && given.startsWith("\u017f")) return at + 2;
  if (tail === "re" || tail === "ve" || tail === "ll") return at + 3;
  const first = tail.charAt(0);
  return first !== "" && "stmd".includes(first) ? at + 2 : at;
}

function isDigit(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0x30 && unit <= 0x39;
}

function isAsciiLetter(text: string, at: number, end: number): boolean {
  if (at >= end) return false;
  const unit = text.charCodeAt(at) | 0x20;
  return unit >= 0x61 && unit <= 0x7a;
}
