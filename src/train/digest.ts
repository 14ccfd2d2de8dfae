/**
 * SHA-256 in two levels, of blocks and then of their digests, so that only one block is copied.
 *
 * Web Crypto hashes only whole buffers, and no shared memory.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

/** Bytes hashed and written at once: large enough to make calls cheap, small beside any model. */
export const BLOCK_BYTES = 4 * 1024 * 1024;
export const DIGEST_BYTES = 32;

/** @param bytes not in shared memory @returns 32 bytes */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle)
    fail("engine/unsupported", "SHA-256: this page has no crypto.subtle; serve it over https or from localhost");
  return new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/**
 * Fingerprints data, so that a training resumes only on the data it began with.
 * @param data in any memory, shared or not
 * @returns 64 hexadecimal digits: SHA-256 over the SHA-256 of each 4 MiB
 */
export async function fingerprint(data: ArrayBufferView): Promise<string> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const digests = new Uint8Array(Math.ceil(bytes.length / BLOCK_BYTES) * DIGEST_BYTES);
  for (let block = 0; block * BLOCK_BYTES < bytes.length; block++) {
    digests.set(await sha256(bytes.slice(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)), block * DIGEST_BYTES);
  }
  return Array.from(await sha256(digests), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
