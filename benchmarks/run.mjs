/**
 * Runs one benchmark: bundles `benchmarks/NAME.ts` with esbuild and executes it in this Node. Paths in its arguments
 * are relative to the repository root.
 *
 *   node benchmarks/run.mjs all --quick
 *   node benchmarks/run.mjs synthetic --shape 2b4t --out /tmp/2b4t.gguf
 *   node benchmarks/run.mjs decode /tmp/2b4t.gguf
 *   node benchmarks/run.mjs accuracy /tmp/2b4t.gguf
 *   node benchmarks/run.mjs memory /tmp/2b4t.gguf
 */
import { build } from "esbuild";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BUNDLE, ensureBundles, ensureKernels } from "../scripts/build.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [name, ...args] = process.argv.slice(2);
const entry = join(here, `${name}.ts`);

if (!name || !existsSync(entry)) {
  const names = readdirSync(here)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -3));
  console.error(`usage: node benchmarks/run.mjs NAME [arguments]; NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}
// These need dist/. Writing a synthetic model or a chart needs no kernel, and must work while kernels change; cycles
// compiles its own.
if (["all", "decode", "workers", "visitors"].includes(name)) await ensureBundles();
else if (!["synthetic", "loss-curves", "cycles"].includes(name)) await ensureKernels();
const outdir = join(here, "..", "build", "benchmarks"),
  outfile = join(outdir, `${name}.js`);
// Split, as dist/ and the tests are: in a single file, esbuild would import the default model by copying each of its
// million bytes as a property of an object. That held the event loop for 10 s.
await build({ ...BUNDLE, entryPoints: [entry], outdir, splitting: true, chunkNames: "[name]-[hash]" });
process.argv = [process.argv[0], outfile, ...args];
await import(pathToFileURL(outfile).href);
