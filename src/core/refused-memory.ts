/**
 * Memory that the engine refuses, as a typed error wherever it happens. Engines say it by a bare `RangeError` from
 * whatever took the memory: an array, a string, a WebAssembly instance, a message between threads.
 *
 * @module
 */
import { OnebitError } from "./errors.ts";

export type MemoryCode = "model/not-enough-memory" | "train/not-enough-memory";

/** What V8, SpiderMonkey and JavaScriptCore say. A stack that overflows is a `RangeError` too, and is none of these. */
const REFUSALS = new RegExp(
  "memory|alloc|too (?:large|big|long)|(?:Invalid|out-of-range) (?:typed |array |array buffer |string )*length|" +
    "Length out of range|maximum size exceeded|array size is not",
  "i",
);
const KINDS: ReadonlySet<string> = new Set(["RangeError", "InternalError", "DataCloneError", "QuotaExceededError"]);

/** True for an error by which an engine refuses memory. */
export function isRefusedMemory(error: unknown): error is Error {
  return (
    error instanceof Error && !(error instanceof OnebitError) && KINDS.has(error.name) && REFUSALS.test(error.message)
  );
}

/**
 * `error`, as an {@link OnebitError} when it is a refusal of memory. @param what was to be done with it: "logits of 5
 * ids"
 */
export function typedRefusal(error: unknown, code: MemoryCode, what: string): unknown {
  if (!isRefusedMemory(error)) return error;
  return new OnebitError(
    code,
    `${what}: this system refused the memory that it takes (${error.message}); ask for less at a time, or close ` +
      "what else takes memory",
    { cause: error },
  );
}

/** Runs `run`; memory that is refused in it is a typed error. @throws OnebitError of `code`, and what `run` throws */
export async function withMemory<T>(code: MemoryCode, what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw typedRefusal(error, code, what);
  }
}

/** {@link withMemory} for what does not wait. */
export function withMemoryNow<T>(code: MemoryCode, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw typedRefusal(error, code, what);
  }
}
