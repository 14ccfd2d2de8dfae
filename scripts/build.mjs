/**
 * Builds the package: kernels (one AssemblyScript source, four variants), the bundles, the type declarations.
 *
 *   node scripts/build.mjs            everything
 *   node scripts/build.mjs --kernels  only the WebAssembly variants
 *   node scripts/build.mjs --bundle   only the JavaScript bundles (the kernels must be built)
 *
 * What is built carries a stamp: the hash of all it was made from. `ensureKernels` and `ensureBundles` build only
 * when the stamp differs. Outputs appear by rename, so that a reader beside a running build sees old or new, never half.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

export const VARIANTS = ["simd", "relaxed", "simd-threads", "relaxed-threads"];

/** Every file below `folder` (recursive, sorted) whose name ends in `suffix`, as paths from the repository root. */
export function filesBelow(folder, suffix = "") {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    // Node 20.0–20.11 has only `path`, Node ≥ 24 only `parentPath`.
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return found.sort();
}

/** SHA-256 over names and contents of `files`: what a stamp holds. */
export function hashFiles(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

/** Compiles every variant of assembly/index.ts to build/kernels.<variant>.wasm, side by side. */
export async function buildKernels() {
  const stamp = kernelsHash();
  const staging = join("build", `staging-${process.pid}`);
  mkdirSync(staging, { recursive: true });
  try {
    await Promise.all(VARIANTS.map((variant) => compileVariant(variant, join(staging, `kernels.${variant}.wasm`))));
    writeFileSync(join(staging, "kernels.stamp"), stamp);
    for (const name of readdirSync(staging)) renameSync(join(staging, name), join("build", name));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function compileVariant(variant, out) {
  const asc = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
  const args = [asc, "--config", "asconfig.json", "--target", variant, "--outFile", out];
  try {
    await promisify(execFile)(process.execPath, args);
  } catch (error) {
    const problems = error.stderr.split("\n\n").filter((problem) => !problem.startsWith("WARNING"));
    throw new Error(`asc, variant ${variant}, ended with ${error.signal ?? error.code}:\n${problems.join("\n\n")}`, { cause: error });
  }
}

/** Compiles the kernels unless build/ holds those of exactly these sources. */
export async function ensureKernels() {
  if (!isFresh("build/kernels.stamp", kernelsHash(), "build/kernels.simd.wasm")) await buildKernels();
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
  const stamp = bundlesHash();
  const { outputFiles } = await build({
    ...BUNDLE,
    entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
  });
  mkdirSync("dist/chunks", { recursive: true });
  // Chunks first: an entry that is already in place never names a chunk that is not.
  const chunksFirst = [...outputFiles].sort((a, b) => Number(isChunk(b.path)) - Number(isChunk(a.path)));
  for (const { path, contents } of chunksFirst) replaceFile(path, contents);
  const kept = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync("dist/chunks")) if (!kept.has(name)) rmSync(join("dist/chunks", name), { force: true });
  replaceFile("build/bundles.stamp", stamp);
}

/** Bundles dist/ (kernels first) unless it holds the bundles of exactly these sources. */
export async function ensureBundles() {
  await ensureKernels();
  if (!isFresh("build/bundles.stamp", bundlesHash(), "dist/index.js")) await buildBundles();
}

/** Writes the type declarations to dist/types. */
export function buildTypes() {
  const stamp = typesHash();
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  rmSync("build/types", { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.types.json"], { stdio: "inherit" });
  // Sources outside src (the constants shared with the kernels) show in no declaration of the library.
  rmSync("dist/types", { recursive: true, force: true });
  mkdirSync("dist", { recursive: true });
  renameSync("build/types/src", "dist/types");
  replaceFile("build/types.stamp", stamp);
}

/** Writes dist/types unless it holds the declarations of exactly these sources. */
export function ensureTypes() {
  if (!isFresh("build/types.stamp", typesHash(), "dist/types")) buildTypes();
}

function kernelsHash() {
  const sources = filesBelow("assembly", ".ts").filter((file) => !file.includes("__tests__"));
  return hashFiles([...sources, "asconfig.json", "package-lock.json"]);
}

function bundlesHash() {
  const wasm = VARIANTS.map((variant) => `build/kernels.${variant}.wasm`);
  return hashFiles([...filesBelow("src", ".ts"), ...wasm, "package.json", "package-lock.json", "scripts/build.mjs"]);
}

function typesHash() {
  return hashFiles([...filesBelow("src", ".ts"), "assembly/abi.ts", "package-lock.json", "tsconfig.json", "tsconfig.types.json"]);
}

function isFresh(stampFile, hash, output) {
  try {
    return existsSync(output) && readFileSync(stampFile, "utf8") === hash;
  } catch {
    return false;
  }
}

const isChunk = (path) => path.includes("chunks");

function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

async function main(only) {
  if (only === undefined || only === "--kernels") await buildKernels();
  if (only === undefined || only === "--bundle") await buildBundles();
  if (only === undefined) buildTypes();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv[2]).catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
