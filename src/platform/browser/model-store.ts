/**
 * Keeps models in a browser's origin private file system: files on disk that only this site sees.
 *
 * Only workers may write such files in place (`createSyncAccessHandle`); a page's main thread asks a small worker of
 * its own. There are no links, so a linked file is moved. Locks are the browser's, which end with their tab.
 *
 * @module
 */
import { blobSource } from "../../core/byte-source.ts";
import { fail } from "../../core/errors.ts";
import type { ModelStore, WritableFile } from "../../core/model-store.ts";
import { attempt } from "./failures.ts";
import { browserLocks } from "./locks.ts";
import type { FileAccess } from "./opfs-access.ts";

/** What the store needs from a browser, so that tests can do without one. */
export interface BrowserFiles {
  /** The store's folder, created if needed. */
  root(): Promise<FileSystemDirectoryHandle>;
  /** Opens a file for reading and writing in place. */
  open(handle: FileSystemFileHandle): Promise<FileAccess>;
  readonly locks: Pick<LockManager, "request">;
  estimate(): Promise<StorageEstimate>;
}

/** @param name for messages and locks; the same in every tab */
export function browserModelStore(files: BrowserFiles, name: string): ModelStore {
  const folderOf = (path: string, create: boolean): Promise<FileSystemDirectoryHandle | undefined> =>
    folderAt(files, path.split("/").slice(0, -1), create);

  async function fileAt(path: string, create: boolean): Promise<FileSystemFileHandle | undefined> {
    const folder = await folderOf(path, create);
    return await orAbsent(folder?.getFileHandle(baseName(path), { create }));
  }

  async function move(from: string, to: string): Promise<void> {
    const handle = await fileAt(from, false),
      folder = await folderOf(to, true);
    if (handle === undefined || folder === undefined)
      return fail("file/write", `${name}/${from}: no such file to move`);
    const movable = handle as FileSystemFileHandle & {
      move?(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
    };
    if (movable.move === undefined) return await copyOver(files, handle, folder, { from, to, name });
    await movable.move(folder, baseName(to));
  }

  return {
    name,
    stat: (path) =>
      attempt(`${name}/${path}`, "file/read", async () => {
        const handle = await fileAt(path, false),
          file = await orAbsent(handle?.getFile());
        return file && { sizeBytes: file.size, modifiedMs: file.lastModified };
      }),
    list: (path) =>
      attempt(`${name}/${path}`, "file/read", async () => {
        const folder = await folderAt(files, path === "" ? [] : path.split("/"), false),
          found: { name: string; isFolder: boolean }[] = [];
        // TypeScript's types do not know that folders are iterable.
        const entries = folder as unknown as AsyncIterable<[string, FileSystemHandle]> | undefined;
        if (entries !== undefined)
          for await (const [entry, handle] of entries)
            found.push({ name: entry, isFolder: handle.kind === "directory" });
        return found;
      }),
    openRead: (path) =>
      attempt(`${name}/${path}`, "file/read", async () => {
        const handle = await fileAt(path, false),
          file = await orAbsent(handle?.getFile());
        return file === undefined
          ? fail("file/not-found", `${name}/${path}: no such file`)
          : blobSource(file, `${name}/${path}`);
      }),
    openWrite: (path) =>
      attempt(`${name}/${path}`, "file/write", async () => {
        const handle = await fileAt(path, true);
        if (handle === undefined) return fail("file/write", `${name}/${path}: cannot be made`);
        return writableFile(await files.open(handle), `${name}/${path}`);
      }),
    rename: (from, to) => attempt(`${name}/${to}`, "file/write", () => move(from, to)),
    link: (path, target) => attempt(`${name}/${path}`, "file/write", () => move(target, path)),
    linkTarget: async () => undefined,
    remove: (path) =>
      attempt(`${name}/${path}`, "file/write", async () => {
        const folder = await folderOf(path, false);
        await orAbsent(folder?.removeEntry(baseName(path), { recursive: true }));
      }),
    lock: browserLocks(files.locks, name),
    async freeBytes() {
      const { quota, usage } = await files.estimate().catch((): StorageEstimate => ({}));
      return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
    },
  };
}

async function folderAt(
  files: BrowserFiles,
  parts: readonly string[],
  create: boolean,
): Promise<FileSystemDirectoryHandle | undefined> {
  let folder: FileSystemDirectoryHandle | undefined = await files.root();
  for (const part of parts) folder = await orAbsent(folder?.getDirectoryHandle(part, { create }));
  return folder;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Undefined if it does not exist, or is a folder instead of a file. */
async function orAbsent<T>(found: Promise<T> | undefined): Promise<T | undefined> {
  return await found?.catch((error: unknown) => {
    if (error instanceof Error && (error.name === "NotFoundError" || error.name === "TypeMismatchError"))
      return undefined;
    throw error;
  });
}

function writableFile(access: FileAccess, path: string): WritableFile {
  return {
    sizeBytes: () => attempt(path, "file/read", () => access.size()),
    read: (into, position) =>
      attempt(path, "file/read", async () => {
        const bytes = await access.read(position, into.length);
        if (bytes.length !== into.length)
          fail(
            "file/read",
            `${path}: wanted bytes up to ${position + into.length}, it ends at ${position + bytes.length}`,
          );
        into.set(bytes);
      }),
    write: (bytes, position) =>
      attempt(path, "file/write", async () => {
        const written = await access.write(bytes, position);
        // Firefox and Safari write what fits, and return how much.
        if (written !== bytes.length) fail("hub/no-space", `${path}: wrote ${written} of ${bytes.length} bytes`);
      }),
    resize: (sizeBytes) => attempt(path, "file/write", () => access.resize(sizeBytes)),
    flush: () => attempt(path, "file/write", () => access.flush()),
    close: () => attempt(path, "file/write", () => access.close()),
  };
}

/** Copies piece by piece in browsers that cannot move files. */
const COPY_BYTES = 4 * 1024 * 1024;

async function copyOver(
  files: BrowserFiles,
  from: FileSystemFileHandle,
  folder: FileSystemDirectoryHandle,
  paths: { readonly from: string; readonly to: string; readonly name: string },
): Promise<void> {
  const source = await from.getFile(),
    access = await files.open(await folder.getFileHandle(baseName(paths.to), { create: true }));
  try {
    await access.resize(0);
    for (let at = 0; at < source.size; at += COPY_BYTES) {
      const bytes = new Uint8Array(await source.slice(at, at + COPY_BYTES).arrayBuffer());
      if ((await access.write(bytes, at)) !== bytes.length)
        fail("hub/no-space", `${paths.name}/${paths.to}: no room for a copy`);
    }
    await access.flush();
    await access.close();
  } catch (error) {
    // Half a copy must not pass for the file.
    await access.close().catch(() => {});
    await folder.removeEntry(baseName(paths.to)).catch(() => {});
    throw error;
  }
  const parent = await folderAt(files, paths.from.split("/").slice(0, -1), false);
  await parent?.removeEntry(baseName(paths.from));
}
