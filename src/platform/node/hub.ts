/**
 * Downloaded models on Node, Deno and Bun: the cache shared with the huggingface_hub library, and one for other URLs.
 *
 * @module
 */
import type { ByteSource } from "../../core/byte-source.ts";
import type { HubPlatform } from "../../core/model-store.ts";
import { nodeModelStore } from "./model-store.ts";
import { nodeFetch } from "./proxy.ts";

/**
 * Repositories: HF_HUB_CACHE, or `hub` below HF_HOME, or below `huggingface` in the folder for caches. Other URLs:
 * ONEBIT_CACHE, or `onebit` in the folder for caches, which is XDG_CACHE_HOME or `.cache` at home.
 *
 * @param openFile opens a file by its whole path, as the platform does
 * @param environment Default: the process's.
 */
export function nodeHub(
  openFile: (path: string) => Promise<ByteSource>,
  environment: (name: string) => string | undefined = (name) => process.env[name],
): HubPlatform {
  const path = process.getBuiltinModule("node:path"),
    os = process.getBuiltinModule("node:os");
  const set = (name: string): string | undefined => environment(name) || undefined;
  const caches = (): string => set("XDG_CACHE_HOME") ?? path.join(os.homedir(), ".cache");
  const expanded = (folder: string): string => path.resolve(folder.replace(/^~(?=$|[\\/])/, () => os.homedir()));
  const hubFolder = (): string =>
    set("HF_HUB_CACHE") ??
    set("HUGGINGFACE_HUB_CACHE") ??
    path.join(set("HF_HOME") ?? path.join(caches(), "huggingface"), "hub");
  return {
    hubStore: nodeModelStore(() => expanded(hubFolder()), openFile),
    urlStore: nodeModelStore(() => expanded(set("ONEBIT_CACHE") ?? path.join(caches(), "onebit")), openFile),
    fetch: nodeFetch(set),
    createHash(algorithm) {
      const hash = process.getBuiltinModule("node:crypto").createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), digestHex: () => hash.digest("hex") };
    },
    environment: set,
  };
}
