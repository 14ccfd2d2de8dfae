/**
 * What a browser's storage throws, as the errors of the library.
 *
 * @module
 */
import { OnebitError, fail } from "../../core/errors.ts";

/** @throws OnebitError `code`, or `hub/no-space` where the browser says so */
export async function attempt<T>(path: string, code: "file/read" | "file/write", run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof OnebitError) throw cause;
    const { name, message } = cause instanceof Error ? cause : { name: "", message: String(cause) };
    // Browsers say so by name; Safari calls a full disk by another.
    const isFull = name === "QuotaExceededError" || (code === "file/write" && /quota|no space/i.test(message));
    return fail(isFull ? "hub/no-space" : code, `${path}: ${message || name}`, cause);
  }
}
