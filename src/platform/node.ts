/**
 * Node (and runtimes with Node's built-ins): files through `node:fs`, threads through `node:worker_threads`. The
 * modules are asked for by name at run time, so that bundlers for other runtimes see no import.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { fail } from "../core/errors.ts";
import type { Platform, Thread } from "../core/platform.ts";
import { nodeFileStore } from "./node-files.ts";
import { nodeHub } from "./node-hub.ts";

/** The platform over Node's built-in modules. */
export function nodePlatform(): Platform {
  const os = process.getBuiltinModule("node:os"), path = process.getBuiltinModule("node:path");
  return {
    name: "node",
    nCores: os.availableParallelism(),
    openFile,
    isFolder,
    inFolder: (folder, name) => path.join(folder, name),
    beside: (file, name) => path.join(path.dirname(file), name),
    availableMemoryBytes: () => process.availableMemory(),
    spawnThread,
    pathOf: (url) => process.getBuiltinModule("node:url").fileURLToPath(url),
    ...nodeFileStore(),
    hub: nodeHub(openFile),
  };
}

/** One read call at most: Node takes lengths below 2 GiB. */
const READ_BYTES_MAX = 1 << 30;

type OpenFs = Pick<typeof import("node:fs/promises"), "open" | "stat">;

/** @param fs tests pass one that fails */
export async function openFile(path: string, fs: OpenFs = process.getBuiltinModule("node:fs/promises")): Promise<ByteSource> {
  const refuse = (cause: NodeJS.ErrnoException): never =>
    cause.code === "ENOENT"
      ? fail("file/not-found", `${path}: no such file`, cause)
      : fail("file/read", `${path}: ${cause.message}`, cause);
  // Before it is opened: that of a pipe waits for somebody to write to it, and for ever.
  requireFile(path, await fs.stat(path).catch(refuse));
  const handle = await fs.open(path, "r").catch(refuse);
  const stat = await handle.stat().catch(async (cause: unknown) => {
    await handle.close().catch(() => {});
    return fail("file/read", `${path}: ${messageOf(cause)}`, cause);
  });
  return {
    name: path,
    sizeBytes: stat.size,
    async read(into, position) {
      for (let done = 0; done < into.length; ) {
        const want = Math.min(into.length - done, READ_BYTES_MAX);
        const { bytesRead } = await handle.read(into, done, want, position + done)
          .catch((cause: unknown) => fail("file/read", `${path}: read at byte ${position + done} failed: ${messageOf(cause)}`, cause));
        if (bytesRead === 0) fail("file/read", `${path}: wanted bytes up to ${position + into.length}, it ends at ${position + done}`);
        done += bytesRead;
      }
    },
    close: () => handle.close().catch((cause: unknown) => fail("file/read", `${path}: ${messageOf(cause)}`, cause)),
  };
}

function requireFile(path: string, stat: import("node:fs").Stats): void {
  if (stat.isFile()) return;
  const kinds = [[stat.isDirectory(), "a folder"], [stat.isFIFO(), "a pipe"], [stat.isSocket(), "a socket"], [true, "a device"]] as const;
  fail("file/read", `${path}: wanted a file, found ${kinds.find(([is]) => is)?.[1]}`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

async function isFolder(path: string): Promise<boolean> {
  const fs = process.getBuiltinModule("node:fs/promises");
  return fs.stat(path).then((stat) => stat.isDirectory(), () => false);
}

function spawnThread(source: string, data: unknown): Thread {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const body = `const { parentPort, workerData: data } = require("node:worker_threads");
    const ready = () => parentPort.postMessage("ready");
    (async () => { ${source} })().catch((error) => { throw error; });`;
  const worker = new Worker(body, { eval: true, workerData: data });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the thread ended with code ${code}`)));
  });
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  // Once it runs, a thread must not keep the process alive: a program that forgets close() still exits.
  ready.then(() => worker.unref(), () => {});
  return {
    ready,
    async join() {
      worker.ref();
      await ended;
    },
    async terminate() {
      // Or the process may end, its event loop empty, while somebody still waits for this.
      worker.ref();
      await worker.terminate();
    },
  };
}
