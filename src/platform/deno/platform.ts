/**
 * Deno: Node's built-in modules, but what only some permissions allow is not asked without them.
 *
 * @module
 */
import type { Platform } from "../../core/platform.ts";
import { nodePlatform } from "../node/platform.ts";

/** The part of Deno's own interface that is used. */
interface Deno {
  readonly permissions: {
    querySync(permission: { name: "sys"; kind: "systemMemoryInfo" }): { readonly state: string };
  };
}

/** The platform over Deno's edition of Node's modules. Loading bytes needs no permission; paths need `--allow-read`. */
export function denoPlatform(): Platform {
  const { Deno } = globalThis as unknown as { readonly Deno: Deno };
  const { availableMemoryBytes, ...platform } = nodePlatform();
  // Without the permission the question would throw or, in a terminal, ask the user.
  const mayAskMemory = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" }).state === "granted";
  return { ...platform, name: "deno", ...(mayAskMemory ? { availableMemoryBytes } : {}) };
}
