/**
 * onebit: 1-bit language models anywhere JavaScript runs.
 *
 * @module onebit
 */
export { inspect, load, loadTokenizer } from "./load.ts";
export type { InspectOptions, LoadModelOptions, ModelInspection, ModelSource, TokenizerOptions } from "./load.ts";
export type { HubOptions } from "./hub/options.ts";
export type { PullProgress } from "./hub/progress.ts";
export { OnebitError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export { bytesSource } from "./core/byte-source.ts";
export type { ByteSource } from "./core/byte-source.ts";
export type { HeldBy, Platform, Thread } from "./core/platform.ts";
export { Model } from "./model.ts";
export type {
  AnyContext,
  AnyGeneration,
  AnyModel,
  AnyTokenizer,
  ChatPrompt,
  Soon,
} from "./any-model.ts";
export type {
  ChatMessage,
  ChatOptions,
  ChatPromptOptions,
  TextContentPart,
  LimitedThinking,
  NamedTool,
  Thinking,
  ToolChoice,
  ToolOptions,
} from "./generate/chat-options.ts";
export { CHAT_TEMPLATES, isChatTemplateText } from "./generate/chat-templates.ts";
export type { ChatTemplateName } from "./generate/chat-templates.ts";
export type { Context, LogitsOptions, RestoreOptions, SaveOptions } from "./generate/context.ts";
export type { ContextOptions } from "./generate/context-ids.ts";
export type { Generation, GenerationResult, Piece, StopReason, Timings } from "./generate/generate.ts";
export type { Format, GrammarFormat, JsonSchemaFormat, RegexFormat } from "./generate/format.ts";
export type { Speculation } from "./generate/speculate.ts";
export { SAMPLERS } from "./generate/options.ts";
export type {
  GenerateOptions,
  LogitsProcessor,
  PromptProgress,
  SamplerName,
  SamplingOptions,
} from "./generate/options.ts";
export type { ToolCall, ToolCallDelta } from "./generate/reply.ts";
export type { TokenLogprob } from "./generate/sampler.ts";
export type { EmbedOptions, Pooling } from "./generate/embed.ts";
export type { Perplexity, PerplexityOptions } from "./generate/perplexity.ts";
export type { ModelMemory, ModelWarning, RunningEngine } from "./model/engine-interface.ts";
export type { DensePolicy, LoadProgress } from "./model/engine-options.ts";
export type { Activation } from "./model/architectures.ts";
export type { Unpacked, UnpackedMatrix } from "./model/weights.ts";
export type {
  LinearRopeScaling,
  Llama3RopeScaling,
  DeltaNet,
  Hadamard,
  LongRopeScaling,
  ModelConfig,
  NoRopeScaling,
  RopeScaling,
  SlidingWindow,
  YarnRopeScaling,
} from "./model/config.ts";
export type { ModelFile } from "./files/model-file.ts";
export type { ActivationMode, DotProducts, KvType, TernaryKernel } from "./kernels/choices.ts";
export type { Variant } from "./kernels/variant.ts";
export type {
  DecodeOptions,
  EncodeOptions,
  EncodePartsOptions,
  TextPart,
  Tokenizer,
  TokenStream,
} from "./tokenizer/parts-tokenizer.ts";
export { nodePlatform } from "./platform/node/platform.ts";
