/**
 * Finds the tokens that are cut out of text before anything else, in time linear in the text, whatever the tokens are.
 *
 * At each place the longest token wins, and the leftmost place first, as in Hugging Face's tokenizers; llama.cpp cuts
 * longest first over the whole text, which differs only where a longer token begins inside a shorter one.
 *
 * An automaton reads the text from its end (Aho and Corasick 1975, "Efficient string matching", over the tokens
 * backwards), so that each place gets the longest of the tokens that begin there.
 *
 * @module
 */
import { SPECIAL_TOKEN_UNITS_MAX } from "../core/limits.ts";
import { bad } from "./vocabulary.ts";

/** A token to look for. */
export interface CutToken {
  readonly id: number;
  readonly text: string;
  /** No part of any text, even if it is white space or one character. */
  readonly isControl?: boolean;
  /** White space before it belongs to it. */
  readonly trimsLeft?: boolean;
  /** White space after it belongs to it. */
  readonly trimsRight?: boolean;
  /** Whether a match may stand at `[from, to)` of a text; a token that stands alone as a word has one. */
  readonly mayStand?: (text: string, from: number, to: number) => boolean;
}

/** One found token: it stands for `[from, to)` of the text. */
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
  /** Where a node goes on when it has no child: the longest end of it that begins another token backwards. */
  readonly #fallbacks: number[] = [ROOT];
  /** The longest token that ends, backwards, at each node. */
  readonly #tokens: (CutToken | undefined)[] = [undefined];
  /** Units that end a token, so that most text costs one look-up a unit. */
  readonly #ends = new Uint8Array(UNITS);

  /** @throws OnebitError `tokenizer/bad-vocabulary` when the tokens are too many or too long */
  constructor(tokens: readonly CutToken[]) {
    const units = tokens.reduce((sum, { text }) => sum + text.length, 0);
    if (units > SPECIAL_TOKEN_UNITS_MAX)
      bad(`special tokens of ${units} characters in all, the limit is ${SPECIAL_TOKEN_UNITS_MAX}`);
    const nodes: Nodes = { parents: new Int32Array(units + 1), units: new Uint16Array(units + 1) };
    for (const token of tokens) if (token.text !== "") this.#add(token, nodes);
    this.#link(nodes);
  }

  get isEmpty(): boolean {
    return this.#children.size === 0;
  }

  /** All tokens of the text, from its beginning on, none overlapping another. */
  cuts(text: string): Cut[] {
    const cuts: Cut[] = [];
    const { places, tokens } = this.#longest(text);
    let end = 0;
    for (let i = places.length - 1; i >= 0; i--) {
      const [token, from] = [tokens[i], places[i]];
      if (from < end) continue;
      const to = (end = from + token.text.length);
      if (token.mayStand === undefined || token.mayStand(text, from, to)) cuts.push({ token, from, to });
    }
    return cuts;
  }

  /** The longest token at each place that has one, last place first. */
  #longest(text: string): { readonly places: readonly number[]; readonly tokens: readonly CutToken[] } {
    const places: number[] = [];
    const tokens: CutToken[] = [];
    if (this.isEmpty) return { places, tokens };
    let node = ROOT;
    for (let at = text.length - 1; at >= 0; at--) {
      const unit = text.charCodeAt(at);
      if (node === ROOT && this.#ends[unit] === 0) continue;
      node = this.#next(node, unit);
      const token = this.#tokens[node];
      if (token === undefined) continue;
      places.push(at);
      tokens.push(token);
    }
    return { places, tokens };
  }

  #next(node: number, unit: number): number {
    for (;;) {
      const child = this.#children.get(node * UNITS + unit);
      if (child !== undefined) return child;
      if (node === ROOT) return ROOT;
      node = this.#fallbacks[node];
    }
  }

  #add(token: CutToken, nodes: Nodes): void {
    const { text } = token;
    let node = ROOT;
    for (let i = text.length - 1; i >= 0; i--) {
      const key = node * UNITS + text.charCodeAt(i);
      let child = this.#children.get(key);
      if (child === undefined) {
        child = this.#tokens.push(undefined) - 1;
        this.#children.set(key, child);
        nodes.parents[child] = node;
        nodes.units[child] = text.charCodeAt(i);
      }
      node = child;
    }
    this.#tokens[node] ??= token;
    this.#ends[text.charCodeAt(text.length - 1)] = 1;
  }

  /** Links each node to its fallback, nearer the root first. */
  #link({ parents, units }: Nodes): void {
    const depths = new Int32Array(this.#tokens.length);
    const levels: number[][] = [];
    // A node comes after its parent.
    for (let node = 1; node < depths.length; node++) {
      depths[node] = depths[parents[node]] + 1;
      (levels[depths[node]] ??= []).push(node);
    }
    for (const level of levels) {
      for (const node of level ?? []) {
        const parent = parents[node];
        this.#fallbacks[node] = parent === ROOT ? ROOT : this.#next(this.#fallbacks[parent], units[node]);
        this.#tokens[node] ??= this.#tokens[this.#fallbacks[node]];
      }
    }
  }
}

/** How each node was reached. */
interface Nodes {
  readonly parents: Int32Array;
  readonly units: Uint16Array;
}
