/**
 * The words of GPT-4o and its kin, which end before a capital; linear, like the matchers of `split.ts`.
 *
 * @module
 */
import {
  type CharClasses,
  LETTER,
  LOWER,
  MARK,
  NUMBER,
  SPACE,
  UPPER,
  codePointBefore,
  isNewline,
} from "./char-classes.ts";
import { type Contractions, type MatcherMaker, blanksEnd, contractionEnd, numbersEnd } from "./split.ts";

/**
 * With `A` for `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, `B` for
 * `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` and `C` for the contractions, which Mistral's lacks,
 * `[^\r\n\p{L}\p{N}]?A*B+C?|[^\r\n\p{L}\p{N}]?A+B*C?|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
 */
export function casedWords(digits: number, contractions?: Contractions): MatcherMaker {
  return (classes) => (text, at, end) => {
    const first = codePointBefore(text, at, end);
    const kind = classes.of(first);
    const second = at + (first > 0xffff ? 2 : 1);
    const word = casedWordEnd(classes, text, at, second, end, !(kind & (LETTER | NUMBER)) && !isNewline(first));
    if (word > at) return contractions === undefined ? word : contractionEnd(text, word, end, contractions);
    if (kind & NUMBER) return numbersEnd(classes, text, at, end, digits);
    const start = first === 0x20 ? second : at;
    const symbol = classes.at(text, start, end);
    if (start >= end || symbol & (SPACE | NUMBER | LETTER)) return blanksEnd(classes, text, at, end, true);
    let stop = classes.runEndWithout(text, start, end, SPACE | NUMBER | LETTER);
    while (stop < end && (isNewline(text.charCodeAt(stop)) || text.charCodeAt(stop) === 0x2f)) stop++;
    return stop;
  };
}

/** The end of `L?A*B+`, else of `L?A+B*`, else `at`; `second` is after a lead L. */
function casedWordEnd(
  classes: CharClasses,
  text: string,
  at: number,
  second: number,
  end: number,
  mayLead: boolean,
): number {
  const starts = mayLead ? [second, at] : [at];
  for (const start of starts) {
    const stop = lowerWordEnd(classes, text, start, end);
    if (stop > start) return stop;
  }
  for (const start of starts) {
    const stop = casedRunEnd(classes, text, start, end, LOWER);
    if (stop > start) return stop;
  }
  return at;
}

/** The end of `A*B+`; if no lower case letter follows, up to the run's last mark or letter without case. */
function lowerWordEnd(classes: CharClasses, text: string, start: number, end: number): number {
  const capitals = casedRunEnd(classes, text, start, end, LOWER);
  if (classes.at(text, capitals, end) & LOWER) return casedRunEnd(classes, text, capitals, end, UPPER);
  for (let stop = capitals; stop > start; ) {
    const isPair = stop - 2 >= start && (text.charCodeAt(stop - 1) & 0xfc00) === 0xdc00;
    const from = stop - (isPair ? 2 : 1);
    if (!(classes.at(text, from, end) & UPPER)) return stop;
    stop = from;
  }
  return start;
}

/** The end of the run of letters and marks, except those of one case. */
function casedRunEnd(classes: CharClasses, text: string, at: number, end: number, without: number): number {
  while (at < end) {
    const codePoint = codePointBefore(text, at, end);
    const kind = classes.of(codePoint);
    if ((kind & (LETTER | MARK)) === 0 || kind & without) break;
    at += codePoint > 0xffff ? 2 : 1;
  }
  return at;
}
