/**
 * A model as the AI SDK's EmbeddingModel, version 3 of its interface.
 *
 * @module
 */
import type { EmbeddingModelV3 } from "@ai-sdk/provider";
import type { AnyModel } from "../any-model.ts";
import type { EmbedOptions } from "../index.ts";

/** Options of {@link embeddingModel}. */
export interface EmbeddingModelOptions {
  /** What logs call the model. Default: the name in its file. */
  readonly modelId?: string;
  /** For every call, where `providerOptions: { onebit: { … } }` of the call says nothing else. */
  readonly defaults?: Omit<EmbedOptions, "signal">;
}

/**
 * For `embed` and `embedMany` of the AI SDK.
 *
 * @param model stays open; close it yourself
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { embeddingModel } from "onebit/ai-sdk";
 *
 * await using model = await load("model.gguf", { contextLength: 256 });
 * const { embeddings } = await embeddingModel(model).doEmbed({ values: ["Hello"] });
 * console.log(embeddings[0].length);
 * ```
 */
export function embeddingModel(model: AnyModel, options: EmbeddingModelOptions = {}): EmbeddingModelV3 {
  const { modelId = model.config.name, defaults } = options;
  return {
    specificationVersion: "v3",
    provider: "onebit",
    modelId,
    maxEmbeddingsPerCall: undefined,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal, providerOptions }) {
      const found = await model.embed(values, { ...defaults, ...providerOptions?.["onebit"], signal: abortSignal });
      return { embeddings: found.map((vector) => [...vector]), warnings: [] };
    },
  };
}
