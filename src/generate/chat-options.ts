/**
 * Chat messages, and the options of the prompt rendered from them.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import {
  BOOLEAN,
  type Kind,
  OBJECT,
  type OptionTable,
  TEXT,
  check,
  kind,
  list,
  oneOf,
  options,
  required,
  whole,
} from "../core/options.ts";
import type { GenerateOptions } from "./options.ts";

/** A piece of a message's content. Other kinds than text are refused by name: no model here sees or hears. */
export interface TextContentPart {
  /** The kind of the part. */
  readonly type: "text";
  /** The text. */
  readonly text: string;
  readonly [field: string]: unknown;
}

/**
 * One turn, as OpenAI's clients send it. Fields beyond these (`tool_calls`, `tool_call_id`, `name`,
 * `reasoning_content`, …) reach the template as they are.
 */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, `tool`: what the model's template knows. */
  role: string;
  /** A text, its parts, or null beside tool calls. */
  content?: string | null | readonly TextContentPart[];
  [field: string]: unknown;
}

/** As `on`, with an end. */
export interface LimitedThinking {
  /** The thinking ends after so many tokens. */
  readonly budget: number;
}

/** `on`, `off`, or `on` with a budget. */
export type Thinking = "on" | "off" | LimitedThinking;

/** The one tool a reply calls. */
export interface NamedTool {
  /** The tool's name. */
  readonly name: string;
}

/** Which tools a reply calls: `auto` any or none, `none`, `required` at least one, or the one of a name. */
export type ToolChoice = "auto" | "none" | "required" | NamedTool;

/** How messages become a prompt. */
export interface ChatPromptOptions {
  /**
   * Instead of the model's: the name of another template in its file (`tool_use`, `rag`), `bitnet`, `chatml`,
   * `falcon3`, `llama3`, or the text of a Jinja template.
   */
  chatTemplate?: string;
  /**
   * Functions that the reply may call: `{ type: "function", function: { name, description, parameters, strict } }`, or
   * the inner object alone; `parameters` is a JSON Schema, which the arguments of calls fit. A file's template
   * `tool_use` is taken when it has one. A model whose template knows no tools is told of them in a system message.
   */
  tools?: readonly unknown[];
  /** How the model writes calls, where its template does not tell: `hermes`, `llama3`, `json` and others. */
  toolFormat?: string;
  /**
   * Whether the model thinks before it answers. Default: as its template has it. `on` is refused where the template
   * knows no thinking.
   */
  thinking?: Thinking;
  /** Objects with a `title` and a `text`, for templates that know documents. */
  documents?: readonly unknown[];
  /** End with the beginning of the assistant's turn. Default true, unless `continueFinalMessage`. */
  addGenerationPrompt?: boolean;
  /** End within the last message, so that the reply goes on with it. Default false. */
  continueFinalMessage?: boolean;
  /**
   * When messages and reply do not fit the context. `stop`, the default: a longer prompt is refused, and a reply ends
   * where the context does. `drop-oldest`: the oldest turns are left out, also while the reply is written; system
   * messages at the beginning and the last turn stay.
   */
  onFull?: "stop" | "drop-oldest";
  /** Further variables of the template, such as `{ enable_thinking: false }`. */
  templateVariables?: Readonly<Record<string, unknown>>;
  /** What the template's clock says; default now. */
  now?: Date;
}

/** How the reply of a chat calls tools. */
export interface ToolOptions {
  /** Whether `tools` are called, and which. What is refused cannot be written. Default `auto`. */
  toolChoice?: ToolChoice;
  /** Several calls at once. Default true, for models whose form of calls has it. */
  parallelToolCalls?: boolean;
}

/** Options of {@link Model.chat}. */
export interface ChatOptions extends GenerateOptions, ChatPromptOptions, ToolOptions {}

const THINKING: Kind<Thinking> = (value, name, code) =>
  typeof value === "object"
    ? options<LimitedThinking>({ budget: required(whole(0)) })(value, name, code)
    : oneOf("on", "off")(value, name, code);

const TOOL_CHOICE: Kind<ToolChoice> = (value, name, code) =>
  typeof value === "object"
    ? options<NamedTool>({ name: required(TEXT) })(value, name, code)
    : oneOf("auto", "none", "required")(value, name, code);

export const TOOL_OPTIONS: OptionTable<ToolOptions> = { toolChoice: TOOL_CHOICE, parallelToolCalls: BOOLEAN };

export const CHAT_PROMPT_OPTIONS: OptionTable<ChatPromptOptions> = {
  chatTemplate: TEXT,
  tools: list("a list of tools", (tool) => tool),
  toolFormat: TEXT,
  thinking: THINKING,
  documents: list("a list of documents", OBJECT),
  addGenerationPrompt: BOOLEAN,
  continueFinalMessage: BOOLEAN,
  onFull: oneOf("stop", "drop-oldest"),
  templateVariables: OBJECT,
  now: kind<Date>("a valid Date", (date) => date instanceof Date && !Number.isNaN(date.getTime())),
};

/** Template variables that have an option of their own, and that option. */
const OPTION_OF_VARIABLE: Readonly<Record<string, string>> = {
  messages: "messages, the first argument",
  tools: "tools",
  documents: "documents",
  add_generation_prompt: "addGenerationPrompt",
  continue_final_message: "continueFinalMessage",
};

/** Refuses options that contradict each other. @throws OnebitError `option/invalid` */
export function checkChatOptions(options: ChatPromptOptions): void {
  for (const name of Object.keys(options.templateVariables ?? {})) {
    if (Object.hasOwn(OPTION_OF_VARIABLE, name))
      fail("option/invalid", `templateVariables: ${name} has its own option, ${OPTION_OF_VARIABLE[name]}: use that`);
  }
  if (options.continueFinalMessage === true && options.addGenerationPrompt === true) {
    fail(
      "option/invalid",
      "continueFinalMessage continues the last message, addGenerationPrompt begins another: give only one",
    );
  }
}

const MESSAGE: Kind<ChatMessage> = (value, name, code) => {
  const isMessage = typeof value === "object" && value !== null && typeof (value as ChatMessage).role === "string";
  if (!isMessage) fail(code, `${name}: wanted an object with a string "role", got ${shown(value)}`);
  const { content } = value as { content?: unknown };
  if (content === undefined || content === null || typeof content === "string") return value as ChatMessage;
  const parts = list('a text, a list of { type: "text", text } or null', PART)(content, `${name}.content`, code);
  // A copy: the caller may change its list later.
  return { ...(value as ChatMessage), content: parts };
};

const PART: Kind<TextContentPart> = (value, name, code) => {
  const part = OBJECT(value, name, code);
  if (part["type"] !== "text")
    fail(code, `${name}: wanted a part of type "text", got ${shown(part["type"])}: this model reads text only`);
  if (typeof part["text"] !== "string") fail(code, `${name}.text: wanted a text, got ${shown(part["text"])}`);
  return value as TextContentPart;
};

/** @throws OnebitError `option/invalid` */
export function checkMessages(messages: unknown): ChatMessage[] {
  const found = check("messages", messages, list("a list of { role, content }", MESSAGE));
  return found.length > 0 ? found : fail("option/invalid", "messages: wanted at least one { role, content }");
}
