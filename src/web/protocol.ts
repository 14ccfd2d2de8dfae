/**
 * The calls of the service "model", a worker that runs a page's model; they go through `rpc.ts`.
 *
 * @module
 */
import type {
  ChatMessage,
  ChatOptions,
  ChatPrompt,
  ChatPromptOptions,
  ContextOptions,
  EmbedOptions,
  GenerateOptions,
  GenerationResult,
  LoadModelOptions,
  LogitsOptions,
  Model,
  Perplexity,
  PerplexityOptions,
  Piece,
  RestoreOptions,
  SaveOptions,
  Tokenizer,
} from "../index.ts";
import type { KernelBinaries } from "../kernels/variant.ts";
import type { WireError } from "./wire-error.ts";

/** Options as sent: functions and signals stay on the page and cross as messages. */
type Wire<Options> = Omit<Options, "signal" | "onProgress" | "platform">;

type ProgressOf<Options extends { readonly onProgress?: (progress: never) => void }> = Parameters<
  NonNullable<Options["onProgress"]>
>[0];

/** Facts about a tokenizer that the page has locally. */
export const TOKENIZER_FACTS = [
  "vocabSize",
  "bosId",
  "eosId",
  "addBos",
  "addEos",
  "endOfTurnIds",
  "chatTemplate",
  "chatTemplates",
  "specialTokens",
] as const satisfies readonly (keyof Tokenizer)[];
export type TokenizerFacts = Pick<Tokenizer, (typeof TOKENIZER_FACTS)[number]>;

/** Its methods that are calls. Not `stream`, which returns an object with state. */
export type TokenizerMethod = Exclude<keyof Tokenizer, keyof TokenizerFacts | "stream">;

/** Facts about a loaded model that the page has locally. */
export interface ModelFacts
  extends Readonly<
    Pick<
      Model,
      | "config"
      | "contextLength"
      | "vocabSize"
      | "memory"
      | "engine"
      | "warnings"
      | "hasTokenizer"
      | "chatTemplateNames"
      | "loadMs"
    >
  > {
  /** Or why there is none. */
  readonly tokenizer: TokenizerFacts | WireError;
}

/** A model source as sent: an absolute URL, a file, bytes. */
export type WireSource = string | Blob | Uint8Array;

/** Names a context of the worker's model. */
export type ContextHandle = number;

/** What a page needs of a new context. */
export interface ContextFacts {
  readonly handle: ContextHandle;
  readonly contextLength: number;
}

export interface Calls {
  load: {
    args: [source: WireSource, options: Wire<LoadModelOptions>, kernels?: KernelBinaries];
    done: ModelFacts;
    progress: ProgressOf<LoadModelOptions>;
  };
  generate: {
    args: [prompt: string | readonly number[], options: Wire<GenerateOptions>, context?: ContextHandle];
    done: GenerationResult;
    progress: ProgressOf<GenerateOptions>;
    piece: Piece;
  };
  chat: {
    args: [messages: readonly ChatMessage[], options: Wire<ChatOptions>, context?: ContextHandle];
    done: GenerationResult;
    progress: ProgressOf<ChatOptions>;
    piece: Piece;
  };
  chatPrompt: { args: [messages: readonly ChatMessage[], options: ChatPromptOptions]; done: ChatPrompt };
  embed: {
    args: [texts: readonly string[], options: Wire<EmbedOptions>];
    done: Float32Array[];
    progress: ProgressOf<EmbedOptions>;
  };
  logits: { args: [ids: readonly number[], options: Wire<LogitsOptions>]; done: Float32Array };
  perplexity: {
    args: [input: string | readonly number[], options: Wire<PerplexityOptions>];
    done: Perplexity;
    progress: ProgressOf<PerplexityOptions>;
  };
  truncate: { args: [length: number]; done: undefined };
  cachedIds: { args: []; done: readonly number[] };
  openContext: { args: [options: ContextOptions]; done: ContextFacts };
  saveContext: { args: [context: ContextHandle, options: Wire<SaveOptions>]; done: Uint8Array };
  restoreContext: { args: [bytes: Uint8Array, options: Wire<RestoreOptions>]; done: ContextFacts };
  forkContext: { args: [context: ContextHandle]; done: ContextFacts };
  closeContext: { args: [context: ContextHandle]; done: undefined };
  contextIds: { args: [context: ContextHandle, which: "ids" | "cachedIds"]; done: readonly number[] };
  contextLogits: {
    args: [context: ContextHandle, ids: readonly number[], options: Wire<LogitsOptions>];
    done: Float32Array;
  };
  truncateContext: { args: [context: ContextHandle, length: number]; done: undefined };
  tokenizer: { args: [method: TokenizerMethod, args: readonly unknown[]]; done: unknown };
  close: { args: []; done: undefined };
}
