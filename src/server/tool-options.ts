/**
 * Tools and thinking as options of the library's `chat`.
 *
 * @module
 */
import type * as v from "valibot";
import type { ChatOptions } from "../index.ts";
import type { Tool, ToolChoice } from "./message-fields.ts";
import { withoutUndefined } from "./message-fields.ts";
import type { EFFORT } from "./output-fields.ts";

export function toolOptions(
  tools: readonly Tool[] | undefined,
  choice: ToolChoice | undefined,
  isParallel: boolean | undefined,
): ChatOptions {
  if (tools === undefined || tools.length === 0) return {};
  void choice;
  void isParallel;
  return { tools };
}

export function thinkingOf(
  effort: v.InferOutput<typeof EFFORT> | undefined,
  variables: Readonly<Record<string, unknown>> | undefined,
): ChatOptions {
  const templateVariables = effort === undefined ? variables : { enable_thinking: effort !== "none", ...variables };
  return withoutUndefined({ templateVariables });
}
