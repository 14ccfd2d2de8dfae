/**
 * The file behind a URL, fetched whole into a `Blob`, which a browser may keep on disk.
 *
 * @module
 */
import { type ByteSource, blobSource } from "../core/byte-source.ts";
import { fail } from "../core/errors.ts";

/** @throws OnebitError `file/not-found`, `file/read` */
export async function openUrl(url: string): Promise<ByteSource> {
  // A failed fetch gives no reason: an unknown host, a lost connection, a server without CORS headers.
  const lost = (cause: Error): never => fail("file/read", `${url}: ${cause.message}`, cause);
  const response = await fetch(url).catch(lost);
  if (response.status === 404 || response.status === 410)
    fail("file/not-found", `${url}: the server answered ${response.status}`);
  if (!response.ok) fail("file/read", `${url}: the server answered ${response.status}`);
  return blobSource(await response.blob().catch(lost), url);
}
