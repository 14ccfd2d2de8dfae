/**
 * Messages to token ids by the model's chat template.
 *
 * The template's own text may hold special tokens; what comes from messages, tools and variables never does, however
 * the template cuts, trims or joins it.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
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

/**
 * @returns the prompt's ids, and the rendered text in parts: `special` ones are the template's own
 * @throws OnebitError `template/missing`, `template/syntax`, `template/raised`, `template/limit`, `option/invalid`
 */
export function renderChat(
  messages: readonly ChatMessage[],
  options: ChatPromptOptions,
  tokenizer: Tokenizer,
  config: ModelConfig,
): { ids: number[]; parts: TextPart[] } {
  checkMessages(messages);
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

function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages) || messages.length === 0) fail("option/invalid", "messages: wanted at least one { role, content }");
  messages.forEach((message, i) => {
    const isObject = typeof message === "object" && message !== null;
    if (!isObject || typeof message.role !== "string") fail("option/invalid", `messages[${i}]: wanted an object with a string "role"`);
  });
}

function textOf(id: number | undefined, tokenizer: Tokenizer): string {
  return id === undefined ? "" : tokenizer.tokenText(id);
}
