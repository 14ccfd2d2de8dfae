/**
 * Downloaded models in a browser: in the origin private file system, or in a Cache where there is none.
 *
 * @module
 */
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { fail } from "../../core/errors.ts";
import type { HubPlatform, ModelStore } from "../../core/model-store.ts";
import { startBlobWorker } from "./blob-worker.ts";
import { browserCacheStore } from "./cache-store.ts";
import { browserModelStore } from "./model-store.ts";
import { openDirectly, openThroughWorker, opensDirectly, WORKER_SOURCE } from "./opfs-access.ts";
import type { FileAccess, FileWorker } from "./opfs-access.ts";

/** Web Crypto hashes only data that is in memory as a whole; these take a file piece by piece. */
const HASHES = { sha1, sha256 };

/**
 * A place for models in a browser: the origin private file system, or a Cache where there is none.
 *
 * @throws OnebitError `hub/unavailable`, when it is used, where a page is not secure or storage is switched off
 * @example
 * ```ts
 * import type { Platform } from "onebit";
 * import { browserHub, platformWithHub, pull } from "onebit/hub";
 *
 * const platform: Platform = { ...platformWithHub(), hub: { ...browserHub(), environment: () => undefined } };
 * await pull("hf:owner/repo", { platform });
 * ```
 */
export function browserHub(): HubPlatform {
  const store = (name: string): ModelStore => (hasPrivateFiles() ? privateFiles(name) : cacheEntries(name));
  return {
    hubStore: store("onebit-hub"),
    urlStore: store("onebit-urls"),
    fetch: (url, init) => fetch(url, init),
    createHash(algorithm) {
      const hash = HASHES[algorithm].create();
      return { update: (bytes) => void hash.update(bytes), digestHex: () => bytesToHex(hash.digest()) };
    },
    environment: () => undefined,
    persist: async () => (await globalThis.navigator?.storage?.persist?.()) ?? false,
  };
}

/** True if this thread may write files itself, or has a worker that may. */
function hasPrivateFiles(): boolean {
  return (
    globalThis.navigator?.storage?.getDirectory !== undefined && (opensDirectly() || typeof Worker !== "undefined")
  );
}

function privateFiles(name: string): ModelStore {
  const open: (handle: FileSystemFileHandle) => Promise<FileAccess> = opensDirectly()
    ? openDirectly
    : openThroughWorker(startWorker, () => navigator.storage.getDirectory());
  return browserModelStore(
    {
      root: async () => await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true }),
      open,
      locks: navigator.locks,
      estimate: () => navigator.storage.estimate(),
    },
    name,
  );
}

function cacheEntries(name: string): ModelStore {
  const absent = (): never =>
    fail(
      "hub/unavailable",
      "this page has no storage: serve it over https (or localhost), and allow the browser to keep site data",
    );
  return browserCacheStore(
    {
      cache: async () => await (globalThis.caches ?? absent()).open(name),
      locks: globalThis.navigator?.locks ?? { request: async () => absent() },
      async freeBytes() {
        const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
        return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
      },
    },
    name,
  );
}

function startWorker(): FileWorker {
  const { worker, onFailure } = startBlobWorker(WORKER_SOURCE);
  return {
    postMessage: (message) => worker.postMessage(message),
    onAnswer: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onFailure,
  };
}
