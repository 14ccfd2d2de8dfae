/**
 * `/v1/responses`: a chat as a response with items, whole or as events. Nothing is stored.
 *
 * @module
 */
import type { GenerationResult } from "../../index.ts";
import { type Ask, answerSteps, finishReason, newId, nowSeconds } from "../answer.ts";
import { apiErrorOf } from "../api-error.ts";
import { eventStream, namedEvent } from "../event-stream.ts";
import { fieldOfOption } from "../sampling-fields.ts";
import { chatLogprob } from "../token-logprobs.ts";
import type { Visit } from "../visit.ts";
import { ResponseOutput } from "./output.ts";
import { type ResponsesRequest, readResponsesRequest } from "./request.ts";

/** A response without what comes of it. */
interface Head {
  readonly id: string;
  readonly object: "response";
  readonly created_at: number;
  readonly model: string;
  readonly [name: string]: unknown;
}

/** @throws ApiError, OnebitError */
export async function responses(visit: Visit, body: unknown): Promise<Response> {
  const request = readResponsesRequest(body, visit.service.settings),
    modelName = visit.service.room.nameOf(request.model);
  const ask: Ask = {
    modelName,
    nChoices: 1,
    cacheGroup: request.cacheGroup,
    fieldNames: { thinking: request.thinkingField },
    generate: (context, _, signal) => context.chat(request.messages, { ...request.options, signal }),
  };
  const head: Head = headOf(request, modelName);
  if (!request.isStream) return Response.json(await whole(visit, ask, head));
  let nEvents = 0;
  const event = (type: string, data: object): string => namedEvent(type, { type, sequence_number: nEvents++, ...data });
  return await eventStream(visit, events(visit, ask, head, event), (error) => {
    const { code, message } = apiErrorOf(error, fieldOfOption).body.error;
    return event("response.failed", { response: responseObject(head, "failed", [], { error: { code, message } }) });
  });
}

function headOf({ echo }: ResponsesRequest, model: string): Head {
  return {
    id: newId("resp_"),
    object: "response",
    created_at: nowSeconds(),
    model,
    ...echo,
    background: false,
    metadata: {},
    previous_response_id: null,
    service_tier: "default",
    store: false,
  };
}

function responseObject(head: Head, status: string, output: readonly object[], more: object = {}): object {
  return { ...head, status, output, error: null, incomplete_details: null, usage: null, ...more };
}

/** With the status that its end gives. */
function finished(head: Head, output: ResponseOutput, result: GenerationResult): object {
  const isCut = finishReason(result) === "length",
    { promptTokens, cachedTokens, tokens } = result.timings;
  return responseObject(head, isCut ? "incomplete" : "completed", output.items, {
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: cachedTokens },
      output_tokens: tokens,
      output_tokens_details: { reasoning_tokens: output.nReasoning },
      total_tokens: promptTokens + tokens,
    },
  });
}

async function whole(visit: Visit, ask: Ask, head: Head): Promise<object> {
  const output = new ResponseOutput();
  let response: object = {};
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { piece, result } of answerSteps(visit, model, ask)) {
      if (piece !== undefined) output.push(piece, await chatLogprob(model, piece));
      if (result === undefined) continue;
      output.end(finishReason(result) === "length");
      response = finished(head, output, result);
    }
  } finally {
    visit.end();
  }
  return response;
}

async function* events(
  visit: Visit,
  ask: Ask,
  head: Head,
  event: (type: string, data: object) => string,
): AsyncGenerator<string, void, void> {
  const output = new ResponseOutput();
  let hasBegun = false;
  try {
    const model = await visit.enter(ask.modelName);
    for await (const { piece, result } of answerSteps(visit, model, ask)) {
      if (!hasBegun) {
        const response = responseObject(head, "in_progress", []);
        yield event("response.created", { response });
        yield event("response.in_progress", { response });
        hasBegun = true;
      }
      if (piece !== undefined)
        for (const one of output.push(piece, await chatLogprob(model, piece))) yield event(one.type, one);
      if (result === undefined) continue;
      const isCut = finishReason(result) === "length";
      for (const one of output.end(isCut)) yield event(one.type, one);
      yield event(isCut ? "response.incomplete" : "response.completed", { response: finished(head, output, result) });
    }
  } finally {
    visit.end();
  }
}
