/**
 * Loads parts of the package on first use.
 *
 * @module
 */
import { fail } from "./errors.ts";

/**
 * Runs `fetchPart`, an `import()`.
 * @param what for people, as in "the reader of Hugging Face models"
 * @param remedy what else the user can do if it fails
 * @throws OnebitError `engine/part-missing` when the import fails: no network, or a file left out of a page
 */
export async function packagePart<T>(what: string, fetchPart: () => Promise<T>, remedy = ""): Promise<T> {
  try {
    return await fetchPart();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return fail(
      "engine/part-missing",
      `${what}, a part of onebit that loads on first use, could not be loaded (${reason}): check the network, and ` +
        "that the page's server has all files of the package; then load " +
        `again${remedy && `; ${remedy}`}`,
      cause,
    );
  }
}
