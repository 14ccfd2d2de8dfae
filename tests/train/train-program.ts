/**
 * Bundles a program of these tests, kernels inside, to run in a process of its own.
 */
import { build } from "esbuild";
import { resolve } from "node:path";

/** @param entry from the repository root */
export async function buildTestProgram(entry: string, outfile: string): Promise<void> {
  const { BUNDLE } = (await import(resolve("scripts/build.mjs"))) as { BUNDLE: object };
  await build({ ...BUNDLE, entryPoints: [entry], outfile });
}
