/**
 * Unicode normal forms in linear time, the same on every engine.
 *
 * They follow Unicode 9.0, as in the `tokenizers` library: later characters stay as they are, and nothing composes or
 * moves across them. The standard promises that older characters have the same normal form in every later version, so
 * the engine's `normalize` can handle the text between.
 *
 * Engines sort a run of combining marks by insertion: 400,000 marks in one run take 51 s in V8. Unicode's Stream-Safe
 * Text Format (Annex 15 of the standard, section 13) allows 30 in a row; we normalize longer runs than
 * {@link MARKS_MAX} that many at a time, so only such runs can differ from the plain normal form.
 *
 * @module
 */
import { type CharClasses, MARK, codePointBefore } from "./char-classes.ts";
import { CodePointSet } from "./code-point-set.ts";
import { ASSIGNED_SINCE_9 } from "./hf-unicode-data.ts";

export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** UTF-16 units of combining marks normalized together: far beyond any language's need, yet 6 µs at worst. */
const MARKS_MAX = 256;
/** No character below has a normal form other than itself. */
const ASCII = /^[\0-\x7f]*$/;

export class Normalizer {
  readonly #form: NormalForm;
  readonly #classes: CharClasses;
  readonly #later = new CodePointSet(ASSIGNED_SINCE_9);

  constructor(form: NormalForm, classes: CharClasses) {
    this.#form = form;
    this.#classes = classes;
  }

  normalize(text: string): string {
    if (ASCII.test(text)) return text;
    const pieces: string[] = [];
    let from = 0;
    let marks = 0;
    for (let at = 0; at < text.length; ) {
      const codePoint = codePointBefore(text, at, text.length);
      const next = at + (codePoint > 0xffff ? 2 : 1);
      if (codePoint > 0x7f && this.#staysAsItIs(codePoint)) {
        pieces.push(text.slice(from, at).normalize(this.#form), text.slice(at, next));
        from = next;
      }
      marks = this.#classes.of(codePoint) & MARK ? marks + next - at : 0;
      if (marks >= MARKS_MAX) {
        pieces.push(text.slice(from, next).normalize(this.#form));
        from = next;
        marks = 0;
      }
      at = next;
    }
    pieces.push(text.slice(from).normalize(this.#form));
    return pieces.join("");
  }

  /** Assigned after Unicode 9.0, or unassigned still: the engine may know it as composing. */
  #staysAsItIs(codePoint: number): boolean {
    return this.#classes.of(codePoint) === 0 || this.#later.has(codePoint);
  }
}
