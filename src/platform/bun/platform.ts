/**
 * Bun: Node's built-in modules.
 *
 * @module
 */
import type { Platform } from "../../core/platform.ts";
import { nodePlatform } from "../node/platform.ts";

/** The platform on Bun's version of Node's modules. */
export function bunPlatform(): Platform {
  return { ...nodePlatform(), name: "bun" };
}
