/**
 * Drafts by looking up: where the last ids stood before, what followed them may follow again (prompt lookup decoding,
 * Saxena 2023; LLMA, Yang et al. 2023, arXiv 2304.04487).
 *
 *   ids      … 7 3 9 4 1 8 … 7 3 9 4 | ?      the last four stood before: 1, then 8, …
 *                      ↑ source
 *   tables   one an order n, of the last position that followed each n-gram, by its hash
 *
 * A step costs the same for any number of ids, and the memory is given by the capacity: a table keeps the newest of two
 * n-grams with one hash, and a look-up compares the ids themselves.
 *
 * @module
 */

/** Guesses the ids to come. Nothing it says changes an id of a generation, only its speed. */
export interface Drafter {
  /** How many of the last ids stand before the guessed one too; 0 without a guess. */
  readonly matchLength: number;
  /** Forgets everything and takes these ids. */
  reset(ids: readonly number[]): void;
  /** Takes the next id. Returns whether it was the guessed one. */
  push(id: number): boolean;
  /** The guessed ids, at most `max`, in the order they would come. */
  draft(max: number): number[];
}

/** Longest first: what follows a longer match is likelier to follow again. */
const ORDERS = [4, 3, 2] as const;

/** Matches are not compared further back: what follows 32 equal ids is as sure as it gets. */
const MATCH_LENGTH_MAX = 32;

/**
 * A table has at least four entries an id, so that four of five of the oldest n-grams are still in a full one, and at
 * most 1 MB.
 */
const TABLE_ENTRIES = { perId: 4, min: 1 << 10, max: 1 << 18 } as const;

export class LookupDrafter implements Drafter {
  readonly #ids: Int32Array;
  #length = 0;
  /** By order. Position 0 follows no n-gram: it means none. */
  readonly #tables: readonly Int32Array[];
  /** Of the last n ids, by order. */
  readonly #hashes: Uint32Array;
  /** Where the guessed id stands. */
  #source = 0;
  #matchLength = 0;

  /** @param capacity the most ids it will hold */
  constructor(capacity: number) {
    const { perId, min, max } = TABLE_ENTRIES;
    let nEntries: number = min;
    while (nEntries < perId * capacity && nEntries < max) nEntries *= 2;
    this.#ids = new Int32Array(capacity);
    this.#tables = ORDERS.map(() => new Int32Array(nEntries));
    this.#hashes = new Uint32Array(ORDERS.length);
  }

  get matchLength(): number {
    return this.#matchLength;
  }

  reset(ids: readonly number[]): void {
    for (const table of this.#tables) table.fill(0);
    this.#length = 0;
    for (const id of ids) this.#append(id);
    this.#find();
  }

  push(id: number): boolean {
    const isGuessed = this.#matchLength > 0 && this.#ids[this.#source] === id;
    this.#append(id);
    if (isGuessed) {
      this.#source++;
      this.#matchLength = Math.min(this.#matchLength + 1, MATCH_LENGTH_MAX);
    } else this.#find();
    return isGuessed;
  }

  draft(max: number): number[] {
    const draft: number[] = [];
    for (let i = 0; this.#matchLength > 0 && i < max; i++) {
      const from = this.#source + i;
      // A repetition shorter than the draft goes on in the draft itself.
      draft.push(from < this.#length ? this.#ids[from] : draft[from - this.#length]);
    }
    return draft;
  }

  /** Files the position of `id` under the n-grams before it, and hashes those that end with it. */
  #append(id: number): void {
    const ids = this.#ids,
      at = this.#length++;
    ids[at] = id;
    for (let i = 0; i < ORDERS.length; i++) {
      const table = this.#tables[i];
      if (at >= ORDERS[i]) table[this.#hashes[i] & (table.length - 1)] = at;
    }
    let hash = 0;
    for (let n = 1, i = ORDERS.length - 1; n <= ORDERS[0] && n <= this.#length; n++) {
      hash = Math.imul(hash ^ ids[this.#length - n], 0x9e3779b1);
      hash ^= hash >>> 15;
      if (n === ORDERS[i]) this.#hashes[i--] = hash;
    }
  }

  #find(): void {
    this.#matchLength = 0;
    for (let i = 0; i < ORDERS.length; i++) {
      const table = this.#tables[i],
        at = this.#length < ORDERS[i] ? 0 : table[this.#hashes[i] & (table.length - 1)],
        length = at === 0 ? 0 : this.#commonLength(at);
      if (length < ORDERS[i]) continue;
      this.#source = at;
      this.#matchLength = length;
      return;
    }
  }

  /** How many ids before position `at` are the last ones. */
  #commonLength(at: number): number {
    let n = 0;
    while (n < MATCH_LENGTH_MAX && n < at && this.#ids[at - 1 - n] === this.#ids[this.#length - 1 - n]) n++;
    return n;
  }
}
