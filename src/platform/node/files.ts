/**
 * Writes files in Node so that a crash at any moment leaves the old contents or the new, never a mixture.
 *
 * A write that must be whole goes to a temporary file, which is forced to disk before it takes the real name; then the
 * folder is forced too, or a power cut could take the new name back.
 *
 * @module
 */
import type { FileHandle } from "node:fs/promises";
import { OnebitError, fail } from "../../core/errors.ts";
import type { StoreLock } from "../../core/model-store.ts";
import { temporaryFileOf, temporaryFileTarget } from "../../core/platform.ts";
import type { FileStore, HeldBy } from "../../core/platform.ts";
import { type LockFs, describeHolder, lockFile } from "./file-lock.ts";

/** The functions of `node:fs/promises` used here; tests pass ones that fail. */
type FolderFs = Pick<typeof import("node:fs/promises"), "mkdir" | "open">;
export type NodeFs = LockFs & Pick<typeof import("node:fs/promises"), "mkdir" | "open" | "readdir">;

/** Largest single write: Node takes lengths below 2 GiB. */
const WRITE_BYTES_MAX = 1 << 30;

const LOCK_POLL_MS = 100;
/** Twice the time for which an empty lock counts as being written. */
const LOCK_WAIT_MS = 10_000;

/** Advice on the failures that people meet. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the disk; free some, or write elsewhere",
  EDQUOT: "the disk quota is used up; free some space, or write elsewhere",
  EFBIG: "the file would be larger than the system allows",
  EACCES: "permission denied; write elsewhere, or change the folder's permissions",
  EPERM: "permission denied; write elsewhere, or change the folder's permissions",
  EROFS: "the file system is read-only; write elsewhere",
  ENOENT: "its folder does not exist; make it first",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "a folder has that name; choose another",
  EEXIST: "a file has that name; choose another",
  EMFILE: "too many files are open",
};

/** The codes of file systems that cannot force a folder to disk; on Windows none can. */
const NO_FOLDER_SYNC: readonly string[] = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];
const NO_FOLDER_SYNC_ON_WINDOWS: readonly string[] = ["EPERM", "EISDIR", "EACCES"];

export function nodeFileStore(fs: NodeFs = process.getBuiltinModule("node:fs/promises")): FileStore {
  return {
    writeFileAtomically: (path, chunks) => writeFileAtomically(fs, path, chunks),
    appendLine: (path, text) => appendLine(fs, path, text),
    syncFile: (path) => syncFile(fs, path),
    async renameFile(path, to) {
      const target = process.getBuiltinModule("node:path").join(folderOf(path), to);
      try {
        await fs.rename(path, target);
        await syncFolder(fs, folderOf(path));
      } catch (cause) {
        failToWrite(path, "rename", cause);
      }
    },
    async removeLeftovers(path) {
      const { basename, join } = process.getBuiltinModule("node:path"),
        folder = folderOf(path);
      for (const name of await listFolder(fs, folder))
        if (temporaryFileTarget(name) === basename(path)) await removeFile(fs, join(folder, name));
    },
    listFolder: (path) => listFolder(fs, path),
    removeFile: (path) => removeFile(fs, path),
    makeFolder: (path) => makeFolder(fs, path).catch((cause: unknown) => failToWrite(path, "make the folder", cause)),
    lockFile: (path) => takeLock(fs, path).catch((cause: unknown) => failToWrite(path, "lock", cause)),
  };
}

async function writeFileAtomically(
  fs: NodeFs,
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = temporaryFileOf(path, globalThis.crypto.randomUUID().slice(0, 8));
  const failHere = (cause: unknown): never => failToWrite(path, "write", cause);
  const handle = await fs.open(temporary, "wx").catch(failHere);
  try {
    for await (const chunk of chunks) await writeAll(handle, chunk).catch(failHere);
    await handle.sync().catch(failHere);
    await handle.close().catch(failHere);
    await fs.rename(temporary, path).catch(failHere);
  } catch (error) {
    // Report the first failure; if the temporary file cannot be removed now, the next save will.
    await handle.close().catch(() => {});
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(fs, folderOf(path)).catch(failHere);
}

async function appendLine(fs: NodeFs, path: string, text: string): Promise<void> {
  if (/[\r\n]/.test(text)) fail("option/invalid", `${path}: wanted one line to append, found several`);
  const failHere = (cause: unknown): never => failToWrite(path, "append to", cause);
  const handle = await fs.open(path, "a").catch(failHere);
  try {
    await writeAll(handle, new TextEncoder().encode(`${text}\n`)).catch(failHere);
  } finally {
    await handle.close().catch(failHere);
  }
}

async function syncFile(fs: NodeFs, path: string): Promise<void> {
  try {
    // Windows cannot force a file opened only for reading to disk.
    const handle = await fs.open(path, "r+");
    await handle.sync().finally(() => handle.close());
    await syncFolder(fs, folderOf(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") failToWrite(path, "force to the disk", cause);
  }
}

async function takeLock(fs: NodeFs, path: string): Promise<StoreLock | HeldBy> {
  for (const beganMs = Date.now(); ; ) {
    const lock = await lockFile(path, { wait: false, keepsWhileAlive: true }, fs);
    if (lock !== undefined) return lock;
    const heldBy = await describeHolder(path, fs);
    if (heldBy !== undefined) return { heldBy };
    if (Date.now() - beganMs > LOCK_WAIT_MS) return { heldBy: "an unknown process" };
    // Just released; or empty: its holder is writing it or died, which the lock will find out.
    await new Promise<void>((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}

/** Makes the folder and those above it, on disk when this resolves. @throws errors of `node:fs` unchanged */
export async function makeFolder(fs: FolderFs, path: string): Promise<void> {
  const absolute = process.getBuiltinModule("node:path").resolve(path),
    first = await fs.mkdir(absolute, { recursive: true });
  if (first === undefined) return;
  // Each new folder is an entry in the one above it.
  for (let made = absolute; made.length >= first.length; made = folderOf(made)) await syncFolder(fs, folderOf(made));
}

async function listFolder(fs: NodeFs, path: string): Promise<string[]> {
  const names = await fs
    .readdir(path)
    .catch((cause: NodeJS.ErrnoException) =>
      cause.code === "ENOENT"
        ? fail("file/not-found", `${path}: no such folder`, cause)
        : fail("file/read", `${path}: cannot list the folder: ${cause.message}`, cause),
    );
  return names.sort();
}

async function removeFile(fs: NodeFs, path: string): Promise<void> {
  await fs.rm(path, { force: true }).catch((cause: unknown) => failToWrite(path, "remove", cause));
}

/** A write may take only a part, for example on a full disk. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, WRITE_BYTES_MAX));
    if (bytesWritten === 0) throw new Error("the system wrote nothing");
    done += bytesWritten;
  }
}

/** Forces a folder's names to disk, where the system can. @throws errors of `node:fs` unchanged */
export async function syncFolder(fs: FolderFs, path: string): Promise<void> {
  try {
    const handle = await fs.open(path, "r");
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    const expected = process.platform === "win32" ? [...NO_FOLDER_SYNC, ...NO_FOLDER_SYNC_ON_WINDOWS] : NO_FOLDER_SYNC;
    if (!expected.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function folderOf(path: string): string {
  return process.getBuiltinModule("node:path").dirname(path);
}

function failToWrite(path: string, what: string, cause: unknown): never {
  if (cause instanceof OnebitError) throw cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const advice = Object.hasOwn(ADVICE, code) ? `${ADVICE[code]} (${code})` : message;
  fail("file/write", `${path}: cannot ${what}${what === "make the folder" ? "" : " this file"}: ${advice}`, cause);
}
