/**
 * Which tokens may come next, cached by state.
 *
 * @module
 */
import { GRAMMAR_FORCED_BYTES_MAX, GRAMMAR_MASK_CACHE_BYTES } from "../core/limits.ts";
import { OrdinaryCheck } from "./ordinary-check.ts";
import type { State, States } from "./states.ts";
import { TierMasks } from "./tier-masks.ts";
import type { TokenTrie } from "./token-trie.ts";

/** A set of tokens. Shared: not to be written to. */
export interface TokenMask {
  /** Bit `id & 31` of word `id >>> 5` is set for each token in it. */
  readonly bits: Uint32Array;
  readonly count: number;
}

/** How masks are made; for tests, which compare all ways. */
export interface MaskOptions {
  /** Bytes of masks to keep; 8 MB. */
  cacheBytes?: number;
  /** Take whole slices of the vocabulary at once; on. */
  slices?: boolean;
  /** Take counters that no token can reach as unlimited; on. */
  horizon?: boolean;
}

export class TokenMasks {
  readonly states: States;
  readonly trie: TokenTrie;
  /** By state, the one used last at the end. */
  readonly #cache = new Map<State, TokenMask>();
  readonly #nCached: number;
  readonly #ordinary: OrdinaryCheck | undefined;
  readonly #tiers: readonly TierMasks[];
  #generation: number;

  constructor(states: States, trie: TokenTrie, options: MaskOptions = {}) {
    const { cacheBytes = GRAMMAR_MASK_CACHE_BYTES, slices = true, horizon = true } = options;
    this.states = states;
    this.trie = trie;
    // Half for states; the tiers have two caches each for what states share.
    const nMasks = Math.floor(cacheBytes / (((trie.vocabSize + 31) >>> 5) * 4));
    this.#nCached = Math.max(1, nMasks >> 1);
    const nCached = Math.max(1, Math.floor(nMasks / (4 * trie.tiers.length)));
    this.#ordinary = slices ? new OrdinaryCheck(states.expressions, trie.ordinary) : undefined;
    this.#tiers = trie.tiers.map(
      (tier) => new TierMasks(states, trie, tier, { ordinary: this.#ordinary, horizon, nCached }),
    );
    this.#generation = states.generation;
  }

  /**
   * The tokens after which an accepted text can still be reached. Not the token that ends the text: it may come when
   * the state is accepting.
   */
  mask(state: State): TokenMask {
    if (this.states.generation !== this.#generation) this.#forget();
    const cached = this.#cache.get(state);
    if (cached !== undefined) {
      this.#cache.delete(state);
      this.#cache.set(state, cached);
      return cached;
    }
    const bits = new Uint32Array((this.trie.vocabSize + 31) >>> 5);
    this.states.withBudget(() => {
      for (const tier of this.#tiers) tier.addTo(bits, state);
    });
    const mask = { bits, count: bitCount(bits) };
    this.#cache.set(state, mask);
    if (this.#cache.size > this.#nCached) this.#cache.delete(this.#cache.keys().next().value!);
    return mask;
  }

  /** Whether the token may come next; without a mask. */
  allows(state: State, id: number): boolean {
    return this.advance(state, id) !== this.states.dead;
  }

  /** The state after a token; `states.dead` if it may not come. */
  advance(state: State, id: number): State {
    const bytes = this.trie.bytesOf(id);
    return bytes.length === 0 ? this.states.dead : this.states.stepBytes(state, bytes);
  }

  /** The bytes that must come next, whatever else does: none when the text may end here. At most 256. */
  forced(state: State): Uint8Array {
    const bytes: number[] = [];
    for (let at = state; bytes.length < GRAMMAR_FORCED_BYTES_MAX && !at.isAccepting; ) {
      const byte = this.#onlyByte(at);
      if (byte < 0) break;
      bytes.push(byte);
      at = this.states.step(at, byte);
    }
    return Uint8Array.from(bytes);
  }

  /** The one byte that can follow; -1 for none or several. */
  #onlyByte(state: State): number {
    let only = -1;
    const isLive = new Int8Array(256).fill(-1);
    for (let byte = 0; byte < 256; byte++) {
      const byteClass = state.classes[byte];
      if (isLive[byteClass] < 0) isLive[byteClass] = this.states.step(state, byte) === this.states.dead ? 0 : 1;
      if (isLive[byteClass] === 0) continue;
      if (only >= 0) return -1;
      only = byte;
    }
    return only;
  }

  #forget(): void {
    this.#generation = this.states.generation;
    this.#cache.clear();
    this.#ordinary?.forget();
    for (const tier of this.#tiers) tier.forget();
  }
}

function bitCount(words: Uint32Array): number {
  let count = 0;
  for (let i = 0; i < words.length; i++) {
    let word = words[i];
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}
