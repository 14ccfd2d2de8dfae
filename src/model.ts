/**
 * The Model class: generate, chat, embed, measure, close.
 *
 * Contexts compute together; the calls of one context, among them the model's own, wait their turn. A generation whose
 * consumer is away for a second lets waiting calls go first, and continues with the same bits.
 *
 * @module
 */
import type { AnyModel, ChatPrompt } from "./any-model.ts";
import { type AbortState, fail, throwIfAborted } from "./core/errors.ts";
import { LOGITS_RESULT_BYTES_MAX } from "./core/limits.ts";
import { BYTES, FUNCTION, TEXT, check, checkOptions, list, whole } from "./core/options.ts";
import { timerTurn } from "./core/event-loop.ts";
import type { Platform } from "./core/platform.ts";
import { withMemory, withMemoryNow } from "./core/refused-memory.ts";
import type { ModelConfig } from "./model/config.ts";
import type { Engine, ModelMemory, ModelWarning, RunningEngine } from "./model/engine-interface.ts";
import type { Sequence } from "./model/kv-pages.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";
import type { ChatMessage, ChatOptions, ChatPromptOptions } from "./generate/chat-options.ts";
import type { ChatRenderer } from "./generate/chat-renderer.ts";
import { chatTemplateNames } from "./generate/chat-templates.ts";
import {
  CHAT_OPTIONS,
  Context,
  type ContextParts,
  LOGITS_OPTIONS,
  type LogitsOptions,
  type RestoreOptions,
  fitOf,
} from "./generate/context.ts";
import { Batcher } from "./generate/batcher.ts";
import type { ContextOptions } from "./generate/context-ids.ts";
import { EMBED_OPTIONS, type EmbedOptions, type Pooling, pool } from "./generate/embed.ts";
import { FormatLoader } from "./generate/format.ts";
import type { Generation } from "./generate/generate.ts";
import { type GenerateOptions, ID_LIST, TEXT_OR_IDS, checkIds } from "./generate/options.ts";
import { PERPLEXITY_OPTIONS, measurePerplexity } from "./generate/perplexity.ts";
import type { Perplexity, PerplexityOptions } from "./generate/perplexity.ts";
import { type Drafting, lookupDrafting } from "./generate/speculate.ts";
import { Turns } from "./generate/turns.ts";

/** The parts of a {@link Model}. */
export interface ModelParts {
  readonly engine: Engine;
  /** Absent when the file has no vocabulary: then prompts are ids. */
  readonly tokenizer?: Tokenizer;
  /** Why there is none, if known. */
  readonly noTokenizer?: string;
  /** Its platform; default: one whose calls may wake each other. */
  readonly platform?: Pick<Platform, "isolatesRequests" | "nextTurn">;
  /** Default: {@link MAX_STALL_MS_DEFAULT}. */
  readonly maxStallMs?: number;
  /** Loading time. */
  readonly loadMs: number;
  /** The pooling of an embedding model. */
  readonly embedding?: { readonly pooling: Pooling; readonly appendEos: boolean };
  /** The chat-template renderer; if absent, the first `chat` loads it. */
  readonly renderChat?: ChatRenderer;
  /** Guesses ids for the option `speculate`. */
  readonly drafting?: Drafting;
}

/** A reader notices a pause of a quarter of a second, and a prompt reads 8 rows of 2B4T in it. */
const MAX_STALL_MS_DEFAULT = 250;

const TEXTS = list("a list of texts", TEXT);

const CODE = "model/not-enough-memory";

/**
 * A loaded model: it generates, chats, embeds and measures. {@link load} makes it.
 *
 * Its own `generate` and `chat` take turns; {@link Model.context} gives conversations that write at the same time. Its
 * KV cache holds what all have read, as far as there is room.
 *
 * @example
 * ```ts
 * import { load } from "onebit";
 *
 * await using model = await load("model.gguf", { contextLength: 256 });
 * console.log(model.config.name, model.vocabSize, model.engine.threads);
 * ```
 */
export class Model implements AnyModel {
  /** Time the loading took. */
  readonly loadMs: number;
  readonly #engine: Engine;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #noTokenizer: string | undefined;
  readonly #embedding: ModelParts["embedding"];
  readonly #renderer: ChatRenderer | undefined;
  readonly #context: Context;
  readonly #turns: Turns;
  readonly #batcher: Batcher;
  readonly #contextParts: ContextParts;

  /** @internal */
  constructor(parts: ModelParts) {
    this.loadMs = parts.loadMs;
    this.#engine = parts.engine;
    this.#tokenizer = parts.tokenizer;
    this.#noTokenizer = parts.noTokenizer;
    this.#embedding = parts.embedding;
    this.#renderer = parts.renderChat;
    this.#turns = new Turns(parts.platform);
    this.#batcher = new Batcher(parts.engine, this.#turns, {
      maxStallMs: parts.maxStallMs ?? MAX_STALL_MS_DEFAULT,
      nextTurn: parts.platform?.nextTurn ?? timerTurn,
    });
    this.#contextParts = {
      engine: parts.engine,
      platform: parts.platform ?? {},
      turns: this.#turns,
      batcher: this.#batcher,
      tokenizer: parts.tokenizer,
      requireTokenizer: () => this.tokenizer,
      renderChat: parts.renderChat,
      drafting: parts.drafting ?? lookupDrafting(),
      formats: new FormatLoader(parts.tokenizer),
    };
    this.#context = this.context();
  }

  /** What the file says of the model. */
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
  get memory(): ModelMemory {
    return this.#engine.memory;
  }

  /** The kernels that run and the threads they run on. */
  get engine(): RunningEngine {
    return this.#engine.engine;
  }

  /**
   * What is wrong with the weights and does not keep the model from running: layers that are all zero. Empty for most
   * models.
   */
  get warnings(): readonly ModelWarning[] {
    return this.#engine.warnings;
  }

  /** Whether the file has a vocabulary; without one prompts are ids. */
  get hasTokenizer(): boolean {
    return this.#tokenizer !== undefined;
  }

  /**
   * Text to ids and back.
   * @throws OnebitError `tokenizer/missing`
   */
  get tokenizer(): Tokenizer {
    return (
      this.#tokenizer ??
      fail(
        "tokenizer/missing",
        `${this.config.name}: ${this.#noTokenizer ?? "the model file has no vocabulary"}: give ids instead of text`,
      )
    );
  }

  /** Ids whose keys and values are in the KV cache; a prompt that begins with them costs only the rest. */
  get cachedIds(): readonly number[] {
    return this.#context.cachedIds;
  }

  /**
   * Another conversation over the same weights. `generate` and `chat` of the model itself use a context of their own.
   * @throws OnebitError `option/…`, `model/closed`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 64, kvPositions: 256 });
   * using context = model.context({ contextLength: 32 });
   * console.log(await context.generate("Once upon a time", { maxTokens: 8 }).text());
   * ```
   */
  context(options: ContextOptions = {}): Context {
    this.#checkOpen();
    return Context.open(this.#contextParts, options);
  }

  /**
   * A context that {@link Context.save} saved, with the same weights, `kvType`, `dense` and `activationMode`. Contexts
   * of its `cacheGroup` that begin alike share its pages: give bytes that you do not trust a group of their own.
   * @throws OnebitError `snapshot/mismatch` when another model saved it, `snapshot/corrupt` when a bit of it differs,
   *   `model/context-full`, `model/not-enough-memory`, `model/closed`, `option/…`, `aborted`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * using copy = await model.restore(await context.save());
   * ```
   */
  async restore(bytes: Uint8Array, options: RestoreOptions = {}): Promise<Context> {
    const found = check("bytes", bytes, BYTES);
    this.#checkOpen();
    return await Context.restore(this.#contextParts, found, options);
  }

  /**
   * Continues a text, or ids. Wrong options throw when the generation starts, not here.
   *
   * @throws OnebitError (while iterating) `model/context-full` when the prompt does not fit, `model/bad-token`,
   *   `model/not-finite` when its numbers overflow, `model/no-head`, `model/closed`, `tokenizer/missing`, `option/…`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * for await (const { text } of model.generate("Once upon a time", { maxTokens: 8, seed: 1 })) console.log(text);
   * console.log(await model.generate([1, 2, 3], { maxTokens: 4, temperature: 0 }).text());
   * ```
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    return this.#context.generate(prompt, options);
  }

  /**
   * Answers the last message by the model's chat template. Nothing in a message can become a special token. Earlier
   * turns that are still in the KV cache are not computed again.
   *
   * @throws OnebitError (while iterating) as `generate`, and `template/missing`, `template/syntax`, `template/raised`,
   *   `template/limit`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const reply = model.chat([{ role: "user", content: "Say hello." }], { maxTokens: 8 });
   * for await (const { text } of reply) console.log(text);
   * ```
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    return this.#context.chat(messages, options);
  }

  /**
   * The prompt {@link Model.chat} would use.
   *
   * @throws OnebitError `template/…`, `tokenizer/missing`, `option/…`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const { ids, parts } = model.chatPrompt([{ role: "user", content: "Say hello." }]);
   * console.log(ids.length, parts.map(({ text, special }) => `${special ? "special" : "text"}: ${text}`));
   * ```
   */
  chatPrompt(messages: readonly ChatMessage[], options: ChatPromptOptions = {}): ChatPrompt {
    const checked = checkOptions("chatPrompt", options, CHAT_OPTIONS),
      { tokenizer } = this;
    const renderChat =
      this.#renderer ??
      fail("engine/part-missing", "this Model lacks the renderer of chat templates: make models with load");
    const { ids, parts } = withMemoryNow(CODE, "a chat prompt", () =>
      renderChat(messages, checked, tokenizer, this.config, fitOf(checked, this.contextLength)),
    );
    return { ids, parts };
  }

  /** Names that the option `chatTemplate` knows: of templates in the model's file, and of families. */
  get chatTemplateNames(): readonly string[] {
    return chatTemplateNames(this.#tokenizer);
  }

  /**
   * Texts to vectors of `config.nEmbd` numbers, or fewer: the last hidden states, pooled, of length 1.
   *
   * @throws OnebitError `tokenizer/missing`, `model/context-full`, `model/not-finite`, `model/closed`, `option/…`,
   *   `aborted`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const [cat, dog] = await model.embed(["a cat", "a dog"], { pooling: "mean" });
   * console.log("cosine", cat.reduce((sum, x, i) => sum + x * dog[i], 0));
   * ```
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const {
      pooling = this.#embedding?.pooling ?? "last",
      dimensions = this.config.nEmbd,
      normalize = true,
      appendEos = this.#embedding?.appendEos,
      signal: own,
      onProgress,
    } = checkOptions("embed", options, EMBED_OPTIONS);
    check("dimensions", dimensions, whole(1, this.config.nEmbd));
    const checked = check("texts", texts, TEXTS),
      all = withMemoryNow(CODE, "ids of texts to embed", () =>
        checked.map((text) => this.#encodeForEmbedding(text, appendEos)),
      );
    return await this.#exclusively(`embedding ${all.length} texts`, own, async (signal, sequence) => {
      const vectors: Float32Array[] = [];
      for (const ids of all) {
        onProgress?.({ done: vectors.length, total: all.length });
        sequence.truncate(0);
        const hidden = await this.#engine.hidden(ids, sequence, { signal });
        vectors.push(pool(hidden, this.config.nEmbd, { pooling, dimensions, normalize }));
      }
      onProgress?.({ done: vectors.length, total: all.length });
      return vectors;
    });
  }

  /**
   * Logits after each id: (ids.length, vocabSize), row-major.
   *
   * @throws OnebitError as {@link Model.eachLogits}; `option/invalid` for more than fit in one array
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const rows = await model.logits([1, 2, 3]);
   * console.log(rows.length === 3 * model.vocabSize);
   * ```
   */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array> {
    const { signal } = checkOptions("logits", options, LOGITS_OPTIONS),
      found = this.#checkIds(ids),
      bytes = found.length * this.vocabSize * 4;
    if (bytes > LOGITS_RESULT_BYTES_MAX) {
      fail(
        "option/invalid",
        `logits: ${found.length} rows take ${bytes} bytes, at most ${LOGITS_RESULT_BYTES_MAX} are returned at ` +
          "once: use eachLogits",
      );
    }
    const rows = withMemoryNow(
      CODE,
      `logits of ${found.length} ids, ${bytes} bytes`,
      () => new Float32Array(found.length * this.vocabSize),
    );
    await this.eachLogits(found, (row, logits) => rows.set(logits, row * this.vocabSize), { signal });
    return rows;
  }

  /**
   * Hands out the logits after each id, in order, `vocabSize` numbers a row.
   *
   * @param onLogits `logits` is a view that the next row overwrites: copy what you keep
   * @throws OnebitError `model/bad-token`, `model/context-full`, `model/not-finite`, `model/no-head`, `model/closed`,
   *   `option/invalid` (no ids), `aborted`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * await model.eachLogits([1, 2, 3], (row, logits) => console.log(row, Math.max(...logits)));
   * ```
   */
  async eachLogits(
    ids: readonly number[],
    onLogits: (row: number, logits: Float32Array) => void,
    options: LogitsOptions = {},
  ): Promise<void> {
    const { signal: own } = checkOptions("eachLogits", options, LOGITS_OPTIONS),
      found = this.#checkIds(ids);
    check("onLogits", onLogits, FUNCTION);
    if (found.length === 0) fail("option/invalid", "ids: wanted at least one");
    this.#checkFits(found.length, "the input");
    await this.#exclusively(`logits of ${found.length} ids`, own, (signal, sequence) =>
      this.#engine.evaluate(found, sequence, { want: "all", onLogits, signal }),
    );
  }

  /**
   * How well the model predicts a text: exp of the mean negative log-likelihood of its ids. The ids are cut into
   * windows that do not overlap; each starts fresh, after BOS for models that use one, and every id but a window's
   * first is scored. Shorter windows give higher values: compare only equal `context`.
   *
   * @throws OnebitError `option/invalid`, `tokenizer/missing`, `model/bad-token`, `model/no-head`, `aborted`, …
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const { perplexity, tokens } = await model.perplexity("It was a bright cold day in April.", { context: 16 });
   * console.log(perplexity, tokens);
   * ```
   */
  async perplexity(input: string | readonly number[], options: PerplexityOptions = {}): Promise<Perplexity> {
    const checked = checkOptions("perplexity", options, PERPLEXITY_OPTIONS),
      given = check("input", input, TEXT_OR_IDS);
    const ids = typeof given === "string" ? this.tokenizer.encode(given, { addSpecial: false }) : given;
    const bosId = this.#tokenizer?.addBos ? this.#tokenizer.bosId : undefined;
    return await this.#exclusively(`perplexity over ${ids.length} ids`, checked.signal, (signal, sequence) =>
      measurePerplexity(this.#engine, sequence, ids, bosId, { ...checked, signal }),
    );
  }

  /**
   * Keeps only the first `length` ids in the KV cache; of length 0, nothing that only the model's own context has used.
   *
   * @throws OnebitError `option/invalid`, `model/closed`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * await model.generate("Once upon a time", { maxTokens: 4 }).text();
   * await model.truncate(1);
   * console.log(model.cachedIds.length); // 1
   * ```
   */
  async truncate(length: number): Promise<void> {
    await this.#context.truncate(length);
  }

  /**
   * Ends what is running (as "aborted") and frees the memory. Later calls throw `model/closed`; closing twice is fine.
   */
  async close(): Promise<void> {
    if (this.#turns.isClosed) return;
    // A computation is between two steps now, and stops before the next.
    this.#turns.close();
    await this.#engine.close();
  }

  /** {@link Model.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Computes in pages of its own, which are free afterwards.
   * @param what names the call in the error when memory is refused
   */
  async #exclusively<T>(
    what: string,
    signal: AbortSignal | undefined,
    task: (signal: AbortState, sequence: Sequence) => Promise<T>,
  ): Promise<T> {
    this.#checkOpen();
    const turn = this.#batcher.openAlone(signal);
    try {
      await turn.begin();
      throwIfAborted(turn);
      this.#batcher.giveBackPages();
      const sequence = this.#engine.pages.open([], { isPrivate: true });
      turn.hold(() => sequence.close());
      return await withMemory(CODE, what, () => task(turn, sequence));
    } finally {
      turn.end();
    }
  }

  #checkOpen(): void {
    if (this.#turns.isClosed) fail("model/closed", `${this.config.name}: the model was closed: load it again`);
  }

  #checkFits(nIds: number, what: string): void {
    if (nIds <= this.contextLength) return;
    fail(
      "model/context-full",
      `${what} is ${nIds} ids, the context holds ${this.contextLength}: shorten it or load the model with a ` +
        "larger contextLength",
    );
  }

  #checkIds(ids: unknown): number[] {
    const found = check("ids", ids, ID_LIST);
    checkIds("ids", found, this.vocabSize, "model/bad-token");
    return found;
  }

  #encodeForEmbedding(text: string, appendEos: boolean | undefined): number[] {
    const { tokenizer } = this;
    const ids = tokenizer.encode(text, { addEos: appendEos ?? true });
    if (appendEos === true && tokenizer.eosId !== undefined && ids.at(-1) !== tokenizer.eosId)
      ids.push(tokenizer.eosId);
    if (ids.length === 0)
      fail("option/invalid", "embed: wanted texts that are not empty, as this model adds no BOS or EOS");
    this.#checkFits(ids.length, "a text to embed");
    return ids;
  }
}
