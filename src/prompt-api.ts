/**
 * `onebit/prompt-api`: the interface of the Prompt API (`LanguageModel`) over a model of this package.
 *
 * @module onebit/prompt-api
 */
export { promptApi } from "./prompt-api/prompt-api.ts";
export type { PromptApi } from "./prompt-api/prompt-api.ts";
export type { LanguageModelSession } from "./prompt-api/session.ts";
export type {
  Availability,
  CreateMonitor,
  LanguageModelContent,
  LanguageModelCreateCoreOptions,
  LanguageModelCreateOptions,
  LanguageModelExpected,
  LanguageModelMessage,
  LanguageModelParams,
  LanguageModelPrompt,
  LanguageModelPromptOptions,
  LanguageModelTool,
  LoadForPrompts,
  PromptApiOptions,
  SamplingMode,
  SignalOptions,
} from "./prompt-api/types.ts";
