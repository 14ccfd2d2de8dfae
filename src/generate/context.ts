/**
 * One conversation of a model: its ids, and calls that continue them.
 *
 * @module
 */
import { fail, throwIfAborted } from "../core/errors.ts";
import { type OptionTable, SIGNAL, TEXT, check, checkOptions, whole } from "../core/options.ts";
import { withMemory } from "../core/refused-memory.ts";
import type { Engine } from "../model/engine-interface.ts";
import { requireHead } from "../model/require-head.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Batcher } from "./batcher.ts";
import { CHAT_PROMPT_OPTIONS, type ChatMessage, type ChatOptions, TOOL_OPTIONS } from "./chat-options.ts";
import { type ChatRenderer, loadChatRenderer } from "./chat-renderer.ts";
import { ContextIds, type ContextOptions } from "./context-ids.ts";
import type { FitOptions } from "./fit-chat.ts";
import type { FormatLoader } from "./format.ts";
import { Generation, type GenerationRequest } from "./generate.ts";
import {
  GENERATE_MEANINGS,
  GENERATE_OPTIONS,
  type GenerateOptions,
  ID_LIST,
  MAX_TOKENS_DEFAULT,
  TEXT_OR_IDS,
} from "./options.ts";
import type { BreathingPlatform } from "./snapshot.ts";
import type { Drafting } from "./speculate.ts";
import type { Turn, Turns } from "./turns.ts";

/** Options of {@link Model.logits}, {@link Model.eachLogits} and {@link Context.logits}. */
export interface LogitsOptions {
  /** Stops it, which then throws `aborted`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Context.save}. */
export interface SaveOptions {
  /** Stops it, which then throws `aborted`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Model.restore}. */
export interface RestoreOptions extends ContextOptions {
  /** Stops it, which then throws `aborted`. */
  readonly signal?: AbortSignal;
}

/** What contexts of a model share. */
export interface ContextParts {
  readonly engine: Engine;
  readonly platform: BreathingPlatform;
  readonly turns: Turns;
  readonly batcher: Batcher;
  readonly tokenizer: Tokenizer | undefined;
  /** Or why there is none. @throws OnebitError `tokenizer/missing` */
  readonly requireTokenizer: () => Tokenizer;
  /** If absent, the first chat loads it. */
  readonly renderChat: ChatRenderer | undefined;
  readonly drafting: Drafting;
  readonly formats: FormatLoader;
}

export const CHAT_OPTIONS: OptionTable<ChatOptions> = {
  ...GENERATE_OPTIONS,
  ...CHAT_PROMPT_OPTIONS,
  ...TOOL_OPTIONS,
};
export const LOGITS_OPTIONS: OptionTable<LogitsOptions> = { signal: SIGNAL };
const SAVE_OPTIONS: OptionTable<SaveOptions> = { signal: SIGNAL };

/**
 * One conversation of a model: its own ids over the model's weights and KV cache. {@link Model.context} makes it.
 *
 * Contexts keep their place in the cache while there is room, and share what begins alike. What had to make room is
 * read again. Contexts that write at the same time compute together; calls of one context take turns. The answers are
 * the same bits as alone.
 *
 * @example
 * ```ts
 * import { load } from "onebit";
 *
 * await using model = await load("model.gguf", { contextLength: 64, kvPositions: 256 });
 * using ann = model.context();
 * using bob = model.context();
 * await ann.generate("Once upon a time", { maxTokens: 4 }).text();
 * await bob.generate("Roses are red", { maxTokens: 4 }).text();
 * console.log(ann.cachedIds.length, bob.cachedIds.length); // neither made the other forget
 * ```
 */
export class Context implements Disposable {
  readonly #parts: ContextParts;
  readonly #ids: ContextIds;
  #isClosed = false;

  /** @internal */
  constructor(parts: ContextParts, ids: ContextIds) {
    this.#parts = parts;
    this.#ids = ids;
  }

  /**
   * @internal
   * @throws OnebitError `option/…`
   */
  static open(parts: ContextParts, options: ContextOptions): Context {
    const checked = checkOptions("context", options, contextOptions(parts.engine));
    return new Context(parts, new ContextIds(parts.engine, parts.batcher, checked));
  }

  /**
   * @internal
   * @throws OnebitError as {@link Model.restore}
   */
  static async restore(parts: ContextParts, bytes: Uint8Array, options: RestoreOptions): Promise<Context> {
    const table: OptionTable<RestoreOptions> = { ...contextOptions(parts.engine), signal: SIGNAL },
      { signal, ...own } = checkOptions("restore", options, table);
    const context = new Context(parts, new ContextIds(parts.engine, parts.batcher, own));
    const restore = (turn: Turn) => context.#ids.restore(bytes, turn, parts.platform);
    await context.#inTurn(signal, `restoring ${bytes.length} bytes of a context`, restore);
    return context;
  }

  /** Positions it may have: prompt and reply together. */
  get contextLength(): number {
    return this.#ids.contextLength;
  }

  /** What it read last: a prompt, and of the reply all but its last id. */
  get ids(): readonly number[] {
    return this.#ids.ids;
  }

  /** Those of its ids whose keys and values are in the KV cache; a prompt that begins with them costs only the rest. */
  get cachedIds(): readonly number[] {
    return this.#ids.cachedIds;
  }

  /**
   * Continues a text, or ids, as {@link Model.generate}.
   *
   * @throws OnebitError as {@link Model.generate}; `model/closed` also when the context is closed
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * console.log(await context.generate([1, 2, 3], { maxTokens: 4, temperature: 0 }).text());
   * ```
   */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    return this.#start(() => {
      const checked = checkOptions("generate", options, GENERATE_OPTIONS, { meanings: GENERATE_MEANINGS }),
        given = check("prompt", prompt, TEXT_OR_IDS);
      return { options: checked, promptIds: typeof given === "string" ? this.#encode(given, checked) : given };
    });
  }

  /**
   * Answers the last message, as {@link Model.chat}.
   *
   * @throws OnebitError as {@link Model.chat}; `model/closed` also when the context is closed
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * console.log(await context.chat([{ role: "user", content: "Say hello." }], { maxTokens: 8 }).text());
   * ```
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    return this.#start(() => {
      const { renderChat, engine, requireTokenizer } = this.#parts,
        checked = checkOptions("chat", options, CHAT_OPTIONS, { meanings: GENERATE_MEANINGS });
      const request = (render: ChatRenderer): GenerationRequest => {
        const fit = fitOf(checked, this.contextLength);
        const { ids, shrinking, reply } = render(messages, checked, requireTokenizer(), engine.config, fit);
        return { options: checked, promptIds: ids, shrinking, reply };
      };
      return renderChat === undefined ? loadChatRenderer().then(request) : request(renderChat);
    });
  }

  /**
   * Reads `ids`, of which it computes only those that no context has read before.
   *
   * @returns the logits after the last one, `vocabSize` numbers
   * @throws OnebitError `model/bad-token`, `model/context-full`, `model/not-finite`, `model/no-head`, `model/closed`,
   *   `option/invalid` (no ids), `aborted`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * const logits = await context.logits([1, 2, 3]);
   * console.log("likeliest next", logits.indexOf(Math.max(...logits)));
   * ```
   */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array> {
    const { signal } = checkOptions("logits", options, LOGITS_OPTIONS),
      found = check("ids", ids, ID_LIST);
    requireHead(this.#parts.engine.config);
    const read = async (turn: Turn) => (await this.#ids.read(found, { turn })).logits;
    return await this.#inTurn(signal, `logits of ${found.length} ids`, read);
  }

  /**
   * Keeps only the first `length` ids. The KV cache forgets the others too, unless another context has used them; of
   * length 0, all that only this context has used.
   *
   * @throws OnebitError `option/invalid`, `model/closed`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * await context.logits([1, 2, 3]);
   * await context.truncate(1);
   * console.log(context.ids); // [1]
   * ```
   */
  async truncate(length: number): Promise<void> {
    check("length", length, whole(0));
    await this.#inTurn(undefined, "truncating", () => this.#ids.truncate(length));
  }

  /**
   * The context as bytes: its ids, and their keys and values as far as they are cached. {@link Model.restore} makes a
   * context of them that costs no reading, on any system and engine, with the same bits. A position takes
   * `memory.kvBytes` over the model's `kvPositions`.
   *
   * @throws OnebitError `model/closed`, `model/not-enough-memory`, `aborted`, `option/…`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * await context.logits([1, 2, 3]);
   * const bytes = await context.save();
   * using other = await model.restore(bytes);
   * console.log(bytes.length, other.cachedIds); // … [1, 2, 3]
   * ```
   */
  async save(options: SaveOptions = {}): Promise<Uint8Array> {
    const { signal } = checkOptions("save", options, SAVE_OPTIONS),
      { platform } = this.#parts;
    return await this.#inTurn(signal, "saving a context", (turn) => this.#ids.save(turn, platform));
  }

  /**
   * Another context that has read the same. Both share the pages of the KV cache; what is written later is apart.
   *
   * @throws OnebitError `model/closed`
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * using context = model.context();
   * await context.logits([1, 2, 3]);
   * using other = context.fork();
   * console.log(await other.generate([...other.ids, 4], { maxTokens: 4 }).text(), context.ids); // … [1, 2, 3]
   * ```
   */
  fork(): Context {
    this.#checkOpen();
    return new Context(this.#parts, this.#ids.fork());
  }

  /** Ends what is running (as "aborted"). Later calls throw `model/closed`; closing twice is fine. */
  close(): void {
    this.#isClosed = true;
    this.#parts.turns.stop(this.#ids);
  }

  /** {@link Context.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #start(prepare: () => GenerationRequest | Promise<GenerationRequest>): Generation {
    const { engine, turns, tokenizer, drafting, formats, platform } = this.#parts,
      parts = { engine, context: this.#ids, turns, tokenizer, drafting, formats, platform };
    return new Generation(parts, () => (this.#checkOpen(), requireHead(engine.config), prepare()));
  }

  /** Runs `task` in a turn of this context. */
  async #inTurn<T>(signal: AbortSignal | undefined, what: string, task: (turn: Turn) => T | Promise<T>): Promise<T> {
    this.#checkOpen();
    const turn = this.#parts.turns.open(signal, this.#ids);
    try {
      await turn.begin();
      throwIfAborted(turn);
      return await withMemory("model/not-enough-memory", what, async () => await task(turn));
    } finally {
      turn.end();
    }
  }

  #checkOpen(): void {
    const { engine, turns } = this.#parts,
      { name } = engine.config;
    if (turns.isClosed) fail("model/closed", `${name}: the model was closed: load it again`);
    if (this.#isClosed) fail("model/closed", `${name}: the context was closed: open another with model.context()`);
  }

  #encode(text: string, { addSpecial = true, parseSpecial = false }: GenerateOptions): number[] {
    return this.#parts.requireTokenizer().encode(text, { addSpecial, parseSpecial });
  }
}

function contextOptions({ contextLength }: Engine): OptionTable<ContextOptions> {
  return { contextLength: whole(1, contextLength), cacheGroup: TEXT };
}

/** The room that a chat's prompt and reply have. */
export function fitOf({ maxTokens = MAX_TOKENS_DEFAULT }: GenerateOptions, contextLength: number): FitOptions {
  return { contextLength, maxTokens };
}
