/**
 * The merge rules of a vocabulary: which two symbols merge, into what, and how early, in 16 bytes a slot.
 *
 * slots: (capacity, 4) int32: left, right, rank, merged; left −1 = free. Open addressing, at most half full, so
 * 280,147 rules take 16 MB outside the JavaScript heap where a Map of strings takes 60 MB in it.
 *
 * @module
 */

const FREE = -1;

export class PairTable {
  readonly #slots: Int32Array;
  readonly #shift: number;
  /** Random odd multipliers: a hostile vocabulary cannot aim its pairs at one slot. They change no result. */
  readonly #leftFactor = randomOdd();
  readonly #rightFactor = randomOdd();

  /** A table with room for `count` pairs. */
  constructor(count: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(count * 2 + 1)));
    this.#shift = 32 - bits;
    this.#slots = new Int32Array(4 << bits).fill(FREE);
  }

  /** Adds a rule; of two for one pair, the lower rank stays. Symbols are ≥ 0. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slots = this.#slots;
    const at = this.#probe(left, right);
    if (slots[at] !== FREE && slots[at + 2] <= rank) return;
    slots[at] = left;
    slots[at + 1] = right;
    slots[at + 2] = rank;
    slots[at + 3] = merged;
  }

  /** Finds a pair's rule, for {@link rankAt} and {@link mergedAt}; −1 when the two do not merge. */
  find(left: number, right: number): number {
    const at = this.#probe(left, right);
    return this.#slots[at] === FREE ? -1 : at;
  }

  rankAt(slot: number): number {
    return this.#slots[slot + 2];
  }

  mergedAt(slot: number): number {
    return this.#slots[slot + 3];
  }

  #probe(left: number, right: number): number {
    const slots = this.#slots;
    const last = slots.length - 4;
    const hash = (Math.imul(left, this.#leftFactor) + Math.imul(right, this.#rightFactor)) >>> this.#shift;
    let at = hash * 4;
    while (slots[at] !== FREE && (slots[at] !== left || slots[at + 1] !== right)) at = at === last ? 0 : at + 4;
    return at;
  }
}

function randomOdd(): number {
  return ((Math.random() * 0x100000000) | 1) >>> 0;
}
