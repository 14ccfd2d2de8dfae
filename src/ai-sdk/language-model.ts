/**
 * A model as the AI SDK's LanguageModel, version 3 of its interface.
 *
 * @module
 */
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
} from "@ai-sdk/provider";
import type { AnyContext, AnyModel } from "../any-model.ts";
import type { ChatMessage, ChatOptions, GenerationResult } from "../index.ts";
import { type LanguageModelOptions, type ReadOptions, chatOptions } from "./call-options.ts";
import { chatMessages } from "./messages.ts";
import { ReplyParts, contentOf, finishReasonOf, usageOf } from "./reply-parts.ts";

/**
 * For `generateText`, `streamText` and all else of the AI SDK that takes a language model. Each call has a context of
 * its own: calls at the same time compute together, and what begins alike is read once.
 *
 * @param model stays open; close it yourself
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { languageModel } from "onebit/ai-sdk";
 *
 * await using model = await load("model.gguf", { contextLength: 256 });
 * // import { generateText } from "ai"; await generateText({ model: languageModel(model), prompt: "Hello" })
 * const { content } = await languageModel(model).doGenerate({
 *   prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
 *   maxOutputTokens: 8,
 * });
 * console.log(content);
 * ```
 */
export function languageModel(model: AnyModel, options: LanguageModelOptions = {}): LanguageModelV3 {
  const { modelId = model.config.name, defaults } = options;
  return {
    specificationVersion: "v3",
    provider: "onebit",
    modelId,
    supportedUrls: {},
    doGenerate: async (call) => await generate(model, modelId, readCall(call, defaults)),
    doStream: async (call) => ({ stream: streamOf(parts(model, modelId, readCall(call, defaults))) }),
  };
}

/** A call in this package's terms. */
interface ReadCall extends ReadOptions {
  readonly messages: readonly ChatMessage[];
}

/** @throws OnebitError `option/invalid` for what no model here reads */
function readCall(call: LanguageModelV3CallOptions, defaults: LanguageModelOptions["defaults"]): ReadCall {
  return { ...chatOptions(call, defaults), messages: chatMessages(call.prompt) };
}

async function generate(
  model: AnyModel,
  modelId: string,
  { options, warnings, messages }: ReadCall,
): Promise<LanguageModelV3GenerateResult> {
  return await inContext(model, async (context) => {
    const result = await context.chat(messages, options).result();
    throwIfStopped(result, options);
    return {
      content: contentOf(result),
      finishReason: finishReasonOf(result),
      usage: usageOf(result),
      response: { timestamp: new Date(), modelId },
      warnings,
    };
  });
}

async function* parts(
  model: AnyModel,
  modelId: string,
  { options, warnings, messages }: ReadCall,
): AsyncGenerator<LanguageModelV3StreamPart, void, void> {
  const reply = new ReplyParts(),
    context = await model.context();
  try {
    const generation = context.chat(messages, options);
    yield { type: "stream-start", warnings };
    yield { type: "response-metadata", timestamp: new Date(), modelId };
    for await (const piece of generation) yield* reply.of(piece);
    const result = await generation.result();
    throwIfStopped(result, options);
    yield* reply.end(result);
  } catch (error) {
    yield { type: "error", error };
  } finally {
    await context.close();
  }
}

/** Computed as it is read; leaving it ends the generation. */
function streamOf(
  source: AsyncGenerator<LanguageModelV3StreamPart, void, void>,
): ReadableStream<LanguageModelV3StreamPart> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return();
    },
  });
}

async function inContext<T>(model: AnyModel, task: (context: AnyContext) => Promise<T>): Promise<T> {
  const context = await model.context();
  try {
    return await task(context);
  } finally {
    await context.close();
  }
}

/** The SDK tells an abort by what its signal was aborted with. */
function throwIfStopped({ stopReason }: GenerationResult, { signal }: ChatOptions): void {
  if (stopReason === "aborted") signal?.throwIfAborted();
}
