/**
 * Requests for `/v1/responses`: their items become messages of a chat.
 *
 * @module
 */
import * as v from "valibot";
import type { ChatMessage, ChatOptions, ToolChoice } from "../../index.ts";
import { TOKENS } from "../chat-request.ts";
import { BOOLEAN, TEXT, checkFields, fields, listOr, oneOf, optional, refused, whole } from "../fields.ts";
import { IGNORED_FIELDS } from "../ignored-fields.ts";
import { FUNCTION, type Tool, listOfTools, withoutUndefined } from "../message-fields.ts";
import { EFFORT, NAMED_SCHEMA, OBJECT, schemaFormat } from "../output-fields.ts";
import { SAMPLING_FIELDS, samplingOptions } from "../sampling-fields.ts";
import type { ServerSettings } from "../server-options.ts";
import { thinkingField, thinkingOptions, toolOptions } from "../tool-options.ts";

const ITEMS_MAX = 4096;
const TOP_LOGPROBS_MAX = 20;
const TOKENS_MAX = 2 ** 31 - 1;

/** What items have that clients send back as they got them. */
const ECHOED = { id: optional(TEXT), status: optional(TEXT) };

const PART = fields({
  type: oneOf("input_text", "output_text", "text"),
  text: TEXT,
  annotations: optional(v.array(v.unknown())),
  logprobs: optional(v.array(v.unknown())),
});
const CONTENT = listOr(v.array(PART), v.string("wanted a text or a list of parts"));

const MESSAGE = fields({
  ...ECHOED,
  type: v.optional(v.literal("message"), "message"),
  role: oneOf("user", "assistant", "system", "developer"),
  content: CONTENT,
  phase: optional(TEXT),
});
const CALL = fields({ ...ECHOED, type: v.literal("function_call"), call_id: TEXT, name: TEXT, arguments: TEXT });
const OUTPUT = fields({ ...ECHOED, type: v.literal("function_call_output"), call_id: TEXT, output: CONTENT });
const REASONING = fields({
  ...ECHOED,
  type: v.literal("reasoning"),
  summary: optional(v.array(v.unknown())),
  content: optional(v.array(v.looseObject({ text: optional(TEXT) }))),
  encrypted_content: optional(TEXT),
});

/** A message may leave its type out, so the other kinds are looked for first. */
const ITEM = v.lazy((input) => {
  const type = typeof input === "object" && input !== null && "type" in input ? input.type : undefined;
  if (type === "function_call") return CALL;
  if (type === "function_call_output") return OUTPUT;
  return type === "reasoning" ? REASONING : MESSAGE;
});
const ITEMS = v.pipe(
  v.array(ITEM),
  v.minLength(1, "wanted at least one item"),
  v.maxLength(ITEMS_MAX, `wanted at most ${ITEMS_MAX} items`),
);

const FORMAT = v.variant(
  "type",
  [
    fields({ type: v.literal("text") }),
    fields({ type: v.literal("json_object") }),
    fields({ type: v.literal("json_schema"), ...NAMED_SCHEMA }),
  ],
  'wanted an object with the type "text", "json_object" or "json_schema"',
);
const TOOL = fields({
  type: v.literal("function", 'only tools of the type "function" are possible'),
  ...FUNCTION,
});
const CHOICE = v.union(
  [oneOf("none", "auto", "required"), fields({ type: v.literal("function"), name: TEXT })],
  'wanted "none", "auto", "required" or { type: "function", name }',
);

/** What else may be included is of tools that run on OpenAI's servers, or encrypted. */
const LOGPROBS = "message.output_text.logprobs";
const IGNORED_HERE: ReadonlySet<string> = new Set([...IGNORED_FIELDS].filter((name) => name !== "include"));

const nothingKept = v.optional(v.null("is not possible: nothing is stored, so give all of the conversation as input"));

const BODY = fields({
  ...SAMPLING_FIELDS,
  model: optional(TEXT),
  input: listOr(ITEMS, v.string("wanted a text or a list of items")),
  instructions: optional(TEXT),
  max_output_tokens: optional(TOKENS),
  stream: optional(BOOLEAN),
  stream_options: optional(fields({ include_obfuscation: optional(BOOLEAN) })),
  tools: optional(listOfTools(TOOL)),
  tool_choice: optional(CHOICE),
  parallel_tool_calls: optional(BOOLEAN),
  text: optional(fields({ format: optional(FORMAT), verbosity: optional(TEXT) })),
  reasoning: optional(fields({ effort: optional(EFFORT), summary: optional(TEXT), generate_summary: optional(TEXT) })),
  truncation: optional(oneOf("auto", "disabled")),
  include: optional(v.array(TEXT, "wanted a list of names")),
  top_logprobs: optional(whole(0, TOP_LOGPROBS_MAX)),
  thinking_budget: optional(whole(0, TOKENS_MAX)),
  chat_template_kwargs: optional(OBJECT),
  cache_group: optional(TEXT),
  background: refused(false, "an answer goes to who asked"),
  previous_response_id: nothingKept,
  conversation: nothingKept,
  prompt: v.optional(v.null("is not possible: no prompts are stored here")),
});

type Given = v.InferOutput<typeof BODY>;

export interface ResponsesRequest {
  readonly model: string | undefined;
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
  readonly cacheGroup: string | undefined;
  /** The field that turned thinking on or off, or limits it. */
  readonly thinkingField: string;
  readonly isStream: boolean;
  /** What the response repeats of it. */
  readonly echo: object;
}

/** @throws ApiError 400 */
export function readResponsesRequest(
  body: unknown,
  { maxTokens = TOKENS_MAX, chatTemplate }: ServerSettings,
): ResponsesRequest {
  const given = checkFields(BODY, body, IGNORED_HERE),
    { tools, tool_choice: choice, text, reasoning } = given,
    thinking = {
      effort: reasoning?.effort,
      budget: given.thinking_budget,
      variables: given.chat_template_kwargs,
    };
  const format = text?.format,
    toolChoice: ToolChoice | undefined = typeof choice === "object" ? { name: choice.name } : choice;
  return {
    model: given.model,
    messages: messagesOf(given),
    cacheGroup: given.cache_group,
    thinkingField: thinkingField(thinking, "reasoning.effort"),
    isStream: given.stream ?? false,
    echo: echoOf(given),
    options: withoutUndefined({
      ...samplingOptions(given),
      maxTokens: Math.min(maxTokens, given.max_output_tokens ?? maxTokens),
      logprobs: given.top_logprobs ?? (given.include?.includes(LOGPROBS) ? 0 : undefined),
      format: format === undefined || format.type === "text" ? undefined : formatOf(format),
      onFull: given.truncation === "auto" ? ("drop-oldest" as const) : undefined,
      chatTemplate,
      ...toolOptions(tools?.map(toolOf), toolChoice, given.parallel_tool_calls),
      ...thinkingOptions(thinking),
    }),
  };
}

function formatOf(format: Exclude<v.InferOutput<typeof FORMAT>, { type: "text" }>): ChatOptions["format"] {
  return schemaFormat(format.type === "json_schema" ? format.schema : undefined);
}

/** Chats have a tool's function in an object of its own. */
function toolOf({ type, ...described }: v.InferOutput<typeof TOOL>): Tool {
  return { type, function: described };
}

function messagesOf({ input, instructions }: Given): ChatMessage[] {
  const messages: ChatMessage[] = instructions === undefined ? [] : [{ role: "system", content: instructions }];
  if (typeof input === "string") return [...messages, { role: "user", content: input }];
  /** Reasoning and calls belong to the assistant's message that follows or comes before them. */
  let thought: string | undefined;
  for (const item of input) {
    const last = messages.at(-1);
    if (item.type === "reasoning") thought = item.content?.map(({ text = "" }) => text).join("");
    else if (item.type === "function_call_output")
      messages.push({ role: "tool", tool_call_id: item.call_id, content: textOf(item.output) });
    else if (item.type === "function_call") {
      const { call_id: id, name, arguments: args } = item,
        call = { id, type: "function", function: { name, arguments: args } };
      if (last?.role === "assistant" && thought === undefined)
        last["tool_calls"] = [...((last["tool_calls"] as unknown[] | undefined) ?? []), call];
      else messages.push({ role: "assistant", content: null, ...reasoned(thought), tool_calls: [call] });
      thought = undefined;
    } else {
      const role = item.role === "developer" ? "system" : item.role;
      messages.push({ role, content: textOf(item.content), ...(role === "assistant" ? reasoned(thought) : {}) });
      thought = undefined;
    }
  }
  return messages;
}

function reasoned(thought: string | undefined): object {
  return thought === undefined || thought === "" ? {} : { reasoning_content: thought };
}

function textOf(content: v.InferOutput<typeof CONTENT>): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("");
}

function echoOf(given: Given): object {
  return {
    instructions: given.instructions ?? null,
    max_output_tokens: given.max_output_tokens ?? null,
    parallel_tool_calls: given.parallel_tool_calls ?? true,
    reasoning: { effort: given.reasoning?.effort ?? null, summary: null },
    temperature: given.temperature ?? null,
    text: { format: given.text?.format ?? { type: "text" } },
    tool_choice: given.tool_choice ?? "auto",
    tools: given.tools ?? [],
    top_logprobs: given.top_logprobs ?? 0,
    top_p: given.top_p ?? null,
    truncation: given.truncation ?? "disabled",
  };
}
