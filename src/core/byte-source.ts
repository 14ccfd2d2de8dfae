/**
 * Where a model's bytes come from: a file, memory, a `Blob`. Parsers and the loader read only through this interface.
 *
 * @module
 */
import { OnebitError, fail } from "./errors.ts";
import { BYTES, TEXT, check } from "./options.ts";

/** Random access to a fixed number of bytes, for models that lie elsewhere than in files, URLs and memory. */
export interface ByteSource {
  /** For messages: a path, a URL, or what the caller called it. */
  readonly name: string;
  /** How many there are. */
  readonly sizeBytes: number;
  /**
   * Fills `into` with the bytes at `[position, position + into.length)`.
   * @throws OnebitError `file/read` when the source ends early or cannot be read.
   */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Frees what holds the bytes open. Closing twice is fine. */
  close(): Promise<void>;
}

export function isByteSource(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { sizeBytes, read, close } = value as Partial<ByteSource>;
  return (
    Number.isSafeInteger(sizeBytes) &&
    (sizeBytes as number) >= 0 &&
    typeof read === "function" &&
    typeof close === "function"
  );
}

/**
 * A source over bytes that are in memory.
 *
 * @param name for messages
 * @throws OnebitError `option/invalid`
 * @example
 * ```ts
 * import { bytesSource } from "onebit";
 *
 * const source = bytesSource(new Uint8Array([1, 2, 3, 4]), "four");
 * const middle = new Uint8Array(2);
 * await source.read(middle, 1); // 2, 3
 * console.log(source.sizeBytes, middle);
 * ```
 */
export function bytesSource(bytes: Uint8Array, name = "bytes"): ByteSource {
  check("bytes", bytes, BYTES);
  check("name", name, TEXT);
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

/** A source over a `Blob` or a `File`, read piece by piece. */
export function blobSource(
  blob: Blob,
  name = "name" in blob && typeof blob.name === "string" ? blob.name : "blob",
): ByteSource {
  return {
    name,
    sizeBytes: blob.size,
    async read(into, position) {
      const bytes = await blob
        .slice(position, position + into.length)
        .arrayBuffer()
        // Browsers give no reason when they refuse a file that changed since it was chosen.
        .catch((cause: Error) =>
          fail(
            "file/read",
            `${name}: read at byte ${position} failed: ${cause.message}; if the file has changed, choose it again`,
            cause,
          ),
        );
      if (bytes.byteLength !== into.length)
        fail("file/read", `${name}: wanted bytes up to ${position + into.length}, it has ${blob.size}`);
      into.set(new Uint8Array(bytes));
    },
    async close() {},
  };
}

/** Wraps `source` so that every failed read throws `file/read`; a caller's source or platform may throw anything. */
export function guardedSource(source: ByteSource): ByteSource {
  const name = String(source.name);
  return {
    name,
    sizeBytes: source.sizeBytes,
    async read(into, position) {
      try {
        await source.read(into, position);
      } catch (cause) {
        if (cause instanceof OnebitError) throw cause;
        fail(
          "file/read",
          `${name}: read at byte ${position} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        );
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

/** The pieces as one array. */
export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
