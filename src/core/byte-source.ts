/**
 * Where the bytes of a model come from: a file, memory, a `Blob`; everything reads through this, so that parsers
 * and the loader do not know which.
 *
 * @module
 */
import { OnebitError, fail } from "./errors.ts";

/** Random access to a fixed number of bytes. */
export interface ByteSource {
  /** For messages: a path, a URL, or what the caller called it. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Fills `into` with the bytes at `[position, position + into.length)`.
   * @throws OnebitError `file/read` when the source ends early or cannot be read.
   */
  read(into: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** A source over bytes already in memory. */
export function bytesSource(bytes: Uint8Array, name = "bytes"): ByteSource {
  return {
    name,
    sizeBytes: bytes.length,
    async read(into, position) {
      const end = position + into.length;
      if (position < 0 || end > bytes.length) {
        fail("file/read", `${name}: wanted bytes up to ${end}, it has ${bytes.length}`);
      }
      into.set(bytes.subarray(position, end));
    },
    async close() {},
  };
}

/** `source`, but every failure of a read is `file/read`: a caller's own source, or platform, may throw anything. */
export function guardedSource(source: ByteSource): ByteSource {
  return {
    name: source.name,
    sizeBytes: source.sizeBytes,
    async read(into, position) {
      try {
        await source.read(into, position);
      } catch (cause) {
        if (cause instanceof OnebitError) throw cause;
        fail("file/read", `${source.name}: read at byte ${position} failed: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
      }
    },
    close: () => source.close(),
  };
}

/** Reads `[position, position + lengthBytes)` into fresh memory. */
export async function readBytes(source: ByteSource, position: number, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  await source.read(bytes, position);
  return bytes;
}
