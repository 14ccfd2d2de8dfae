/**
 * The package as it is published: what it ships, what its bundles import, and that its declarations are there.
 * It reads dist/ and dist/types as they were built.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { importedModules } from "./architecture/source-scan.ts";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

/** The model in the package: fetched only by who loads no other. */
const DEFAULT_MODEL = "dist/shakespeare.js";
const DEFAULT_MODEL_BYTES_MAX = 1_500_000;

/**
 * Of the package as npm packs it (3.95 MB; compressors, and the order of chunks named by their hashes, differ by two
 * kilobytes), and unpacked.
 */
const PACKED_BYTES_MAX = 4_300_000;
const UNPACKED_BYTES_MAX = 10_700_000;

/**
 * What a page downloads for an entry before any model, compressed: the code and the builds of the kernels it has
 * inside.
 */
const ENTRY_GZIP_BYTES_MAX: Readonly<Record<string, number>> = {
  "dist/index.js": 242_000,
  // The builds that also train instead of those of inference; those too where samples are taken.
  "dist/nn.js": 116_000,
  "dist/server.js": 30_000,
  "dist/train.js": 380_000,
  // Of it 2 kB check options before they cross to the worker.
  "dist/worker.js": 9_000,
  "dist/ai-sdk.js": 4_000,
  "dist/prompt-api.js": 6_000,
};

const bundles = (): string[] =>
  [
    ...readdirSync("dist").map((name) => `dist/${name}`),
    ...readdirSync("dist/chunks").map((name) => `dist/chunks/${name}`),
  ].filter((path) => path.endsWith(".js"));

test("every path the manifest names is built", () => {
  const paths = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === "string" ? [entry] : Object.values(entry),
  );
  for (const path of [...paths, ...Object.values(manifest.bin)]) assert.ok(existsSync(path), path);
});

test("every export of code has its source in src, under its own name", () => {
  const files = ["./package.json", "./shakespeare"];
  const names = Object.keys(manifest.exports).filter((name) => !files.includes(name));
  assert.ok(names.length > 1);
  for (const name of names) {
    const door = name === "." ? "index" : name.slice("./".length);
    assert.ok(existsSync(`src/${door}.ts`), `src/${door}.ts`);
    assert.deepEqual(Object.values(manifest.exports[name]).at(-1), `./dist/${door}.js`);
  }
});

test("the command line starts as a program", () => {
  assert.match(readFileSync("dist/cli.js", "utf8"), /^#!\/usr\/bin\/env node\n/);
  assert.equal(statSync("dist/cli.js").mode & 0o111, 0o111);
});

test("bundles import only their own chunks, their dependencies and Node", () => {
  const allowed = new Set(Object.keys(manifest.dependencies ?? {}));
  for (const path of bundles()) {
    const foreign = importedModules(readFileSync(path, "utf8"))
      .map(({ specifier }) => specifier)
      .filter(
        (specifier) =>
          !specifier.startsWith("./") &&
          !specifier.startsWith("../") &&
          !specifier.startsWith("node:") &&
          !allowed.has(specifier),
      );
    assert.deepEqual(foreign, [], path);
  }
});

test("the library asks for Node's modules only at run time, so that bundlers for browsers see none", () => {
  // Not what the command line alone loads, such as the server that listens on a port.
  const entries = bundles().filter((path) => !path.startsWith("dist/chunks/") && path !== "dist/cli.js"),
    library = new Set(entries);
  for (const path of library)
    for (const { specifier } of importedModules(readFileSync(path, "utf8")))
      if (/^\..*\.js$/.test(specifier)) library.add(join(dirname(path), specifier));
  assert.ok(library.size > entries.length + 10, "entries share chunks");
  for (const path of library) {
    const node = importedModules(readFileSync(path, "utf8")).filter(({ specifier }) => specifier.startsWith("node:"));
    assert.deepEqual(node, [], path);
  }
});

test("ships only the needed files", (t) => {
  const listing = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ files, size, unpackedSize }] = JSON.parse(listing) as [
    { files: { path: string; size: number }[]; size: number; unpackedSize: number },
  ];
  const paths = files.map(({ path }) => path);
  for (const wanted of [
    "dist/index.js",
    "dist/cli.js",
    "dist/types/index.d.ts",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "package.json",
  ]) {
    assert.ok(paths.includes(wanted), wanted);
  }
  const top = new Set(paths.map((path) => path.split("/")[0]));
  assert.deepEqual([...top].sort(), ["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json", "src"]);
  t.diagnostic(`${size} bytes packed, ${unpackedSize} unpacked`);
  assert.ok(size <= PACKED_BYTES_MAX && unpackedSize <= UNPACKED_BYTES_MAX, `${size} and ${unpackedSize} bytes`);
});

test("every source map leads to shipped sources", () => {
  for (const path of bundles()) {
    const mapPath = /\n\/\/# sourceMappingURL=(\S+)\s*$/.exec(readFileSync(path, "utf8"))?.[1];
    if (mapPath === undefined) continue;
    const { sources } = JSON.parse(readFileSync(join(dirname(path), mapPath), "utf8")) as { sources: string[] };
    const missing = sources.map((source) => join(dirname(path), source)).filter((source) => !existsSync(source));
    assert.deepEqual(missing, [], path);
    // Kernels, the hashes for browsers and the server's parts are compiled in: bytes and other packages' code.
    const foreign = sources
      .map((source) => join(dirname(path), source))
      .filter((source) => !/^(?:src|build|node_modules\/(?:@noble|hono|@hono|valibot))\//.test(source));
    assert.deepEqual(foreign, [], path);
  }
});

/** Entries that a program imports by name, with a use of each that must have its type. */
const CONSUMER = `import { load, OnebitError } from "onebit";
  import { pull } from "onebit/hub";
  import { BitLinear } from "onebit/nn";
  import { createHandler } from "onebit/server";
  import { train } from "onebit/train";
  import { loadInWorker } from "onebit/worker";
  import { serve } from "onebit/worker-host";
  import shakespeare from "onebit/shakespeare";
  export const model = await load(shakespeare, { contextLength: 16 });
  export const size: number = model.vocabSize;
  // @ts-expect-error what is a number is not taken for text
  export const text: string = model.vocabSize;
  export const code: string | undefined = model instanceof OnebitError ? model.code : undefined;
  export const all = [pull, BitLinear, createHandler, train, loadInWorker, serve];`;

const CONSUMER_LIBRARIES: readonly (readonly [name: string, lib: readonly string[]])[] = [
  ["the language alone", ["es2022"]],
  ["a browser's types", ["es2023", "dom", "dom.asynciterable", "esnext.disposable"]],
];

for (const [name, lib] of CONSUMER_LIBRARIES) {
  test(`its declarations hold without ours, with ${name}: strict, every library checked, no types of Node`, () => {
    const folder = mkdtempSync(resolve("build/consumer-"));
    const options = {
      strict: true,
      module: "nodenext",
      target: "es2022",
      lib,
      types: [],
      noEmit: true,
      skipLibCheck: false,
    };
    try {
      mkdirSync(join(folder, "node_modules", "onebit"), { recursive: true });
      cpSync("dist", join(folder, "node_modules", "onebit", "dist"), { recursive: true });
      cpSync("package.json", join(folder, "node_modules", "onebit", "package.json"));
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      writeFileSync(join(folder, "program.ts"), CONSUMER);
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
      const run = spawnSync(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder], {
        encoding: "utf8",
      });
      assert.equal(run.status, 0, run.stdout);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("ships declarations of its public entries, and of all they name", () => {
  const entries = Object.values(manifest.exports).flatMap((entry) => (typeof entry === "string" ? [] : [entry.types]));
  const reached = new Set(entries.map((path) => path.replace(/^\.\//, "")));
  for (const path of reached) {
    assert.ok(existsSync(path), path);
    const text = readFileSync(path, "utf8");
    for (const [, specifier] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)\.[jt]s"/g))
      reached.add(join(dirname(path), `${specifier}.d.ts`));
    for (const [, reference] of text.matchAll(/<reference path="([^"]+)"/g))
      reached.add(join(dirname(path), reference));
  }
  const shipped = readdirSync("dist/types", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(
    shipped.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort(),
    [...reached].sort(),
  );
});

test("installs without running anything: no install script, and dependencies are pinned", () => {
  for (const script of ["preinstall", "install", "postinstall"]) assert.ok(!(script in manifest.scripts), script);
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
});

test("each entry's imports stay small", (t) => {
  for (const [entry, bytesMax] of Object.entries(ENTRY_GZIP_BYTES_MAX)) {
    const files = importedFiles(entry),
      total = files.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);
    t.diagnostic(`${entry}: ${total} bytes in ${files.length} files`);
    assert.ok(total <= bytesMax, `${entry}: ${total}, wanted at most ${bytesMax}`);
  }
});

test("bundles hold each build of the kernels once, not in the script of the worker too", () => {
  const texts = bundles().map((path) => ({ path, text: readFileSync(path, "utf8") }));
  const builds = readdirSync("dist/web").filter((name) => name.endsWith(".wasm"));
  assert.equal(builds.length, 4);
  for (const name of builds) {
    const bytes = readFileSync(`dist/web/${name}`).toString("base64");
    const holders = texts.filter(({ text }) => text.includes(bytes)).map(({ path }) => path);
    assert.equal(holders.length, 1, `${name}: ${holders.join(", ")}`);
    assert.doesNotMatch(holders[0], /engine-worker/);
  }
});

/** A bundle and all it imports before anything is called. */
function importedFiles(entry: string): string[] {
  const found = new Set([entry]);
  for (const path of found) {
    const code = readFileSync(path, "utf8");
    for (const { specifier } of importedModules(code)) {
      const isStatic = !code.includes(`import("${specifier}")`);
      if (specifier.startsWith(".") && isStatic) found.add(join(dirname(path), specifier));
    }
  }
  return [...found];
}

test(
  `the model in the package is one file of at most ${DEFAULT_MODEL_BYTES_MAX / 1e6} MB, that nothing imports ` +
    "before it is asked for",
  (t) => {
    const { length } = readFileSync(DEFAULT_MODEL);
    t.diagnostic(`${length} bytes, ${gzipSync(readFileSync(DEFAULT_MODEL)).length} compressed`);
    assert.ok(length <= DEFAULT_MODEL_BYTES_MAX, `${length}`);
    const importers = (pattern: RegExp): string[] =>
      bundles().filter((path) => pattern.test(readFileSync(path, "utf8")));
    assert.deepEqual(importers(/(?:from|import)\s*"\.[^"]*shakespeare/), []);
    const beginning = readFileSync("models/shakespeare.gguf").subarray(0, 3000).toString("base64");
    assert.deepEqual(
      bundles().filter((path) => readFileSync(path, "utf8").includes(beginning)),
      [DEFAULT_MODEL],
    );
  },
);

test("a page with its own model does not carry ours in any bundler; one that imports it does", async () => {
  const bundleOf = async (program: string, format: "esm" | "iife"): Promise<number> => {
    const stdin = { contents: program, resolveDir: resolve("."), loader: "js" as const };
    const { outputFiles } = await build({
      stdin,
      bundle: true,
      minify: true,
      format,
      outdir: "out",
      splitting: format === "esm",
      external: ["node:*"],
      write: false,
      logLevel: "error",
    });
    return outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
  };
  const modelBytes = readFileSync(DEFAULT_MODEL).length,
    own = 'import { load } from "./dist/index.js"; load("/model.gguf").then(console.log);';
  for (const format of ["esm", "iife"] as const) assert.ok((await bundleOf(own, format)) < modelBytes, format);
  assert.ok((await bundleOf(`import model from "./dist/shakespeare.js"; ${own} load(model);`, "iife")) > modelBytes);
});

/** Part of the package, and a load that wants it. Sources that must exist are made in the folder of the test. */
const PARTS: readonly (readonly [chunk: RegExp, load: string])[] = [
  [/^shakespeare\./, "load()"],
  [/^pull-/, 'load("hf:nobody/nothing", { hub: { offline: true } })'],
  [/^hf-folder-/, 'load("folder")'],
];

test("a part that fails to load is a typed error that names it", async (t) => {
  const folder = mkdtempSync(resolve("build/parts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync("dist", join(folder, "dist"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  mkdirSync(join(folder, "folder"));
  for (const [chunk, load] of PARTS) {
    const name = readdirSync(join(folder, "dist/chunks")).find((file) => chunk.test(file) && file.endsWith(".js"));
    assert.ok(name !== undefined, `${chunk} among dist/chunks`);
    rmSync(join(folder, "dist/chunks", name));
    const program =
      `import { load } from "./dist/index.js"; await ${load}.then(() => console.log("loaded"), ({ name, code, ` +
      "message }) => console.log(name, code, message));";
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.match(
      stdout,
      /^OnebitError engine\/part-missing .*, a part of onebit .*could not be loaded/,
      `${load}: ${stdout}${stderr}`,
    );
  }
});
