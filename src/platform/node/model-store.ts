/**
 * Keeps models as files of a folder, through `node:fs`: on Node, Deno and Bun.
 *
 * @module
 */
import type { ByteSource } from "../../core/byte-source.ts";
import { OnebitError, fail } from "../../core/errors.ts";
import type { LockOptions, ModelStore, StoreLock, WritableFile } from "../../core/model-store.ts";
import { lockFile } from "./file-lock.ts";
import type { LockFs } from "./file-lock.ts";
import { makeFolder, syncFolder } from "./files.ts";

type FileHandle = import("node:fs/promises").FileHandle;

/** The functions of `node:fs/promises` used here; tests pass ones that fail. */
export type ModelFs = LockFs &
  Pick<
    typeof import("node:fs/promises"),
    "mkdir" | "open" | "readdir" | "readlink" | "realpath" | "statfs" | "symlink"
  >;

/**
 * @param folder called on first use: reading environment variables may need a permission, making a store does not
 * @param openRead opens a file by its whole path, as the platform does
 */
export function nodeModelStore(
  folder: () => string,
  openRead: (path: string) => Promise<ByteSource>,
  fs: ModelFs = process.getBuiltinModule("node:fs/promises"),
): ModelStore {
  const path = process.getBuiltinModule("node:path"),
    at = (name: string): string => path.join(folder(), name);
  const attempt = <T>(what: string, name: string, run: () => Promise<T>): Promise<T> =>
    run().catch((cause: unknown) => refuse(at(name), what, cause));

  async function lock(name: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  async function lock(name: string, options: LockOptions): Promise<StoreLock>;
  async function lock(name: string, options: LockOptions): Promise<StoreLock | undefined> {
    return await attempt("lock", name, async () => {
      await makeFolder(fs, path.dirname(at(name)));
      return await lockFile(at(name), options, fs);
    });
  }

  return {
    get name() {
      return folder();
    },
    async stat(name) {
      const found = await fs.stat(at(name)).catch(absent);
      return found?.isFile() ? { sizeBytes: found.size, modifiedMs: found.mtimeMs } : undefined;
    },
    async list(name) {
      const entries = (await fs.readdir(at(name), { withFileTypes: true }).catch(absent)) ?? [];
      return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    },
    openRead: (name) => openRead(at(name)),
    openWrite: (name) =>
      attempt("open", name, async () => {
        await makeFolder(fs, path.dirname(at(name)));
        return writableFile(await openForChanges(fs, at(name)), at(name));
      }),
    rename: (from, to) =>
      attempt("move", to, async () => {
        await makeFolder(fs, path.dirname(at(to)));
        await fs.rename(at(from), at(to));
        await syncFolder(fs, path.dirname(at(to)));
      }),
    link: (name, target) => attempt("link", name, () => linkOrMove(fs, at(name), at(target))),
    async linkTarget(name) {
      const target = await fs.readlink(at(name)).catch(absent);
      if (target === undefined) return undefined;
      return path
        .relative(folder(), path.resolve(path.dirname(at(name)), target))
        .split(path.sep)
        .join("/");
    },
    remove: (name) =>
      attempt("remove", name, async () => {
        if (await isInside(fs, path.dirname(at(name)), folder()))
          await fs.rm(at(name), { recursive: true, force: true });
      }),
    lock,
    async freeBytes() {
      // Some network file systems report nothing.
      const { bavail, bsize, blocks } = await fs
        .statfs(await nearestFolder(fs, folder()))
        .catch(() => ({ bavail: 0, bsize: 0, blocks: 0 }));
      return blocks === 0 ? undefined : bavail * bsize;
    },
    absolutePath: at,
  };
}

/** Undefined if it does not exist, is no link, or lies below a file. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (["ENOENT", "ENOTDIR", "EINVAL", "UNKNOWN"].includes(error.code ?? "")) return undefined;
  return fail("file/read", error.message, error);
}

function refuse(path: string, what: string, cause: unknown): never {
  if (cause instanceof OnebitError) throw cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  return fail(isFull ? "hub/no-space" : "file/write", `${path}: ${what}: ${message}`, cause);
}

function writableFile(handle: FileHandle, path: string): WritableFile {
  const attempt = <T>(what: string, run: () => Promise<T>): Promise<T> =>
    run().catch((cause: unknown) => refuse(path, what, cause));
  return {
    sizeBytes: () => attempt("size", async () => (await handle.stat()).size),
    async read(into, position) {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await handle
          .read(into, done, into.length - done, position + done)
          .catch((cause: unknown) => fail("file/read", `${path}: read at byte ${position + done} failed`, cause));
        if (bytesRead === 0)
          fail("file/read", `${path}: wanted bytes up to ${position + into.length}, it ends at ${position + done}`);
        done += bytesRead;
      }
    },
    write: (bytes, position) =>
      attempt("write", async () => {
        for (let done = 0; done < bytes.length; )
          done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      }),
    resize: (sizeBytes) => attempt("resize", () => handle.truncate(sizeBytes)),
    flush: () => attempt("flush", () => handle.datasync()),
    close: () => attempt("close", () => handle.close()),
  };
}

/** Opens a file, created if needed, with its name on disk; otherwise a power cut would take its contents too. */
async function openForChanges(fs: ModelFs, path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT } = process.getBuiltinModule("node:fs").constants,
    handle = await fs.open(path, O_RDWR | O_CREAT, 0o666);
  try {
    if (!(await handle.stat()).isFile())
      fail("file/write", `${path}: wanted a file, found a pipe, a device or a socket; remove it`);
    await syncFolder(fs, process.getBuiltinModule("node:path").dirname(path));
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/**
 * Makes a relative link, so that a cache may be moved; made aside and renamed, so there is always the old link or the
 * new.
 */
async function linkOrMove(fs: ModelFs, link: string, target: string): Promise<void> {
  const path = process.getBuiltinModule("node:path"),
    folder = path.dirname(link);
  await makeFolder(fs, folder);
  const temporary = `${link}.${process.getBuiltinModule("node:crypto").randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.symlink(path.relative(folder, target), temporary);
    await fs.rename(temporary, link);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    // Windows without the right to make links, and file systems without links.
    if (
      !["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES", "UNKNOWN"].includes(
        (error as NodeJS.ErrnoException).code ?? "",
      )
    )
      throw error;
    await fs.rename(target, link);
  }
  await syncFolder(fs, folder);
}

/**
 * Whether a folder exists below `root`. A link's target elsewhere is not ours to remove.
 * @throws OnebitError `file/write` if it is elsewhere
 */
async function isInside(fs: ModelFs, folder: string, root: string): Promise<boolean> {
  const path = process.getBuiltinModule("node:path"),
    [found, top] = await Promise.all([folder, root].map((one) => fs.realpath(one).catch(absent)));
  if (found === undefined || top === undefined) return false;
  const way = path.relative(top, found);
  if (way === ".." || way.startsWith(`..${path.sep}`) || path.isAbsolute(way))
    fail("file/write", `${folder}: a link leads out of ${root}, to ${found}; remove what is there by hand`);
  return true;
}

/** The folder itself may not exist yet. */
async function nearestFolder(fs: ModelFs, folder: string): Promise<string> {
  const path = process.getBuiltinModule("node:path");
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (
      (await fs.stat(at).then(
        (stat) => stat.isDirectory(),
        () => false,
      )) ||
      path.dirname(at) === at
    )
      return at;
  }
}
