/**
 * Earlier calls of tools as templates want them: arguments as objects or as texts, contents null or empty. And tools
 * for models whose templates know none.
 *
 * @module
 */
import type { ChatMessage, ChatPromptOptions } from "./chat-options.ts";

/** What templates do with objects; others print what they get. */
const TAKES_OBJECTS = /\bitems\b|\btojson\b/;

/** Forms of messages that mean the same; the first that a template can print is meant. */
export function messageForms(template: string, messages: readonly ChatMessage[]): readonly (readonly ChatMessage[])[] {
  if (!messages.some(({ tool_calls: calls }) => Array.isArray(calls) && calls.length > 0)) return [messages];
  const objects = messages.map((message) => withArguments(message, asObject)),
    texts = messages.map((message) => withArguments(message, asText));
  const forms = TAKES_OBJECTS.test(template) ? [objects, texts] : [texts, objects];
  return forms.flatMap((form) => [form, form.map(withContent)]);
}

function withArguments(message: ChatMessage, change: (value: unknown) => unknown): ChatMessage {
  const { tool_calls: calls } = message;
  if (!Array.isArray(calls)) return message;
  return { ...message, tool_calls: (calls as readonly unknown[]).map((call) => changed(call, change)) };
}

function changed(call: unknown, change: (value: unknown) => unknown): unknown {
  if (typeof call !== "object" || call === null) return call;
  const { function: inner, arguments: own } = call as { function?: unknown; arguments?: unknown };
  if (typeof inner === "object" && inner !== null) return { ...call, function: changed(inner, change) };
  return own === undefined ? call : { ...call, arguments: change(own) };
}

/** As text, what clients send; it stays text where it is no object. */
function asObject(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    const found: unknown = JSON.parse(value === "" ? "{}" : value);
    return typeof found === "object" && found !== null ? found : value;
  } catch {
    return value;
  }
}

function asText(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

/** Some templates look for text in the content beside calls, which clients send as null. */
function withContent(message: ChatMessage): ChatMessage {
  return Array.isArray(message["tool_calls"]) ? { ...message, content: message.content ?? "" } : message;
}

/** Whether the messages must tell of the tools, because the template does not. */
export function tellsNoTools(template: string, { tools = [], toolFormat }: ChatPromptOptions): boolean {
  return tools.length > 0 && (toolFormat === undefined ? !template.includes("tools") : toolFormat === "json");
}

/** Messages with earlier calls as text, where the template prints none: they would be lost. */
export function printableCalls(template: string, messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return template.includes("tool_calls") ? messages : messages.map(asPlainMessage);
}

/** Messages that tell of the tools: a system message, and earlier calls as text. */
export function tellingTools(messages: readonly ChatMessage[], tools: readonly unknown[]): ChatMessage[] {
  const told =
    "You can call functions. To call one, answer with nothing but a JSON object: " +
    '{"name": the function\'s name, "arguments": an object that fits its parameters}. ' +
    `Otherwise answer in words. The functions:\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}`;
  const [first, ...others] = messages;
  const hasSystem = first?.role === "system" && typeof first.content === "string";
  const opening: ChatMessage = { role: "system", content: hasSystem ? `${String(first.content)}\n\n${told}` : told };
  return [opening, ...(hasSystem ? others : messages).map(asPlainMessage)];
}

function asPlainMessage(message: ChatMessage): ChatMessage {
  const { tool_calls: calls, ...plain } = message;
  if (!Array.isArray(calls) || calls.length === 0) return message;
  const texts = (calls as readonly { function?: unknown }[]).map((call) => {
    const { name, arguments: given } = (call?.function ?? call ?? {}) as { name?: unknown; arguments?: unknown };
    return JSON.stringify({ name, arguments: asObject(given) });
  });
  const content = typeof plain.content === "string" && plain.content !== "" ? `${plain.content}\n` : "";
  return { ...plain, role: message.role, content: content + texts.join("\n") };
}
