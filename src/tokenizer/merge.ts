/**
 * Byte-pair merging: while any two neighbours have a rule, the pair of the lowest rank merges, leftmost on ties
 * (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units").
 *
 * Short pieces, nearly all of real text, are searched directly. Longer ones keep their pairs in a heap. The longest,
 * ten million equal letters say, merge in chunks, so that time and memory stay linear.
 *
 * Chunks give exactly the result of merging all at once, because a sequence of symbols t1 … tn is the merge of a text
 * if and only if each neighbour pair (ti, ti+1) is the merge of its own part of the text. Proof: take the first merge
 * across a border ti | ti+1 when merging all. Until then every merge inside that part was the best of the whole text,
 * so also of the part, and so is this one; merging the part alone would have done the same. So where two chunks meet,
 * only the pair at the border needs a check.
 *
 * @module
 */
import type { PairTable } from "./pair-table.ts";

/** The first symbols of a piece, and how many of them each symbol covers. */
export interface SymbolSource {
  /** Writes the first symbols `[from, to)` of the piece to `into`. */
  read(from: number, to: number, into: Int32Array): void;
  /** The number of first symbols that merged into this one. */
  lengthOf(symbol: number): number;
}

/**
 * Up to this many symbols we search all pairs. Always using the heap, wikitext takes twice as long; 16 to 64 are even.
 */
const SHORT_SYMBOLS = 24;
/** Symbols merged at a time: 60 kB of scratch, which stays in the second-level cache. */
const CHUNK_SYMBOLS = 2048;
/** Symbols at the end of a chunk that merge again with what follows, because it may change them. */
const OVERLAP_SYMBOLS = 8;
/** A chunk must leave this many times the overlap, or it grows: at most an eighth of the work happens twice. */
const OVERLAPS_PER_CHUNK = 8;
/** A heap key is rank · 2^31 + position: ranks below 2^22 keep it an exact integer. */
const POSITIONS = 2 ** 31;
/** No rule. */
const NONE = -1;
const WORST = 2 ** 31 - 1;

export class Merger {
  readonly #pairs: PairTable;
  readonly #source: SymbolSource;
  readonly #shortSlots = new Int32Array(SHORT_SYMBOLS);
  #chunk = new Scratch(CHUNK_SYMBOLS);
  #border = new Scratch(SHORT_SYMBOLS);

  constructor(pairs: PairTable, source: SymbolSource) {
    this.#pairs = pairs;
    this.#source = source;
  }

  /** Merges the first `count` symbols of the source's piece; `emit` gets the results in order. */
  merge(count: number, emit: (symbol: number) => void): void {
    if (count > CHUNK_SYMBOLS) {
      for (const symbol of this.#mergeChunks(count)) emit(symbol);
      return;
    }
    const { symbols } = this.#chunk;
    this.#source.read(0, count, symbols);
    const merged = count <= SHORT_SYMBOLS ? this.#mergeShort(symbols, count) : this.#mergeLong(this.#chunk, count);
    for (let i = 0; i < merged; i++) emit(symbols[i]);
  }

  #mergeChunks(count: number): number[] {
    const done: number[] = [];
    let at = 0;
    let size = CHUNK_SYMBOLS;
    let overlap = OVERLAP_SYMBOLS;
    while (at < count) {
      const end = Math.min(at + size, count);
      const merged = this.#mergeRange(at, end);
      const { symbols } = this.#chunk;
      const fits = done.length === 0 || this.#stayApart(done[done.length - 1], symbols[0], at);
      if (fits && (end === count || merged >= OVERLAPS_PER_CHUNK * overlap)) {
        const kept = end === count ? merged : merged - overlap;
        for (let i = 0; i < kept; i++) {
          done.push(symbols[i]);
          at += this.#source.lengthOf(symbols[i]);
        }
        continue;
      }
      // Rare: retry across the border with more before and after it. Sizes stay doubled, so all retries of a piece
      // together cost no more than the last, and that one at most as much as the piece at once.
      size *= 2;
      if (fits) continue;
      for (let i = 0; i < overlap && done.length > 0; i++) at -= this.#source.lengthOf(done.pop()!);
      overlap *= 2;
    }
    this.#chunk = new Scratch(CHUNK_SYMBOLS);
    return done;
  }

  /** Merges first symbols of the piece into the chunk's scratch and returns how many remain. */
  #mergeRange(from: number, to: number): number {
    if (this.#chunk.size < to - from) this.#chunk = new Scratch(to - from);
    this.#source.read(from, to, this.#chunk.symbols);
    return this.#mergeLong(this.#chunk, to - from);
  }

  /** Whether merging the part of the piece under two symbols that meet at `at` gives those same two. */
  #stayApart(left: number, right: number, at: number): boolean {
    const leftLength = this.#source.lengthOf(left);
    const count = leftLength + this.#source.lengthOf(right);
    if (this.#border.size < count) this.#border = new Scratch(count);
    const border = this.#border;
    this.#source.read(at - leftLength, at - leftLength + count, border.symbols);
    return this.#mergeLong(border, count) === 2 && this.#source.lengthOf(border.symbols[0]) === leftLength;
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

  /**
   * The heap holds the pairs better than both their neighbours: a third of all in random text, one in a run of equal
   * letters. The best of all pairs is always among them, so merges come in the same order as from a heap of all.
   */
  #mergeLong(scratch: Scratch, count: number): number {
    const { symbols, next, previous, slots, ranks, heap } = scratch;
    const pairs = this.#pairs;
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      this.#setRule(scratch, i, i + 1 < count ? pairs.find(symbols[i], symbols[i + 1]) : NONE);
    }
    for (let i = 0; i < count; i++) scratch.offer(i, count);
    while (heap.size > 0) {
      const key = heap.pop();
      const rank = Math.floor(key / POSITIONS);
      const at = key - rank * POSITIONS;
      // The pair has changed since this key was pushed; if still a candidate, it has another key.
      if (slots[at] < 0 || ranks[at] !== rank) continue;
      const right = next[at];
      const after = next[right];
      const before = previous[at];
      symbols[at] = pairs.mergedAt(slots[at]);
      slots[right] = NONE;
      next[at] = after;
      if (after < count) previous[after] = at;
      this.#setRule(scratch, at, after < count ? pairs.find(symbols[at], symbols[after]) : NONE);
      if (before >= 0) {
        this.#setRule(scratch, before, pairs.find(symbols[before], symbols[at]));
        if (previous[before] >= 0) scratch.offer(previous[before], count);
        scratch.offer(before, count);
      }
      scratch.offer(at, count);
      if (after < count) scratch.offer(after, count);
    }
    let kept = 0;
    for (let at = 0; at < count; at = next[at]) symbols[kept++] = symbols[at];
    return kept;
  }

  #setRule({ slots, ranks, offered }: Scratch, at: number, slot: number): void {
    slots[at] = slot;
    ranks[at] = slot < 0 ? WORST : this.#pairs.rankAt(slot);
    offered[at] = 0;
  }
}

/** The chain of symbols of a piece, and the rule of each with its right neighbour (none for swallowed symbols). */
class Scratch {
  readonly size: number;
  readonly symbols: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly slots: Int32Array;
  readonly ranks: Int32Array;
  /** Whether the heap has a key of the current pair. */
  readonly offered: Uint8Array;
  readonly heap: KeyHeap;

  constructor(size: number) {
    this.size = size;
    this.symbols = new Int32Array(size);
    this.next = new Int32Array(size);
    this.previous = new Int32Array(size);
    this.slots = new Int32Array(size);
    this.ranks = new Int32Array(size);
    this.offered = new Uint8Array(size);
    this.heap = new KeyHeap(size);
  }

  /** Gives the pair at `at` to the heap if it beats its neighbours; on ties the left one wins. */
  offer(at: number, count: number): void {
    const rank = this.ranks[at];
    if (rank === WORST || this.offered[at] !== 0) return;
    const before = this.previous[at];
    if (before >= 0 && this.ranks[before] <= rank) return;
    const after = this.next[at];
    if (after < count && this.ranks[after] < rank) return;
    this.offered[at] = 1;
    this.heap.push(rank * POSITIONS + at);
  }
}

/** A heap with four children per node: half the levels of a binary one. */
class KeyHeap {
  size = 0;
  #keys: Float64Array;

  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
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
