/**
 * Browsers, in a page or a worker: paths are URLs, threads are Workers from a Blob URL.
 *
 * @module
 */
import type { HubPlatform } from "../../core/model-store.ts";
import type { Platform, Thread } from "../../core/platform.ts";
import { openUrl } from "../open-url.ts";
import { startBlobWorker } from "./blob-worker.ts";
import { nextTurn } from "./next-turn.ts";

/**
 * The platform on what every browser has; with threads if the page is isolated and this thread may wait for them.
 * @param hub where models are kept, for programs that include its code
 */
export function browserPlatform(hub?: HubPlatform): Platform {
  const noThreadsReason = whyNoThreads();
  return {
    name: "browser",
    nCores: globalThis.navigator?.hardwareConcurrency ?? 1,
    openFile: (path) => openUrl(absolute(path)),
    isFolder: async (path) => new URL(absolute(path)).pathname.endsWith("/"),
    inFolder: (folder, name) => new URL(name, absolute(folder)).href,
    beside: (file, name) => new URL(name, absolute(file)).href,
    nextTurn,
    ...(hub === undefined ? {} : { hub }),
    ...(noThreadsReason === undefined ? { spawnThread } : { noThreadsReason }),
  };
}

/** Resolves a path as the page would, or in a worker, against the worker's own address. */
function absolute(path: string): string {
  return new URL(path, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

/** Undefined if threads are available. */
function whyNoThreads(): string | undefined {
  if (typeof Worker === "undefined") return "this kind of worker cannot start others";
  // Without isolation a shared memory can be made, but not sent to a worker.
  if (globalThis.crossOriginIsolated !== true) {
    return (
      "the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and " +
      "Cross-Origin-Embedder-Policy: require-corp"
    );
  }
  if (typeof SharedArrayBuffer === "undefined") return "this browser gives pages no shared memory (SharedArrayBuffer)";
  if (!mayWait()) return "a page's main thread may not wait for others: load the model in a worker (onebit/worker)";
  return undefined;
}

/** Threads meet at barriers, where the first to arrive sleeps; browsers forbid that on a page's main thread. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

function spawnThread(source: string, data: unknown): Thread {
  const body = `onmessage = async ({ data }) => {
    try {
      const ready = () => postMessage("ready");
      ${source}
      postMessage("ended");
    } catch (error) {
      postMessage({ error: String(error) });
    }
    close();
  };`;
  const { worker, onFailure, revoke } = startBlobWorker(body);
  const said = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      worker.addEventListener("message", ({ data: found }) =>
        found === wanted ? resolve() : found?.error !== undefined && reject(new Error(found.error)),
      );
      onFailure(reject);
    });
  const ready = said("ready"),
    ended = said("ended");
  // `ready` reports failures before the start; if nobody awaits the end, it must not count as unhandled.
  ended.catch(() => {});
  void ready.finally(revoke).catch(() => {});
  worker.postMessage(data);
  return { ready, ended: ended.catch(() => {}), join: () => ended, terminate: async () => worker.terminate() };
}
