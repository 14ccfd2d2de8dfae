/**
 * A context of a model in a worker.
 *
 * @module
 */
import { throwIfAborted } from "../core/errors.ts";
import type { AnyContext, ChatMessage, ChatOptions, GenerateOptions, LogitsOptions, SaveOptions } from "../index.ts";
import { split } from "./call-options.ts";
import type { Connection } from "./connection.ts";
import type { Calls, ContextFacts } from "./protocol.ts";
import { WorkerGeneration } from "./worker-generation.ts";

/**
 * One conversation of a model in a worker; {@link WorkerModel.context} makes it. Its members do what those of `Context`
 * of "onebit" do; what needs the worker is a promise.
 *
 * @example
 * ```ts
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker("model.gguf", { contextLength: 64, kvPositions: 256 });
 * const context = await model.context();
 * console.log(await context.generate("Once", { maxTokens: 4 }).text(), await context.ids);
 * await context.close();
 * await model.close();
 * ```
 */
export class WorkerContext implements AnyContext {
  readonly #connection: Connection<Calls>;
  readonly #facts: ContextFacts;

  /** @internal */
  constructor(connection: Connection<Calls>, facts: ContextFacts) {
    this.#connection = connection;
    this.#facts = facts;
  }

  /** Positions it may have: prompt and reply together. */
  get contextLength(): number {
    return this.#facts.contextLength;
  }

  /** What it read last. @throws OnebitError `engine/worker-lost` */
  get ids(): Promise<readonly number[]> {
    return this.#connection.call("contextIds", [this.#facts.handle, "ids"]).done;
  }

  /** Those of its ids that are in the KV cache. @throws OnebitError `engine/worker-lost` */
  get cachedIds(): Promise<readonly number[]> {
    return this.#connection.call("contextIds", [this.#facts.handle, "cachedIds"]).done;
  }

  /**
   * Continues a text, or ids.
   * @throws OnebitError (while iterating) as `Context.generate`; `engine/worker-lost` when the worker dies
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): WorkerGeneration {
    return new WorkerGeneration((onPiece) => {
      const [others, listener] = split("generate", options);
      return this.#connection.call("generate", [prompt, others, this.#facts.handle], { ...listener, onPiece });
    });
  }

  /**
   * Answers the last message by the model's chat template.
   * @throws OnebitError (while iterating) as `Context.chat`; `engine/worker-lost` when the worker dies
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): WorkerGeneration {
    return new WorkerGeneration((onPiece) => {
      const [others, listener] = split("chat", options);
      return this.#connection.call("chat", [messages, others, this.#facts.handle], { ...listener, onPiece });
    });
  }

  /** Logits after the last of `ids`. @throws OnebitError as `Context.logits`; `engine/worker-lost` */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array> {
    const [others, { signal }] = split("logits", options);
    return await this.#connection.call("contextLogits", [this.#facts.handle, ids, others], { signal }).done;
  }

  /** Keeps only the first `length` ids. @throws OnebitError `option/invalid`, `model/closed`, `engine/worker-lost` */
  async truncate(length: number): Promise<void> {
    await this.#connection.call("truncateContext", [this.#facts.handle, length]).done;
  }

  /** The context as bytes. @throws OnebitError as `Context.save`; `engine/worker-lost` */
  async save(options: SaveOptions = {}): Promise<Uint8Array> {
    const [others, { signal }] = split("save", options);
    throwIfAborted(signal);
    return await this.#connection.call("saveContext", [this.#facts.handle, others], { signal }).done;
  }

  /** Another context that has read the same. @throws OnebitError `model/closed`, `engine/worker-lost` */
  async fork(): Promise<WorkerContext> {
    return new WorkerContext(this.#connection, await this.#connection.call("forkContext", [this.#facts.handle]).done);
  }

  /** Ends what is running (as "aborted"). Later calls throw `model/closed`; closing twice is fine. */
  async close(): Promise<void> {
    await this.#connection.call("closeContext", [this.#facts.handle]).done;
  }

  /** {@link WorkerContext.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
