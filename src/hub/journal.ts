/**
 * The record of a started download: the file's identity, and which parts are on disk. One line of JSON, then a line per
 * part, appended once the part itself is safe. A torn last line does not count.
 *
 * @module
 */
import { HUB_FILE_BYTES_MAX, HUB_PART_BYTES } from "../core/limits.ts";

/** Must be equal for parts fetched at different times to belong to one file. */
export interface FileIdentity {
  readonly sizeBytes: number;
  /** As the server gave it. */
  readonly etag: string | undefined;
  /** `algorithm:hex` of the whole file, if known beforehand. */
  readonly hash: string | undefined;
}

export interface Journal {
  readonly identity: FileIdentity;
  readonly done: ReadonlySet<number>;
  /** Offset of the next record, behind the last whole line. */
  readonly endBytes: number;
}

/** Header lines are below 1 kB, part lines below 10 bytes; there are at most 2^21 parts. */
export const JOURNAL_BYTES_MAX = 16 * 1024 * 1024;

export function nParts(sizeBytes: number): number {
  return Math.ceil(sizeBytes / HUB_PART_BYTES);
}

export function encodeHeader({ sizeBytes, etag, hash }: FileIdentity): Uint8Array {
  return new TextEncoder().encode(
    `${JSON.stringify({ version: 1, partBytes: HUB_PART_BYTES, sizeBytes, etag, hash })}\n`,
  );
}

export function encodePart(index: number): Uint8Array {
  return new TextEncoder().encode(`${index}\n`);
}

/** Undefined if it is no journal, or one of another version. */
export function decodeJournal(bytes: Uint8Array): Journal | undefined {
  const text = new TextDecoder("latin1").decode(bytes),
    headerEnd = text.indexOf("\n");
  const identity = headerEnd < 0 ? undefined : decodeHeader(bytes.subarray(0, headerEnd));
  if (identity === undefined) return undefined;
  const endBytes = text.lastIndexOf("\n") + 1,
    count = nParts(identity.sizeBytes);
  const done = new Set<number>();
  for (const line of text.slice(headerEnd + 1, endBytes).split("\n")) {
    // After a power cut a file system may show zeros in place of a record.
    if (/^(?:0|[1-9]\d{0,8})$/.test(line) && Number(line) < count) done.add(Number(line));
  }
  return { identity, done, endBytes };
}

function decodeHeader(bytes: Uint8Array): FileIdentity | undefined {
  try {
    const { version, partBytes, sizeBytes, etag, hash } = JSON.parse(new TextDecoder().decode(bytes)) as Record<
      string,
      unknown
    >;
    const isText = (value: unknown): value is string | undefined => value === undefined || typeof value === "string";
    const isSize =
      typeof sizeBytes === "number" &&
      Number.isSafeInteger(sizeBytes) &&
      sizeBytes >= 0 &&
      sizeBytes <= HUB_FILE_BYTES_MAX;
    if (version !== 1 || partBytes !== HUB_PART_BYTES || !isSize || !isText(etag) || !isText(hash)) return undefined;
    return { sizeBytes, etag, hash };
  } catch {
    return undefined;
  }
}

/**
 * Whether parts of `a` may stand beside parts of `b`: by the hash alone if known, else by the server's size and ETag.
 */
export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  if (a.sizeBytes !== b.sizeBytes) return false;
  if (a.hash !== undefined || b.hash !== undefined) return a.hash === b.hash;
  return a.etag !== undefined && a.etag === b.etag;
}
