/**
 * The ids of a context: a prompt pays only for what no context has read before.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Engine } from "../model/engine-interface.ts";
import type { Batcher, Computed } from "./batcher.ts";
import { checkIds } from "./options.ts";
import { type BreathingPlatform, checkSaved, copyContext, placeSaved, seal } from "./snapshot.ts";
import type { PromptProgress } from "./options.ts";
import type { Turn } from "./turns.ts";

export interface ReadOptions {
  /** The turn of the call among those of this context. */
  readonly turn: Turn;
  readonly onProgress?: (progress: PromptProgress) => void;
}

/** Options of {@link Model.context}. */
export interface ContextOptions {
  /** Positions it may have: prompt and reply together. Default and most: the model's. */
  readonly contextLength?: number;
  /**
   * Contexts share what begins alike only within a group, so that no time or count tells one user what another has
   * said. Default: one group for all.
   */
  readonly cacheGroup?: string;
}

/** What was read. */
export interface Read {
  /** After the last id. */
  readonly logits: Float32Array;
  /** Ids at the beginning that were cached. */
  readonly nCached: number;
}

export class ContextIds {
  /** Positions it may have. */
  readonly contextLength: number;
  readonly cacheGroup: string | undefined;
  readonly #engine: Engine;
  readonly #batcher: Batcher;
  #ids: readonly number[];
  /** Read behind `#ids`, but only guessed. */
  #guesses: readonly number[] = [];

  constructor(
    engine: Engine,
    batcher: Batcher,
    { contextLength = engine.contextLength, cacheGroup }: ContextOptions = {},
    ids: readonly number[] = [],
  ) {
    this.#engine = engine;
    this.#batcher = batcher;
    this.contextLength = contextLength;
    this.cacheGroup = cacheGroup;
    this.#ids = ids;
  }

  /** What was read last, oldest first. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** Those whose keys and values are still cached. */
  get cachedIds(): readonly number[] {
    return this.#ids.slice(0, this.#countCached(this.#ids));
  }

  /**
   * Makes the context hold exactly `ids`; computes only what is not cached.
   * @throws OnebitError `model/bad-token`, `model/context-full`, `option/invalid` (no ids), `aborted`
   */
  async read(ids: readonly number[], { turn, onProgress }: ReadOptions): Promise<Read> {
    checkIds("ids", ids, this.#engine.vocabSize, "model/bad-token");
    if (ids.length === 0) fail("option/invalid", "the prompt is empty: wanted at least one id");
    if (ids.length > this.contextLength) {
      fail(
        "model/context-full",
        `the prompt is ${ids.length} ids, the context holds ${this.contextLength}: shorten the prompt or load ` +
          "the model with a larger contextLength",
      );
    }
    this.dropGuesses();
    // A copy: the caller goes on with its own.
    const { logits, nCached } = await this.#compute([...ids], turn, (done) =>
      onProgress?.({ done, total: ids.length }),
    );
    return { logits: logits[0]!, nCached };
  }

  /** Reads one more id. @returns the logits after it @throws OnebitError `model/context-full`, `aborted` */
  async append(id: number, turn: Turn): Promise<Float32Array> {
    if (this.#ids.length >= this.contextLength)
      fail("model/context-full", `the context is full: it holds ${this.contextLength} ids`);
    const { logits } = await this.#compute([...this.#ids, id], turn);
    return logits[0]!;
  }

  /**
   * Reads one more id, and guesses behind it: see {@link accept} and {@link dropGuesses}. After an error the context
   * holds none of them.
   * @returns the logits after each
   * @throws OnebitError `model/context-full`, `model/not-finite`, `aborted`
   */
  async appendGuesses(id: number, guesses: readonly number[], turn: Turn): Promise<readonly Float32Array[]> {
    const ids = [...this.#ids, id, ...guesses];
    try {
      const nLogits = 1 + guesses.length,
        { logits } = await this.#batcher.compute({ ids, nLogits, turn, group: this.cacheGroup });
      this.#ids = [...this.#ids, id];
      this.#guesses = guesses;
      return logits;
    } catch (error) {
      this.#engine.pages.discard(ids, this.#ids.length, this, this.cacheGroup);
      throw error;
    }
  }

  /**
   * Its ids and what the cache has of them, as bytes.
   * @throws OnebitError `aborted`, `model/closed`
   */
  async save(turn: Turn, platform: BreathingPlatform): Promise<Uint8Array> {
    const bytes = copyContext(this.#ids, this.#engine, { author: this, group: this.cacheGroup });
    await seal(bytes, this.#engine.kv, { platform, signal: turn });
    return bytes;
  }

  /**
   * Becomes the context that {@link save} saved.
   * @throws OnebitError `snapshot/corrupt`, `snapshot/mismatch`, `model/context-full`, `aborted`, `model/closed`
   */
  async restore(bytes: Uint8Array, turn: Turn, platform: BreathingPlatform): Promise<void> {
    const saved = await checkSaved(bytes, this.#engine, this.contextLength, { platform, signal: turn });
    const options = { author: this, group: this.cacheGroup };
    await this.#batcher.whileNoneComputes(turn, () => placeSaved(saved, this.#engine, options));
    this.#ids = saved.ids;
  }

  /** Another context that has read the same. */
  fork(): ContextIds {
    this.#engine.pages.share(this.#ids, this.cacheGroup);
    return new ContextIds(this.#engine, this.#batcher, this, this.#ids);
  }

  /** The next guess was right. */
  accept(): void {
    const [right, ...others] = this.#guesses;
    if (right !== undefined) this.#ids = [...this.#ids, right];
    this.#guesses = others;
  }

  /** Forgets the guesses that are left. */
  dropGuesses(): void {
    const { length } = this.#ids;
    if (this.#guesses.length > 0)
      this.#engine.pages.discard([...this.#ids, ...this.#guesses], length, this, this.cacheGroup);
    this.#guesses = [];
  }

  /** Forgets all but the first `length` ids; the cache too, where no other context has used them. */
  truncate(length: number): void {
    this.#engine.pages.discard(this.#ids, length, this, this.cacheGroup);
    this.#ids = this.#ids.slice(0, length);
  }

  async #compute(ids: readonly number[], turn: Turn, onProgress?: (done: number) => void): Promise<Computed> {
    let isRead = false;
    try {
      const computed = await this.#batcher.compute({ ids, nLogits: 1, turn, group: this.cacheGroup, onProgress });
      isRead = true;
      return computed;
    } finally {
      this.#ids = isRead ? ids : ids.slice(0, this.#countCached(ids));
    }
  }

  #countCached(ids: readonly number[]): number {
    return this.#engine.pages.count(ids, this.cacheGroup);
  }
}
