/**
 * Builds the package: kernels (one AssemblyScript source, four variants), the bundles, the type declarations.
 *
 *   node scripts/build.mjs            everything
 *   node scripts/build.mjs --kernels  only the WebAssembly variants
 *   node scripts/build.mjs --bundle   only the JavaScript bundles (the kernels must be built)
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

export const VARIANTS = ["simd", "relaxed", "simd-threads", "relaxed-threads"];

/** Compiles every variant of assembly/index.ts to build/kernels.<variant>.wasm. */
export async function buildKernels() {
  const asc = await import("assemblyscript/asc");
  mkdirSync("build", { recursive: true });
  for (const variant of VARIANTS) {
    const { error, stderr } = await asc.main(["--config", "asconfig.json", "--target", variant]);
    if (error) throw new Error(`asc, variant ${variant}:\n${stderr.toString()}`);
  }
}

/** esbuild options every bundle of ours shares, tests and benchmarks included. */
export const BUNDLE = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: ["es2022", "node20"],
  packages: "external",
  loader: { ".wasm": "binary" },
  sourcemap: true,
  logLevel: "warning",
};

/** Bundles the library and the command line into dist/. The wasm variants travel inside, as bytes. */
export async function buildBundles() {
  const { build } = await import("esbuild");
  rmSync("dist", { recursive: true, force: true });
  await build({
    ...BUNDLE,
    entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
  });
}

function buildTypes() {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.types.json"], { stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const only = process.argv[2];
  if (only === undefined || only === "--kernels") await buildKernels();
  if (only === undefined || only === "--bundle") await buildBundles();
  if (only === undefined) buildTypes();
}
