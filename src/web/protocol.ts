/**
 * What a page can ask of a worker that runs its model: the calls of the service "model", which go through `rpc.ts`.
 *
 * @module
 */
import type {
  ChatMessage,
  ChatOptions,
  ChatPrompt,
  ChatPromptOptions,
  EmbedOptions,
  GenerateOptions,
  GenerationResult,
  LoadModelOptions,
  LogitsOptions,
  Model,
  Perplexity,
  PerplexityOptions,
  Piece,
  Tokenizer,
} from "../index.ts";
import type { WireError } from "./wire-error.ts";

/** Options as they cross: functions and signals stay on the page, their messages are passed on. */
type Wire<Options> = Omit<Options, "signal" | "onProgress" | "platform">;

type ProgressOf<Options extends { readonly onProgress?: (progress: never) => void }> = Parameters<
  NonNullable<Options["onProgress"]>
>[0];

/** What a page knows of a tokenizer without asking. */
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

/** What a page must ask of it. Not `stream`: what it gives keeps a state. */
export type TokenizerMethod = Exclude<keyof Tokenizer, keyof TokenizerFacts | "stream">;

/** What a page knows of a loaded model without asking. */
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

/** A model as it can be sent: an absolute URL, a file, bytes. */
type WireSource = string | Blob | Uint8Array;

export interface Calls {
  load: {
    args: [source: WireSource, options: Wire<LoadModelOptions>];
    done: ModelFacts;
    progress: ProgressOf<LoadModelOptions>;
  };
  generate: {
    args: [prompt: string | readonly number[], options: Wire<GenerateOptions>];
    done: GenerationResult;
    progress: ProgressOf<GenerateOptions>;
    piece: Piece;
  };
  chat: {
    args: [messages: readonly ChatMessage[], options: Wire<ChatOptions>];
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
  tokenizer: { args: [method: TokenizerMethod, args: readonly unknown[]]; done: unknown };
  close: { args: []; done: undefined };
}
