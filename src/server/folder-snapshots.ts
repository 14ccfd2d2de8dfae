/**
 * Snapshots as files of a folder, which several processes may share.
 *
 * @module
 */
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SnapshotStore } from "./server-options.ts";

const ENDING = ".context";
/** Writes between two looks at the size of the folder. */
const LOOK_EVERY = 16;

/**
 * @param bytesMax of all files together; those that were unused for longest are removed
 */
export function folderSnapshots(folder: string, bytesMax: number): SnapshotStore {
  let nWrites = 0;
  const pathOf = (key: string): string => join(folder, key + ENDING);
  return {
    async read(key) {
      try {
        const bytes = await readFile(pathOf(key)),
          now = new Date();
        // Its time of change says when it was used last. Another process may have removed it meanwhile.
        await utimes(pathOf(key), now, now).catch(() => {});
        return bytes;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async write(key, bytes) {
      await mkdir(folder, { recursive: true });
      // Under another name until it is whole: a process may be killed, and another read, at any moment.
      const partial = join(folder, `${key}.${process.pid}.${nWrites++}.part`);
      try {
        await writeFile(partial, bytes);
        await rename(partial, pathOf(key));
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      if (nWrites % LOOK_EVERY === 1) await makeRoom(folder, bytesMax);
    },
  };
}

/** Partial files of processes that were killed are the oldest before long. */
async function makeRoom(folder: string, bytesMax: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(ENDING) || name.endsWith(".part")),
    found = await Promise.all(names.map((name) => fileOf(join(folder, name))));
  const files = found.filter((file) => file !== undefined).sort((a, b) => a.usedMs - b.usedMs);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files) {
    if (bytes <= bytesMax) return;
    await rm(file.path, { force: true });
    bytes -= file.bytes;
  }
}

async function fileOf(path: string): Promise<{ path: string; bytes: number; usedMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { path, bytes: size, usedMs: mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
