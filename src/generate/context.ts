/**
 * Tracks which ids the KV cache holds, so that a new prompt pays only for what differs from the last one.
 *
 * @module
 */
import { type AbortState, fail } from "../core/errors.ts";
import type { Engine } from "../model/engine-interface.ts";
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

export class Context {
  readonly #engine: Engine;
  #ids: number[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Ids in the cache, oldest first. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** True when no further id fits. */
  get isFull(): boolean {
    return this.#ids.length >= this.#engine.contextLength;
  }

  /** How many leading ids of `ids` are cached. The last one never counts: its logits are needed. */
  countReusable(ids: readonly number[]): number {
    const end = Math.min(ids.length - 1, this.#ids.length);
    let n = 0;
    while (n < end && ids[n] === this.#ids[n]) n++;
    return Math.max(n, 0);
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
    if (ids.length > engine.contextLength) {
      fail(
        "model/context-full",
        `the prompt is ${ids.length} ids, the context holds ${engine.contextLength}: shorten the prompt or load ` +
          "the model with a larger contextLength",
      );
    }
    this.truncate(this.countReusable(ids));
    let logits: Float32Array | undefined;
    while (this.#ids.length < ids.length) {
      options.onProgress?.({ done: this.#ids.length, total: ids.length });
      const begin = this.#ids.length;
      const chunk = ids.slice(begin, begin + PROMPT_CHUNK);
      const isLast = begin + chunk.length === ids.length;
      logits = await engine.evaluate(chunk, begin, { want: isLast ? "last" : "none", signal: options.signal });
      this.#ids.push(...chunk);
    }
    options.onProgress?.({ done: ids.length, total: ids.length });
    return logits as Float32Array;
  }

  /** Evaluates one more id. @throws OnebitError `model/context-full`, `aborted` */
  async append(id: number, signal?: AbortState): Promise<Float32Array> {
    if (this.isFull) fail("model/context-full", `the context is full: it holds ${this.#engine.contextLength} ids`);
    const logits = await this.#engine.evaluate([id], this.#ids.length, { want: "last", signal });
    this.#ids.push(id);
    return logits;
  }

  /** Forgets all but the first `length` ids. */
  truncate(length: number): void {
    if (length < this.#ids.length) this.#ids.length = length;
  }

  clear(): void {
    this.#ids = [];
  }
}
