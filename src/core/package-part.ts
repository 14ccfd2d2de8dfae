/**
 * Parts of the package that are fetched when they are first needed.
 *
 * @module
 */
import { fail } from "./errors.ts";

/**
 * What `fetchPart`, an `import()`, gives.
 * @param what for people, as in "the reader of Hugging Face models"
 * @param remedy what else to do when it cannot be fetched
 * @throws OnebitError `engine/part-missing` when it cannot be fetched: no network, or a file left out of a page
 */
export async function packagePart<T>(what: string, fetchPart: () => Promise<T>, remedy = ""): Promise<T> {
  try {
    return await fetchPart();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return fail(
      "engine/part-missing",
      `${what}, a part of onebit that is fetched when it is first needed, could not be loaded (${reason}): check ` +
        "the network, and that the page's server has all files of the package; then load " +
        `again${remedy && `; ${remedy}`}`,
      cause,
    );
  }
}
