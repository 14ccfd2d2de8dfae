/**
 * The AI SDK's options of a call as options of a chat.
 *
 * @module
 */
import type { LanguageModelV3CallOptions, SharedV3Warning } from "@ai-sdk/provider";
import type { ChatOptions } from "../index.ts";

/** Options of {@link languageModel}. */
export interface LanguageModelOptions {
  /** What logs call the model. Default: the name in its file. */
  readonly modelId?: string;
  /**
   * For every call, where the call itself says nothing else: `{ chatTemplate, thinking, minP, … }`. A call gives them
   * as `providerOptions: { onebit: { … } }`.
   */
  readonly defaults?: Omit<ChatOptions, "signal" | "onProgress">;
}

/** A call's options, and what of them has no meaning here. */
export interface ReadOptions {
  readonly options: ChatOptions;
  readonly warnings: SharedV3Warning[];
}

/** The name under which a call gives options that the SDK does not know. */
const PROVIDER = "onebit";

export function chatOptions(
  call: LanguageModelV3CallOptions,
  defaults: LanguageModelOptions["defaults"] = {},
): ReadOptions {
  const warnings: SharedV3Warning[] = [];
  const given: ChatOptions = {
    maxTokens: call.maxOutputTokens,
    temperature: call.temperature,
    topP: call.topP,
    topK: call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    seed: call.seed,
    stop: call.stopSequences,
    format: formatOf(call.responseFormat),
    ...toolOptions(call, warnings),
  };
  // What a call leaves out must not hide a default.
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { options: { ...defaults, ...call.providerOptions?.[PROVIDER], ...said, signal: call.abortSignal }, warnings };
}

function formatOf(format: LanguageModelV3CallOptions["responseFormat"]): ChatOptions["format"] {
  if (format?.type !== "json") return undefined;
  return format.schema === undefined ? "json" : { jsonSchema: { ...format.schema } };
}

function toolOptions(
  { tools = [], toolChoice }: LanguageModelV3CallOptions,
  warnings: SharedV3Warning[],
): Pick<ChatOptions, "tools" | "toolChoice"> {
  const functions = tools.flatMap((tool) => {
    if (tool.type === "function") {
      const { name, description, inputSchema, strict } = tool;
      return [{ type: "function", function: { name, description, parameters: inputSchema, strict } }];
    }
    warnings.push({ type: "unsupported", feature: `the provider's tool ${tool.id}` });
    return [];
  });
  if (functions.length === 0) return {};
  const choice = toolChoice?.type === "tool" ? { name: toolChoice.toolName } : toolChoice?.type;
  return { tools: functions.map(withoutUndefined), toolChoice: choice };
}

/** Chat templates print what a tool has: a description that is not given is not there. */
function withoutUndefined(tool: { readonly type: string; readonly function: object }): object {
  return {
    ...tool,
    function: Object.fromEntries(Object.entries(tool.function).filter(([, value]) => value !== undefined)),
  };
}
