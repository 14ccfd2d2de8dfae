/**
 * A trie of byte strings as flat arrays, and how it is made: strings in the order of a trie, each sharing a beginning
 * with the one before.
 *
 * @module
 */

/** Nodes in depth-first order. */
export interface TrieNodes {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** 0 for first bytes. */
  readonly depths: Uint16Array;
  /** The first node behind the subtree. */
  readonly ends: Int32Array;
  /** What ends here: the value that was added, or {@link NO_TOKEN}. */
  readonly tokens: Int32Array;
}

/** Where {@link TrieNodes.tokens} has none. */
export const NO_TOKEN = 0x7fffffff;

const FIRST_NODES = 256;

/** Writes a trie. */
export class NodeWriter {
  #bytes = new Uint8Array(FIRST_NODES);
  #depths = new Uint16Array(FIRST_NODES);
  #ends = new Int32Array(FIRST_NODES);
  #tokens = new Int32Array(FIRST_NODES);
  #count = 0;
  /** Where the last string is. */
  #from = 0;
  #length = 0;
  /** The open node of each depth. */
  readonly #path: Int32Array;

  /** @param longest no string has more bytes */
  constructor(longest: number) {
    this.#path = new Int32Array(longest + 1);
  }

  /**
   * Adds the string at `from` to `to` of `bytes`, the same array at every call: not empty, not the last again, and in
   * the order of a trie, where what shares a beginning comes together.
   */
  add(bytes: Uint8Array, from: number, to: number, token: number): void {
    const most = Math.min(this.#length, to - from);
    let shared = 0;
    while (shared < most && bytes[this.#from + shared] === bytes[from + shared]) shared++;
    this.#close(shared);
    for (let depth = shared; depth < to - from; depth++) this.#open(bytes[from + depth], depth);
    this.#tokens[this.#count - 1] = token;
    this.#from = from;
    this.#length = to - from;
  }

  finish(): TrieNodes {
    this.#close(0);
    this.#resize(this.#count);
    return {
      count: this.#count,
      bytes: this.#bytes,
      depths: this.#depths,
      ends: this.#ends,
      tokens: this.#tokens,
    };
  }

  #open(byte: number, depth: number): void {
    if (this.#count === this.#bytes.length) this.#resize(this.#count * 2);
    this.#bytes[this.#count] = byte;
    this.#depths[this.#count] = depth;
    this.#tokens[this.#count] = NO_TOKEN;
    this.#path[depth] = this.#count++;
  }

  /** Ends the open subtrees of this depth and deeper. */
  #close(depth: number): void {
    for (let open = depth; open < this.#length; open++) this.#ends[this.#path[open]] = this.#count;
  }

  #resize(length: number): void {
    this.#bytes = resized(this.#bytes, new Uint8Array(length));
    this.#depths = resized(this.#depths, new Uint16Array(length));
    this.#ends = resized(this.#ends, new Int32Array(length));
    this.#tokens = resized(this.#tokens, new Int32Array(length));
  }
}

interface Cells {
  readonly length: number;
  subarray(from: number, to: number): ArrayLike<number>;
  set(cells: ArrayLike<number>): void;
}

function resized<Kind extends Cells>(from: Kind, to: Kind): Kind {
  to.set(from.subarray(0, Math.min(from.length, to.length)));
  return to;
}

/** Byte strings by number: where each begins in `bytes`, and at last where all end. */
export interface Strings {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
}

/**
 * The numbers of all strings that are not empty, in the order of a trie; those of equal strings come once, as the
 * bitwise complement of an index of `equals`.
 */
export function sorted(strings: Strings): { ids: number[]; equals: number[][] } {
  const { children, siblings, tokens, equals } = linkedTrie(strings);
  const ids: number[] = [];
  const waiting = [0];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (tokens[node] !== NO_TOKEN) ids.push(tokens[node]);
    if (siblings[node] !== 0) waiting.push(siblings[node]);
    if (children[node] !== 0) waiting.push(children[node]);
  }
  return { ids, equals };
}

interface LinkedTrie {
  /** 0 for none. Node 0 is the root. */
  readonly children: Int32Array;
  readonly siblings: Int32Array;
  readonly tokens: Int32Array;
  readonly equals: number[][];
}

/** By insertion: each node has a first child and a next sibling. */
function linkedTrie({ bytes, offsets }: Strings): LinkedTrie {
  const children = new Int32Array(bytes.length + 1);
  const siblings = new Int32Array(bytes.length + 1);
  const tokens = new Int32Array(bytes.length + 1).fill(NO_TOKEN);
  const ownByte = new Uint8Array(bytes.length + 1);
  const equals: number[][] = [];
  let used = 1;
  for (let id = 0; id < offsets.length - 1; id++) {
    const end = offsets[id + 1];
    if (offsets[id] === end) continue;
    let node = 0;
    for (let at = offsets[id]; at < end; at++) {
      const byte = bytes[at];
      let child = children[node];
      while (child !== 0 && ownByte[child] !== byte) child = siblings[child];
      if (child === 0) {
        child = used++;
        ownByte[child] = byte;
        siblings[child] = children[node];
        children[node] = child;
      }
      node = child;
    }
    const known = tokens[node];
    if (known === NO_TOKEN) tokens[node] = id;
    else if (known < 0) equals[~known].push(id);
    else tokens[node] = ~(equals.push([known, id]) - 1);
  }
  return { children, siblings, tokens, equals };
}
