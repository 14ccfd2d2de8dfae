/**
 * Unicode's `\w`: Alphabetic, marks, decimal digits, connector punctuation, joiners.
 *
 * Source: Unicode Technical Standard 18, annex C; as in Rust's `regex` library.
 *
 * @module
 */
import { type CharClasses, LETTER, MARK, NUMBER, codePointBefore } from "./char-classes.ts";
import { CodePointSet } from "./code-point-set.ts";
import { WORD_EXCEPTIONS } from "./hf-unicode-data.ts";

export class WordCharacters {
  readonly #classes: CharClasses;
  readonly #exceptions = new CodePointSet(WORD_EXCEPTIONS);

  constructor(classes: CharClasses) {
    this.#classes = classes;
  }

  has(codePoint: number): boolean {
    return ((this.#classes.of(codePoint) & (LETTER | MARK | NUMBER)) !== 0) !== this.#exceptions.has(codePoint);
  }

  /** Whether no word goes on before or after `[from, to)` of a text. */
  standAlone(text: string, from: number, to: number): boolean {
    const isPair = from > 1 && (text.charCodeAt(from - 1) & 0xfc00) === 0xdc00;
    const before = from - (isPair ? 2 : 1);
    const isFollowed = to < text.length && this.has(codePointBefore(text, to, text.length));
    return !isFollowed && !(from > 0 && this.has(codePointBefore(text, before, from)));
  }
}
