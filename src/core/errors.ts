/**
 * The one error type of the library.
 *
 * Every failure a user can cause is an {@link OnebitError} with a stable `code`; its message says where,
 * what was wanted, what was found and, when there is something to do, what to do.
 *
 * @module
 */

/** Stable codes, grouped by the part that throws them. A code is never renamed or reused. */
export type ErrorCode =
  // files
  | "file/not-found"
  | "file/read"
  | "file/write"
  | "file/unknown-format"
  | "gguf/bad-magic"
  | "gguf/unsupported-version"
  | "gguf/truncated"
  | "gguf/limit"
  | "gguf/bad-value"
  | "gguf/duplicate"
  | "gguf/bad-tensor"
  | "gguf/tensor-outside-file"
  | "gguf/split"
  | "safetensors/truncated"
  | "safetensors/bad-header"
  | "safetensors/limit"
  | "safetensors/duplicate"
  | "safetensors/bad-tensor"
  | "safetensors/tensor-outside-file"
  | "tensor/unsupported-type"
  | "tensor/bad-data"
  // models
  | "model/unsupported-architecture"
  | "model/bad-config"
  | "model/missing-tensor"
  | "model/no-head"
  | "model/unused-tensor"
  | "model/bad-shape"
  | "model/not-enough-memory"
  | "model/context-full"
  | "model/bad-token"
  | "model/not-finite"
  | "model/closed"
  | "model/busy"
  // saved contexts
  | "snapshot/corrupt"
  | "snapshot/mismatch"
  // engine
  | "engine/unsupported"
  | "engine/forbidden"
  | "engine/self-test-failed"
  | "engine/thread-failed"
  | "engine/thread-lost"
  | "engine/worker-failed"
  | "engine/worker-lost"
  | "engine/part-missing"
  // tokenizer
  | "tokenizer/unsupported"
  | "tokenizer/bad-vocabulary"
  | "tokenizer/missing"
  // chat templates
  | "template/missing"
  | "template/syntax"
  | "template/raised"
  | "template/limit"
  // grammars
  | "grammar/syntax"
  | "grammar/unsupported"
  | "grammar/too-large"
  // training
  | "checkpoint/corrupt"
  | "checkpoint/mismatch"
  | "train/bad-data"
  | "train/bad-option"
  | "train/not-finite"
  | "train/not-enough-memory"
  | "train/busy"
  // models from elsewhere
  | "hub/bad-source"
  | "hub/unavailable"
  | "hub/offline"
  | "hub/network"
  | "hub/timeout"
  | "hub/unauthorized"
  | "hub/forbidden"
  | "hub/not-found"
  | "hub/range"
  | "hub/server"
  | "hub/bad-response"
  | "hub/redirect"
  | "hub/length"
  | "hub/changed"
  | "hub/checksum"
  | "hub/no-space"
  | "hub/no-model"
  | "hub/busy"
  | "hub/worker-lost"
  // options and the command line
  | "option/unknown"
  | "option/invalid"
  | "usage"
  | "aborted";

/**
 * What every failure throws that a caller can cause. `code` is stable; the message is for people: it says where, what
 * was wanted, what was found, and what to do.
 *
 * @example
 * ```ts
 * import { OnebitError, load } from "onebit";
 *
 * try {
 *   await load("no-such-file.gguf");
 * } catch (error) {
 *   if (!(error instanceof OnebitError && error.code === "file/not-found")) throw error;
 *   console.log(error.message);
 * }
 * ```
 */
export class OnebitError extends Error {
  /** Always `OnebitError`. */
  override readonly name = "OnebitError";
  /** Which failure it is. */
  readonly code: ErrorCode;

  /**
   * @param code which failure it is
   * @param message for people; shortened to 2000 characters
   * @param options `cause`: the error behind it
   */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(typeof message === "string" ? shortened(message) : shown(message), options);
    this.code = code;
  }
}

/** Throws an {@link OnebitError}; an expression, so that it can stand after `??` and in arrow functions. */
export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new OnebitError(code, message, cause === undefined ? undefined : { cause });
}

/** What a computation polls between steps; an `AbortSignal` is one. */
export interface AbortState {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

/** Throws the `aborted` error when `signal` has fired; its reason travels as the cause. */
export function throwIfAborted(signal: AbortState | undefined): void {
  if (signal?.aborted) fail("aborted", "stopped by the caller's abort signal", signal.reason);
}

/** Quotes text from a file or a user for a message: escaped, so it cannot drive a terminal, and at most 80 long. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text));
}

/** Escapes control characters. JSON leaves 0x7f–0x9f as they are, but terminals obey those too. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (control) => `\\u00${control.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Any value in a few words, for a message; copes with values that throw when read. */
export function shown(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "function") return "a function";
  try {
    if (Array.isArray(value)) return `a list of ${value.length}`;
    if (value instanceof Error) return quoted(value.message);
  } catch {
    return "an object that cannot be read";
  }
  return typeof value === "object" && value !== null ? "an object" : shortened(String(value), 80);
}

/** Two screens of a terminal. A longer message keeps its beginning (the subject) and its end (what to do). */
const MESSAGE_CHARS_MAX = 2000;

function shortened(message: string, max = MESSAGE_CHARS_MAX): string {
  if (message.length <= max) return message;
  const half = (max - 3) >> 1;
  return `${message.slice(0, half)} … ${message.slice(-half)}`;
}
