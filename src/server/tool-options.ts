/**
 * Tools and thinking as options of the library's `chat`.
 *
 * @module
 */
import type * as v from "valibot";
import type { ChatOptions } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { type Tool, type ToolChoice, withoutUndefined } from "./message-fields.ts";
import type { EFFORT } from "./output-fields.ts";

/** Whether a model thinks before it answers; `budget`: for so many tokens at most. */
export type Thinking = "on" | "off" | { readonly budget: number };

export interface ToolAndThinkingOptions extends ChatOptions {
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  readonly thinking?: Thinking;
}

/** @throws ApiError 400 for a choice among no tools */
export function toolOptions(
  tools: readonly Tool[] | undefined,
  toolChoice: ToolChoice | undefined,
  parallelToolCalls: boolean | undefined,
): ToolAndThinkingOptions {
  if (tools !== undefined && tools.length > 0) return withoutUndefined({ tools, toolChoice, parallelToolCalls });
  if (toolChoice === "required" || typeof toolChoice === "object")
    throw new ApiError(400, "invalid_value", "tool_choice: there are no tools to choose from", {
      param: "tool_choice",
    });
  return {};
}

/** What a request says of thinking. */
export interface ThinkingFields {
  readonly effort: v.InferOutput<typeof EFFORT> | undefined;
  readonly budget: number | undefined;
  /** `enable_thinking` among them says whether. */
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/**
 * An effort of `none` turns thinking off. The others are for the template: models that know efforts read
 * `reasoning_effort` there.
 * @throws ApiError 400
 */
export function thinkingOptions({ effort, budget, variables = {} }: ThinkingFields): ToolAndThinkingOptions {
  const { enable_thinking: isOn, ...others } = variables;
  if (isOn !== undefined && typeof isOn !== "boolean")
    throw new ApiError(400, "invalid_value", "chat_template_kwargs.enable_thinking: wanted true or false", {
      param: "chat_template_kwargs.enable_thinking",
    });
  const isOff = isOn === false || effort === "none",
    thinking = isOff ? "off" : budget !== undefined ? { budget } : isOn === true ? "on" : undefined;
  const templateVariables = { ...others, ...(effort === undefined || isOff ? {} : { reasoning_effort: effort }) };
  return withoutUndefined({
    thinking,
    templateVariables: Object.keys(templateVariables).length > 0 ? templateVariables : undefined,
  });
}
