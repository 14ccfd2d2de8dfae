/**
 * The decode loop: takes a prompt, gives one piece of text per id, until something stops it.
 *
 * @module
 */
import { fail, OnebitError, throwIfAborted } from "../core/errors.ts";
import { createBreather } from "../core/event-loop.ts";
import { typedRefusal } from "../core/refused-memory.ts";
import type { Engine } from "../model/engine-interface.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Constraint } from "../grammar/constraint.ts";
import { Chooser } from "./chooser.ts";
import type { ContextIds } from "./context-ids.ts";
import type { ShrinkingPrompt } from "./fit-chat.ts";
import type { FormatLoader } from "./format.ts";
import { checkIds, checkSampling, MAX_TOKENS_DEFAULT } from "./options.ts";
import type { GenerateOptions, Sampling } from "./options.ts";
import type { ReplyDelta, ReplyPlan, ToolCall, ToolCallDelta } from "./reply.ts";
import { logprobs } from "./sampler.ts";
import type { TokenLogprob } from "./sampler.ts";
import type { BreathingPlatform } from "./snapshot.ts";
import { type Drafting, type LogitsSource, type Speculation, SpeculativeContext } from "./speculate.ts";
import { createStopScanner } from "./stop.ts";
import type { Turn, Turns } from "./turns.ts";

/**
 * Why a generation ended: an end-of-turn or stop id, a stop string, `maxTokens`, no room left in the context, or the
 * caller (an abort signal, or leaving the loop).
 */
export type StopReason = "stop" | "stop-string" | "length" | "context" | "aborted";

/** What one generated id adds. The texts of all pieces, joined, are the result's text. */
export interface Piece {
  /** The id. */
  readonly id: number;
  /** Whole characters only; empty while one is incomplete or could begin a stop string, and for end-of-turn ids. */
  readonly text: string;
  /** In chats: what the model thinks before it answers. */
  readonly reasoning?: string;
  /** In chats with `tools`: what this id adds to calls of them. */
  readonly toolCalls?: readonly ToolCallDelta[];
  /** With the option `logprobs`: the natural logarithm of this id's probability. */
  readonly logprob?: number;
  /** With `logprobs` above 0: that many likeliest ids, likeliest first. */
  readonly topLogprobs?: readonly TokenLogprob[];
}

/** Counts and times of one generation. */
export interface Timings {
  /** Ids of the prompt. */
  readonly promptTokens: number;
  /** Of those, how many stood in the KV cache already and cost nothing. */
  readonly cachedTokens: number;
  /** Time until the prompt was read. */
  readonly promptMs: number;
  /** Ids generated. */
  readonly tokens: number;
  /** Time spent choosing and evaluating; the consumer's own time between pieces is left out. */
  readonly generateMs: number;
  /** With the option `speculate`: what it gained. */
  readonly speculation?: Speculation;
  /** With the option `format`: tokens that it left no choice about, which needed no walk of their own. */
  readonly forcedTokens?: number;
}

/** A finished generation. */
export interface GenerationResult {
  /** The prompt as ids. */
  readonly promptIds: readonly number[];
  /** Every id generated, an end-of-turn id included. */
  readonly ids: readonly number[];
  /** The text of all pieces: the answer, without reasoning and calls. */
  readonly text: string;
  /** In chats: what the model thought before it answered; else empty. */
  readonly reasoning: string;
  /** In chats with `tools`: the calls of them. The last may be cut short, unless it ended with "stop". */
  readonly toolCalls: readonly ToolCall[];
  /** Why it ended. */
  readonly stopReason: StopReason;
  /** The seed that was used: give it again for the same ids. */
  readonly seed: number | bigint;
  /** Messages of a chat that `onFull` left out. */
  readonly droppedMessages: number;
  /** Counts and times. */
  readonly timings: Timings;
}

/** What a generation works with. `tokenizer` is absent for models without a vocabulary: ids only, texts empty. */
export interface GenerationParts {
  readonly engine: Engine;
  readonly context: ContextIds;
  readonly turns: Turns;
  readonly tokenizer: Tokenizer | undefined;
  readonly drafting: Drafting;
  readonly formats: FormatLoader;
  readonly platform: BreathingPlatform;
}

/**
 * One generation: iterate it for pieces, or await {@link Generation.text} or {@link Generation.result}.
 *
 * Nothing runs before the first of these; it can be iterated once. Leaving the loop early ends it as "aborted". So do
 * its signal and the model's `close`, at once, also while the loop's body awaits something else.
 */
export class Generation implements AsyncIterable<Piece> {
  readonly #pieces: AsyncGenerator<Piece, void, void>;
  readonly #result: Promise<GenerationResult>;
  #started = false;

  /**
   * @internal
   * @param prepare checks what was asked for; runs when the generation starts, so its errors reach whoever waits
   */
  constructor(parts: GenerationParts, prepare: () => GenerationRequest | Promise<GenerationRequest>) {
    let resolve: (result: GenerationResult) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    this.#result = new Promise((onResult, onError) => {
      resolve = onResult;
      reject = onError;
    });
    // The iterating consumer gets the error too; an unawaited result must not end the process.
    this.#result.catch(() => {});
    this.#pieces = runGeneration(parts, prepare, resolve, reject);
  }

  /**
   * Runs it, a piece for each id.
   * @throws OnebitError `option/invalid` the second time
   */
  [Symbol.asyncIterator](): AsyncIterator<Piece> {
    if (this.#started)
      fail("option/invalid", "a generation can be iterated only once: keep its pieces, or call generate again");
    this.#started = true;
    return this.#pieces;
  }

  /**
   * All about the finished generation. Runs it to its end unless someone is iterating.
   * @throws OnebitError as the call that began it
   * @example
   * ```ts
   * import { load } from "onebit";
   *
   * await using model = await load("model.gguf", { contextLength: 256 });
   * const { ids, stopReason, seed } = await model.generate("Roses are red,", { maxTokens: 8 }).result();
   * console.log(ids, stopReason, seed);
   * ```
   */
  async result(): Promise<GenerationResult> {
    if (!this.#started) {
      for await (const _ of this) void _;
    }
    return this.#result;
  }

  /**
   * The whole text, as {@link Generation.result} has it.
   * @throws OnebitError as the call that began it
   */
  async text(): Promise<string> {
    return (await this.result()).text;
  }
}

/** The prompt and options of one generation. */
export interface GenerationRequest {
  readonly promptIds: readonly number[];
  /** Checked by GENERATE_OPTIONS. */
  readonly options: GenerateOptions;
  /** Makes room in a full context. */
  readonly shrinking?: ShrinkingPrompt;
  /** Makes what keeps a chat's reply to its form and takes it apart. */
  readonly reply?: () => ReplyPlan | Promise<ReplyPlan>;
}

/** The options in the form the loop uses. */
interface Plan {
  readonly sampling: Sampling;
  readonly maxTokens: number;
  readonly endIds: ReadonlySet<number>;
  readonly stops: readonly string[];
  readonly nLogprobs: number | undefined;
  readonly onProgress: GenerateOptions["onProgress"];
  readonly chooser: Chooser;
  readonly reply: ReplyPlan | undefined;
}

/** The state of a running generation. */
interface Progress {
  promptIds: readonly number[];
  cachedTokens: number;
  promptMs: number;
  generateMs: number;
  readonly ids: number[];
  text: string;
  reasoning: string;
  readonly toolCalls: ToolCall[];
  stopReason: StopReason;
  shrinking: ShrinkingPrompt | undefined;
}

async function* runGeneration(
  parts: GenerationParts,
  prepare: () => GenerationRequest | Promise<GenerationRequest>,
  resolve: (result: GenerationResult) => void,
  reject: (error: unknown) => void,
): AsyncGenerator<Piece, void, void> {
  const progress: Progress = {
    promptIds: [],
    cachedTokens: 0,
    promptMs: 0,
    generateMs: 0,
    ids: [],
    text: "",
    reasoning: "",
    toolCalls: [],
    stopReason: "aborted",
    shrinking: undefined,
  };
  let seed: number | bigint = 0;
  let failure: { error: unknown } | undefined;
  let turn: Turn | undefined;
  let speculative: SpeculativeContext | undefined;
  let plan: Plan | undefined;
  const end = (): void => {
    turn?.end();
    if (failure) reject(failure.error);
    else resolve(makeResult(progress, seed, speculative?.counts, plan?.chooser.nForced));
  };
  try {
    const prepared = prepare();
    // No await unless needed, so that calls take their turns in the order they were made.
    const { promptIds, options, shrinking, reply: makeReply } = prepared instanceof Promise ? await prepared : prepared,
      made = makeReply?.(),
      reply = made instanceof Promise ? await made : made,
      wanted = reply?.source === undefined ? options.format : { reply: reply.source, format: options.format },
      constraint = wanted === undefined ? undefined : await parts.formats.constraint(wanted);
    plan = makePlan(parts, options, constraint, reply);
    progress.shrinking = shrinking;
    seed = plan.sampling.seed;
    progress.promptIds = promptIds;
    speculative = speculativeContext(parts, plan, options);
    turn = parts.turns.open(options.signal, parts.context);
    turn.priority = options.priority ?? 0;
    turn.hold(() => speculative?.settle());
    await turn.begin();
    yield* decode(parts, speculative ?? parts.context, plan, progress, turn, end);
  } catch (error) {
    if (!(error instanceof OnebitError && error.code === "aborted"))
      failure = { error: typedRefusal(error, "model/not-enough-memory", "generating") };
  } finally {
    // Also runs when the consumer leaves its loop: nothing has failed then, and the reason is still "aborted".
    end();
  }
  if (failure) throw failure.error;
}

/** @param end called as soon as the model is free, even if the consumer never asks again */
async function* decode(
  { engine, tokenizer, context, platform }: GenerationParts,
  source: LogitsSource,
  plan: Plan,
  progress: Progress,
  turn: Turn,
  end: () => void,
): AsyncGenerator<Piece, void, void> {
  let startMs = performance.now();
  throwIfAborted(turn);
  const read = await source.read(progress.promptIds, { turn, onProgress: plan.onProgress });
  progress.cachedTokens = read.nCached;
  let { logits } = read;
  progress.promptMs = performance.now() - startMs;
  if (plan.maxTokens === 0 || plan.chooser.isComplete) {
    progress.stopReason = plan.maxTokens === 0 ? "length" : "stop";
    return;
  }
  let history = [...progress.promptIds],
    isBehind = false;
  const { chooser } = plan,
    { breathe } = createBreather(platform),
    reader = createTextReader(tokenizer, plan.stops, plan.reply?.shown);
  for (;;) {
    startMs = performance.now();
    throwIfAborted(turn);
    const id = chooser.next(logits, history);
    const extra = plan.nLogprobs === undefined ? {} : describe(logits, id, plan.nLogprobs, engine);
    history.push(id);
    progress.ids.push(id);
    let text = chooser.isEnd ? "" : reader.push(id);
    const isLength = progress.ids.length >= plan.maxTokens,
      { isDone } = chooser,
      isOver = isDone || reader.stopped || isLength,
      isFull = history.length > context.contextLength;
    const shorter = !isOver && isFull ? progress.shrinking?.shorten(progress.ids.length) : undefined;
    if (shorter !== undefined) history = [...shorter, ...progress.ids];
    const reason = whyStop(isDone, reader.stopped, isLength, isFull && shorter === undefined);
    if (reason !== undefined) text += reader.end();
    const piece = { id, ...addText(progress, text, plan.reply, reason !== undefined), ...extra };
    if (reason === undefined) {
      progress.generateMs += performance.now() - startMs;
      turn.rest(end);
      yield piece;
      if (!(await turn.goOn()) || shorter !== undefined || chooser.knowsNext) isBehind = true;
      if (chooser.knowsNext) {
        await breathe();
        continue;
      }
      startMs = performance.now();
      logits = isBehind
        ? (await source.read(history, { turn })).logits
        : await source.append(id, turn, plan.maxTokens - progress.ids.length);
      isBehind = false;
      progress.generateMs += performance.now() - startMs;
      continue;
    }
    progress.stopReason = reason;
    progress.generateMs += performance.now() - startMs;
    turn.rest(end);
    yield piece;
    return;
  }
}

/** Takes text apart as the reply of a chat has it. */
function addText(
  progress: Progress,
  text: string,
  reply: ReplyPlan | undefined,
  isLast: boolean,
): Pick<Piece, "text" | "reasoning" | "toolCalls"> {
  if (reply === undefined) {
    progress.text += text;
    return { text };
  }
  let delta = reply.reader.push(text);
  if (isLast) delta = together(delta, reply.reader.end());
  const { reasoning, toolCalls } = delta;
  progress.text += delta.text;
  progress.reasoning += reasoning;
  for (const { index, id, name = "", arguments: more } of toolCalls) {
    const { arguments: before, ...call } = progress.toolCalls[index] ?? { id, name, arguments: "" };
    progress.toolCalls[index] = { ...call, arguments: before + more };
  }
  return {
    text: delta.text,
    ...(reasoning === "" ? {} : { reasoning }),
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  };
}

function together(first: ReplyDelta, second: ReplyDelta): ReplyDelta {
  return {
    text: first.text + second.text,
    reasoning: first.reasoning + second.reasoning,
    toolCalls: [...first.toolCalls, ...second.toolCalls],
  };
}

function whyStop(isDone: boolean, isStopString: boolean, isLength: boolean, isFull: boolean): StopReason | undefined {
  if (isDone) return "stop";
  if (isStopString) return "stop-string";
  if (isLength) return "length";
  return isFull ? "context" : undefined;
}

/**
 * Turns ids into text to show: whole characters, stop strings cut off.
 * @param shown special tokens that are part of the text, and their names
 */
function createTextReader(
  tokenizer: Tokenizer | undefined,
  stops: readonly string[],
  shown: ReadonlyMap<number, string> = NONE_SHOWN,
) {
  const decoder = tokenizer?.stream();
  const scanner = createStopScanner(stops, tokenizer === undefined ? undefined : naming(stops, tokenizer));
  const nKnown = tokenizer?.vocabSize ?? 0;
  return {
    // Head rows beyond the vocabulary are padding: they have no text.
    push: (id: number): string => {
      if (tokenizer === undefined || decoder === undefined || id >= nKnown) return "";
      const name = shown.get(id);
      if (name !== undefined) return scanner.push(decoder.end() + name);
      const text = scanner.push(decoder.push(id));
      return tokenizer.isSpecial(id) ? text + scanner.pushHidden(tokenizer.tokenText(id)) : text;
    },
    end: (): string => (decoder ? scanner.push(decoder.end()) : "") + scanner.end(),
    get stopped() {
      return scanner.stopped;
    },
  };
}

const NONE_SHOWN: ReadonlyMap<number, string> = new Map();

/** The stop strings that name a control token, which prints as nothing. */
function naming(stops: readonly string[], tokenizer: Tokenizer): ReadonlySet<string> {
  const found = new Set<string>();
  for (let id = 0; stops.length > 0 && id < tokenizer.vocabSize; id++) {
    const name = tokenizer.isSpecial(id) ? tokenizer.tokenText(id) : "";
    if (name !== "") for (const stop of stops) if (stop.includes(name)) found.add(stop);
  }
  return found;
}

function describe(
  logits: Float32Array,
  id: number,
  nTop: number,
  engine: Engine,
): Pick<Piece, "logprob" | "topLogprobs"> {
  const { chosen, top } = logprobs(logits, id, nTop, engine.numeric);
  return nTop === 0 ? { logprob: chosen } : { logprob: chosen, topLogprobs: top };
}

function makePlan(
  { engine, tokenizer }: GenerationParts,
  options: GenerateOptions,
  constraint: Constraint | undefined,
  reply: ReplyPlan | undefined,
): Plan {
  const endIds = new Set(options.stopIds ?? []);
  checkIds("stopIds", [...endIds], engine.vocabSize, "option/invalid");
  if (!options.ignoreEnd) tokenizer?.endOfTurnIds.forEach((id) => endIds.add(id));
  const stops = [options.stop ?? []].flat();
  if (stops.length > 0 && tokenizer === undefined) {
    fail("tokenizer/missing", "stop strings need text, but this model file has no vocabulary: use stopIds");
  }
  const sampling = checkSampling(options, engine.vocabSize),
    format =
      constraint === undefined || tokenizer === undefined
        ? undefined
        : { constraint, tokenizer, takesForced: options.logprobs === undefined, budget: reply?.budget };
  return {
    sampling,
    chooser: new Chooser({
      sampling,
      numeric: engine.numeric,
      tokenizer,
      endIds,
      format,
      logitsProcessor: options.logitsProcessor,
    }),
    maxTokens: options.maxTokens ?? MAX_TOKENS_DEFAULT,
    endIds,
    stops,
    nLogprobs: options.logprobs,
    onProgress: options.onProgress,
    reply,
  };
}

/** None for models whose states cannot be cut back to before a wrong guess. */
function speculativeContext(
  { context, drafting, engine }: GenerationParts,
  { endIds }: Plan,
  { speculate = "off" }: GenerateOptions,
): SpeculativeContext | undefined {
  return speculate === "off" || engine.pages.hasStates ? undefined : new SpeculativeContext(context, endIds, drafting);
}

function makeResult(
  progress: Progress,
  seed: number | bigint,
  speculation: Speculation | undefined,
  forcedTokens: number | undefined,
): GenerationResult {
  const { promptIds, ids, text, reasoning, toolCalls, stopReason, shrinking, cachedTokens, promptMs, generateMs } =
    progress;
  const timings = {
    promptTokens: promptIds.length,
    cachedTokens,
    promptMs,
    tokens: ids.length,
    generateMs,
    ...(speculation === undefined ? {} : { speculation }),
    ...(forcedTokens === undefined ? {} : { forcedTokens }),
  };
  const droppedMessages = shrinking?.droppedMessages ?? 0;
  return { promptIds, ids, text, reasoning, toolCalls, stopReason, seed, droppedMessages, timings };
}
