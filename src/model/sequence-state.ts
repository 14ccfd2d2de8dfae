/**
 * The state of one sequence while it computes: where it was found, and where it is written.
 *
 *   found at a place ── its own, or the last ──> written where it is; the place is free
 *                    └─ shared, or to be kept ─> a walk reads it there and writes another
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { KvStates, PlacedState, StatePage } from "./kv-states.ts";

/** Behind so many ids of a page. */
interface StatePlace {
  readonly page: StatePage;
  readonly length: number;
}

export class SequenceState {
  readonly #states: KvStates;
  readonly #author: object | undefined;
  /** The state to go on from, in use by this sequence. */
  #found: PlacedState | undefined;
  /** Its own room. Unless it is to be written from `#found`, it holds all ids so far. */
  #slot: number | undefined;
  #isWalking = false;

  constructor(states: KvStates, author: object | undefined, found: PlacedState | undefined) {
    this.#states = states;
    this.#author = author;
    this.goTo(found);
  }

  get from(): number {
    return this.#found?.slot ?? this.#slot ?? 0;
  }

  get to(): number {
    return this.#slot ?? this.from;
  }

  /**
   * Gets room to write.
   * @param place where the state stands now; undefined at the beginning
   * @throws OnebitError `model/context-full`
   */
  reserve(place: StatePlace | undefined, keeps: boolean): void {
    const found = this.#found;
    if (this.#slot !== undefined) {
      if (keeps && found === undefined && place !== undefined) this.#keep(this.#slot, place);
      return;
    }
    if (found === undefined) {
      this.#slot = this.#states.take() ?? failFull(this.#states.nStates);
      return;
    }
    const isOwn = found.nUsers === 1 && found.author !== undefined && found.author === this.#author;
    if (!isOwn || keeps) this.#slot = this.#states.take();
    if (this.#slot !== undefined) return;
    if (found.nUsers > 1) failFull(this.#states.nStates);
    this.#slot = this.#states.claim(found);
    this.#found = undefined;
  }

  /** Leaves the state in its place and goes on in another. */
  #keep(slot: number, { page, length }: StatePlace): void {
    const next = this.#states.take();
    if (next === undefined) return;
    this.#found = this.#states.place(slot, page, length, this.#author);
    this.#states.enter(this.#found, this.#author);
    this.#slot = next;
  }

  begin(): void {
    this.#isWalking = true;
  }

  /** The walk has written all. */
  commit(): void {
    this.#isWalking = false;
    if (this.#found !== undefined) this.#states.leave(this.#found);
    this.#found = undefined;
  }

  /** @returns true if nothing holds the ids any more that the walk began with */
  abandon(): boolean {
    if (!this.#isWalking) return false;
    this.#isWalking = false;
    this.#drop();
    return this.#found === undefined;
  }

  /** Goes on from another state; undefined: from the beginning. */
  goTo(found: PlacedState | undefined): void {
    this.#drop();
    if (found !== undefined) this.#states.enter(found, this.#author);
    if (this.#found !== undefined) this.#states.leave(this.#found);
    this.#found = found;
  }

  /** @param place where the state stands, if it is to stay */
  close(place: StatePlace | undefined): void {
    const isWhole = this.#slot !== undefined && this.#found === undefined && !this.#isWalking;
    if (isWhole && place !== undefined) {
      this.#states.place(this.#slot!, place.page, place.length, this.#author);
      this.#slot = undefined;
    }
    this.goTo(undefined);
  }

  #drop(): void {
    if (this.#slot !== undefined) this.#states.release(this.#slot);
    this.#slot = undefined;
  }
}

function failFull(nStates: number): never {
  return fail(
    "model/context-full",
    `all ${nStates} states of recurrent layers are in use by contexts that compute; load the model with more ` +
      "kvPositions, which come with more states",
  );
}
