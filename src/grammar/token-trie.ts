/**
 * A vocabulary as tries of bytes, in flat arrays in depth-first order, so that a walk that leaves out dead subtrees is
 * one loop. Built once a tokenizer, for all grammars.
 *
 * nodes: byte Uint8, depth Uint16, end Int32 (of the subtree), token Int32: 11 bytes a node. 128,000 tokens of Llama 3
 * have some 275,000 nodes.
 *
 * @module
 */
import { ORDINARY_CHARACTERS, ordinaryLength } from "./ordinary-text.ts";
import { SuffixTries } from "./suffix-tries.ts";
import { NodeWriter, type Strings, type TrieNodes, sorted } from "./trie-nodes.ts";

/** The tokens of a model. */
export interface TokenBytes {
  /** Ids are 0 to `vocabSize` − 1. */
  readonly vocabSize: number;
  /** The bytes that a token adds to a text; undefined or empty for one that no grammar allows, such as `<|eot_id|>`. */
  bytesOf(id: number): Uint8Array | undefined;
  /** The id of a special token by its name: it adds no bytes to a text, and comes only where a grammar names it. */
  specialId?(name: string): number | undefined;
}

/** Tokens that every state allows which allows any ordinary text of so many characters; and the others of the tier. */
export interface Slice {
  /** Most characters of its tokens. */
  readonly nCharacters: number;
  /** One bit a token. */
  readonly bits: Uint32Array;
  readonly rest: TrieNodes;
}

/** Tokens of some lengths. */
export interface Tier {
  /** No token of the tier has more bytes. */
  readonly longestBytes: number;
  readonly all: TrieNodes;
  /** The largest first. */
  readonly slices: readonly Slice[];
}

/**
 * The longest tokens of the tiers but the last, and the slices of each in characters. A counter below 8 is rare; of
 * Llama 3's tokens 100,000 have up to 8 bytes, 26,000 up to 16, and 1,300 up to 128.
 */
const TIERS = [
  { longestBytes: 8, slices: [8] },
  { longestBytes: 16, slices: [16] },
  { longestBytes: 0xffff, slices: [0xffff, 32] },
];

export class TokenTrie {
  readonly vocabSize: number;
  /** Tokens that can match. */
  readonly nTokens: number;
  /** The length of the longest. */
  readonly longestBytes: number;
  /** By the lengths of tokens, the shortest first. */
  readonly tiers: readonly Tier[];
  /** Tokens with equal bytes, by the bitwise complement of what {@link TrieNodes.tokens} has. */
  readonly equals: readonly (readonly number[])[];
  /** How tokens go on behind places within them. */
  readonly suffixes: SuffixTries = new SuffixTries(this);
  /** What slices consist of. */
  readonly ordinary = ORDINARY_CHARACTERS;
  readonly #strings: Strings;

  constructor(tokens: TokenBytes) {
    this.vocabSize = tokens.vocabSize;
    this.#strings = flattened(tokens);
    const { bytes, offsets } = this.#strings;
    const { ids, equals } = sorted(this.#strings);
    this.equals = equals;
    this.nTokens = ids.length + equals.reduce((sum, same) => sum + same.length - 1, 0);
    const found: Found[] = ids.map((token) => {
      const id = token < 0 ? equals[~token][0] : token;
      return { token, id, length: ordinaryLength(bytes, offsets[id], offsets[id + 1]) };
    });
    this.longestBytes = found.reduce((most, { id }) => Math.max(most, offsets[id + 1] - offsets[id]), 0);
    this.tiers = TIERS.map(({ longestBytes, slices }, at) => {
      const below = at === 0 ? 0 : TIERS[at - 1].longestBytes;
      const own = found.filter(({ id }) => {
        const length = offsets[id + 1] - offsets[id];
        return length > below && length <= longestBytes;
      });
      return {
        longestBytes: Math.min(longestBytes, this.longestBytes),
        all: this.#nodesOf(own),
        slices: slices.map((most) => this.#slice(own, Math.min(most, this.longestBytes))),
      };
    });
  }

  /** The bytes of a token; none for one that cannot match. */
  bytesOf(id: number): Uint8Array {
    return this.#strings.bytes.subarray(this.#strings.offsets[id], this.#strings.offsets[id + 1]);
  }

  /** What it holds, in bytes. */
  get byteLength(): number {
    const nodes = (trie: TrieNodes): number =>
      trie.bytes.byteLength + trie.depths.byteLength + trie.ends.byteLength + trie.tokens.byteLength;
    let sum = this.#strings.bytes.byteLength + this.#strings.offsets.byteLength;
    for (const { all, slices } of this.tiers) {
      sum += nodes(all);
      for (const slice of slices) sum += nodes(slice.rest) + slice.bits.byteLength;
    }
    return sum;
  }

  #slice(tokens: readonly Found[], most: number): Slice {
    const bits = new Uint32Array((this.vocabSize + 31) >>> 5);
    const rest = tokens.filter(({ token, length }) => {
      if (length === 0 || length > most) return true;
      for (const id of token < 0 ? this.equals[~token] : [token]) bits[id >>> 5] |= 1 << (id & 31);
      return false;
    });
    return { nCharacters: most, bits, rest: this.#nodesOf(rest) };
  }

  #nodesOf(tokens: readonly Found[]): TrieNodes {
    const { bytes, offsets } = this.#strings;
    const nodes = new NodeWriter(this.longestBytes);
    for (const { token, id } of tokens) nodes.add(bytes, offsets[id], offsets[id + 1], token);
    return nodes.finish();
  }
}

/** A token, or the first of several with equal bytes. */
interface Found {
  /** The id, or the complement of an index of {@link TokenTrie.equals}. */
  readonly token: number;
  readonly id: number;
  /** Its ordinary characters; 0 if it has others. */
  readonly length: number;
}

function flattened(tokens: TokenBytes): Strings {
  const offsets = new Uint32Array(tokens.vocabSize + 1);
  let bytes = new Uint8Array(tokens.vocabSize * 8 + 64);
  let used = 0;
  const most = TIERS[TIERS.length - 1].longestBytes;
  for (let id = 0; id < tokens.vocabSize; id++) {
    const own = tokens.bytesOf(id);
    if (own !== undefined && own.length <= most) {
      if (used + own.length > bytes.length) {
        const larger = new Uint8Array(Math.max(bytes.length * 2, used + own.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(own, used);
      used += own.length;
    }
    offsets[id + 1] = used;
  }
  return { bytes: bytes.slice(0, used), offsets };
}
