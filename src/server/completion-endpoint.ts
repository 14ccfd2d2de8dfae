/**
 * `/v1/completions`: goes on with texts or ids.
 *
 * @module
 */
import * as v from "valibot";
import type { AnyModel } from "../any-model.ts";
import type { GenerateOptions, GenerationResult, Piece } from "../index.ts";
import { type Ask, answerSteps, finishReason, newId, nowSeconds, usageOf } from "./answer.ts";
import { CHOICES_MAX, STREAM_FIELDS, TOKENS, checkStreamOptions, choiceOptions } from "./chat-request.ts";
import { DONE, dataEvent, eventStream } from "./event-stream.ts";
import { TEXT, checkFields, fields, listOr, optional, refused, whole } from "./fields.ts";
import { ApiError } from "./api-error.ts";
import { IGNORED_FIELDS } from "./ignored-fields.ts";
import { withoutUndefined } from "./message-fields.ts";
import { FORMAT_FIELDS, formatOf } from "./output-fields.ts";
import { SAMPLING_FIELDS, samplingOptions } from "./sampling-fields.ts";
import { chatLogprob } from "./token-logprobs.ts";
import type { Visit } from "./visit.ts";

/** OpenAI's default. */
const MAX_TOKENS_DEFAULT = 16;
/** OpenAI's. */
const LOGPROBS_MAX = 5;

const ID = whole(0, 2 ** 31 - 1);
const PROMPT = listOr(
  v.union([v.array(TEXT), v.array(ID), v.array(v.array(ID))], "wanted a list of texts, or of token ids"),
  v.string("wanted a text, token ids, or a list of texts or of token ids"),
);

const BODY = fields({
  ...SAMPLING_FIELDS,
  ...FORMAT_FIELDS,
  ...STREAM_FIELDS,
  model: optional(TEXT),
  prompt: PROMPT,
  n: optional(whole(1, CHOICES_MAX)),
  best_of: optional(whole(1, CHOICES_MAX)),
  max_tokens: optional(TOKENS),
  logprobs: optional(whole(0, LOGPROBS_MAX)),
  cache_group: optional(TEXT),
  echo: refused(false, "an answer is what follows the prompt"),
  suffix: refused("", "models here go on with a text and fill no gaps"),
});

interface CompletionRequest {
  readonly model: string | undefined;
  /** One for each prompt. */
  readonly prompts: readonly (string | readonly number[])[];
  readonly nChoices: number;
  readonly cacheGroup: string | undefined;
  readonly options: GenerateOptions;
  readonly isStream: boolean;
  readonly includesUsage: boolean;
}

interface Head {
  readonly id: string;
  readonly object: "text_completion";
  readonly created: number;
  readonly model: string;
}

/** @throws ApiError, OnebitError */
export async function completions(visit: Visit, body: unknown): Promise<Response> {
  const request = readRequest(body, visit.service.settings.maxTokens ?? Infinity),
    { prompts, nChoices, options } = request,
    modelName = visit.service.room.nameOf(request.model);
  const ask: Ask = {
    modelName,
    nChoices: prompts.length * nChoices,
    cacheGroup: request.cacheGroup,
    // As in OpenAI's: the choices of the first prompt, then those of the next.
    generate: (context, choice, signal) =>
      context.generate(prompts[Math.floor(choice / nChoices)], {
        ...choiceOptions(options, choice % nChoices),
        signal,
      }),
  };
  const head: Head = { id: newId("cmpl-"), object: "text_completion", created: nowSeconds(), model: modelName };
  if (request.isStream) return await eventStream(visit, chunks(visit, ask, request, head));
  return Response.json(await completion(visit, ask, request, head));
}

/** @throws ApiError 400 */
function readRequest(body: unknown, tokensMax: number): CompletionRequest {
  const given = checkFields(BODY, body, IGNORED_FIELDS);
  const { prompt, n = 1, best_of = n, stream = false, stream_options } = given,
    prompts = promptsOf(prompt);
  if (best_of !== n)
    throw new ApiError(400, "invalid_value", "best_of: wanted the same as n, since no choice is thrown away", {
      param: "best_of",
    });
  if (prompts.length === 0 || prompts.length * n > CHOICES_MAX)
    throw new ApiError(400, "invalid_value", `prompt: wanted 1 to ${CHOICES_MAX} prompts, times n`, {
      param: "prompt",
    });
  checkStreamOptions(stream, stream_options);
  return {
    model: given.model,
    prompts,
    nChoices: n,
    cacheGroup: given.cache_group,
    isStream: stream,
    includesUsage: stream_options?.include_usage ?? false,
    options: withoutUndefined({
      ...samplingOptions(given),
      maxTokens: Math.min(given.max_tokens ?? MAX_TOKENS_DEFAULT, tokensMax),
      logprobs: given.logprobs,
      format: formatOf(given),
    }),
  };
}

function promptsOf(prompt: v.InferOutput<typeof PROMPT>): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  const isIds = (items: readonly unknown[]): items is readonly number[] => typeof items[0] === "number";
  return isIds(prompt) ? [prompt] : (prompt as readonly (string | readonly number[])[]);
}

/** OpenAI's older shape: a list for each property. */
class LogprobLists {
  readonly tokens: string[] = [];
  readonly token_logprobs: number[] = [];
  readonly top_logprobs: Readonly<Record<string, number>>[] = [];
  readonly text_offset: number[] = [];
  #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  async push(model: AnyModel, piece: Piece): Promise<void> {
    const found = await chatLogprob(model, piece);
    if (found === undefined) return;
    this.tokens.push(found.token);
    this.token_logprobs.push(found.logprob);
    this.top_logprobs.push(Object.fromEntries(found.top_logprobs.map(({ token, logprob }) => [token, logprob])));
    this.text_offset.push(this.#offset);
    this.#offset += piece.text.length;
  }
}

async function completion(
  visit: Visit,
  ask: Ask,
  { prompts, options }: CompletionRequest,
  head: Head,
): Promise<object> {
  const results: GenerationResult[] = [],
    logprobs = Array.from({ length: ask.nChoices }, () => new LogprobLists(0));
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { choice, piece, result } of answerSteps(visit, model, ask)) {
      if (result !== undefined) results[choice] = result;
      if (piece !== undefined) await logprobs[choice].push(model, piece);
    }
  } finally {
    visit.end();
  }
  const choices = results.map((result, index) => ({
    index,
    text: result.text,
    logprobs: options.logprobs === undefined ? null : logprobs[index],
    finish_reason: finishReason(result),
  }));
  return { ...head, choices, usage: usageOf(results, prompts.length) };
}

async function* chunks(
  visit: Visit,
  ask: Ask,
  { includesUsage, prompts }: CompletionRequest,
  head: Head,
): AsyncGenerator<string, void, void> {
  const usage = includesUsage ? { usage: null } : {},
    results: GenerationResult[] = [],
    offsets: number[] = Array.from({ length: ask.nChoices }, () => 0);
  const chunk = (index: number, text: string, logprobs: object | null, finish_reason: string | null): string =>
    dataEvent({ ...head, choices: [{ index, text, logprobs, finish_reason }], ...usage });
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { choice, piece, result } of answerSteps(visit, model, ask)) {
      if (result !== undefined) {
        results[choice] = result;
        yield chunk(choice, "", null, finishReason(result));
        continue;
      }
      const logprobs = new LogprobLists(offsets[choice]);
      await logprobs.push(model, piece);
      offsets[choice] += piece.text.length;
      const hasLogprobs = piece.logprob !== undefined;
      if (piece.text !== "" || hasLogprobs) yield chunk(choice, piece.text, hasLogprobs ? logprobs : null, null);
    }
    if (includesUsage) yield dataEvent({ ...head, choices: [], usage: usageOf(results, prompts.length) });
    yield DONE;
  } finally {
    visit.end();
  }
}
