/**
 * Added tokens, in two automata: all of them, for text that may name them, and those that are no names and so part of
 * any text. The latter are white space (runs of blanks in GPT-NeoX's vocabulary, of line ends in Gemma's) and single
 * characters (ü and a dozen more in DeepSeek Coder's).
 *
 * @module
 */
import { isBlankText } from "./char-classes.ts";
import { type Cut, type CutToken, SpecialTokens } from "./special-tokens.ts";

export class MarkerLayer {
  readonly isEmpty: boolean;
  readonly #all: SpecialTokens;
  readonly #nameless: SpecialTokens;

  constructor(tokens: readonly CutToken[]) {
    this.isEmpty = tokens.length === 0;
    this.#all = new SpecialTokens(tokens);
    this.#nameless = new SpecialTokens(tokens.filter(({ text, isControl }) => !isControl && isNameless(text)));
  }

  /** The tokens in a text; `special` if it may name them. */
  cuts(text: string, special: boolean): Cut[] {
    return (special ? this.#all : this.#nameless).cuts(text);
  }
}

function isNameless(text: string): boolean {
  return isBlankText(text) || text.length === (text.codePointAt(0)! > 0xffff ? 2 : 1);
}
