/**
 * Models as files of a folder, through `node:fs`: on Node, Deno and Bun.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { OnebitError, fail } from "../core/errors.ts";
import type { LockOptions, ModelStore, StoreLock, WritableFile } from "../core/model-store.ts";
import { lockFile } from "./node-file-lock.ts";

type FileHandle = import("node:fs/promises").FileHandle;

/**
 * @param folder asked for when it is first needed: where environment variables need a permission, making a store does not
 * @param openRead opens a file by its whole path, as the platform does
 */
export function nodeModelStore(folder: () => string, openRead: (path: string) => Promise<ByteSource>): ModelStore {
  const fs = process.getBuiltinModule("node:fs/promises"), path = process.getBuiltinModule("node:path");
  const at = (name: string): string => path.join(folder(), name);
  const attempt = <T>(what: string, name: string, run: () => Promise<T>): Promise<T> => run().catch((cause: unknown) => refuse(at(name), what, cause));

  async function lock(name: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  async function lock(name: string, options: LockOptions): Promise<StoreLock>;
  async function lock(name: string, options: LockOptions): Promise<StoreLock | undefined> {
    return await attempt("lock", name, async () => {
      await fs.mkdir(path.dirname(at(name)), { recursive: true });
      return await lockFile(at(name), options);
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
    openWrite: (name) => attempt("open", name, async () => {
      await fs.mkdir(path.dirname(at(name)), { recursive: true });
      const { O_RDWR, O_CREAT } = fs.constants, handle = await fs.open(at(name), O_RDWR | O_CREAT, 0o666);
      return writableFile(handle, at(name));
    }),
    rename: (from, to) => attempt("move", to, async () => {
      await fs.mkdir(path.dirname(at(to)), { recursive: true });
      await fs.rename(at(from), at(to));
      await flushFolder(path.dirname(at(to)));
    }),
    link: (name, target) => attempt("link", name, () => linkOrMove(at(name), at(target))),
    async linkTarget(name) {
      const target = await fs.readlink(at(name)).catch(absent);
      if (target === undefined) return undefined;
      return path.relative(folder(), path.resolve(path.dirname(at(name)), target)).split(path.sep).join("/");
    },
    remove: (name) => attempt("remove", name, () => fs.rm(at(name), { recursive: true, force: true })),
    lock,
    async freeBytes() {
      const { bavail, bsize, blocks } = await fs.statfs(await nearestFolder(folder()));
      // Some file systems over a network tell nothing.
      return blocks === 0 ? undefined : bavail * bsize;
    },
    absolutePath: at,
  };
}

/** Undefined for what is not there, or is no link, or lies below a file. */
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
  const attempt = <T>(what: string, run: () => Promise<T>): Promise<T> => run().catch((cause: unknown) => refuse(path, what, cause));
  return {
    sizeBytes: () => attempt("size", async () => (await handle.stat()).size),
    async read(into, position) {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
          .catch((cause: unknown) => fail("file/read", `${path}: read at byte ${position + done} failed`, cause));
        if (bytesRead === 0) fail("file/read", `${path}: wanted bytes up to ${position + into.length}, it ends at ${position + done}`);
        done += bytesRead;
      }
    },
    write: (bytes, position) => attempt("write", async () => {
      for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }),
    resize: (sizeBytes) => attempt("resize", () => handle.truncate(sizeBytes)),
    flush: () => attempt("flush", () => handle.datasync()),
    close: () => attempt("close", () => handle.close()),
  };
}

/** Relative links, so that a cache may be moved; made aside and renamed, so that there is always the old one or the new. */
async function linkOrMove(link: string, target: string): Promise<void> {
  const fs = process.getBuiltinModule("node:fs/promises"), path = process.getBuiltinModule("node:path");
  await fs.mkdir(path.dirname(link), { recursive: true });
  const temporary = `${link}.${process.getBuiltinModule("node:crypto").randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.symlink(path.relative(path.dirname(link), target), temporary);
  } catch (error) {
    // Windows without the right to make links, and file systems that have none.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES", "UNKNOWN"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await fs.rename(target, link);
    return;
  }
  await fs.rename(temporary, link);
}

/** A rename is on the disk when its folder is. Windows has no such thing and refuses. */
async function flushFolder(folder: string): Promise<void> {
  const fs = process.getBuiltinModule("node:fs/promises");
  const handle = await fs.open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync().catch(() => {});
  } finally {
    await handle?.close();
  }
}

/** The folder itself may be still to be made. */
async function nearestFolder(folder: string): Promise<string> {
  const fs = process.getBuiltinModule("node:fs/promises"), path = process.getBuiltinModule("node:path");
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (await fs.stat(at).then((stat) => stat.isDirectory(), () => false) || path.dirname(at) === at) return at;
  }
}
