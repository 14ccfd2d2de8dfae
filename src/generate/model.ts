/**
 * A loaded model, as its users see it: generate, chat, embed, measure, close.
 *
 * A model has one KV cache, so it does one thing at a time: calls made while another runs wait their turn.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { LOGITS_RESULT_BYTES_MAX } from "../core/limits.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Engine } from "../model/engine.ts";
import type { TextPart, Tokenizer } from "../tokenizer/tokenizer.ts";
import { renderChat } from "./chat.ts";
import type { ChatMessage, ChatPromptOptions } from "./chat.ts";
import { Context } from "./context.ts";
import { checkPooling, pool } from "./embed.ts";
import type { EmbedOptions, Pooling } from "./embed.ts";
import { Exclusive } from "./exclusive.ts";
import { Generation } from "./generate.ts";
import { linkAborts } from "./link-aborts.ts";
import { checkIds } from "./options.ts";
import type { GenerateOptions } from "./options.ts";
import { measurePerplexity } from "./perplexity.ts";
import type { Perplexity, PerplexityOptions } from "./perplexity.ts";

/** What {@link Model} is made of. */
export interface ModelParts {
  readonly engine: Engine;
  /** Absent when the file has no vocabulary: then prompts are ids. */
  readonly tokenizer?: Tokenizer;
  /** Time the loading took. */
  readonly loadMs: number;
  /** How this model's embeddings are made, when it is an embedding model. */
  readonly embedding?: { readonly pooling: Pooling; readonly appendEos: boolean };
}

export interface ChatOptions extends GenerateOptions, ChatPromptOptions {}

/** A chat prompt as the model will read it. */
export interface ChatPrompt {
  readonly ids: number[];
  /** The rendered text in parts: only `special` ones may contain special tokens. */
  readonly parts: readonly TextPart[];
}

export class Model implements AsyncDisposable {
  readonly loadMs: number;
  readonly #engine: Engine;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #embedding: ModelParts["embedding"];
  readonly #context: Context;
  readonly #turns = new Exclusive();
  readonly #closing = new AbortController();

  constructor(parts: ModelParts) {
    this.loadMs = parts.loadMs;
    this.#engine = parts.engine;
    this.#tokenizer = parts.tokenizer;
    this.#embedding = parts.embedding;
    this.#context = new Context(parts.engine);
  }

  get config(): ModelConfig {
    return this.#engine.config;
  }

  /** Positions allocated: prompt and reply together. */
  get contextLength(): number {
    return this.#engine.contextLength;
  }

  /** Logits a row; the tokenizer may know fewer ids. */
  get vocabSize(): number {
    return this.#engine.vocabSize;
  }

  /** Bytes of WebAssembly memory in all, and of it the weights' and the KV cache's. */
  get memory(): Engine["memory"] {
    return this.#engine.memory;
  }

  /** The kernels that run and the threads they run on. */
  get engine(): Engine["engine"] {
    return this.#engine.engine;
  }

  get hasTokenizer(): boolean {
    return this.#tokenizer !== undefined;
  }

  /** @throws OnebitError `tokenizer/missing` */
  get tokenizer(): Tokenizer {
    return this.#tokenizer ?? fail("tokenizer/missing", `${this.config.name}: the model file has no vocabulary: give ids instead of text`);
  }

  /** Ids whose keys and values are in the KV cache; a prompt that begins with them costs only the rest. */
  get cachedIds(): readonly number[] {
    return this.#context.ids;
  }

  /**
   * Continues a text, or ids. See {@link GenerateOptions} for defaults; wrong options throw (`option/invalid`) when the
   * generation starts.
   * @throws OnebitError (while iterating) `model/context-full` when the prompt does not fit, `model/bad-token`, `tokenizer/missing`
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    return this.#start(() => (typeof prompt === "string" ? this.#encode(prompt, options) : [...prompt]), options);
  }

  /**
   * Answers the last of `messages` by the model's chat template. Nothing in a message can become a special token.
   * Earlier turns that are still in the KV cache are not evaluated again.
   * @throws OnebitError (while iterating) as `generate`, and `template/missing`, `template/syntax`, `template/raised`, `template/limit`
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    return this.#start(() => this.chatPrompt(messages, options).ids, options);
  }

  /** The prompt {@link chat} would use. @throws OnebitError `template/…`, `tokenizer/missing` */
  chatPrompt(messages: readonly ChatMessage[], options: ChatPromptOptions = {}): ChatPrompt {
    return renderChat(messages, options, this.tokenizer, this.config);
  }

  /**
   * One vector of `config.nEmbd` numbers a text.
   * @throws OnebitError `tokenizer/missing`, `model/context-full`, `option/invalid`, `aborted`
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const pooling = checkPooling(options.pooling ?? this.#embedding?.pooling ?? "last");
    const all = texts.map((text) => this.#encodeForEmbedding(text, options));
    return this.#exclusively(options.signal, async (signal) => {
      const vectors: Float32Array[] = [];
      // The states are computed where the KV cache stands.
      this.#context.clear();
      for (const ids of all) {
        options.onProgress?.({ done: vectors.length, total: all.length });
        const hidden = await this.#engine.hidden(ids, { signal });
        vectors.push(pool(hidden, this.config.nEmbd, pooling, options.normalize ?? true));
      }
      options.onProgress?.({ done: vectors.length, total: all.length });
      return vectors;
    });
  }

  /** Logits after each id: (ids.length, vocabSize), row-major. @throws as {@link eachLogits} */
  async logits(ids: readonly number[], options: { signal?: AbortSignal } = {}): Promise<Float32Array> {
    const bytes = ids.length * this.vocabSize * 4;
    if (bytes > LOGITS_RESULT_BYTES_MAX) {
      fail("option/invalid", `logits: ${ids.length} rows take ${bytes} bytes, at most ${LOGITS_RESULT_BYTES_MAX} are returned at once: use eachLogits`);
    }
    const rows = new Float32Array(ids.length * this.vocabSize);
    await this.eachLogits(ids, (row, logits) => rows.set(logits, row * this.vocabSize), options);
    return rows;
  }

  /**
   * Hands out the logits after each id, in order. `logits` is a view, overwritten after the call: copy what you keep.
   * @throws OnebitError `model/bad-token`, `model/context-full`, `option/invalid` (no ids), `aborted`
   */
  async eachLogits(
    ids: readonly number[],
    onLogits: (row: number, logits: Float32Array) => void,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    checkIds("ids", ids, this.vocabSize, "model/bad-token");
    if (ids.length === 0) fail("option/invalid", "ids: wanted at least one");
    this.#checkFits(ids.length, "the input");
    await this.#exclusively(options.signal, async (signal) => {
      this.#context.clear();
      await this.#engine.evaluate(ids, 0, { want: "all", onLogits, signal });
    });
  }

  /** See `perplexity.ts` for what is measured. @throws OnebitError `option/invalid`, `tokenizer/missing`, `aborted` */
  async perplexity(input: string | readonly number[], options: PerplexityOptions = {}): Promise<Perplexity> {
    const ids = typeof input === "string" ? this.tokenizer.encode(input, { addSpecial: false }) : input;
    const bosId = this.#tokenizer?.addBos ? this.#tokenizer.bosId : undefined;
    return this.#exclusively(options.signal, (signal) => {
      this.#context.clear();
      return measurePerplexity(this.#engine, ids, bosId, { ...options, signal });
    });
  }

  /** Keeps only the first `length` ids in the KV cache. @throws OnebitError `option/invalid` */
  async truncate(length: number): Promise<void> {
    if (!Number.isInteger(length) || length < 0) fail("option/invalid", `length: wanted an integer from 0 up, got ${length}`);
    await this.#exclusively(undefined, async () => this.#context.truncate(length));
  }

  /** Ends what is running (as "aborted") and frees the memory. Later calls throw `model/closed`; closing twice is fine. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#turns.run(() => this.#engine.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #start(prompt: () => readonly number[], options: GenerateOptions): Generation {
    const parts = {
      engine: this.#engine,
      context: this.#context,
      turns: this.#turns,
      closing: this.#closing.signal,
      tokenizer: this.#tokenizer,
    };
    const makePrompt = (): readonly number[] => {
      this.#checkOpen();
      return prompt();
    };
    return new Generation(parts, makePrompt, options);
  }

  async #exclusively<T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#checkOpen();
    const abort = linkAborts(signal, this.#closing.signal);
    try {
      return await this.#turns.run(() => task(abort.signal), abort.signal);
    } finally {
      abort.unlink();
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) fail("model/closed", `${this.config.name}: the model was closed: load it again`);
  }

  #checkFits(nIds: number, what: string): void {
    if (nIds <= this.contextLength) return;
    fail("model/context-full", `${what} is ${nIds} ids, the context holds ${this.contextLength}: shorten it or load the model with a larger contextLength`);
  }

  #encode(text: string, options: GenerateOptions): number[] {
    return this.tokenizer.encode(text, { addSpecial: options.addSpecial ?? true, parseSpecial: options.parseSpecial ?? false });
  }

  #encodeForEmbedding(text: string, options: EmbedOptions): number[] {
    const { tokenizer } = this;
    const ids = tokenizer.encode(text);
    const appendEos = options.appendEos ?? this.#embedding?.appendEos ?? false;
    if (appendEos && tokenizer.eosId !== undefined && ids.at(-1) !== tokenizer.eosId) ids.push(tokenizer.eosId);
    if (ids.length === 0) fail("option/invalid", "embed: a text is empty, and this model adds no BOS or EOS to it");
    this.#checkFits(ids.length, "a text to embed");
    return ids;
  }
}
