/**
 * Builds the package: kernels (one AssemblyScript source, four variants), the bundles, the type declarations.
 *
 *   node scripts/build.mjs            everything
 *   node scripts/build.mjs --stale    what is not of these sources (npm prepares a package for each first `npx` too)
 *   node scripts/build.mjs --kernels  only the WebAssembly variants
 *   node scripts/build.mjs --bundle   only the JavaScript bundles (the kernels must be built)
 *
 * Every build carries a stamp, the hash of its sources. `ensureKernels` and `ensureBundles` build only if the stamp
 * differs. Outputs appear by rename, so that a concurrent reader sees old or new files, never half of one.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pageFiles } from "./build-page.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

export const VARIANTS = ["simd", "relaxed", "simd-threads", "relaxed-threads"];

/** Builds that can train too. Not relaxed: training is f32, whose relaxed instructions differ between engines. */
export const TRAIN_VARIANTS = ["train-simd", "train-simd-threads"];

/** Every file below `folder` (recursive, sorted) whose name ends in `suffix`, as paths from the repository root. */
export function filesBelow(folder, suffix = "") {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    // Node 20.0–20.11 has only `path`, Node ≥ 24 only `parentPath`.
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return found.sort();
}

/** The stamp: SHA-256 over names and contents of `files`. */
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
    await Promise.all(
      [...VARIANTS, ...TRAIN_VARIANTS].map((variant) =>
        compileVariant(variant, join(staging, `kernels.${variant}.wasm`)),
      ),
    );
    writeFileSync(join(staging, "kernels.stamp"), stamp);
    for (const name of readdirSync(staging)) renameSync(join(staging, name), join("build", name));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function compileVariant(variant, out) {
  const asc = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
  const entries = TRAIN_VARIANTS.includes(variant) ? ["assembly/train/index.ts"] : [];
  const args = [asc, ...entries, "--config", "asconfig.json", "--target", variant, "--outFile", out];
  try {
    await promisify(execFile)(process.execPath, args);
  } catch (error) {
    const problems = error.stderr.split("\n\n").filter((problem) => !problem.startsWith("WARNING"));
    throw new Error(`asc, variant ${variant}, ended with ${error.signal ?? error.code}:\n${problems.join("\n\n")}`, {
      cause: error,
    });
  }
}

/** Compiles the kernels unless build/ is up to date. */
export async function ensureKernels() {
  if (!isFresh("build/kernels.stamp", kernelsHash(), "build/kernels.simd.wasm")) await buildKernels();
}

/** esbuild options of all bundles, tests and benchmarks included. */
export const BUNDLE = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: ["es2022", "node20"],
  packages: "external",
  // Bundled, so that pages run the bundles as they are and nothing else is installed.
  alias: {
    ...Object.fromEntries(
      ["legacy", "sha2", "utils"].map((name) => [
        `@noble/hashes/${name}.js`,
        `./node_modules/@noble/hashes/${name}.js`,
      ]),
    ),
    "hono/tiny": "./node_modules/hono/dist/preset/tiny.js",
    // Of Node's adapter, which wants it for sockets that this server does not open.
    "hono/ws": "./node_modules/hono/dist/helper/websocket/index.js",
    "@hono/node-server": "./node_modules/@hono/node-server/dist/index.mjs",
    valibot: "./node_modules/valibot/dist/index.mjs",
  },
  loader: { ".wasm": "binary", ".gguf": "binary" },
  sourcemap: true,
  logLevel: "warning",
};

/** The package ships src for its source maps: maps with embedded sources would hold each source up to three times. */
const SHIPPED = {
  ...BUNDLE,
  // For Node, esbuild would decode kernels by Buffer where Uint8Array.fromBase64 is missing: also in Chrome before 140.
  platform: "browser",
  external: ["node:*"],
  sourcesContent: false,
  // Minifies names too, which saves a page a sixth; the maps have them.
  minify: true,
  write: false,
};

/** The bundled model, once for all bundles: `onebit/shakespeare`. */
const DEFAULT_MODEL = "shakespeare.js";

/** The exports of package.json that are sources: `src/<name>.ts` becomes `dist/<name>.js`. */
const DOORS = ["index", "ai-sdk", "hub", "nn", "prompt-api", "server", "train", "worker", "worker-host"];

/** Entries of dist/ by name. */
const ENTRIES = { ...Object.fromEntries(DOORS.map((name) => [name, `src/${name}.ts`])), cli: "src/cli/main.ts" };

/** Ambient declarations that the public ones refer to. */
const GLOBAL_TYPES = ["core/globals.d.ts"];

/** Hand-written declarations: the compiler does not copy them. */
const WRITTEN_TYPES = [...GLOBAL_TYPES, "shakespeare.d.ts"];

/** Entries with a build for workerd: `<entry>.workerd.js`. */
const WORKERD_ENTRIES = ["index", "ai-sdk", "hub", "nn", "prompt-api", "server", "train"];

/** Of the kernels that builds for workerd import as files, those that the page does not have. */
const WORKERD_KERNELS = ["kernels.train-simd.wasm"];

/** Bundles every entry into dist/. The kernels travel inside, as bytes; for workerd they are files. */
export async function buildBundles() {
  const stamp = bundlesHash();
  const script = await workerScript();
  const files = [
    ...(await bundle(ENTRIES, {
      chunkNames: "chunks/[name]-[hash]",
      plugins: [workerScriptPlugin(script), hiddenModelPlugin],
    })),
    ...(await bundle(
      Object.fromEntries(WORKERD_ENTRIES.map((name) => [`${name}.workerd`, ENTRIES[name]])),
      // Beside the entries, so that "./kernels.…" is the same file for all. No maps: deploying to Workers bundles these
      // again.
      { chunkNames: "chunk.workerd-[hash]", plugins: [workerdPlugin], sourcemap: false },
    )),
    ...(await bundle({ [DEFAULT_MODEL.replace(".js", "")]: "models/shakespeare.gguf" }, { sourcemap: false })),
    { path: join(root, "dist", "chunks", DEFAULT_MODEL), contents: HIDDEN_MODEL },
    ...WORKERD_KERNELS.map((name) => ({ path: join(root, "dist", name), contents: readFileSync(join("build", name)) })),
    ...(await pageFiles(BUNDLE, VARIANTS)),
  ];
  for (const folder of ["dist/chunks", "dist/web"]) mkdirSync(folder, { recursive: true });
  // Chunks first, so that no entry names a missing chunk.
  const chunksFirst = [...files].sort((a, b) => Number(isChunk(b.path)) - Number(isChunk(a.path)));
  for (const { path, contents } of chunksFirst) replaceFile(path, contents);
  const kept = new Set(files.map(({ path }) => relative(root, resolve(path))));
  for (const path of filesBelow("dist").filter((path) => !path.startsWith(join("dist", "types"))))
    if (!kept.has(path)) rmSync(path, { force: true });
  replaceFile("build/bundles.stamp", stamp);
}

async function bundle(entryPoints, options) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({ ...SHIPPED, entryPoints, outdir: "dist", splitting: true, ...options });
  return outputFiles
    .filter(({ path }) => !path.endsWith(".map") || !isOneText(path))
    .map(({ path, contents, text }) => {
      return { path, contents: isOneText(path) ? text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n") : contents };
    });
}

/** The script of `onebit/worker`'s worker, as one text without imports. */
async function workerScript() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    ...BUNDLE,
    entryPoints: ["src/web/worker-main.ts"],
    format: "iife",
    minify: true,
    sourcemap: false,
    write: false,
    // The page sends the default model, which saves the script a megabyte.
    external: ["#models/*"],
  });
  return outputFiles[0].text;
}

/**
 * Imports the bundled model by a name that web bundlers do not follow, so that pages with their own model do not carry
 * a megabyte of Shakespeare. Pages that want it import `onebit/shakespeare`. A file of its own, since esbuild drops
 * these comments.
 */
const HIDDEN_MODEL = `const fetchModel = (name) => import(/* webpackIgnore: true */ /* @vite-ignore */ name);
export default fetchModel(["..", "${DEFAULT_MODEL}"].join("/")).then((model) => model.default);
`;

const hiddenModelPlugin = {
  name: "hidden-model",
  setup(build) {
    // Its importer is shared by several entries, so it is in a chunk too.
    build.onResolve({ filter: /^#models\/shakespeare$/ }, () => ({ path: `./${DEFAULT_MODEL}`, external: true }));
  },
};

/** Resolves `#engine-worker` to that text. */
function workerScriptPlugin(script) {
  return {
    name: "worker-script",
    setup(build) {
      build.onResolve({ filter: /^#engine-worker$/ }, () => ({ path: "engine-worker", namespace: "text" }));
      build.onLoad({ filter: /./, namespace: "text" }, () => ({ contents: script, loader: "text" }));
    },
  };
}

/**
 * For workerd a source `x.workerd.ts` replaces `x.ts`, and kernels are imported instead of inlined: from the page's
 * folder, so that the package holds them once.
 */
const workerdPlugin = {
  name: "workerd",
  setup(build) {
    build.onResolve({ filter: /^#kernels\// }, ({ path }) => {
      const name = `kernels.${path.slice("#kernels/".length)}.wasm`;
      return { path: WORKERD_KERNELS.includes(name) ? `./${name}` : `./web/${name}`, external: true };
    });
    build.onResolve({ filter: /^#models\/shakespeare$/ }, () => ({ path: `./${DEFAULT_MODEL}`, external: true }));
    build.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
      const twin = join(resolveDir, path.replace(/\.ts$/, ".workerd.ts"));
      return existsSync(twin) ? { path: twin } : undefined;
    });
  },
};

/** Bundles dist/ (kernels first) unless it is up to date. */
export async function ensureBundles() {
  await ensureKernels();
  if (!isFresh("build/bundles.stamp", bundlesHash(), "dist/index.js")) await buildBundles();
}

/** Writes the declarations of the entries, and of all they import, to dist/types. */
export function buildTypes() {
  const stamp = typesHash();
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  rmSync("build/types", { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.types.json"], { stdio: "inherit" });
  const emitted = join("build", "types", "src");
  for (const name of WRITTEN_TYPES) copyFileSync(join("src", name), join(emitted, name));
  const kept = declarationsOf(
    Object.values(manifest().exports).flatMap(({ types }) => types ?? []),
    emitted,
  );
  for (const file of filesBelow(emitted)) if (!kept.has(file)) rmSync(file);
  // No declaration of the library refers to sources outside src (the constants shared with the kernels).
  rmSync("dist/types", { recursive: true, force: true });
  mkdirSync("dist", { recursive: true });
  renameSync(emitted, "dist/types");
  replaceFile("build/types.stamp", stamp);
}

/** The declarations of the public entries in `folder`, and all they import. Each entry references the globals. */
function declarationsOf(entries, folder) {
  const paths = entries.map((entry) => join(folder, relative("./dist/types", entry)));
  for (const path of paths) {
    const references = GLOBAL_TYPES.map(
      (name) => `/// <reference path="${relative(dirname(path), join(folder, name))}" />\n`,
    ).join("");
    writeFileSync(path, references + readFileSync(path, "utf8"));
  }
  const kept = new Set([...paths, ...GLOBAL_TYPES.map((name) => join(folder, name))]);
  for (const path of kept) {
    for (const [, specifier] of readFileSync(path, "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)\.[jt]s"/g))
      kept.add(join(dirname(path), `${specifier}.d.ts`));
  }
  return kept;
}

function manifest() {
  return JSON.parse(readFileSync("package.json", "utf8"));
}

/** Writes dist/types unless it is up to date. */
export function ensureTypes() {
  if (!isFresh("build/types.stamp", typesHash(), "dist/types")) buildTypes();
}

function kernelsHash() {
  // Leave out specs and their scalar twins.
  const sources = filesBelow("assembly", ".ts").filter((file) => !/\/(?:__tests__|reference)\//.test(file));
  return hashFiles([...sources, "asconfig.json", "package-lock.json"]);
}

function bundlesHash() {
  const wasm = [...VARIANTS, ...TRAIN_VARIANTS].map((variant) => `build/kernels.${variant}.wasm`);
  return hashFiles([
    ...filesBelow("src"),
    ...filesBelow("models", ".gguf"),
    ...wasm,
    "package.json",
    "package-lock.json",
    "scripts/build.mjs",
    "scripts/build-page.mjs",
  ]);
}

function typesHash() {
  return hashFiles([
    ...filesBelow("src", ".ts"),
    "assembly/abi.ts",
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.types.json",
  ]);
}

function isFresh(stampFile, hash, output) {
  try {
    return existsSync(output) && readFileSync(stampFile, "utf8") === hash;
  } catch {
    return false;
  }
}

/** The module with the worker's script: its map would be useless, at half a megabyte. */
const isOneText = (path) => basename(path).startsWith("engine-worker-");

const isChunk = (path) => path.includes("chunks/") || basename(path).startsWith("chunk.");

function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  // The command line must be a program also after a build that npm did not start.
  writeFileSync(temporary, contents, { mode: basename(path) === "cli.js" ? 0o755 : 0o644 });
  renameSync(temporary, path);
}

async function main(only) {
  if (only === "--stale") {
    await ensureBundles();
    ensureTypes();
    return;
  }
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
