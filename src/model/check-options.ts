/**
 * Refuses options that are not what they should be, before anything is read: a misspelt one from JavaScript must not
 * pass for a default, or become an address in memory.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { EngineOptions } from "./engine-options.ts";

const CHOICES = {
  variant: ["simd", "relaxed"],
  kvType: ["f32", "q8"],
  ternaryKernel: ["tables", "dot"],
  dense: ["auto", "keep", "q8"],
  activationMode: ["token", "block"],
} as const satisfies Partial<Record<keyof EngineOptions, readonly string[]>>;

/** What depends on the model (`contextLength`) or the platform (`threads`) is checked where those are known. @throws OnebitError `option/invalid` */
export function checkOptions(options: EngineOptions): void {
  for (const [name, wanted] of Object.entries(CHOICES)) {
    const found: unknown = options[name as keyof typeof CHOICES];
    if (found !== undefined && !wanted.some((choice) => choice === found)) refuse(name, listed(wanted), found);
  }
  const { memoryLimitBytes, signal, onProgress } = options;
  if (memoryLimitBytes !== undefined && !(typeof memoryLimitBytes === "number" && memoryLimitBytes > 0)) refuse("memoryLimitBytes", "a number of bytes above 0", memoryLimitBytes);
  if (signal !== undefined && !(typeof signal === "object" && signal !== null && "aborted" in signal)) refuse("signal", "an AbortSignal", signal);
  if (onProgress !== undefined && typeof onProgress !== "function") refuse("onProgress", "a function", onProgress);
}

function listed(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `"${choice}"`);
  return `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

function refuse(name: string, wanted: string, found: unknown): never {
  fail("option/invalid", `${name}: wanted ${wanted}, got ${typeof found === "string" ? JSON.stringify(found) : String(found)}`);
}
