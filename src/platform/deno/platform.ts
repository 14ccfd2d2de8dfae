/**
 * Deno: Node's built-in modules, without asking for what only some permissions allow.
 *
 * @module
 */
import type { Platform } from "../../core/platform.ts";
import { nodePlatform } from "../node/platform.ts";

/** The part of Deno's own interface we use. */
interface Deno {
  readonly permissions: {
    querySync(permission: { name: "sys"; kind: "systemMemoryInfo" }): { readonly state: string };
  };
}

/** The platform on Deno's version of Node's modules. Loading bytes needs no permission; paths need `--allow-read`. */
export function denoPlatform(): Platform {
  const { Deno } = globalThis as unknown as { readonly Deno: Deno };
  const { availableMemoryBytes, ...platform } = nodePlatform();
  // Without the permission, asking would throw or, in a terminal, prompt the user.
  const mayAskMemory = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" }).state === "granted";
  return { ...platform, name: "deno", ...(mayAskMemory ? { availableMemoryBytes } : {}) };
}
