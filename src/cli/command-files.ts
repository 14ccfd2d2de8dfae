/**
 * Small files that commands read and write.
 *
 * @module
 */
import { readFile, writeFile } from "node:fs/promises";
import { fail, quoted } from "../core/errors.ts";

/** @param what for messages: "the system message" @throws OnebitError `file/not-found`, `file/read` */
export async function readCommandFile(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return fail(
      isMissing ? "file/not-found" : "file/read",
      `${what}: cannot read ${quoted(path)}: ${reasonOf(error)}`,
      error,
    );
  }
}

/** Its text, without the line end that editors add. @throws OnebitError `file/not-found`, `file/read` */
export async function readTextFile(path: string, what: string): Promise<string> {
  const bytes = await readCommandFile(path, what);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch (error) {
    return fail("file/read", `${what}: wanted UTF-8 text, ${quoted(path)} is none`, error);
  }
}

/** @throws OnebitError `file/write` */
export async function writeCommandFile(path: string, what: string, data: Uint8Array | string): Promise<void> {
  try {
    await writeFile(path, data);
  } catch (error) {
    fail("file/write", `${path}: cannot write ${what}: ${reasonOf(error)}`, error);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
