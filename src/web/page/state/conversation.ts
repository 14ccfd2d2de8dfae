/**
 * What was said, and how a model is asked to go on: as a chat by its template, or as one text that is continued.
 *
 * @module
 */
import type { ChatMessage } from "../../../index.ts";

export interface Turn {
  readonly role: "user" | "assistant";
  readonly text: string;
}

/** `chat`: the model has a chat template. `continue`: it has none, and what is typed is the beginning of a text. */
export type Style = "chat" | "continue";

/** Between what a model wrote and what is typed next, in a text that is continued: a new paragraph. */
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
 * The messages of a chat, without its oldest `nDropped` questions and their answers; the last question always stays.
 * @param system instructions that come first; empty for none
 */
export function messagesOf(turns: readonly Turn[], system: string, nDropped: number): ChatMessage[] {
  const questions = turns.flatMap(({ role }, i) => (role === "user" ? [i] : []));
  const first = questions[Math.min(nDropped, questions.length - 1)] ?? 0;
  const messages: ChatMessage[] = turns.slice(first).map(({ role, text }) => ({ role, content: text }));
  return system.trim() === "" ? messages : [{ role: "system", content: system }, ...messages];
}

/** How many questions there are that {@link messagesOf} can drop. */
export function nDroppable(turns: readonly Turn[]): number {
  return Math.max(0, turns.filter(({ role }) => role === "user").length - 1);
}

/** The conversation up to turn `index`, which then says `text`. What came after answered something else. */
export function editedAt(turns: readonly Turn[], index: number, text: string): Turn[] {
  return [...turns.slice(0, index), { role: turns[index].role, text }];
}

/** Without the last answer, to be given another. */
export function withoutAnswer(turns: readonly Turn[]): Turn[] {
  return turns.at(-1)?.role === "assistant" ? turns.slice(0, -1) : [...turns];
}
