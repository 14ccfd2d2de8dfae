/**
 * What the reply of a chat may be beside text: thinking, and calls of tools.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { packagePart } from "../core/package-part.ts";
import type { ReplySource } from "../grammar/call-format.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ChatOptions } from "./chat-options.ts";
import type { ReplyPlan } from "./reply.ts";
import { type PromptThinking, ThinkingReader, endOfThinking } from "./thinking.ts";
import type { ToolPlan } from "./tools/tools.ts";

/**
 * Makes a plan for the reply; undefined where it is text alone.
 * @param template the text of the chat template
 * @throws OnebitError `option/invalid` for a choice among no tools
 */
export function replyOf(
  template: string,
  options: ChatOptions,
  tokenizer: Tokenizer,
  thinking: PromptThinking | undefined,
): (() => ReplyPlan | Promise<ReplyPlan>) | undefined {
  const { tools = [], toolChoice = "auto" } = options,
    thoughts = thinking?.state === "none" ? undefined : thinking;
  if (tools.length > 0)
    return async () => {
      const part = await packagePart("the reader of tool calls", () => import("./tools/tools.ts"));
      return planOf(options, tokenizer, thoughts, part.planTools(template, options));
    };
  if (toolChoice === "required" || typeof toolChoice === "object")
    fail("option/invalid", "toolChoice: there are no tools: give them as tools");
  return thoughts === undefined ? undefined : () => planOf(options, tokenizer, thoughts, undefined);
}

function planOf(
  { format, thinking }: ChatOptions,
  tokenizer: Tokenizer,
  thoughts: PromptThinking | undefined,
  tools: ToolPlan | undefined,
): ReplyPlan {
  const budget = thoughts !== undefined && typeof thinking === "object" ? thinking.budget : undefined,
    isKept = tools !== undefined || format !== undefined || budget !== undefined,
    marks = thoughts?.marks;
  const source: ReplySource = {
    ...(thoughts === undefined ? {} : { thinking: sourceOf(thoughts) }),
    ...(tools === undefined ? {} : { calls: tools.calls }),
  };
  const reader = thoughts === undefined ? tools?.reader : new ThinkingReader(thoughts, tools?.reader),
    markers = [marks?.begin, marks?.end, ...(tools?.calls.format.markers ?? [])];
  return {
    ...(isKept ? { source } : {}),
    reader: reader ?? fail("option/invalid", "a reply of text alone has no plan"),
    shown: specialsNamed(tokenizer, markers),
    ...(budget === undefined || marks === undefined
      ? {}
      : {
          budget: {
            tokens: budget,
            end: marks.end,
            endIds: tokenizer.encodeParts([{ text: endOfThinking(marks), special: true }], { addSpecial: false }),
          },
        }),
  };
}

function sourceOf({ marks: { begin, end }, state }: PromptThinking): NonNullable<ReplySource["thinking"]> {
  return state === "begun" ? { end, isOptional: false } : { begin, end, isOptional: true };
}

/** Those of the names that are special tokens, which have no text of their own. */
function specialsNamed(tokenizer: Tokenizer, names: readonly (string | undefined)[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const name of names) {
    const id = name === undefined ? undefined : tokenizer.tokenId(name);
    if (name !== undefined && id !== undefined && tokenizer.isSpecial(id)) found.set(id, name);
  }
  return found;
}
