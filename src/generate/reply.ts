/**
 * What the text of a chat's reply is taken apart into.
 *
 * @module
 */
import type { ReplySource } from "../grammar/call-format.ts";

/** A call of a tool. */
export interface ToolCall {
  /** Nine letters and digits, for the result's `tool_call_id`. */
  readonly id: string;
  /** The tool. */
  readonly name: string;
  /** A JSON object as text. */
  readonly arguments: string;
}

/** What a piece adds to a call. */
export interface ToolCallDelta {
  /** Which call, from 0. */
  readonly index: number;
  /** The call's id. */
  readonly id: string;
  /** The tool, with the first delta of a call. */
  readonly name?: string;
  /** More of the JSON text of its arguments. */
  readonly arguments: string;
}

/** What more text of a reply is. */
export interface ReplyDelta {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCallDelta[];
}

/** Takes the text of a reply apart while it is written. */
export interface ReplyReader {
  push(text: string): ReplyDelta;
  /** What was held back. */
  end(): ReplyDelta;
}

/** Thinking is ended after so many tokens. */
export interface ThinkingBudget {
  readonly tokens: number;
  /** Ends the thinking, also where the model ends it itself. */
  readonly end: string;
  /** That text, and what models write behind it. */
  readonly endIds: readonly number[];
}

/** How the reply of a chat is kept to its form and taken apart. */
export interface ReplyPlan {
  /** Absent where the format alone decides. */
  readonly source?: ReplySource;
  /** A fresh one. */
  readonly reader: ReplyReader;
  /** Special tokens that are part of what the reader reads. */
  readonly shown: ReadonlyMap<number, string>;
  readonly budget?: ThinkingBudget;
}
