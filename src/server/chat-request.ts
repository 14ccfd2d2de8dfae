/**
 * Requests for `/v1/chat/completions`.
 *
 * @module
 */
import * as v from "valibot";
import type { ChatMessage, ChatOptions } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { BOOLEAN, TEXT, checkFields, fields, optional, refused, whole } from "./fields.ts";
import { IGNORED_FIELDS } from "./ignored-fields.ts";
import { MESSAGES, TOOLS, TOOL_CHOICE, chatMessages, toolChoiceOf, withoutUndefined } from "./message-fields.ts";
import { EFFORT, FORMAT_FIELDS, OBJECT, formatOf } from "./output-fields.ts";
import { SAMPLING_FIELDS, samplingOptions } from "./sampling-fields.ts";
import type { ServerSettings } from "./server-options.ts";
import { thinkingField, thinkingOptions, toolOptions } from "./tool-options.ts";

/** Each choice is a context that is computed beside the others. */
export const CHOICES_MAX = 16;
/** OpenAI's. */
const TOP_LOGPROBS_MAX = 20;
const TOKENS_MAX = 2 ** 31 - 1;

export const TOKENS = whole(1, TOKENS_MAX);
export const STREAM_FIELDS = {
  stream: optional(BOOLEAN),
  /** Padding that hides the lengths of events is not needed beside TLS. */
  stream_options: optional(fields({ include_usage: optional(BOOLEAN), include_obfuscation: optional(BOOLEAN) })),
};

const BODY = fields({
  ...SAMPLING_FIELDS,
  ...FORMAT_FIELDS,
  ...STREAM_FIELDS,
  model: optional(TEXT),
  messages: MESSAGES,
  n: optional(whole(1, CHOICES_MAX)),
  max_tokens: optional(TOKENS),
  max_completion_tokens: optional(TOKENS),
  logprobs: optional(BOOLEAN),
  top_logprobs: optional(whole(0, TOP_LOGPROBS_MAX)),
  tools: optional(TOOLS),
  tool_choice: optional(TOOL_CHOICE),
  parallel_tool_calls: optional(BOOLEAN),
  reasoning_effort: optional(EFFORT),
  thinking_budget: optional(whole(0, TOKENS_MAX)),
  chat_template_kwargs: optional(OBJECT),
  cache_group: optional(TEXT),
  modalities: optional(v.array(v.literal("text", 'only "text" is possible: models here write text'))),
  web_search_options: refusedObject("models here have no web"),
  audio: refusedObject("models here write text"),
  functions: refusedObject("use tools"),
  function_call: refusedObject("use tool_choice"),
  echo: refused(false, "an answer is the reply alone"),
});

function refusedObject(why: string) {
  return v.optional(v.null(`is not possible: ${why}`));
}

export interface ChatRequest {
  readonly model: string | undefined;
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
  readonly nChoices: number;
  readonly cacheGroup: string | undefined;
  /** The field that turned thinking on or off, or limits it. */
  readonly thinkingField: string;
  readonly isStream: boolean;
  readonly includesUsage: boolean;
}

/** @throws ApiError 400 */
export function readChatRequest(body: unknown, { maxTokens = TOKENS_MAX, chatTemplate }: ServerSettings): ChatRequest {
  const given = checkFields(BODY, body, IGNORED_FIELDS);
  const { stream = false, stream_options, n = 1, logprobs = false, top_logprobs } = given;
  if (top_logprobs !== undefined && !logprobs)
    throw new ApiError(400, "invalid_value", "top_logprobs: needs logprobs to be true", { param: "top_logprobs" });
  checkStreamOptions(stream, stream_options);
  const thinking = {
    effort: given.reasoning_effort,
    budget: given.thinking_budget,
    variables: given.chat_template_kwargs,
  };
  return {
    model: given.model,
    messages: chatMessages(given.messages),
    nChoices: n,
    cacheGroup: given.cache_group,
    thinkingField: thinkingField(thinking, "reasoning_effort"),
    isStream: stream,
    includesUsage: stream_options?.include_usage ?? false,
    options: withoutUndefined({
      ...samplingOptions(given),
      maxTokens: Math.min(maxTokens, given.max_completion_tokens ?? given.max_tokens ?? maxTokens),
      logprobs: logprobs ? (top_logprobs ?? 0) : undefined,
      format: formatOf(given),
      chatTemplate,
      ...toolOptions(given.tools, toolChoiceOf(given.tool_choice), given.parallel_tool_calls),
      ...thinkingOptions(thinking),
    }),
  };
}

/** @throws ApiError 400 */
export function checkStreamOptions(stream: boolean, options: object | undefined): void {
  if (options !== undefined && !stream)
    throw new ApiError(400, "invalid_value", "stream_options: needs stream to be true", { param: "stream_options" });
}

/** The seed of a choice: with one seed all choices would be the same. */
export function choiceOptions<Options extends { seed?: number | bigint }>(options: Options, choice: number): Options {
  const { seed } = options;
  return typeof seed !== "number" || choice === 0
    ? options
    : { ...options, seed: (seed + choice) % Number.MAX_SAFE_INTEGER };
}
