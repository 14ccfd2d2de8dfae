/**
 * Prompts as messages of a chat.
 *
 * @module
 */
import type { ChatMessage } from "../index.ts";
import { notSupported } from "./errors.ts";
import type { LanguageModelContent, LanguageModelMessage, LanguageModelPrompt } from "./types.ts";

/** A checked prompt. */
export interface ReadPrompt {
  readonly messages: readonly ChatMessage[];
  /** The last message is the beginning of the reply. */
  readonly isPrefix: boolean;
}

const ROLES: readonly string[] = ["system", "user", "assistant"];

/**
 * @param hasBegun the session has messages: a system message comes too late
 * @throws TypeError for what is no prompt at all; DOMException as the standard says
 */
export function readPrompt(input: LanguageModelPrompt, hasBegun: boolean): ReadPrompt {
  if (!Array.isArray(input)) return { messages: [{ role: "user", content: textOf(input) }], isPrefix: false };
  const messages = input.length === 0 ? [{ role: "user", content: "" }] : input.map(messageOf),
    prefixAt = input.findIndex(({ prefix }: LanguageModelMessage) => prefix === true);
  if (prefixAt >= 0 && (prefixAt < input.length - 1 || messages[prefixAt]!.role !== "assistant"))
    throw new DOMException("prefix: wanted it of the last message, of the assistant", "SyntaxError");
  const lateAt = messages.findIndex(({ role }, i) => role === "system" && (hasBegun || i > 0));
  if (lateAt >= 0)
    throw new DOMException("a system message stands before all others: give it as initialPrompts", "TypeError");
  return { messages, isPrefix: prefixAt >= 0 };
}

function textOf(input: unknown): string {
  if (typeof input === "object" && input !== null) throw new TypeError("wanted a text, or a list of messages");
  return String(input);
}

function messageOf(message: LanguageModelMessage): ChatMessage {
  if (typeof message !== "object" || message === null || !ROLES.includes(message.role))
    throw new TypeError(`wanted messages with a role, ${ROLES.join(", ")}`);
  const { role, content } = message;
  if (!Array.isArray(content)) return { role, content: textOf(content) };
  return { role, content: content.map(textOfPart).join("") };
}

function textOfPart({ type, value }: LanguageModelContent): string {
  if (type !== "text")
    throw notSupported(`models here read texts, got a part of the type ${String(type).slice(0, 40)}`);
  if (typeof value === "string") return value;
  throw new DOMException("value: wanted a text", "TypeError");
}

/** Templates want turns to alternate: what one role says in a row is one message. */
export function alternating(messages: readonly ChatMessage[]): ChatMessage[] {
  const found: ChatMessage[] = [];
  for (const message of messages) {
    const last = found.at(-1),
      isSame = last?.role === message.role && message.role !== "tool";
    if (isSame && typeof last.content === "string" && typeof message.content === "string")
      found[found.length - 1] = { ...last, ...message, content: `${last.content}\n${message.content}` };
    else found.push(message);
  }
  return found;
}
