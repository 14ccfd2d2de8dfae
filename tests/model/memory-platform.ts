/** A platform whose files are in memory, and which counts what was opened and not closed again. */
import { type ByteSource, bytesSource } from "../../src/core/byte-source.ts";
import { fail } from "../../src/core/errors.ts";
import type { Platform } from "../../src/core/platform.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

/** The folder whose files these are. */
export const FOLDER = "folder";

export interface MemoryPlatform extends Platform {
  /** Files open now. */
  readonly nOpen: () => number;
  readonly nOpened: () => number;
  /** Threads started and not ended. */
  readonly nThreads: () => number;
}

/** @param change wraps each file as it is opened, to make it fail or to watch it */
export function memoryPlatform(
  files: Readonly<Record<string, Uint8Array>>,
  change: (source: ByteSource) => ByteSource = (source) => source,
): MemoryPlatform {
  const node = nodePlatform();
  let opened = 0,
    closed = 0,
    threads = 0;
  return {
    name: "memory",
    nCores: 1,
    isFolder: async (path) => path === FOLDER,
    inFolder: (_, name) => name,
    beside: (_, name) => name,
    async openFile(path) {
      if (!Object.hasOwn(files, path)) fail("file/not-found", `${path}: no such file`);
      opened++;
      const source = change(bytesSource(files[path], path));
      return {
        ...source,
        async close() {
          closed++;
          await source.close();
        },
      };
    },
    spawnThread(source, data) {
      const thread = node.spawnThread!(source, data);
      threads++;
      const ended = async (end: Promise<void>) => {
        await end;
        threads--;
      };
      return { ready: thread.ready, join: () => ended(thread.join()), terminate: () => ended(thread.terminate()) };
    },
    nOpen: () => opened - closed,
    nOpened: () => opened,
    nThreads: () => threads,
  };
}
