/**
 * Messages to token ids by the model's chat template.
 *
 * The template's own text may hold special tokens; what comes from messages, tools and variables never does, however
 * the template cuts, trims or joins it.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { BOOLEAN, OBJECT, type OptionTable, TEXT, check, kind, list } from "../core/options.ts";
import type { ModelConfig } from "../model/config.ts";
import type { TextPart, Tokenizer } from "../tokenizer/tokenizer.ts";
import { chooseChatTemplate } from "./chat-templates.ts";
import { Template } from "./jinja/template.ts";

/** One turn. Fields beyond these two (`tool_calls`, `reasoning_content`, …) reach the template as they are. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, `tool`: what the model's template knows. */
  role: string;
  content?: string | null;
  [field: string]: unknown;
}

export interface ChatPromptOptions {
  /** Instead of the model's: `bitnet`, `chatml`, `falcon3`, `llama3`, or the text of a Jinja template. */
  chatTemplate?: string;
  /** Function descriptions (JSON schema) for templates that know tools. */
  tools?: readonly unknown[];
  /** End with the beginning of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** Further variables of the template, such as `{ enable_thinking: false }`. */
  templateVariables?: Readonly<Record<string, unknown>>;
  /** What the template's clock says; default now. */
  now?: Date;
}

export const CHAT_PROMPT_OPTIONS: OptionTable<ChatPromptOptions> = {
  chatTemplate: TEXT,
  tools: list("a list of tools", (tool) => tool),
  addGenerationPrompt: BOOLEAN,
  templateVariables: OBJECT,
  now: kind<Date>("a valid Date", (date) => date instanceof Date && !Number.isNaN(date.getTime())),
};

/**
 * @param options checked by {@link CHAT_PROMPT_OPTIONS}
 * @returns the prompt's ids, and the rendered text in parts: `special` ones are the template's own
 * @throws OnebitError `template/missing`, `template/syntax`, `template/raised`, `template/limit`, `option/invalid`
 */
export function renderChat(
  given: readonly ChatMessage[],
  options: ChatPromptOptions,
  tokenizer: Tokenizer,
  config: ModelConfig,
): { ids: number[]; parts: TextPart[] } {
  const messages = checkMessages(given);
  const template = new Template(chooseChatTemplate(options.chatTemplate, tokenizer, config));
  const runs = template.render({
    input: {
      tools: options.tools ?? null,
      documents: null,
      ...options.templateVariables,
      messages,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    },
    trusted: { bos_token: textOf(tokenizer.bosId, tokenizer), eos_token: textOf(tokenizer.eosId, tokenizer) },
    now: options.now,
  });
  const parts = runs.map(({ text, isInput }) => ({ text, special: !isInput }));
  const ids = tokenizer.encodeParts(parts, { addSpecial: false });
  // Most templates print the BOS token themselves; for the others it is added here, never twice.
  if (tokenizer.addBos && tokenizer.bosId !== undefined && ids[0] !== tokenizer.bosId) ids.unshift(tokenizer.bosId);
  return { ids, parts };
}

const MESSAGE = kind<ChatMessage>('an object with a string "role"', (message) => typeof message === "object" && message !== null && typeof (message as ChatMessage).role === "string");

/** @throws OnebitError `option/invalid` */
function checkMessages(messages: unknown): ChatMessage[] {
  const found = check("messages", messages, list("a list of { role, content }", MESSAGE));
  return found.length > 0 ? found : fail("option/invalid", "messages: wanted at least one { role, content }");
}

function textOf(id: number | undefined, tokenizer: Tokenizer): string {
  return id === undefined ? "" : tokenizer.tokenText(id);
}
