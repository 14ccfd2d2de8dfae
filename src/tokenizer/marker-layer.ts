/**
 * Added tokens, in two automata: all of them for text that may name them, and those of nothing but white space, which
 * are no names and so part of any text (runs of blanks in GPT-NeoX's vocabulary, of line ends in Gemma's).
 *
 * @module
 */
import { isBlankText } from "./char-classes.ts";
import { type Cut, type CutToken, SpecialTokens } from "./special-tokens.ts";

export class MarkerLayer {
  readonly isEmpty: boolean;
  readonly #all: SpecialTokens;
  readonly #blanks: SpecialTokens;

  constructor(tokens: readonly CutToken[]) {
    this.isEmpty = tokens.length === 0;
    this.#all = new SpecialTokens(tokens);
    this.#blanks = new SpecialTokens(tokens.filter(({ text, isControl }) => !isControl && isBlankText(text)));
  }

  /** The tokens of a text that may name them, or may not. */
  cuts(text: string, special: boolean): Cut[] {
    return (special ? this.#all : this.#blanks).cuts(text);
  }
}
