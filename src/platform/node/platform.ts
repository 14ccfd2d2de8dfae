/**
 * Node (and runtimes with Node's built-ins): files through `node:fs`, threads through `node:worker_threads`. Loads the
 * modules by name at run time, so that bundlers for other runtimes see no import.
 *
 * @module
 */
import type { Platform, Thread } from "../../core/platform.ts";
import { nodeFileStore } from "./files.ts";
import { nodeHub } from "./hub.ts";
import { openFile } from "./source.ts";

/**
 * The platform over Node's built-in modules, to change one thing of it: {@link load} finds it by itself.
 *
 * @example
 * ```ts
 * import { load, nodePlatform } from "onebit";
 *
 * await using model = await load("model.gguf", { platform: { ...nodePlatform(), nCores: 1 } });
 * console.log(model.engine.threads); // 1
 * ```
 */
export function nodePlatform(): Platform {
  const os = process.getBuiltinModule("node:os"),
    path = process.getBuiltinModule("node:path");
  return {
    name: "node",
    nCores: os.availableParallelism(),
    openFile,
    isFolder,
    inFolder: (folder, name) => path.join(folder, name),
    beside: (file, name) => path.join(path.dirname(file), name),
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    availableMemoryBytes: () => process.availableMemory(),
    spawnThread,
    pathOf: (url) => process.getBuiltinModule("node:url").fileURLToPath(url),
    ...nodeFileStore(),
    hub: nodeHub(openFile),
  };
}

async function isFolder(path: string): Promise<boolean> {
  const fs = process.getBuiltinModule("node:fs/promises");
  return fs.stat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
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
  // Otherwise an error in a running thread would end the process; `ended` reports it.
  worker.on("error", () => {});
  // A running thread must not keep the process alive: a program that forgets close() still exits.
  ready.then(
    () => worker.unref(),
    () => {},
  );
  return {
    ready,
    ended,
    async join() {
      worker.ref();
      await ended;
    },
    async terminate() {
      // Otherwise the process may end, its event loop empty, while somebody still waits for this.
      worker.ref();
      await worker.terminate();
    },
  };
}
