/**
 * The AI SDK's prompt as messages of a chat.
 *
 * @module
 */
import type {
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3ToolResultOutput,
  LanguageModelV3ToolResultPart,
} from "@ai-sdk/provider";
import { fail } from "../core/errors.ts";
import type { ChatMessage } from "../index.ts";

type Of<Role extends LanguageModelV3Message["role"]> = Extract<LanguageModelV3Message, { role: Role }>;
type UserPart = Of<"user">["content"][number];
type AssistantPart = Of<"assistant">["content"][number];

/** @throws OnebitError `option/invalid` for images, other files, and tools that a provider runs */
export function chatMessages(prompt: LanguageModelV3Prompt): ChatMessage[] {
  return prompt.flatMap((message, i): ChatMessage[] => {
    const place = `prompt[${i}]`;
    switch (message.role) {
      case "system":
        return [{ role: "system", content: message.content }];
      case "user":
        return [{ role: "user", content: message.content.map((part) => userText(part, place)).join("\n") }];
      case "assistant":
        return [assistantMessage(message.content, place)];
      case "tool":
        // Approvals are the SDK's own business: what came of them is a result.
        return message.content.flatMap((part) => (part.type === "tool-result" ? [toolMessage(part, place)] : []));
    }
  });
}

function userText(part: UserPart, place: string): string {
  return part.type === "text" ? part.text : refuseFile(part.mediaType, place);
}

function assistantMessage(parts: readonly AssistantPart[], place: string): ChatMessage {
  let content = "",
    reasoning = "";
  const calls: object[] = [];
  for (const part of parts) {
    if (part.type === "text") content += part.text;
    else if (part.type === "reasoning") reasoning += part.text;
    else if (part.type === "file") refuseFile(part.mediaType, place);
    else if (part.type === "tool-result" || part.providerExecuted === true)
      fail("option/invalid", `${place}: ${part.toolName}: this provider runs no tools: give it as your own`);
    else
      calls.push({ id: part.toolCallId, type: "function", function: { name: part.toolName, arguments: part.input } });
  }
  return {
    role: "assistant",
    content,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function toolMessage({ toolCallId, toolName, output }: LanguageModelV3ToolResultPart, place: string): ChatMessage {
  return { role: "tool", tool_call_id: toolCallId, name: toolName, content: outputText(output, place) };
}

function outputText(output: LanguageModelV3ToolResultOutput, place: string): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "The user did not allow this call.";
    case "content":
      return output.value.map((part) => (part.type === "text" ? part.text : refuseFile(part.type, place))).join("\n");
  }
}

function refuseFile(kind: string, place: string): never {
  return fail("option/invalid", `${place}: wanted text, got ${kind}: no model here sees or hears`);
}
