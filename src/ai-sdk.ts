/**
 * Models of this package for the AI SDK (npm `ai`), in the same process: no server between.
 *
 * @module onebit/ai-sdk
 */
export { languageModel } from "./ai-sdk/language-model.ts";
export type { LanguageModelOptions } from "./ai-sdk/call-options.ts";
export { embeddingModel } from "./ai-sdk/embedding-model.ts";
export type { EmbeddingModelOptions } from "./ai-sdk/embedding-model.ts";
