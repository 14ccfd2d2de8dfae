/**
 * Writes the API reference, as Markdown in build/api, from the docstrings of what the package exports, and fails where
 * one is missing, a link leads nowhere, or a type that a signature names is not exported.
 *
 *   npm ci --prefix tests/release && npm run api
 *
 * TypeDoc needs a TypeScript with a JavaScript API, which 7 has not: tests/release brings one of its own.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const typedoc = join(root, "tests", "release", "node_modules", "typedoc", "bin", "typedoc");

/** Types that signatures name and users never make. */
const INTERNAL_TYPES = [
  "src/files/gguf.ts:GgufFile",
  "src/files/hf-folder.ts:HfModelFiles",
  "src/kernels/machine.ts:Machine",
  "src/kernels/steps.ts:StepFields",
  "src/nn/bit-feed-forward.ts:Parts",
  "src/nn/bit-mgqa.ts:Parts",
  "src/nn/packed-matrix.ts:PackedMatrix",
];

/** What Partial makes properties of: their docstrings are on the signatures. */
const DOCUMENTED_SIGNATURES = [
  "writeFileAtomically",
  "removeLeftovers",
  "appendLine",
  "syncFile",
  "renameFile",
  "listFolder",
  "removeFile",
  "makeFolder",
  "lockFile",
].map((name) => `onebit.Platform.${name}`);

const OPTIONS = {
  name: "onebit",
  plugin: ["typedoc-plugin-markdown"],
  readme: "none",
  out: "api",
  // The type check is the root's own, by another TypeScript.
  skipErrorChecking: true,
  // Links to sources need a git remote, which a checkout need not have.
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  intentionallyNotExported: INTERNAL_TYPES,
  intentionallyNotDocumented: DOCUMENTED_SIGNATURES,
  validation: { invalidLink: true, notExported: true, notDocumented: true, rewrittenLink: true },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
};

/** The source of each entry, by the declarations that the manifest names. */
function entryPoints() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.values(exports)
    .filter(({ types }) => types !== undefined)
    .map(({ types }) => types.replace("./dist/types/", "src/"))
    .map((path) => (existsSync(join(root, path)) ? path : path.replace(/\.d\.ts$/, ".ts")));
}

function main() {
  if (!existsSync(typedoc)) {
    process.stderr.write("TypeDoc is not installed: run npm ci --prefix tests/release\n");
    return 1;
  }
  const entries = entryPoints(),
    options = join(root, "build", "typedoc.json"),
    tsconfig = join(root, "build", "typedoc-tsconfig.json");
  mkdirSync(join(root, "build"), { recursive: true });
  const files = entries.map((path) => `../${path}`);
  // Declarations that no file imports: globals, and modules by their names.
  const compilerOptions = { rootDir: "..", typeRoots: ["../node_modules/@types"] };
  writeFileSync(
    tsconfig,
    JSON.stringify({ extends: "../tsconfig.json", compilerOptions, files, include: ["../src/**/*.d.ts"] }),
  );
  writeFileSync(options, JSON.stringify({ ...OPTIONS, tsconfig, entryPoints: files }));
  const { status } = spawnSync(process.execPath, [typedoc, "--options", options], { cwd: root, stdio: "inherit" });
  return status ?? 1;
}

process.exitCode = main();
