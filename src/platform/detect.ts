/**
 * Detects the platform by what the runtime declares, without trying anything.
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
 * The platform of this runtime: workerd, Deno, Bun or Node; else a browser (page or worker).
 * @param browserHub where a browser keeps models; an argument, so that programs that fetch none do not include its code
 */
export function detectPlatform(browserHub?: () => HubPlatform): Platform {
  // First: workerd can be told to have Node's `process`; Deno and Bun always have it.
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return workerdPlatform();
  if ("Deno" in globalThis) return denoPlatform();
  if (globalThis.process?.versions?.node === undefined) return browserPlatform(browserHub?.());
  return "Bun" in globalThis ? bunPlatform() : nodePlatform();
}
