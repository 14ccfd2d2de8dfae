/**
 * A model in a worker, with the API of a local one: the page never computes.
 *
 * @module
 */
import { OnebitError, throwIfAborted } from "../core/errors.ts";
import { check, having, optional } from "../core/options.ts";
import type {
  AnyModel,
  ChatMessage,
  ChatOptions,
  ChatPrompt,
  ChatPromptOptions,
  ContextOptions,
  EmbedOptions,
  GenerateOptions,
  LoadModelOptions,
  LogitsOptions,
  Perplexity,
  PerplexityOptions,
  RestoreOptions,
} from "../index.ts";
import type { KernelBinaries } from "../kernels/variant.ts";
import { split } from "./call-options.ts";
import { type Connection, connect, toWireSource } from "./connection.ts";
import type { Calls, ModelFacts } from "./protocol.ts";
import { WorkerContext } from "./worker-context.ts";
import { WorkerGeneration } from "./worker-generation.ts";
import { WorkerTokenizer } from "./worker-tokenizer.ts";

/** The sources a worker accepts: a URL (relative to the page), a file or its bytes. */
export type WorkerModelSource = string | URL | Blob | Uint8Array;

/** Options of {@link loadInWorker}. */
export interface WorkerLoadOptions extends Omit<LoadModelOptions, "platform"> {
  /**
   * A worker whose script calls `serve()` of "onebit/worker-host"; it stays yours, also after `close`. Default: one
   * made from a Blob URL, for which a Content-Security-Policy must have `worker-src blob:`.
   */
  readonly worker?: Worker;
}

/** A worker and how to end it. */
export interface StartedWorker {
  readonly worker: Worker;
  /** What it computes with, where its script brings none. */
  readonly kernels?: KernelBinaries;
  /** Called after its first answer, to free what only the start needed. */
  started(): void;
  stop(): void;
}

export async function loadInWorkerOf(
  start: () => Promise<StartedWorker>,
  source: WorkerModelSource,
  options: WorkerLoadOptions,
): Promise<WorkerModel> {
  const [{ worker, ...others }, { signal, onProgress }] = split("loadInWorker", options),
    wireSource = check("model", source, toWireSource);
  const own = check("worker", worker, optional(having<Worker>("a Worker", "postMessage", "addEventListener")));
  const {
    worker: running,
    kernels,
    started,
    stop,
  }: StartedWorker = own === undefined ? await start() : { worker: own, started() {}, stop() {} };
  try {
    const connection = await connect<Calls>(running, "model", workerLost(), signal).finally(started);
    try {
      const facts = await connection.call("load", [wireSource, others, kernels], { signal, onProgress }).done;
      return new WorkerModel(connection, facts, stop);
    } catch (error) {
      await closeSession(connection, "the model was not loaded");
      throw error;
    }
  } catch (error) {
    stop();
    throw error;
  }
}

function workerLost(): OnebitError {
  return new OnebitError(
    "engine/worker-lost",
    "the worker that ran the model has ended (terminated, or out of memory): load the model again",
  );
}

/** Ends running calls and frees the model. Later calls reject with `model/closed` and `message`. */
async function closeSession(connection: Connection<Calls>, message: string): Promise<void> {
  await connection.close(new OnebitError("model/closed", message), () => connection.call("close", []));
}

/**
 * A model in a worker; {@link loadInWorker} makes it. Its members do what those of `Model` of "onebit" do; what needs
 * the worker is a promise.
 *
 * @example
 * ```ts
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker("model.gguf", { contextLength: 256 });
 * console.log(model.config.name, await model.tokenizer.encode("Hello"), await model.logits([1, 2]));
 * await model.close();
 * ```
 */
export class WorkerModel implements AnyModel {
  readonly #connection: Connection<Calls>;
  readonly #facts: ModelFacts;
  readonly #stop: () => void;
  #tokenizer: WorkerTokenizer | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: Connection<Calls>, facts: ModelFacts, stop: () => void) {
    this.#connection = connection;
    this.#facts = facts;
    this.#stop = stop;
  }

  /** What the file says of the model. */
  get config(): ModelFacts["config"] {
    return this.#facts.config;
  }
  /** Positions allocated: prompt and reply together. */
  get contextLength(): number {
    return this.#facts.contextLength;
  }
  /** Logits a row. */
  get vocabSize(): number {
    return this.#facts.vocabSize;
  }
  /** Bytes that the worker's model takes. */
  get memory(): ModelFacts["memory"] {
    return this.#facts.memory;
  }
  /** The kernels and threads it runs on. */
  get engine(): ModelFacts["engine"] {
    return this.#facts.engine;
  }
  /** What is wrong with its weights. */
  get warnings(): ModelFacts["warnings"] {
    return this.#facts.warnings;
  }
  /** Whether the file has a vocabulary. */
  get hasTokenizer(): boolean {
    return this.#facts.hasTokenizer;
  }
  /** Time the loading took. */
  get loadMs(): number {
    return this.#facts.loadMs;
  }
  /** Names that the option `chatTemplate` knows. */
  get chatTemplateNames(): readonly string[] {
    return this.#facts.chatTemplateNames;
  }

  /**
   * Text to ids and back.
   * @throws OnebitError `tokenizer/missing`
   */
  get tokenizer(): WorkerTokenizer {
    this.#tokenizer ??= new WorkerTokenizer(this.#connection, this.#facts.tokenizer);
    return this.#tokenizer;
  }

  /**
   * Ids in the KV cache.
   * @throws OnebitError `engine/worker-lost`
   */
  get cachedIds(): Promise<readonly number[]> {
    return this.#connection.call("cachedIds", []).done;
  }

  /**
   * Another conversation over the same weights.
   * @throws OnebitError as `Model.context`; `engine/worker-lost` when the worker dies
   */
  async context(options: ContextOptions = {}): Promise<WorkerContext> {
    return new WorkerContext(this.#connection, await this.#connection.call("openContext", [options]).done);
  }

  /** A context that its `save` gave as bytes. @throws OnebitError as `Model.restore`; `engine/worker-lost` */
  async restore(bytes: Uint8Array, options: RestoreOptions = {}): Promise<WorkerContext> {
    const [others, { signal }] = split("restore", options);
    throwIfAborted(signal);
    const facts = await this.#connection.call("restoreContext", [bytes, others], { signal }).done;
    return new WorkerContext(this.#connection, facts);
  }

  /**
   * Continues a text, or ids.
   * @throws OnebitError (while iterating) as `Model.generate`; `engine/worker-lost` when the worker dies
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): WorkerGeneration {
    return new WorkerGeneration((onPiece) => {
      const [others, listener] = split("generate", options);
      return this.#connection.call("generate", [prompt, others], { ...listener, onPiece });
    });
  }

  /**
   * Answers the last message by the model's chat template.
   * @throws OnebitError (while iterating) as `Model.chat`; `engine/worker-lost` when the worker dies
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): WorkerGeneration {
    return new WorkerGeneration((onPiece) => {
      const [others, listener] = split("chat", options);
      return this.#connection.call("chat", [messages, others], { ...listener, onPiece });
    });
  }

  /**
   * Texts to vectors of `config.nEmbd` numbers.
   * @throws OnebitError as `Model.embed`; `engine/worker-lost` when the worker dies
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const [others, listener] = split("embed", options);
    return await this.#connection.call("embed", [texts, others], listener).done;
  }

  /**
   * Logits after each id: (ids.length, vocabSize), row-major. @throws OnebitError as `Model.logits`;
   * `engine/worker-lost`
   */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array> {
    const [others, { signal }] = split("logits", options);
    return await this.#connection.call("logits", [ids, others], { signal }).done;
  }

  /** The prompt {@link chat} would use. @throws OnebitError as `Model.chatPrompt`; `engine/worker-lost` */
  async chatPrompt(messages: readonly ChatMessage[], options: ChatPromptOptions = {}): Promise<ChatPrompt> {
    return await this.#connection.call("chatPrompt", [messages, options]).done;
  }

  /**
   * How well the model predicts a text.
   * @throws OnebitError as `Model.perplexity`; `engine/worker-lost`
   */
  async perplexity(input: string | readonly number[], options: PerplexityOptions = {}): Promise<Perplexity> {
    const [others, listener] = split("perplexity", options);
    return await this.#connection.call("perplexity", [input, others], listener).done;
  }

  /** Keeps only the first `length` ids in the KV cache. @throws OnebitError `option/invalid`, `engine/worker-lost` */
  async truncate(length: number): Promise<void> {
    await this.#connection.call("truncate", [length]).done;
  }

  /**
   * Ends what is running (as "aborted"), frees the memory and ends the worker. Later calls throw `model/closed`;
   * closing twice is fine.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** {@link WorkerModel.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await closeSession(this.#connection, `${this.config.name}: the model was closed: load it again`);
    this.#stop();
  }
}
