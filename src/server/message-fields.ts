/**
 * Messages and tools as OpenAI's clients send them, and as the library's `chat` takes them.
 *
 * @module
 */
import * as v from "valibot";
import type { ChatMessage, ToolChoice } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { BOOLEAN, TEXT, fields, listOr, oneOf, optional } from "./fields.ts";
import { OBJECT } from "./output-fields.ts";

/** Requests have at most a mebibyte; the limit keeps a rendering within its steps. */
const MESSAGES_MAX = 4096;
const TOOLS_MAX = 128;

const PART = fields({
  type: v.literal("text", 'only parts of the type "text" are possible: models here read text'),
  text: TEXT,
});
const CONTENT = listOr(v.array(PART), v.string('wanted a text or a list of parts of the type "text"'));

const TOOL_CALL = fields({
  id: TEXT,
  type: optional(v.literal("function", 'wanted "function"')),
  function: fields({ name: TEXT, arguments: TEXT }),
  index: optional(v.number("wanted a number")),
});

/** `audio`, `function_call` and `annotations` come back in messages that clients keep as they got them. */
const MESSAGE = fields({
  role: oneOf("system", "developer", "user", "assistant", "tool"),
  content: optional(CONTENT),
  name: optional(TEXT),
  tool_calls: optional(v.array(TOOL_CALL, "wanted a list of calls")),
  tool_call_id: optional(TEXT),
  reasoning_content: optional(TEXT),
  refusal: optional(TEXT),
  audio: v.optional(v.null("wanted null: models here write text")),
  function_call: v.optional(v.null("wanted null: use tool_calls")),
  annotations: optional(v.array(v.unknown())),
});

export const MESSAGES = v.pipe(
  v.array(MESSAGE, "wanted a list of messages"),
  v.minLength(1, "wanted at least one message"),
  v.maxLength(MESSAGES_MAX, `wanted at most ${MESSAGES_MAX} messages`),
);

/** OpenAI allows a name 64 letters, digits, dashes and underscores. */
export const FUNCTION = {
  name: v.pipe(TEXT, v.regex(/^[\w.-]{1,64}$/, "wanted 1 to 64 letters, digits, dots, dashes or underscores")),
  description: optional(TEXT),
  parameters: optional(OBJECT),
  strict: optional(BOOLEAN),
};

const TOOL = fields({
  type: v.literal("function", 'only tools of the type "function" are possible'),
  function: fields(FUNCTION),
});

export function listOfTools<const Schema extends v.GenericSchema>(tool: Schema) {
  return v.pipe(v.array(tool, "wanted a list of tools"), v.maxLength(TOOLS_MAX, `wanted at most ${TOOLS_MAX} tools`));
}

export const TOOLS = listOfTools(TOOL);
export type Tool = v.InferOutput<typeof TOOL>;

export const TOOL_CHOICE = v.union(
  [oneOf("none", "auto", "required"), fields({ type: v.literal("function"), function: fields({ name: TEXT }) })],
  'wanted "none", "auto", "required" or { type: "function", function: { name } }',
);

export function toolChoiceOf(choice: v.InferOutput<typeof TOOL_CHOICE> | undefined): ToolChoice | undefined {
  return typeof choice === "object" ? { name: choice.function.name } : choice;
}

/**
 * As the library takes them: templates know no developer.
 * @throws ApiError 400 for a message that says nothing; an assistant's may have only called, or thought
 */
export function chatMessages(messages: v.InferOutput<typeof MESSAGES>): ChatMessage[] {
  const empty = messages.findIndex(({ role, content }) => role !== "assistant" && content === undefined);
  if (empty >= 0) {
    const param = `messages[${empty}].content`;
    throw new ApiError(400, "invalid_value", `${param}: wanted a text, or a list of parts`, { param });
  }
  return messages.map(({ role, content = null, name, tool_calls, tool_call_id, reasoning_content, refusal }) => ({
    role: role === "developer" ? "system" : role,
    content: content ?? refusal ?? null,
    ...withoutUndefined({ name, tool_calls, tool_call_id, reasoning_content }),
  }));
}

export function withoutUndefined<T extends object>(object: T): Partial<T> {
  const present = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<T>;
}
