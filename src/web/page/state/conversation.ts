/**
 * The conversation, and its prompt: a chat by the model's template, or one text to continue.
 *
 * @module
 */
import type { ChatMessage } from "../../../index.ts";

export interface Turn {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** `chat`: the model has a chat template. `continue`: it has none, and continues the typed text. */
export type Style = "chat" | "continue";

/** In continued text, a new paragraph separates the model's text from the next typed one. */
const PARAGRAPH = "\n\n";

/** The whole conversation as one text. */
export function textOf(turns: readonly Turn[]): string {
  return turns.reduce(
    (text, turn) =>
      turn.role === "assistant" || text === "" ? text + turn.text : text.replace(/\n+$/, "") + PARAGRAPH + turn.text,
    "",
  );
}

/**
 * The messages of a chat.
 * @param system instructions that come first; empty for none
 */
export function messagesOf(turns: readonly Turn[], system: string): ChatMessage[] {
  const messages: ChatMessage[] = turns.map(({ role, text }) => ({ role, content: text }));
  return system.trim() === "" ? messages : [{ role: "system", content: system }, ...messages];
}

/** The conversation up to turn `index`, with its text replaced. Later turns answered the old one. */
export function editedAt(turns: readonly Turn[], index: number, text: string): Turn[] {
  return [...turns.slice(0, index), { role: turns[index].role, text }];
}

/** The conversation without the last answer. */
export function withoutAnswer(turns: readonly Turn[]): Turn[] {
  return turns.at(-1)?.role === "assistant" ? turns.slice(0, -1) : [...turns];
}
