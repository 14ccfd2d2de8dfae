/**
 * Finds the tokens that are cut out of text before anything else: one walk of a trie, whatever their number.
 *
 * At each place the longest token wins, and the leftmost place first, as in Hugging Face's tokenizers; llama.cpp cuts
 * longest first over the whole text, which differs only where a longer token begins inside a shorter one.
 *
 * @module
 */
import { isWhiteSpace } from "./char-classes.ts";

/** A token to look for. */
export interface CutToken {
  readonly id: number;
  readonly text: string;
  /** White space before it belongs to it. */
  readonly trimsLeft?: boolean;
  /** White space after it belongs to it. */
  readonly trimsRight?: boolean;
}

/** One found token: it stands for `[from, to)` of the text, blanks that it takes along included. */
export interface Cut {
  readonly token: CutToken;
  readonly from: number;
  readonly to: number;
}

const UNITS = 0x10000;
const ROOT = 0;

export class SpecialTokens {
  /** Child of a node by UTF-16 unit: key node · 65,536 + unit. */
  readonly #children = new Map<number, number>();
  /** The token that ends at each node. */
  readonly #tokens: (CutToken | undefined)[] = [undefined];
  /** Units that begin a token, so that most text costs one look-up a unit. */
  readonly #begins = new Uint8Array(UNITS);

  constructor(tokens: Iterable<CutToken>) {
    for (const token of tokens) if (token.text !== "") this.#add(token);
  }

  /** The first token at or after `from`. */
  find(text: string, from: number): Cut | undefined {
    if (this.#children.size === 0) return undefined;
    for (let at = from; at < text.length; at++) {
      if (this.#begins[text.charCodeAt(at)] === 0) continue;
      const token = this.#longestAt(text, at);
      if (token !== undefined) return widen(token, text, from, at);
    }
    return undefined;
  }

  #add(token: CutToken): void {
    let node = ROOT;
    for (let i = 0; i < token.text.length; i++) {
      const key = node * UNITS + token.text.charCodeAt(i);
      let child = this.#children.get(key);
      if (child === undefined) {
        child = this.#tokens.push(undefined) - 1;
        this.#children.set(key, child);
      }
      node = child;
    }
    this.#tokens[node] = token;
    this.#begins[token.text.charCodeAt(0)] = 1;
  }

  #longestAt(text: string, at: number): CutToken | undefined {
    let longest: CutToken | undefined;
    let node: number | undefined = ROOT;
    while (at < text.length) {
      node = this.#children.get(node * UNITS + text.charCodeAt(at++));
      if (node === undefined) break;
      longest = this.#tokens[node] ?? longest;
    }
    return longest;
  }
}

function widen(token: CutToken, text: string, from: number, at: number): Cut {
  let start = at;
  let stop = at + token.text.length;
  if (token.trimsLeft) while (start > from && isWhiteSpace(text.charCodeAt(start - 1))) start--;
  if (token.trimsRight) while (stop < text.length && isWhiteSpace(text.charCodeAt(stop))) stop++;
  return { token, from: start, to: stop };
}
