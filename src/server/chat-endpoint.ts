/**
 * `/v1/chat/completions`: a reply as one object, or as a stream of chunks.
 *
 * @module
 */
import type { AnyModel } from "../any-model.ts";
import type { GenerationResult, Piece } from "../index.ts";
import { type Ask, type Usage, answerSteps, finishReason, newId, nowSeconds, usageOf } from "./answer.ts";
import { type ChatRequest, choiceOptions, readChatRequest } from "./chat-request.ts";
import { DONE, dataEvent, eventStream } from "./event-stream.ts";
import { type ChatLogprob, chatLogprob } from "./token-logprobs.ts";
import type { Visit } from "./visit.ts";

/** What all chunks of an answer, or the answer, begin with. */
interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** @throws ApiError, OnebitError */
export async function chatCompletions(visit: Visit, body: unknown): Promise<Response> {
  const request = readChatRequest(body, visit.service.settings),
    modelName = visit.service.room.nameOf(request.model);
  const ask: Ask = {
    modelName,
    nChoices: request.nChoices,
    cacheGroup: request.cacheGroup,
    fieldNames: { thinking: request.thinkingField },
    generate: (context, choice, signal) =>
      context.chat(request.messages, { ...choiceOptions(request.options, choice), signal }),
  };
  const head = { id: newId("chatcmpl-"), created: nowSeconds(), model: modelName };
  if (request.isStream) return await eventStream(visit, chunks(visit, ask, request, head));
  return Response.json(await completion(visit, ask, head));
}

async function completion(visit: Visit, ask: Ask, head: Head): Promise<object> {
  const results: GenerationResult[] = [],
    logprobs: ChatLogprob[][] = Array.from({ length: ask.nChoices }, () => []);
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { choice, piece, result } of answerSteps(visit, model, ask)) {
      if (result !== undefined) results[choice] = result;
      const found = piece && (await chatLogprob(model, piece));
      if (found !== undefined) logprobs[choice].push(found);
    }
  } finally {
    visit.end();
  }
  const choices = results.map((result, index) => ({
    index,
    message: messageOf(result),
    logprobs: logprobs[index].length > 0 ? { content: logprobs[index], refusal: null } : null,
    finish_reason: finishReason(result),
  }));
  return { ...head, object: "chat.completion", choices, usage: usageOf(results) };
}

function messageOf({ text, reasoning, toolCalls }: GenerationResult): object {
  const calls = toolCalls.map(({ id, name, arguments: args }) => ({
    id,
    type: "function",
    function: { name, arguments: args },
  }));
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

async function* chunks(
  visit: Visit,
  ask: Ask,
  { includesUsage }: ChatRequest,
  head: Head,
): AsyncGenerator<string, void, void> {
  const chunk = (choices: readonly object[], usage: Usage | null = null): string =>
    dataEvent({ ...head, object: "chat.completion.chunk", choices, ...(includesUsage ? { usage } : {}) });
  const delta = (index: number, change: object, more: { finish_reason?: string; logprobs?: object } = {}): string =>
    chunk([{ index, delta: change, logprobs: null, finish_reason: null, ...more }]);
  const results: GenerationResult[] = [],
    hasBegun = new Set<number>();
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { choice, piece, result } of answerSteps(visit, model, ask)) {
      // Not before the first token: until then a failure has a status.
      if (!hasBegun.has(choice)) yield delta(choice, { role: "assistant", content: "" });
      hasBegun.add(choice);
      if (piece !== undefined) yield* pieceChunks(model, piece, choice, delta);
      if (result === undefined) continue;
      results[choice] = result;
      yield delta(choice, {}, { finish_reason: finishReason(result) });
    }
    if (includesUsage) yield chunk([], usageOf(results));
    yield DONE;
  } finally {
    visit.end();
  }
}

/** Usually one; none for a token that completes no character. */
async function* pieceChunks(
  model: AnyModel,
  piece: Piece,
  choice: number,
  delta: (index: number, change: object, more?: { logprobs?: object }) => string,
): AsyncGenerator<string, void, void> {
  const { text, reasoning = "", toolCalls = [] } = piece,
    found = await chatLogprob(model, piece);
  const calls = toolCalls.map(({ index, id, name, arguments: args }) =>
    name === undefined
      ? { index, function: { arguments: args } }
      : { index, id, type: "function", function: { name, arguments: args } },
  );
  const change = {
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(text === "" && found === undefined ? {} : { content: text }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  if (Object.keys(change).length > 0)
    yield delta(choice, change, found === undefined ? {} : { logprobs: { content: [found], refusal: null } });
}
