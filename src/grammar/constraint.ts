/**
 * Keeps one text to a grammar, token by token.
 *
 * @module
 */
import { isSpecialBytes } from "./special-bytes.ts";
import type { State } from "./states.ts";
import type { TokenMasks } from "./token-masks.ts";

export class Constraint {
  /** Texts in what it forces that are tokens of their own, as in templates. */
  readonly markers: readonly string[];
  readonly #masks: TokenMasks;
  #state: State;

  constructor(masks: TokenMasks, markers: readonly string[] = []) {
    this.#masks = masks;
    this.markers = markers;
    this.#state = masks.states.start;
  }

  /** The text may end here. */
  get isAccepting(): boolean {
    return this.#state.isAccepting;
  }

  /** The text ends here: nothing can follow. */
  get isDone(): boolean {
    return this.#masks.states.isDone(this.#state);
  }

  /** Whether a token is part of texts at all: `<|eot_id|>` is not. */
  isText(id: number): boolean {
    const bytes = this.#bytesOf(id);
    return bytes.length > 0 && !isSpecialBytes(bytes);
  }

  /** Whether a token can be part of what a grammar describes: a special one is where the grammar names it. */
  isPart(id: number): boolean {
    return this.#bytesOf(id).length > 0;
  }

  /** What may come next, bit `id & 31` of word `id >>> 5`; not what ends a text. Not to be written to. */
  get allowed(): Uint32Array {
    return this.#masks.mask(this.#state).bits;
  }

  /** The text goes on with a token that may come next. */
  accept(id: number): void {
    this.#state = this.#masks.advance(this.#state, id);
  }

  /** The bytes that must come next, whatever the tokens: see {@link TokenMasks.forced}. */
  get forcedBytes(): Uint8Array {
    return this.#masks.forced(this.#state);
  }

  /** Whether tokens may come next, one after the other. */
  allowsAll(ids: readonly number[]): boolean {
    const { states } = this.#masks;
    let state = this.#state;
    for (const id of ids) state = this.#masks.advance(state, id);
    return state !== states.dead;
  }

  #bytesOf(id: number): Uint8Array {
    const { trie } = this.#masks;
    return id < trie.vocabSize ? trie.bytesOf(id) : NO_BYTES;
  }
}

const NO_BYTES = new Uint8Array(0);
