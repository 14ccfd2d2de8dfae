/**
 * workerd, which runs Cloudflare Workers: no files and no threads; paths are URLs.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Platform } from "../../core/platform.ts";
import { openUrl } from "../open-url.ts";

/** The platform on `fetch` alone. */
export function workerdPlatform(): Platform {
  return {
    name: "workerd",
    nCores: 1,
    openFile: async (path) =>
      URL.canParse(path) ? openUrl(path) : fail("file/not-found", `${path}: workerd has no files; give a URL or bytes`),
    isFolder: async (path) => URL.canParse(path) && new URL(path).pathname.endsWith("/"),
    inFolder: (folder, name) => new URL(name, folder).href,
    beside: (file, name) => new URL(name, file).href,
    // The default nextTurn: messages of a channel arrive before the network is polled, so with them nothing would
    // stream, nor stop.
    isolatesRequests: true,
    noThreadsReason: "workerd has no threads",
  };
}
