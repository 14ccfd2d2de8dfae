/**
 * The states of recurrent layers: where each stands among the pages of the KV cache (kv-pages.ts), and who has it.
 *
 *   page "once upon a …" ── page "… there was" (state after its 64 ids) ── page "… a king" (state after 5 of its ids)
 *
 * A state holds all ids before its place and cannot be cut back, so a sequence goes on only where one stands: at the
 * end of what was read last, and at the copies that were kept. The least recently used goes when another needs room.
 *
 * @module
 */

/** What a state stands in: a page, from whose beginning its length is counted. */
export interface StatePage {
  /** Ids that are there. */
  readonly ids: readonly number[];
}

export interface PlacedState {
  readonly slot: number;
  /** Undefined once the page is gone: the state goes with its last user. */
  page: StatePage | undefined;
  /** Ids of the page before it. */
  readonly length: number;
  /** Whose sequences alone have used it: they may go on in its place. */
  author: object | undefined;
  nUsers: number;
  usedAt: number;
}

export class KvStates {
  /** 0: the model keeps no states. */
  readonly nStates: number;
  readonly #free: number[];
  readonly #placed = new Map<StatePage, PlacedState[]>();
  #clock = 0;

  constructor(nStates: number) {
    this.nStates = nStates;
    this.#free = Array.from({ length: nStates }, (_, i) => nStates - 1 - i);
  }

  /** The states of a page, in no order. */
  of(page: StatePage): readonly PlacedState[] {
    return this.#placed.get(page) ?? [];
  }

  /** Room for a state: what was free, or that of the state not used for longest. Undefined: all are in use. */
  take(): number | undefined {
    if (this.#free.length === 0) this.#evict();
    return this.#free.pop();
  }

  /** Gives room back. */
  release(slot: number): void {
    this.#free.push(slot);
  }

  /** Puts a state behind `length` ids of a page. What stood there was the same. */
  place(slot: number, page: StatePage, length: number, author: object | undefined): PlacedState {
    const before = this.of(page).find((state) => state.length === length);
    if (before !== undefined) this.#remove(before);
    const state = { slot, page, length, author, nUsers: 0, usedAt: ++this.#clock };
    this.#placed.set(page, [...this.of(page), state]);
    return state;
  }

  enter(state: PlacedState, author: object | undefined): void {
    if (state.author !== author) state.author = undefined;
    state.nUsers++;
  }

  leave(state: PlacedState): void {
    state.nUsers--;
    state.usedAt = ++this.#clock;
    if (state.nUsers === 0 && state.page === undefined) this.release(state.slot);
  }

  /** Its one user takes it out of its place, to write there. */
  claim(state: PlacedState): number {
    this.#detach(state);
    return state.slot;
  }

  /** Forgets the states behind more than `length` ids of a page. */
  forget(page: StatePage, length: number): void {
    for (const state of this.of(page)) if (state.length > length) this.#remove(state);
  }

  #evict(): void {
    let oldest: PlacedState | undefined;
    for (const states of this.#placed.values())
      for (const state of states)
        if (state.nUsers === 0 && (oldest === undefined || state.usedAt < oldest.usedAt)) oldest = state;
    if (oldest !== undefined) this.#remove(oldest);
  }

  #remove(state: PlacedState): void {
    this.#detach(state);
    if (state.nUsers === 0) this.release(state.slot);
  }

  #detach(state: PlacedState): void {
    const { page } = state;
    if (page === undefined) return;
    const others = this.of(page).filter((other) => other !== state);
    if (others.length > 0) this.#placed.set(page, others);
    else this.#placed.delete(page);
    state.page = undefined;
  }
}
