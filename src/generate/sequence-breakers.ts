/**
 * Texts at which a repetition ends (the sampler's DRY step), as token ids.
 *
 * @module
 */
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** llama.cpp's limits: bytes of a breaker, and ids behind its first. */
const BREAKER_BYTES_MAX = 40;
const TAIL_IDS_MAX = 20;

/** What of a tokenizer finds breakers. */
export type BreakerTokenizer = Pick<Tokenizer, "vocabSize" | "tokenBytes" | "encode">;

/** Finds the texts in ids. Looks at each id once, when it first stands in a history: no walk over the vocabulary. */
export class SequenceBreakers {
  readonly #tokenizer: BreakerTokenizer | undefined;
  readonly #texts: readonly Uint8Array[];
  readonly #tails = new Map<number, readonly (readonly number[])[]>();

  /** @param tokenizer absent for models without a vocabulary: they have no texts */
  constructor(texts: readonly string[], tokenizer: BreakerTokenizer | undefined) {
    this.#tokenizer = tokenizer;
    this.#texts = texts.map((text) => new TextEncoder().encode(text).subarray(0, BREAKER_BYTES_MAX));
  }

  /** Whether the id alone holds a breaker. */
  isBreaker(id: number): boolean {
    return this.#tailsOf(id).some((tail) => tail.length === 0);
  }

  /** How many ids stand behind the last breaker since `begin`; all of them without one. */
  lastIn(history: readonly number[], begin: number): number {
    for (let at = history.length - 1; at >= begin; at--) {
      const fitting = this.#tailsOf(history[at]).filter((tail) => tail.every((id, i) => history[at + 1 + i] === id));
      if (fitting.length > 0) return history.length - 1 - at - Math.max(...fitting.map((tail) => tail.length));
    }
    return history.length - begin;
  }

  /** The ids that complete a breaker which begins in this one; none of them if it is complete. */
  #tailsOf(id: number): readonly (readonly number[])[] {
    const known = this.#tails.get(id);
    if (known !== undefined) return known;
    // A model may know more ids than its vocabulary has texts.
    const bytes = id < (this.#tokenizer?.vocabSize ?? 0) ? this.#tokenizer!.tokenBytes(id) : new Uint8Array(),
      tails = this.#texts.flatMap((text) => this.#tailsIn(bytes, text));
    this.#tails.set(id, tails);
    return tails;
  }

  #tailsIn(bytes: Uint8Array, text: Uint8Array): number[][] {
    const begins = [...bytes.keys()].filter((at) => text.every((byte, i) => (bytes[at + i] ?? byte) === byte));
    if (begins.some((at) => at + text.length <= bytes.length)) return [[]];
    return begins.map((at) => this.#encode(text.subarray(bytes.length - at)));
  }

  #encode(tail: Uint8Array): number[] {
    const ids = this.#tokenizer?.encode(new TextDecoder().decode(tail), { addSpecial: false });
    return (ids ?? []).slice(0, TAIL_IDS_MAX);
  }
}
