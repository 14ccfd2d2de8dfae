/**
 * Turns exceptions of a browser's storage into errors of the library.
 *
 * @module
 */
import { OnebitError, fail } from "../../core/errors.ts";

/** @throws OnebitError `code`, or `hub/no-space` if the browser says so */
export async function attempt<T>(path: string, code: "file/read" | "file/write", run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof OnebitError) throw cause;
    const { name, message } = cause instanceof Error ? cause : { name: "", message: String(cause) };
    // Browsers name a full disk; Safari uses another name.
    const isFull = name === "QuotaExceededError" || (code === "file/write" && /quota|no space/i.test(message));
    return fail(isFull ? "hub/no-space" : code, `${path}: ${message || name}`, cause);
  }
}
