/**
 * Tools and thinking as options of the library's `chat`.
 *
 * @module
 */
import type * as v from "valibot";
import type { ChatOptions, ToolChoice } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { type Tool, withoutUndefined } from "./message-fields.ts";
import type { EFFORT } from "./output-fields.ts";

/** @throws ApiError 400 for a choice among no tools */
export function toolOptions(
  tools: readonly Tool[] | undefined,
  toolChoice: ToolChoice | undefined,
  parallelToolCalls: boolean | undefined,
): ChatOptions {
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

/** The field of the request that an error of the library's option `thinking` is about. */
export function thinkingField({ budget, variables }: ThinkingFields, effortField: string): string {
  if (budget !== undefined) return "thinking_budget";
  return variables?.["enable_thinking"] === undefined ? effortField : "chat_template_kwargs.enable_thinking";
}

/**
 * An effort of `none` turns thinking off. The others are for the template: models that know efforts read
 * `reasoning_effort` there.
 * @throws ApiError 400
 */
export function thinkingOptions({ effort, budget, variables = {} }: ThinkingFields): ChatOptions {
  const { enable_thinking: isOn, ...others } = variables;
  if (isOn !== undefined && typeof isOn !== "boolean")
    throw new ApiError(400, "invalid_value", "chat_template_kwargs.enable_thinking: wanted true or false", {
      param: "chat_template_kwargs.enable_thinking",
    });
  const isOff = isOn === false || effort === "none";
  if (isOff && (isOn === true || budget !== undefined)) {
    const param = budget === undefined ? "chat_template_kwargs.enable_thinking" : "thinking_budget";
    throw new ApiError(400, "invalid_value", `${param}: another field turns thinking off: give only one`, { param });
  }
  const thinking = isOff ? "off" : budget !== undefined ? { budget } : isOn === true ? "on" : undefined;
  const templateVariables = { ...others, ...(effort === undefined || isOff ? {} : { reasoning_effort: effort }) };
  return withoutUndefined({
    thinking,
    templateVariables: Object.keys(templateVariables).length > 0 ? templateVariables : undefined,
  });
}
