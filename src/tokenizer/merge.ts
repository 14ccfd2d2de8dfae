/**
 * Byte-pair merging: while any two neighbours have a rule, the pair of the lowest rank merges, leftmost on ties
 * (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units").
 *
 * Short pieces, nearly all of real text, are searched directly. Long ones keep their pairs in a heap: O(n log n) for any
 * input, ten million equal letters included.
 *
 * @module
 */
import type { PairTable } from "./pair-table.ts";

/** Up to this many symbols a search of all pairs beats the heap (measured on wikitext; even at 24 to 48). */
const SHORT_SYMBOLS = 32;
/** Scratch memory of longer pieces is given back: 16 bytes a symbol, 1 MB here. */
const KEPT_SYMBOLS = 65_536;
/** A heap key is rank · 2^31 + position: ranks below 2^22 keep it an exact integer. */
const POSITIONS = 2 ** 31;

export class Merger {
  readonly #pairs: PairTable;
  readonly #shortSlots = new Int32Array(SHORT_SYMBOLS);
  #scratch = new Scratch(0);

  constructor(pairs: PairTable) {
    this.#pairs = pairs;
  }

  /** Merges the first `count` of `symbols` in place and returns how many are left. */
  merge(symbols: Int32Array, count: number): number {
    if (count < 2) return count;
    return count <= SHORT_SYMBOLS ? this.#mergeShort(symbols, count) : this.#mergeLong(symbols, count);
  }

  #mergeShort(symbols: Int32Array, count: number): number {
    const pairs = this.#pairs;
    const slots = this.#shortSlots;
    for (let i = 0; i + 1 < count; i++) slots[i] = pairs.find(symbols[i], symbols[i + 1]);
    for (;;) {
      let best = -1;
      let bestRank = Infinity;
      for (let i = 0; i + 1 < count; i++) {
        if (slots[i] < 0) continue;
        const rank = pairs.rankAt(slots[i]);
        if (rank < bestRank) {
          best = i;
          bestRank = rank;
        }
      }
      if (best < 0) return count;
      symbols[best] = pairs.mergedAt(slots[best]);
      count -= 1;
      for (let i = best + 1; i < count; i++) {
        symbols[i] = symbols[i + 1];
        slots[i] = slots[i + 1];
      }
      if (best + 1 < count) slots[best] = pairs.find(symbols[best], symbols[best + 1]);
      if (best > 0) slots[best - 1] = pairs.find(symbols[best - 1], symbols[best]);
    }
  }

  #mergeLong(symbols: Int32Array, count: number): number {
    if (this.#scratch.size < count) this.#scratch = new Scratch(count);
    const { next, previous, slots } = this.#scratch;
    const heap = new KeyHeap(count);
    const pairs = this.#pairs;
    const offer = (at: number, right: number): void => {
      const slot = right < count ? pairs.find(symbols[at], symbols[right]) : -1;
      slots[at] = slot;
      if (slot >= 0) heap.push(pairs.rankAt(slot) * POSITIONS + at);
    };
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      offer(i, i + 1);
    }
    while (heap.size > 0) {
      const key = heap.pop();
      const rank = Math.floor(key / POSITIONS);
      const at = key - rank * POSITIONS;
      const slot = slots[at];
      // The pair has changed since this key was pushed; its new rank has a key of its own.
      if (slot < 0 || pairs.rankAt(slot) !== rank) continue;
      const right = next[at];
      symbols[at] = pairs.mergedAt(slot);
      slots[right] = -1;
      next[at] = next[right];
      if (next[at] < count) previous[next[at]] = at;
      offer(at, next[at]);
      if (previous[at] >= 0) offer(previous[at], at);
    }
    let kept = 0;
    for (let at = 0; at < count; at = next[at]) symbols[kept++] = symbols[at];
    if (this.#scratch.size > KEPT_SYMBOLS) this.#scratch = new Scratch(0);
    return kept;
  }
}

/** The chain of symbols of a long piece and the rule of each with its right neighbour (−1: none, or swallowed). */
class Scratch {
  readonly size: number;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly slots: Int32Array;

  constructor(size: number) {
    this.size = size;
    this.next = new Int32Array(size);
    this.previous = new Int32Array(size);
    this.slots = new Int32Array(size);
  }
}

/** A heap of four children a node: half the cache lines of a binary one on millions of keys. */
class KeyHeap {
  size = 0;
  #keys: Float64Array;

  constructor(capacity: number) {
    this.#keys = new Float64Array(Math.max(4, capacity));
  }

  push(key: number): void {
    if (this.size === this.#keys.length) {
      const grown = new Float64Array(this.size * 2);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    const keys = this.#keys;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (keys[parent] <= key) break;
      keys[at] = keys[parent];
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number {
    const keys = this.#keys;
    const top = keys[0];
    const key = keys[--this.size];
    const size = this.size;
    let at = 0;
    for (;;) {
      const first = at * 4 + 1;
      if (first >= size) break;
      const stop = Math.min(first + 4, size);
      let least = first;
      for (let child = first + 1; child < stop; child++) if (keys[child] < keys[least]) least = child;
      if (keys[least] >= key) break;
      keys[at] = keys[least];
      at = least;
    }
    keys[at] = key;
    return top;
  }
}
