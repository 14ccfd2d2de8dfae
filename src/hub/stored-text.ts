/**
 * Small text files of a store: read whole, replaced in one step.
 *
 * @module
 */
import { readBytes } from "../core/byte-source.ts";
import { OnebitError } from "../core/errors.ts";
import type { ModelStore } from "../core/model-store.ts";

/** Ours have some hundred bytes; a larger file is not ours. */
const TEXT_BYTES_MAX = 64 * 1024;

/** Undefined if there is no such file, or it is too large to be ours. */
export async function readText(store: ModelStore, path: string): Promise<string | undefined> {
  const bytes = await readSmallFile(store, path, TEXT_BYTES_MAX);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

async function readSmallFile(store: ModelStore, path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  const file = await store.openRead(path).catch((error: unknown) => {
    if (error instanceof OnebitError && error.code === "file/not-found") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    return file.sizeBytes > bytesMax ? undefined : await readBytes(file, 0, file.sizeBytes);
  } finally {
    await file.close();
  }
}

/** A JSON object of a store; undefined if there is none that parses. */
export async function readRecord(store: ModelStore, path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(store, path);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** @param unique names the temporary file, so two writers do not share one */
export async function writeText(store: ModelStore, path: string, text: string, unique: string): Promise<void> {
  const temporary = `${path}.${unique}.tmp`;
  try {
    const file = await store.openWrite(temporary);
    try {
      await file.resize(0);
      await file.write(new TextEncoder().encode(text), 0);
      await file.flush();
    } finally {
      await file.close();
    }
    await store.rename(temporary, path);
  } catch (error) {
    // Report the failure that came first.
    await store.remove(temporary).catch(() => {});
    throw error;
  }
}
