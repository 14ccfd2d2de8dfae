/**
 * A session: one conversation with a model, as `LanguageModel` of the Prompt API has it.
 *
 * @module
 */
import type { AnyContext, AnyModel } from "../any-model.ts";
import { OnebitError } from "../core/errors.ts";
import type { ChatMessage, ChatOptions } from "../index.ts";
import { destroyed, exceptionOf, quotaExceeded } from "./errors.ts";
import { alternating, readPrompt } from "./prompt.ts";
import { type SessionSettings, readConstraint } from "./settings.ts";
import { joinedSignal } from "./signals.ts";
import { TOOL_ROUNDS_MAX, callTools, toolsOf } from "./tools.ts";
import type {
  LanguageModelPrompt,
  LanguageModelPromptOptions,
  PromptApiOptions,
  SamplingMode,
  SignalOptions,
} from "./types.ts";

/** What a session and its clones share. */
export interface SessionParts {
  readonly model: AnyModel;
  readonly settings: SessionSettings;
  readonly options: PromptApiOptions;
  readonly initial: readonly ChatMessage[];
}

/** What a session has read and said. */
interface Conversation {
  readonly context: AnyContext;
  /** Behind the initial messages. */
  readonly messages: readonly ChatMessage[];
  readonly usage: number;
}

/**
 * One conversation, made by `create` of {@link promptApi}. Calls are answered in turn; one that fails or is stopped
 * leaves no trace. Rejections are DOMExceptions, but for a signal's own reason, what a tool rejects with, and a
 * TypeError or RangeError for arguments of the wrong kind.
 */
export class LanguageModelSession extends EventTarget {
  /** Called when the oldest messages had to go (`contextoverflow`). */
  oncontextoverflow: ((event: Event) => void) | null = null;
  /** The same under its older name (`quotaoverflow`). */
  onquotaoverflow: ((event: Event) => void) | null = null;
  readonly #parts: SessionParts;
  readonly #destruction = new AbortController();
  #conversation: Conversation;
  #last: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(parts: SessionParts, conversation: Conversation) {
    super();
    this.#parts = parts;
    this.#conversation = conversation;
  }

  /**
   * @internal
   * @throws DOMException `QuotaExceededError` when the initial messages do not fit
   */
  static async open(parts: SessionParts, signal: AbortSignal | undefined): Promise<LanguageModelSession> {
    const context = await parts.model.context(),
      session = new LanguageModelSession(parts, { context, messages: [], usage: 0 });
    try {
      await session.#read([], signal);
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  /** Tokens that the conversation takes. */
  get contextUsage(): number {
    return this.#conversation.usage;
  }

  /** Tokens that the session has room for, replies included. */
  get contextWindow(): number {
    return this.#parts.model.contextLength;
  }

  /** {@link LanguageModelSession.contextUsage}, under its older name. */
  get inputUsage(): number {
    return this.contextUsage;
  }

  /** {@link LanguageModelSession.contextWindow}, under its older name. */
  get inputQuota(): number {
    return this.contextWindow;
  }

  /** Tokens drawn from. */
  get topK(): number {
    return this.#parts.settings.topK;
  }

  /** How daring replies are. */
  get temperature(): number {
    return this.#parts.settings.temperature;
  }

  /** The mode it was made with. */
  get samplingMode(): SamplingMode {
    return this.#parts.settings.samplingMode;
  }

  /**
   * The reply to a prompt. Tools are called meanwhile.
   * @throws DOMException `QuotaExceededError` when the prompt does not fit, `NotSupportedError` for what models here
   *   cannot read or keep to, `SyntaxError` and `TypeError` for messages in the wrong place, `AbortError` after
   *   `destroy`, `InvalidStateError` when the model was closed, `UnknownError` for all else
   */
  async prompt(input: LanguageModelPrompt, options: LanguageModelPromptOptions = {}): Promise<string> {
    let text = "";
    for await (const piece of this.#reply(input, options)) text += piece;
    return text;
  }

  /** As {@link LanguageModelSession.prompt}, piece by piece as they are read. */
  promptStreaming(input: LanguageModelPrompt, options: LanguageModelPromptOptions = {}): ReadableStream<string> {
    const stop = new AbortController(),
      { signal, done } = joinedSignal([stop.signal, options.signal]),
      pieces = this.#reply(input, { ...options, signal });
    return new ReadableStream<string>({
      async pull(controller) {
        const next = await pieces.next();
        if (!next.done) return controller.enqueue(next.value);
        done();
        controller.close();
      },
      async cancel(reason) {
        stop.abort(reason);
        done();
        await pieces.return();
      },
    });
  }

  /** Reads messages without answering them. @throws as {@link LanguageModelSession.prompt} */
  async append(input: LanguageModelPrompt, options: SignalOptions = {}): Promise<undefined> {
    const { messages } = readPrompt(input, this.#hasBegun);
    await this.#inTurn(options.signal, async (signal) => await this.#read(messages, signal));
  }

  /** Tokens that a prompt would take. @throws as {@link LanguageModelSession.prompt} */
  async measureContextUsage(input: LanguageModelPrompt, options: LanguageModelPromptOptions = {}): Promise<number> {
    this.#throwIfStopped(options.signal);
    const { messages } = this.#told(input, options),
      before = [...this.#parts.initial, ...this.#conversation.messages];
    return (await this.#count([...before, ...messages])) - (await this.#count(before));
  }

  /** {@link LanguageModelSession.measureContextUsage}, under its older name. */
  async measureInputUsage(input: LanguageModelPrompt, options: LanguageModelPromptOptions = {}): Promise<number> {
    return await this.measureContextUsage(input, options);
  }

  /** A session that has read and said the same, and goes its own way. */
  async clone(options: SignalOptions = {}): Promise<LanguageModelSession> {
    return await this.#inTurn(options.signal, async () => {
      const { context, ...said } = this.#conversation;
      return new LanguageModelSession(this.#parts, { ...said, context: await context.fork() });
    });
  }

  /** Ends what is running, which rejects with an `AbortError`, as all later calls do. The model stays open. */
  destroy(): void {
    this.#destruction.abort(destroyed());
    void closed(this.#conversation.context);
  }

  get #hasBegun(): boolean {
    return this.#parts.initial.length + this.#conversation.messages.length > 0;
  }

  #throwIfStopped(signal: AbortSignal | undefined): void {
    this.#destruction.signal.throwIfAborted();
    signal?.throwIfAborted();
  }

  /** The messages of a prompt, with what the model is told of a constraint. */
  #told(input: LanguageModelPrompt, options: LanguageModelPromptOptions) {
    const { responseConstraint, omitResponseConstraintInput: isOmitted = false } = options,
      constraint = readConstraint(responseConstraint);
    if (isOmitted && constraint === undefined)
      throw new TypeError("omitResponseConstraintInput: there is no responseConstraint to omit");
    const { messages, isPrefix } = readPrompt(input, this.#hasBegun),
      said = constraint === undefined || isOmitted ? [] : [{ role: "user", content: constraint.said }],
      at = isPrefix ? messages.length - 1 : messages.length;
    return {
      messages: [...messages.slice(0, at), ...said, ...messages.slice(at)],
      isPrefix,
      format: constraint?.format,
    };
  }

  async *#reply(input: LanguageModelPrompt, options: LanguageModelPromptOptions): AsyncGenerator<string, void, void> {
    const { messages, isPrefix, format } = this.#told(input, options),
      turn = this.#takeTurn(),
      { signal, done } = joinedSignal([this.#destruction.signal, options.signal]);
    try {
      await turn.begin;
      signal.throwIfAborted();
      const kept = await this.#fit(messages),
        added = [...messages];
      for (let round = 1; ; round++) {
        const all = alternating([...this.#parts.initial, ...kept, ...added]),
          isContinued = isPrefix && round === 1;
        const generation = this.#conversation.context.chat(all, this.#chatOptions({ format, signal }, isContinued));
        for await (const { text } of generation) if (text !== "") yield text;
        const { text, toolCalls } = await generation.result();
        signal.throwIfAborted();
        const begun = isContinued ? String(added.pop()?.content ?? "") : "";
        if (toolCalls.length === 0) {
          added.push({ role: "assistant", content: begun + text });
          break;
        }
        if (round === TOOL_ROUNDS_MAX) throw new DOMException("the model called tools without end", "OperationError");
        added.push(...(await callTools(this.#parts.settings.tools, toolCalls, begun + text)));
        signal.throwIfAborted();
      }
      await this.#become([...kept, ...added]);
    } catch (error) {
      // A signal's own reason goes first.
      signal.throwIfAborted();
      throw this.#exceptionOf(error);
    } finally {
      turn.end();
      done();
    }
  }

  #chatOptions(more: Pick<ChatOptions, "format" | "signal">, isContinued: boolean): ChatOptions {
    const { settings, options } = this.#parts,
      { topK, temperature, tools } = settings;
    return {
      ...options,
      ...more,
      ...toolsOf(tools),
      topK,
      temperature,
      maxTokens: this.contextWindow,
      ...(isContinued ? { continueFinalMessage: true } : {}),
    };
  }

  /** Reads messages into the cache. */
  async #read(messages: readonly ChatMessage[], signal: AbortSignal | undefined): Promise<void> {
    try {
      const kept = await this.#fit(messages),
        all = [...this.#parts.initial, ...kept, ...messages];
      if (all.length > 0) await this.#conversation.context.logits(await this.#ids(all), { signal });
      await this.#become([...kept, ...messages]);
    } catch (error) {
      this.#throwIfStopped(signal);
      throw this.#exceptionOf(error);
    }
  }

  async #become(messages: readonly ChatMessage[]): Promise<void> {
    const usage = await this.#count([...this.#parts.initial, ...messages]);
    // A reply ends where the context does; what the template puts behind it may stand beyond.
    this.#conversation = { ...this.#conversation, messages, usage: Math.min(usage, this.contextWindow) };
  }

  /**
   * The messages that may stay beside new ones: the oldest turns go, the initial messages never.
   * @throws DOMException `QuotaExceededError`
   */
  async #fit(added: readonly ChatMessage[]): Promise<readonly ChatMessage[]> {
    const { initial } = this.#parts;
    let kept = this.#conversation.messages;
    for (;;) {
      const requested = await this.#count([...initial, ...kept, ...added]);
      // One position for the reply.
      if (requested < this.contextWindow) break;
      if (kept.length === 0) throw quotaExceeded(requested, this.contextWindow);
      const next = kept.findIndex(({ role }, i) => i > 0 && role === "user");
      kept = next < 0 ? [] : kept.slice(next);
    }
    if (kept.length < this.#conversation.messages.length) this.#tellOverflow();
    return kept;
  }

  #tellOverflow(): void {
    for (const [type, handler] of [
      ["contextoverflow", this.oncontextoverflow],
      ["quotaoverflow", this.onquotaoverflow],
    ] as const) {
      const event = new Event(type);
      this.dispatchEvent(event);
      handler?.call(this, event);
    }
  }

  async #count(messages: readonly ChatMessage[]): Promise<number> {
    return messages.length === 0 ? 0 : (await this.#ids(messages)).length;
  }

  async #ids(messages: readonly ChatMessage[]): Promise<readonly number[]> {
    const { model, options, settings } = this.#parts,
      { seed: _, ...prompt } = options;
    const rendered = await model.chatPrompt(alternating(messages), {
      ...prompt,
      ...toolsOf(settings.tools),
      addGenerationPrompt: false,
    });
    return rendered.ids;
  }

  #exceptionOf(error: unknown): unknown {
    const isFull = error instanceof OnebitError && error.code === "model/context-full";
    return isFull ? quotaExceeded(this.contextWindow + 1, this.contextWindow) : exceptionOf(error);
  }

  async #inTurn<T>(given: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const turn = this.#takeTurn(),
      { signal, done } = joinedSignal([this.#destruction.signal, given]);
    try {
      await turn.begin;
      signal.throwIfAborted();
      const found = await task(signal);
      signal.throwIfAborted();
      return found;
    } finally {
      turn.end();
      done();
    }
  }

  /** First come, first served. */
  #takeTurn(): { readonly begin: Promise<unknown>; end(): void } {
    let end = (): void => {};
    const begin = this.#last,
      ended = new Promise<void>((resolve) => (end = resolve));
    this.#last = begin.then(() => ended);
    return { begin, end };
  }
}

/** Never rejects: the context of a model that was closed is gone with it. */
async function closed(context: AnyContext): Promise<void> {
  try {
    await context.close();
  } catch {
    // Whoever prompts is told.
  }
}
