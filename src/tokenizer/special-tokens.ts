/**
 * Cuts special tokens out of text before anything else, in time linear in the text, whatever the tokens are.
 *
 * The leftmost place wins, and there the longest token, as in Hugging Face's tokenizers; llama.cpp cuts longest first
 * over the whole text, which differs only where a longer token begins inside a shorter one.
 *
 * An automaton reads the text from its end (Aho and Corasick 1975, "Efficient string matching", over the tokens
 * backwards), so each place gets the longest token that begins there.
 *
 * @module
 */
import { SPECIAL_TOKEN_UNITS_MAX } from "../core/limits.ts";
import { bad } from "./vocabulary.ts";

/** A token to find. */
export interface CutToken {
  readonly id: number;
  readonly text: string;
  /** Never part of plain text, even if white space or one character. */
  readonly isControl?: boolean;
  /** It absorbs white space before it. */
  readonly trimsLeft?: boolean;
  /** It absorbs white space after it. */
  readonly trimsRight?: boolean;
  /** Whether a match may stand at `[from, to)` of a text; for tokens that must stand alone as a word. */
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
const NONE = -1;

export class SpecialTokens {
  readonly #tree: Tree;
  /** Where a node without a matching child goes on: its longest end that begins another token backwards. */
  readonly #fallbacks: Int32Array;
  /** Units that end a token, so most text costs one look-up a unit. */
  readonly #ends = new Uint8Array(UNITS);

  /** @throws OnebitError `tokenizer/bad-vocabulary` when the tokens are too many or too long */
  constructor(tokens: readonly CutToken[]) {
    const units = tokens.reduce((sum, { text }) => sum + text.length, 0);
    if (units > SPECIAL_TOKEN_UNITS_MAX)
      bad(`special tokens of ${units} characters in all, the limit is ${SPECIAL_TOKEN_UNITS_MAX}`);
    this.#tree = treeOf(tokens, units);
    this.#fallbacks = new Int32Array(this.#tree.size);
    this.#link();
  }

  get isEmpty(): boolean {
    return this.#tree.size === 1;
  }

  /** All tokens of the text, from its beginning, without overlaps. */
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
      const place = this.#tree.places[node];
      if (place === NONE) continue;
      places.push(at);
      tokens.push(this.#tree.tokens[place]);
    }
    return { places, tokens };
  }

  #next(node: number, unit: number): number {
    for (;;) {
      const child = childOf(this.#tree, node, unit);
      if (child !== NONE) return child;
      if (node === ROOT) return ROOT;
      node = this.#fallbacks[node];
    }
  }

  /** Links each node to its fallback, nearer the root first. */
  #link(): void {
    const { byDepth, parents, units, places } = this.#tree;
    for (const node of byDepth) {
      const parent = parents[node];
      if (parent === ROOT) this.#ends[units[node]] = 1;
      else this.#fallbacks[node] = this.#next(this.#fallbacks[parent], units[node]);
      if (places[node] === NONE) places[node] = places[this.#fallbacks[node]];
    }
  }
}

/** The tokens backwards as a tree, in arrays: unlike a hash table, a file cannot fill it with collisions. */
interface Tree {
  readonly size: number;
  /** All nodes but the root, those nearer to it first. */
  readonly byDepth: Int32Array;
  readonly parents: Int32Array;
  /** The last unit of a node. */
  readonly units: Uint16Array;
  /** The children of a node: the first, by ascending unit, and how many follow each other. */
  readonly children: Int32Array;
  readonly childCounts: Int32Array;
  /** At each node, the place in `tokens` of the longest token that ends there, backwards. */
  readonly places: Int32Array;
  readonly tokens: readonly CutToken[];
}

/**
 * Goes depth first: the nodes of a token lie side by side. Level by level, cache misses made a text of 16,000 names
 * take three times as long.
 */
function treeOf(given: readonly CutToken[], unitsMax: number): Tree {
  const sorted = given
    .filter(({ text }) => text !== "")
    // By UTF-16 units; this leaves surrogate pairs reversed.
    .map((token) => ({ token, backwards: token.text.split("").reverse().join("") }))
    .sort((a, b) => (a.backwards < b.backwards ? -1 : a.backwards > b.backwards ? 1 : 0));
  const integers = (): Int32Array => new Int32Array(unitsMax + 1);
  const [parents, children, childCounts, places, depths, begins, ends] = Array.from({ length: 7 }, integers);
  const units = new Uint16Array(unitsMax + 1);
  const open = [ROOT];
  ends[ROOT] = sorted.length;
  let size = 1;
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const depth = depths[node];
    const end = ends[node];
    let at = begins[node];
    // Of tokens with the same text the first counts; the sort is stable and puts the shortest first.
    places[node] = at < end && sorted[at].backwards.length === depth ? at : NONE;
    while (at < end && sorted[at].backwards.length === depth) at++;
    children[node] = size;
    while (at < end) {
      const unit = sorted[at].backwards.charCodeAt(depth);
      parents[size] = node;
      units[size] = unit;
      depths[size] = depth + 1;
      begins[size] = at;
      while (at < end && sorted[at].backwards.charCodeAt(depth) === unit) at++;
      ends[size] = at;
      open.push(size++);
    }
    childCounts[node] = size - children[node];
  }
  return {
    size,
    byDepth: nodesByDepth(depths.subarray(0, size)),
    parents: parents.slice(0, size),
    units: units.slice(0, size),
    children: children.slice(0, size),
    childCounts: childCounts.slice(0, size),
    places: places.slice(0, size),
    tokens: sorted.map(({ token }) => token),
  };
}

function nodesByDepth(depths: Int32Array): Int32Array {
  const begins: number[] = [];
  for (let node = 1; node < depths.length; node++) begins[depths[node]] = (begins[depths[node]] ?? 0) + 1;
  let begin = 0;
  for (let depth = 1; depth < begins.length; depth++) {
    const count = begins[depth];
    begins[depth] = begin;
    begin += count;
  }
  const nodes = new Int32Array(depths.length - 1);
  for (let node = 1; node < depths.length; node++) nodes[begins[depths[node]]++] = node;
  return nodes;
}

function childOf({ children, childCounts, units }: Tree, node: number, unit: number): number {
  let low = children[node];
  let high = low + childCounts[node];
  const end = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (units[middle] < unit) low = middle + 1;
    else high = middle;
  }
  return low < end && units[low] === unit ? low : NONE;
}
