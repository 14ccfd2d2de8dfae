/**
 * Tools of a session: how the model is told of them, and what comes of its calls.
 *
 * @module
 */
import type { ChatMessage, ToolCall } from "../index.ts";
import { notSupported } from "./errors.ts";
import type { LanguageModelTool } from "./types.ts";

/** A model that calls and calls would never answer. */
export const TOOL_ROUNDS_MAX = 8;

export function toolsOf(tools: readonly LanguageModelTool[]): { readonly tools?: readonly object[] } {
  if (tools.length === 0) return {};
  const functions = tools.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: { name, description, parameters: inputSchema },
  }));
  return { tools: functions };
}

/**
 * The message that calls, and what each call gave.
 * @throws whatever a tool rejects with; DOMException for a call that broke off
 */
export async function callTools(
  tools: readonly LanguageModelTool[],
  calls: readonly ToolCall[],
  text: string,
): Promise<ChatMessage[]> {
  const call = {
    role: "assistant",
    content: text === "" ? null : text,
    tool_calls: calls.map(({ id, name, arguments: args }) => ({
      id,
      type: "function",
      function: { name, arguments: args },
    })),
  };
  const answers = calls.map(async ({ id, name, arguments: args }): Promise<ChatMessage> => {
    const tool = tools.find((one) => one.name === name);
    if (tool === undefined) throw notSupported(`the model called ${name}, which is no tool of this session`);
    return { role: "tool", tool_call_id: id, name, content: String(await tool.execute(argumentsOf(args))) };
  });
  return [call, ...(await Promise.all(answers))];
}

function argumentsOf(text: string): Readonly<Record<string, unknown>> {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    // The context was full within the call.
  }
  if (typeof found === "object" && found !== null) return { ...found };
  throw new DOMException("a call of a tool broke off", "OperationError");
}
