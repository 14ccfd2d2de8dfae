/**
 * Turns an engine's refusal of memory into a typed error. Engines throw a bare `RangeError` from whatever allocates: an
 * array, a string, a WebAssembly instance, a message between threads.
 *
 * @module
 */
import { OnebitError } from "./errors.ts";

export type MemoryCode = "model/not-enough-memory" | "train/not-enough-memory";

/** Messages of V8, SpiderMonkey and JavaScriptCore. A stack overflow, also a `RangeError`, matches none of them. */
const REFUSALS = new RegExp(
  "memory|alloc|too (?:large|big|long)|(?:Invalid|out-of-range) (?:typed |array |array buffer |string )*length|" +
    "Length out of range|maximum size exceeded|array size is not",
  "i",
);
const KINDS: ReadonlySet<string> = new Set(["RangeError", "InternalError", "DataCloneError", "QuotaExceededError"]);

/** True if the engine refused memory with this error. */
export function isRefusedMemory(error: unknown): error is Error {
  return (
    error instanceof Error && !(error instanceof OnebitError) && KINDS.has(error.name) && REFUSALS.test(error.message)
  );
}

/**
 * `error`, as an {@link OnebitError} if it is a refusal of memory. @param what the work, for the message: "logits of 5
 * ids"
 */
export function typedRefusal(error: unknown, code: MemoryCode, what: string): unknown {
  if (!isRefusedMemory(error)) return error;
  return new OnebitError(
    code,
    `${what}: this system refused the memory for it (${error.message}); ask for less at a time, or close other ` +
      "programs and pages",
    { cause: error },
  );
}

/** Runs `run`; refused memory becomes a typed error. @throws OnebitError of `code`, and what `run` throws */
export async function withMemory<T>(code: MemoryCode, what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw typedRefusal(error, code, what);
  }
}

/** {@link withMemory} for synchronous code. */
export function withMemoryNow<T>(code: MemoryCode, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw typedRefusal(error, code, what);
  }
}
