/**
 * What every model can do, wherever it runs: the interface of Model, and of the model in a worker.
 *
 * @module
 */
import type { ChatMessage, ChatOptions, ChatPromptOptions } from "./generate/chat-options.ts";
import type { LogitsOptions, RestoreOptions, SaveOptions } from "./generate/context.ts";
import type { ContextOptions } from "./generate/context-ids.ts";
import type { EmbedOptions } from "./generate/embed.ts";
import type { GenerationResult, Piece } from "./generate/generate.ts";
import type { GenerateOptions } from "./generate/options.ts";
import type { Perplexity, PerplexityOptions } from "./generate/perplexity.ts";
import type { ModelConfig } from "./model/config.ts";
import type { ModelMemory, ModelWarning, RunningEngine } from "./model/engine-interface.ts";
import type { TextPart, Tokenizer } from "./tokenizer/tokenizer.ts";

/** A rendered chat prompt. */
export interface ChatPrompt {
  /** The prompt as ids. */
  readonly ids: number[];
  /** The rendered text in parts: only `special` ones may contain special tokens. */
  readonly parts: readonly TextPart[];
}

/** A value at once where the model runs here, a promise where it runs elsewhere. */
export type Soon<T> = T | Promise<T>;

/** The tokenizer of any model: its facts are there at once, its methods give {@link Soon}. */
export type AnyTokenizer = {
  readonly [Name in Exclude<keyof Tokenizer, "stream">]: Tokenizer[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Soon<Result>
    : Tokenizer[Name];
};

/** A generation of any model: iterate it for pieces, or await its text or result. */
export interface AnyGeneration extends AsyncIterable<Piece> {
  /** Everything about the finished generation. */
  result(): Promise<GenerationResult>;
  /** The whole text. */
  text(): Promise<string>;
}

/** A context of any model: one conversation. */
export interface AnyContext {
  /** Positions it may have: prompt and reply together. */
  readonly contextLength: number;
  /** What it read last. */
  readonly ids: Soon<readonly number[]>;
  /** Those of its ids that are in the KV cache. */
  readonly cachedIds: Soon<readonly number[]>;
  /** Continues a text, or ids. */
  generate(prompt: string | readonly number[], options?: GenerateOptions): AnyGeneration;
  /** Answers the last message by the model's chat template. */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): AnyGeneration;
  /** Logits after the last of `ids`. */
  logits(ids: readonly number[], options?: LogitsOptions): Promise<Float32Array>;
  /** Keeps only the first `length` ids. */
  truncate(length: number): Promise<void>;
  /** The context as bytes, for `restore`. */
  save(options?: SaveOptions): Promise<Uint8Array>;
  /** Another context that has read the same. */
  fork(): Soon<AnyContext>;
  /** Ends what is running; closing twice is fine. */
  close(): Soon<void>;
}

/**
 * What every model can do. `eachLogits` is not here: rows come faster than messages are read, and a long text's would
 * fill the memory between.
 */
export interface AnyModel extends AsyncDisposable {
  /** What the file says of the model. */
  readonly config: ModelConfig;
  /** Positions allocated: prompt and reply together. */
  readonly contextLength: number;
  /** Logits a row; the tokenizer may know fewer ids. */
  readonly vocabSize: number;
  /** Bytes of WebAssembly memory in all, and of it the weights' and the KV cache's. */
  readonly memory: ModelMemory;
  /** The kernels that run and the threads they run on. */
  readonly engine: RunningEngine;
  /** What is wrong with the weights and does not keep the model from running. */
  readonly warnings: readonly ModelWarning[];
  /** Time the loading took. */
  readonly loadMs: number;
  /** Whether the file has a vocabulary; without one prompts are ids. */
  readonly hasTokenizer: boolean;
  /** Text to ids and back. */
  readonly tokenizer: AnyTokenizer;
  /** Names that the option `chatTemplate` knows. */
  readonly chatTemplateNames: readonly string[];
  /** Ids in the KV cache. */
  readonly cachedIds: Soon<readonly number[]>;
  /** Another conversation over the same weights. */
  context(options?: ContextOptions): Soon<AnyContext>;
  /** A context that its `save` gave as bytes. */
  restore(bytes: Uint8Array, options?: RestoreOptions): Promise<AnyContext>;
  /** Continues a text, or ids. */
  generate(prompt: string | readonly number[], options?: GenerateOptions): AnyGeneration;
  /** Answers the last message by the model's chat template. */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): AnyGeneration;
  /** The prompt that `chat` would use. */
  chatPrompt(messages: readonly ChatMessage[], options?: ChatPromptOptions): Soon<ChatPrompt>;
  /** Texts to vectors of `config.nEmbd` numbers. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  /** Logits after each id: (ids.length, vocabSize), row-major. */
  logits(ids: readonly number[], options?: LogitsOptions): Promise<Float32Array>;
  /** How well the model predicts a text. */
  perplexity(input: string | readonly number[], options?: PerplexityOptions): Promise<Perplexity>;
  /** Keeps only the first `length` ids in the KV cache. */
  truncate(length: number): Promise<void>;
  /** Ends what is running and frees the memory; closing twice is fine. */
  close(): Promise<void>;
}
