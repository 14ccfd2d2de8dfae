/**
 * A reply as the AI SDK has it: parts of a stream, each text between its start and its end; and the content of a whole.
 *
 * @module
 */
import type {
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
} from "@ai-sdk/provider";
import { isJson } from "../core/is-json.ts";
import type { GenerationResult, Piece, ToolCall } from "../index.ts";

/** What is open in a stream: a text, a reasoning, or the input of a call. */
type Open = { readonly kind: "text" | "reasoning" | "tool-input"; readonly id: string };

/** Makes the parts of one stream. */
export class ReplyParts {
  #open: Open | undefined;
  #nBlocks = 0;

  *of({ text, reasoning = "", toolCalls = [] }: Piece): Generator<LanguageModelV3StreamPart> {
    if (reasoning !== "") yield* this.#write("reasoning", reasoning);
    if (text !== "") yield* this.#write("text", text);
    for (const { id, name, arguments: delta } of toolCalls) {
      if (name !== undefined) {
        yield* this.#close();
        this.#open = { kind: "tool-input", id };
        yield { type: "tool-input-start", id, toolName: name };
      }
      if (delta !== "") yield { type: "tool-input-delta", id, delta };
    }
  }

  *end(result: GenerationResult): Generator<LanguageModelV3StreamPart> {
    yield* this.#close();
    for (const call of wholeCalls(result)) yield callPart(call);
    yield { type: "finish", usage: usageOf(result), finishReason: finishReasonOf(result) };
  }

  *#write(kind: "text" | "reasoning", delta: string): Generator<LanguageModelV3StreamPart> {
    if (this.#open?.kind !== kind) {
      yield* this.#close();
      this.#open = { kind, id: String(this.#nBlocks++) };
      yield { type: `${kind}-start`, id: this.#open.id };
    }
    yield { type: `${kind}-delta`, id: this.#open.id, delta };
  }

  *#close(): Generator<LanguageModelV3StreamPart> {
    if (this.#open !== undefined) yield { type: `${this.#open.kind}-end`, id: this.#open.id };
    this.#open = undefined;
  }
}

export function contentOf(result: GenerationResult): LanguageModelV3Content[] {
  const { text, reasoning } = result;
  return [
    ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
    ...(text === "" ? [] : [{ type: "text" as const, text }]),
    ...wholeCalls(result).map(callPart),
  ];
}

export function finishReasonOf(result: GenerationResult): LanguageModelV3FinishReason {
  const { stopReason } = result,
    isCut = stopReason !== "stop" && stopReason !== "stop-string";
  return { unified: isCut ? "length" : wholeCalls(result).length > 0 ? "tool-calls" : "stop", raw: stopReason };
}

export function usageOf({ timings }: GenerationResult): LanguageModelV3Usage {
  const { promptTokens, cachedTokens, tokens } = timings;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: tokens, text: undefined, reasoning: undefined },
  };
}

/** A reply that was cut short may end within a call, which nobody can make. */
function wholeCalls({ stopReason, toolCalls }: GenerationResult): readonly ToolCall[] {
  return stopReason === "stop" ? toolCalls : toolCalls.filter(({ arguments: text }) => isJson(text));
}

function callPart({ id, name, arguments: input }: ToolCall): Extract<LanguageModelV3Content, { type: "tool-call" }> {
  return { type: "tool-call", toolCallId: id, toolName: name, input };
}
