/**
 * Fetches files beside the page.
 *
 * @module
 */
import { OnebitError, fail } from "../../core/errors.ts";

/** A file of the page. @throws OnebitError `hub/network` */
export async function fetchBytes(url: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const answer = await fetch(url);
    if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
    return fail("hub/network", `${url}: the server answered ${answer.status}`);
  } catch (cause) {
    if (cause instanceof OnebitError) throw cause;
    return fail(
      "hub/network",
      `${url}: cannot fetch it: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}
