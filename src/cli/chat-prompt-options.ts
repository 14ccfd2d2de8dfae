/**
 * Options that shape a chat's prompt, for every command that writes one.
 *
 * @module
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { fail, quoted } from "../core/errors.ts";
import { TEMPLATE_CHARS_MAX } from "../core/limits.ts";
import { CHAT_TEMPLATES, type ChatPromptOptions, isChatTemplateText } from "../index.ts";
import type { Command, Options } from "./command.ts";

export const CHAT_PROMPT_OPTION_TYPES = {
  "chat-template": { type: "string" },
  "no-thinking": { type: "boolean" },
  thinking: { type: "string" },
} as const satisfies Command["optionTypes"];

export const CHAT_PROMPT_OPTION_HELP: Command["optionHelp"] = [
  [
    "--chat-template T",
    "a template instead of the model's own: bitnet, chatml, falcon3, llama3, a name from the model file, a file, " +
      "or the template's text",
  ],
  ["--thinking T", "on, off, or the most tokens that a reasoning model thinks; it goes to standard error"],
  ["--no-thinking", "as --thinking off"],
];

export function chatPromptOptions(options: Options): ChatPromptOptions {
  return {
    chatTemplate: readTemplate(options.text("chat-template")),
    thinking: options.flag("no-thinking") ? "off" : readThinking(options.text("thinking")),
  };
}

function readThinking(given: string | undefined): ChatPromptOptions["thinking"] {
  if (given === undefined || given === "on" || given === "off") return given;
  return /^\d{1,9}$/.test(given)
    ? { budget: Number(given) }
    : fail("usage", `--thinking: wanted on, off or a number of tokens, got ${quoted(given)}`);
}

/** A file's text if there is such a file; the library resolves names and templates. */
function readTemplate(given: string | undefined): string | undefined {
  if (given === undefined || Object.hasOwn(CHAT_TEMPLATES, given) || isChatTemplateText(given) || !existsSync(given))
    return given;
  if (statSync(given).size > TEMPLATE_CHARS_MAX * 4)
    fail("usage", `--chat-template: ${quoted(given)} is too large for a template`);
  const text = readFileSync(given, "utf8");
  return isChatTemplateText(text)
    ? text
    : fail("usage", `--chat-template: ${quoted(given)} has no {{ or {%: wanted a template`);
}
