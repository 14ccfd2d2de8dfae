/**
 * Checks that a stored file is what it should be. Hashing a gigabyte takes a second, so a note keeps the result with
 * the file's size and modification time; while both stay the same, it is not hashed again.
 *
 * @module
 */
import { OnebitError } from "../core/errors.ts";
import type { ModelStore, StoredFile } from "../core/model-store.ts";
import { hashSource, hashText } from "./hashes.ts";
import type { ExpectedHash } from "./hashes.ts";
import type { PullContext } from "./options.ts";
import { readRecord, writeText } from "./stored-text.ts";

export interface StoredPlace {
  readonly store: ModelStore;
  readonly path: string;
  /** Names the note; unique for each place. */
  readonly key: string;
  /** For the caller's progress. */
  readonly name: string;
  /** The path that links to it. Without links the file moves there, and after a kill its hash must still be found. */
  readonly alias?: string;
}

/**
 * The file at `place` if it has the right size and hash.
 * @returns undefined if it is missing, short or damaged
 */
export async function findGood(
  context: PullContext,
  place: StoredPlace,
  expected: ExpectedHash | undefined,
  expectedBytes?: number,
): Promise<StoredFile | undefined> {
  const file = await place.store.stat(place.path);
  if (file === undefined || (expectedBytes !== undefined && file.sizeBytes !== expectedBytes)) return undefined;
  if (expected === undefined) return file;
  if (!context.verify && (await isNoted(context, place, file, expected))) return file;
  const source = await place.store.openRead(place.path);
  try {
    const onBytes = context.progress.verifying(place.name, source.sizeBytes);
    const hex = await hashSource(context.platform, source, expected.algorithm, { signal: context.signal, onBytes });
    if (hex !== expected.hex) return undefined;
  } finally {
    await source.close();
  }
  await note(context, place, expected);
  return file;
}

async function isNoted(
  { platform }: PullContext,
  { key, path }: StoredPlace,
  file: StoredFile,
  expected: ExpectedHash,
): Promise<boolean> {
  const found = await readRecord(platform.urlStore, notePath(key));
  return (
    found?.path === path &&
    found.hash === hashText(expected) &&
    found.sizeBytes === file.sizeBytes &&
    found.modifiedMs === file.modifiedMs
  );
}

/** Notes that the file at `place` has the hash, now. */
export async function note(
  { platform }: PullContext,
  { store, path, key, alias }: StoredPlace,
  hash: ExpectedHash,
): Promise<void> {
  const file = await store.stat(path);
  if (file === undefined) return;
  const record = { path, alias, hash: hashText(hash), sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs };
  try {
    await writeText(platform.urlStore, notePath(key), JSON.stringify(record), uniqueName());
  } catch (error) {
    // Without the note, the next check takes a second longer; a full or read-only disk must not cost a good model.
    if (!(error instanceof OnebitError && (error.code === "file/write" || error.code === "hub/no-space"))) throw error;
  }
}

function notePath(key: string): string {
  return `verified/${key}.json`;
}

/** Eight hexadecimal digits that no other writer has. */
export function uniqueName(): string {
  return [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
