/**
 * Which platform this program runs on. What is asked is what a runtime says of itself; nothing is tried.
 *
 * @module
 */
import type { Platform } from "../core/platform.ts";
import { browserPlatform } from "./browser.ts";
import { denoPlatform } from "./deno.ts";
import { nodePlatform } from "./node.ts";
import { workerdPlatform } from "./workerd.ts";

/**
 * The platform of the runtime that calls: workerd, Deno, Bun, Node, and a browser (page or worker) where it is none of
 * them.
 */
export function detectPlatform(): Platform {
  // First: workerd can be told to have Node's `process`, Deno and Bun always have it.
  if (globalThis.navigator?.userAgent === "Cloudflare-Workers") return workerdPlatform();
  if ("Deno" in globalThis) return denoPlatform();
  if (globalThis.process?.versions?.node === undefined) return browserPlatform();
  return "Bun" in globalThis ? { ...nodePlatform(), name: "bun" } : nodePlatform();
}
