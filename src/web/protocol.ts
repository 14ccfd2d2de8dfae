/**
 * What a page and the worker that runs its model say to each other.
 *
 * The page hands the worker a port (`Connect`); each port is one session with one model. A call has a number, and every
 * further message about it carries that number:
 *
 *   page   → { call, name, args, wantsPieces }   { call, abort }   { call, consumed }   at last { end }
 *   worker → { call, progress }   { call, piece } …   { call, done }  or  { call, error }
 *
 * @module
 */
import { OnebitError } from "../core/errors.ts";
import { typedRefusal } from "../core/refused-memory.ts";
import type { ErrorCode } from "../core/errors.ts";
import type {
  ChatMessage,
  ChatOptions,
  EmbedOptions,
  GenerateOptions,
  GenerationResult,
  LoadModelOptions,
  LogitsOptions,
  Model,
  Piece,
} from "../index.ts";

/** Options as they cross: functions and signals stay on the page, their messages are passed on. */
export type Wire<Options> = Omit<Options, "signal" | "onProgress" | "platform">;

/** What a page knows of a loaded model without asking. */
export type ModelFacts = Readonly<
  Pick<Model, "config" | "contextLength" | "vocabSize" | "memory" | "engine" | "warnings" | "hasTokenizer" | "loadMs">
>;

/** A model as it can be sent: an absolute URL, a file, bytes. */
export type WireSource = string | Blob | Uint8Array;

export interface Calls {
  load: { args: [source: WireSource, options: Wire<LoadModelOptions>]; done: ModelFacts };
  generate: { args: [prompt: string | readonly number[], options: Wire<GenerateOptions>]; done: GenerationResult };
  chat: { args: [messages: readonly ChatMessage[], options: Wire<ChatOptions>]; done: GenerationResult };
  embed: { args: [texts: readonly string[], options: Wire<EmbedOptions>]; done: Float32Array[] };
  logits: { args: [ids: readonly number[], options: Wire<LogitsOptions>]; done: Float32Array };
  encode: { args: [text: string]; done: number[] };
  decode: { args: [ids: readonly number[]]; done: string };
  close: { args: []; done: undefined };
}
export type CallName = keyof Calls;

export interface Connect {
  readonly onebit: "connect";
  /** The worker holds the Web Lock of this name while the session lasts: the page sees it go when the worker dies. */
  readonly lock: string;
}
export interface Connected {
  readonly connected: true;
  /** False where there are no Web Locks: a page without a secure context. */
  readonly locked: boolean;
}

/**
 * The page has heard all it waited for. The worker gives its lock back only now: a lock's news may overtake a port's.
 */
export interface SessionEnd {
  readonly end: true;
}

export type ToWorker =
  | {
      [Name in CallName]: {
        readonly call: number;
        readonly name: Name;
        readonly args: Calls[Name]["args"];
        readonly wantsPieces: boolean;
      };
    }[CallName]
  | { readonly call: number; readonly abort: true }
  | { readonly call: number; readonly consumed: true }
  | SessionEnd;

export type ToPage =
  | { readonly call: number; readonly progress: unknown }
  | { readonly call: number; readonly piece: Piece }
  | { readonly call: number; readonly done: unknown }
  | { readonly call: number; readonly error: WireError };

/** Pieces the worker may be ahead of who reads them: a page busy with a frame (16 ms) does not stop the model. */
export const PIECES_AHEAD_MAX = 32;

/** An error as it crosses; structured clone would drop the code. */
export interface WireError {
  readonly message: string;
  /** Absent for what is no {@link OnebitError}: a mistake of ours, whose stack is then what a report of it needs. */
  readonly code?: ErrorCode;
  readonly stack?: string;
}

export function toWire(thrown: unknown): WireError {
  const error = typedRefusal(thrown, "model/not-enough-memory", "a message of the worker");
  if (error instanceof OnebitError) return { code: error.code, message: error.message };
  return error instanceof Error
    ? { message: `${error.name}: ${error.message}`, stack: error.stack }
    : { message: String(error) };
}

export function fromWire({ code, message, stack }: WireError): Error {
  if (code !== undefined) return new OnebitError(code, message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
