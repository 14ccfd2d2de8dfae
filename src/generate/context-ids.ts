/**
 * The ids of a context, and while it computes, its pages of the KV cache: a prompt pays only for what no context has
 * read before.
 *
 * @module
 */
import { type AbortState, fail } from "../core/errors.ts";
import type { Engine } from "../model/engine-interface.ts";
import type { Sequence } from "../model/kv-pages.ts";
import { checkIds } from "./options.ts";
import type { PromptProgress } from "./options.ts";

/**
 * Ids between two progress reports and two checks of the abort signal. The split changes no bit; 256 is far above the
 * batch at which prompt kernels reach full speed.
 */
const PROMPT_CHUNK = 256;

export interface ReadOptions {
  signal?: AbortState;
  onProgress?: (progress: PromptProgress) => void;
}

export class ContextIds {
  /** Positions it may have. */
  readonly contextLength: number;
  readonly #engine: Engine;
  #ids: number[];
  /** Pages of `#ids`, from {@link read} to {@link release}. */
  #sequence: Sequence | undefined;

  constructor(engine: Engine, contextLength = engine.contextLength, ids: readonly number[] = []) {
    this.#engine = engine;
    this.contextLength = contextLength;
    this.#ids = [...ids];
  }

  /** What was read last, oldest first. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** Those whose keys and values are still cached. */
  get cachedIds(): readonly number[] {
    return this.#ids.slice(0, this.#engine.pages.count(this.#ids));
  }

  /** True when no further id fits. */
  get isFull(): boolean {
    return this.#ids.length >= this.contextLength;
  }

  /** How many leading ids of `ids` are cached. The last one never counts: its logits are needed. */
  countReusable(ids: readonly number[]): number {
    return this.#engine.pages.count(ids.slice(0, -1));
  }

  /**
   * Makes the context hold exactly `ids`; evaluates only what differs.
   * @returns logits after the last id; a view that the next evaluation overwrites
   * @throws OnebitError `model/bad-token`, `model/context-full`, `option/invalid` (no ids), `aborted`
   */
  async read(ids: readonly number[], options: ReadOptions = {}): Promise<Float32Array> {
    const engine = this.#engine;
    checkIds("ids", ids, engine.vocabSize, "model/bad-token");
    if (ids.length === 0) fail("option/invalid", "the prompt is empty: wanted at least one id");
    if (ids.length > this.contextLength) {
      fail(
        "model/context-full",
        `the prompt is ${ids.length} ids, the context holds ${this.contextLength}: shorten the prompt or load ` +
          "the model with a larger contextLength",
      );
    }
    this.release();
    const sequence = engine.pages.open(ids.slice(0, -1));
    this.#sequence = sequence;
    this.#ids = ids.slice(0, sequence.length);
    let logits: Float32Array | undefined;
    while (this.#ids.length < ids.length) {
      options.onProgress?.({ done: this.#ids.length, total: ids.length });
      const begin = this.#ids.length;
      const chunk = ids.slice(begin, begin + PROMPT_CHUNK);
      const isLast = begin + chunk.length === ids.length;
      logits = await engine.evaluate(chunk, sequence, { want: isLast ? "last" : "none", signal: options.signal });
      this.#ids.push(...chunk);
    }
    options.onProgress?.({ done: ids.length, total: ids.length });
    return logits as Float32Array;
  }

  /** Evaluates one more id. @throws OnebitError `model/context-full`, `aborted` */
  async append(id: number, signal?: AbortState): Promise<Float32Array> {
    if (this.isFull) fail("model/context-full", `the context is full: it holds ${this.contextLength} ids`);
    // Others had its pages meanwhile.
    if (this.#sequence === undefined) return await this.read([...this.#ids, id], { signal });
    const logits = await this.#engine.evaluate([id], this.#sequence, { want: "last", signal });
    this.#ids.push(id);
    return logits;
  }

  /**
   * Evaluates more ids, and hands out the logits after each: a view that the next row overwrites. After an error the
   * context holds none of them.
   * @returns false, having done nothing, if others had its pages meanwhile
   * @throws OnebitError `model/context-full`, `model/not-finite`, `aborted`
   */
  async appendAll(
    ids: readonly number[],
    onLogits: (row: number, logits: Float32Array) => void,
    signal?: AbortState,
  ): Promise<boolean> {
    const sequence = this.#sequence;
    if (sequence === undefined) return false;
    try {
      await this.#engine.evaluate(ids, sequence, { want: "all", onLogits, signal });
    } catch (error) {
      sequence.discard(this.#ids.length);
      throw error;
    }
    this.#ids.push(...ids);
    return true;
  }

  /** Takes back all but the first `length` ids, of which the cache keeps none. */
  discard(length: number): void {
    if (length >= this.#ids.length) return;
    this.#ids.length = length;
    this.#sequence?.discard(length);
  }

  /** Forgets all but the first `length` ids. */
  truncate(length: number): void {
    if (length >= this.#ids.length) return;
    this.#ids.length = length;
    this.#sequence?.truncate(length);
  }

  /** Lets others have its pages; what nobody needs room for stays cached. */
  release(): void {
    this.#sequence?.close();
    this.#sequence = undefined;
  }
}
