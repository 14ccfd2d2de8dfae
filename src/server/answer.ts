/**
 * The answer to a request, step by step: one generation for each choice, in contexts of their own that compute
 * together.
 *
 * @module
 */
import type { AnyContext, AnyGeneration, AnyModel } from "../any-model.ts";
import { OnebitError } from "../core/errors.ts";
import { isJson } from "../core/is-json.ts";
import type { GenerationResult, Piece, ToolCall } from "../index.ts";
import { apiErrorOf } from "./api-error.ts";
import { fieldOfOption } from "./sampling-fields.ts";
import type { ContextsWanted, Visit } from "./visit.ts";

export type FinishReason = "stop" | "length" | "tool_calls";

/** What a request asks a model for. */
export interface Ask extends ContextsWanted {
  readonly nChoices: number;
  /** The request's names of the library's options, where they depend on the request. */
  readonly fieldNames?: Readonly<Record<string, string>>;
  /** Begins one choice, which `signal` stops. */
  generate(context: AnyContext, choice: number, signal: AbortSignal): AnyGeneration;
}

/** A piece of a choice, or its end. */
export type Step =
  | { readonly choice: number; readonly piece: Piece; readonly result?: undefined }
  | { readonly choice: number; readonly result: GenerationResult; readonly piece?: undefined };

/**
 * Computes at most one token of each choice ahead of who iterates.
 * @throws ApiError when the visit was stopped before anything was written; OnebitError as the generations
 */
export async function* answerSteps(visit: Visit, model: AnyModel, ask: Ask): AsyncGenerator<Step, void, void> {
  try {
    yield* steps(visit, model, ask);
  } catch (error) {
    const { fieldNames = {} } = ask,
      isOption = error instanceof OnebitError && error.code.startsWith("option/");
    throw isOption ? apiErrorOf(error, (option) => fieldNames[option] ?? fieldOfOption(option)) : error;
  }
}

async function* steps(visit: Visit, model: AnyModel, ask: Ask): AsyncGenerator<Step, void, void> {
  const running = new Map<number, { generation: AnyGeneration; pieces: AsyncIterator<Piece> }>(),
    coming = new Map<number, Promise<{ choice: number; next: IteratorResult<Piece> }>>();
  const advance = (choice: number, pieces: AsyncIterator<Piece>): void => {
    const next = pieces.next().then((found) => ({ choice, next: found }));
    // Another choice may fail first, and this one is never looked at.
    next.catch(() => {});
    coming.set(choice, next);
  };
  for (let choice = 0; choice < ask.nChoices; choice++) {
    const generation = ask.generate(await visit.context(model, ask, choice), choice, visit.signal),
      pieces = generation[Symbol.asyncIterator]();
    running.set(choice, { generation, pieces });
    advance(choice, pieces);
  }
  let nPieces = 0;
  while (coming.size > 0) {
    const { choice, next } = await Promise.race(coming.values()),
      { generation, pieces } = running.get(choice)!;
    if (!next.done) {
      nPieces++;
      yield { choice, piece: next.value };
      advance(choice, pieces);
      continue;
    }
    coming.delete(choice);
    // What was written when the time was over is an answer; nothing is none.
    if (nPieces === 0 || visit.stopReason !== "deadline") visit.throwIfStopped();
    const result = await generation.result();
    count(visit, result);
    yield { choice, result };
    // Before the stream ends: on Workers nothing runs behind it.
    if (choice === 0) await visit.keepConversation();
  }
}

export function finishReason({
  stopReason,
  toolCalls,
}: Pick<GenerationResult, "stopReason" | "toolCalls">): FinishReason {
  if (stopReason !== "stop" && stopReason !== "stop-string") return "length";
  // A stop text may stand within the arguments of a call, which nobody can run then.
  const last = toolCalls.at(-1);
  return last !== undefined && isWholeCall(last) ? "tool_calls" : "stop";
}

/** Whether the arguments, an object, have come to their end. */
export function isWholeCall({ arguments: text }: Pick<ToolCall, "arguments">): boolean {
  return isJson(text);
}

function count({ service: { metrics } }: Visit, { timings }: GenerationResult): void {
  metrics.add("onebit_prompt_tokens_total", timings.promptTokens);
  metrics.add("onebit_cached_tokens_total", timings.cachedTokens);
  metrics.add("onebit_generated_tokens_total", timings.tokens);
  metrics.add("onebit_prompt_seconds_total", timings.promptMs / 1000);
  metrics.add("onebit_generate_seconds_total", timings.generateMs / 1000);
}

/** OpenAI's counts: a prompt counts once, whatever the number of choices. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** @param nPrompts the results are of so many prompts, in order, with as many choices each */
export function usageOf(results: readonly GenerationResult[], nPrompts = 1): Usage {
  const perPrompt = results.length / nPrompts,
    firsts = results.filter((_, i) => i % perPrompt === 0),
    sum = (of: readonly GenerationResult[], name: "promptTokens" | "cachedTokens" | "tokens"): number =>
      of.reduce((total, { timings }) => total + timings[name], 0);
  const prompt = sum(firsts, "promptTokens"),
    completion = sum(results, "tokens");
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(firsts, "cachedTokens") },
  };
}

/** `chatcmpl-…`: 96 random bits. */
export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
