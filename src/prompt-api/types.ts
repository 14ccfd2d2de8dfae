/**
 * The dictionaries of the Prompt API (webmachinelearning.github.io/prompt-api, draft of June 2026).
 *
 * @module
 */
import type { AnyModel, ChatPromptOptions, LoadProgress } from "../index.ts";

/** Whether a session can be made: now, after what loads, after loading, or not at all. */
export type Availability = "available" | "downloading" | "downloadable" | "unavailable";

/** How daring replies are, in steps. */
export type SamplingMode = "most-predictable" | "predictable" | "balanced" | "creative" | "most-creative";

/** One part of a message. Only texts are read here. */
export interface LanguageModelContent {
  /** `text`; others give a `NotSupportedError`. */
  readonly type: string;
  /** The text. */
  readonly value: unknown;
}

/** One message of a prompt. */
export interface LanguageModelMessage {
  /** `system` (only before all else), `user` or `assistant`. */
  readonly role: string;
  /** A text, or its parts. */
  readonly content: string | readonly LanguageModelContent[];
  /** The last message, of the assistant, is the beginning of the reply. Default false. */
  readonly prefix?: boolean;
}

/** A text of the user, or messages. */
export type LanguageModelPrompt = string | readonly LanguageModelMessage[];

/** A kind of input or output, and its languages. */
export interface LanguageModelExpected {
  /** `text`; others are unavailable. */
  readonly type: string;
  /** BCP 47 tags. Any: what a model knows, only its makers can say. */
  readonly languages?: readonly string[];
}

/** A function that the model may call while it answers. */
export interface LanguageModelTool {
  /** What the model calls it by. */
  readonly name: string;
  /** What it does, for the model. */
  readonly description: string;
  /** A JSON Schema, which the argument of a call fits. */
  readonly inputSchema: object;
  /** Called with the argument, an object; what it resolves to is told to the model. */
  execute(input: Readonly<Record<string, unknown>>): Promise<string>;
}

/** An option that stops a call, which then rejects with the signal's reason. */
export interface SignalOptions {
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** What `availability` and `create` are asked for. */
export interface LanguageModelCreateCoreOptions {
  /** Tokens drawn from, at least 1; the most is that of `params`. */
  readonly topK?: number;
  /** At least 0; the most is that of `params`. */
  readonly temperature?: number;
  /** Instead of the two, which go before it. */
  readonly samplingMode?: SamplingMode;
  /** What prompts have. */
  readonly expectedInputs?: readonly LanguageModelExpected[];
  /** What replies have. */
  readonly expectedOutputs?: readonly LanguageModelExpected[];
  /** What the model may call. */
  readonly tools?: readonly LanguageModelTool[];
}

/** Called with a target of `downloadprogress` events, whose `loaded` goes from 0 to 1 (`total`). */
export type CreateMonitor = (monitor: EventTarget) => void;

/** Options of `create`. */
export interface LanguageModelCreateOptions extends LanguageModelCreateCoreOptions, SignalOptions {
  /** Hears how loading goes on. */
  readonly monitor?: CreateMonitor;
  /** What the session begins with; it is never forgotten. */
  readonly initialPrompts?: readonly LanguageModelMessage[];
}

/** Options of `prompt`, `promptStreaming` and `measureContextUsage`. */
export interface LanguageModelPromptOptions extends SignalOptions {
  /** A JSON Schema, or a regular expression, that all of the reply fits. */
  readonly responseConstraint?: object;
  /** Do not tell the model of the constraint. It is kept in any case. Default false. */
  readonly omitResponseConstraintInput?: boolean;
}

/** Bounds and defaults of sampling. */
export interface LanguageModelParams {
  /** Where `create` says nothing. */
  readonly defaultTopK: number;
  /** Larger ones are this. */
  readonly maxTopK: number;
  /** Where `create` says nothing. */
  readonly defaultTemperature: number;
  /** Larger ones are this. */
  readonly maxTemperature: number;
}

/** Loads the model when a session is first made; `load` and `loadInWorker` take the same options. */
export type LoadForPrompts = (options: {
  /** To be told how it goes. */
  readonly onProgress: (progress: LoadProgress) => void;
}) => Promise<AnyModel>;

/** Options of {@link promptApi}. */
export interface PromptApiOptions {
  /** As in `chat`, for models that have no template, or several. */
  readonly chatTemplate?: ChatPromptOptions["chatTemplate"];
  /** As in `chat`. */
  readonly thinking?: ChatPromptOptions["thinking"];
  /** For replies that are the same each time. Default: another one for each. */
  readonly seed?: number;
}
