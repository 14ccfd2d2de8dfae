/**
 * Which platform this program runs on: detects by what the runtime declares, and tries nothing.
 *
 * @module
 */
import type { HubPlatform } from "../core/model-store.ts";
import type { Platform } from "../core/platform.ts";
import { browserPlatform } from "./browser/platform.ts";
import { bunPlatform } from "./bun/platform.ts";
import { denoPlatform } from "./deno/platform.ts";
import { nodePlatform } from "./node/platform.ts";
import { workerdPlatform } from "./workerd/platform.ts";

/**
 * The platform of the runtime that calls: workerd, Deno, Bun, Node, and a browser (page or worker) where it is none of
 * them.
 * @param browserHub where a browser keeps models: passed in, as its code is not for programs that fetch no models
 */
export function detectPlatform(browserHub?: () => HubPlatform): Platform {
  // First: workerd can be told to have Node's `process`, Deno and Bun always have it.
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return workerdPlatform();
  if ("Deno" in globalThis) return denoPlatform();
  if (globalThis.process?.versions?.node === undefined) return browserPlatform(browserHub?.());
  return "Bun" in globalThis ? bunPlatform() : nodePlatform();
}
