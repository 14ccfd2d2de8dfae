/**
 * One answer to a conversation, fitted to the model's context.
 *
 * @module
 */
import { OnebitError } from "../../../core/errors.ts";
import type { GenerateOptions, GenerationResult, Piece } from "../../../index.ts";
import type { WorkerGeneration } from "../../worker-generation.ts";
import type { WorkerContext } from "../../worker-context.ts";
import type { WorkerModel } from "../../worker-model.ts";
import { type Style, type Turn, messagesOf, textOf } from "./conversation.ts";
import type { Settings } from "./settings.ts";

export interface AnswerHooks {
  readonly signal: AbortSignal;
  onText(text: string): void;
  /** The beginning of the conversation did not fit the context. */
  onForgotten(): void;
}

export interface Answer {
  readonly stopReason: GenerationResult["stopReason"];
  readonly nTokens: number;
  readonly tokensPerSecond: number | undefined;
  readonly firstTokenMs: number | undefined;
}

/** What answers: a model, its context for the conversation, and what the model does with it. */
export interface Answerer {
  readonly model: WorkerModel;
  readonly context: WorkerContext;
  readonly style: Style;
}

/** Streams an answer. @throws OnebitError as `Context.generate` and `Context.chat`; `engine/worker-lost` */
export async function answer(
  { model, context, style }: Answerer,
  turns: readonly Turn[],
  settings: Settings,
  hooks: AnswerHooks,
): Promise<Answer> {
  const options = generateOptions(settings, hooks.signal);
  if (style === "continue")
    return await stream(
      context.generate(await continuedPrompt(model, textOf(turns), settings.maxTokens, hooks), options),
      hooks,
    );
  return await stream(context.chat(messagesOf(turns, settings.system), { ...options, onFull: "drop-oldest" }), hooks);
}

function generateOptions(
  { system: _, theme: _theme, seed, ...sampling }: Settings,
  signal: AbortSignal,
): GenerateOptions {
  return { ...sampling, ...(seed === undefined ? {} : { seed }), signal };
}

/** The text, or the ids of its end if all of it and an answer do not fit. */
async function continuedPrompt(
  model: WorkerModel,
  text: string,
  maxTokens: number,
  { onForgotten }: AnswerHooks,
): Promise<string | number[]> {
  const ids = await model.tokenizer.encode(text),
    roomForPrompt = model.contextLength - Math.min(maxTokens, Math.floor(model.contextLength / 2)) - 1;
  if (ids.length <= roomForPrompt) return text;
  onForgotten();
  return ids.slice(-roomForPrompt);
}

async function stream(generation: WorkerGeneration, { onText, onForgotten }: AnswerHooks): Promise<Answer> {
  const beginMs = performance.now();
  let firstTokenMs: number | undefined;
  let isThinking = false;
  for await (const { text, reasoning = "" } of generation as AsyncIterable<Piece>) {
    firstTokenMs ??= performance.now() - beginMs;
    // Thinking stands in the text, marked: templates leave it out of later prompts.
    const begin = reasoning !== "" && !isThinking ? "<think>\n" : "",
      end = text !== "" && (isThinking || begin !== "") ? "\n</think>\n\n" : "";
    if (reasoning !== "") isThinking = true;
    if (end !== "") isThinking = false;
    if (reasoning + text !== "") onText(begin + reasoning + end + text);
  }
  const {
    stopReason,
    droppedMessages,
    timings: { tokens, generateMs },
  } = await generation.result();
  if (droppedMessages > 0) onForgotten();
  return {
    stopReason,
    nTokens: tokens,
    tokensPerSecond: tokens > 0 && generateMs > 0 ? (1000 * tokens) / generateMs : undefined,
    firstTokenMs,
  };
}

/** True if a model has a chat template: tries a conversation whose answer is aborted at once. */
export async function styleOf(model: WorkerModel): Promise<Style> {
  try {
    await model.chat([{ role: "user", content: "?" }], { maxTokens: 1, signal: AbortSignal.abort() }).result();
    return "chat";
  } catch (error) {
    if (error instanceof OnebitError && error.code.startsWith("template/")) return "continue";
    throw error;
  }
}
