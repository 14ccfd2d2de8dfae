/**
 * Runs the tests.
 *
 *   node scripts/test.mjs                     types, kernels, bundles, assembly specs, and all tests but the slow ones
 *   node scripts/test.mjs tests/tokenizer     only tests under this path (no type check)
 *   node scripts/test.mjs --assembly [norm]   only the assembly specs (whose path contains a word)
 *   node scripts/test.mjs --types             only the type check
 *   node scripts/test.mjs --all               the same without the type check
 *   node scripts/test.mjs --fast | --slow     half a minute of tests; or those npm test leaves to .ci/run
 *   … --reporter=spec|tap|dot  --name=PATTERN (of test names)  --node=PATH (another Node runs the tests)
 *   … --timeout-ms=N (of each test; 600,000)  --concurrency=N (files at a time; 2)
 *
 * Tests are bundled by esbuild because Node 20 does not read TypeScript. The last lines are node:test's own summary.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { VARIANT_FEATURES } from "./run-spec.mjs";
import { isFast, isSlow } from "./test-speeds.mjs";
import { BUNDLE, ensureBundles, ensureKernels, ensureTypes, filesBelow } from "./build.mjs";

/** A test file that hangs fails instead: the slowest one (a million mutated headers) takes 2 minutes. */
const TEST_TIMEOUT_MS = 600_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: "boolean" },
      fast: { type: "boolean" },
      slow: { type: "boolean" },
      assembly: { type: "boolean" },
      types: { type: "boolean" },
      reporter: { type: "string" },
      name: { type: "string" },
      node: { type: "string", default: process.execPath },
      "timeout-ms": { type: "string", default: String(TEST_TIMEOUT_MS) },
      // Node's default leaves a core idle: on two cores that is one file at a time.
      concurrency: { type: "string", default: "2" },
    },
  });
  const everything = !options.assembly && !options.fast && !options.slow && positionals.length === 0;
  if (options.types || (everything && !options.all)) {
    const failed = await checkTypes();
    if (failed > 0 || options.types) return failed;
  }
  const specs = options.assembly || everything ? findSpecs(options.assembly ? positionals : []) : [];
  const tests = options.assembly ? [] : findTests(positionals, options);
  if (specs.length + tests.length === 0) {
    process.stderr.write(`no test matches ${positionals.join(" ") || "anything"}\n`);
    return 1;
  }
  if (everything || mentioned(tests, "build/kernels.")) await ensureKernels();
  if (everything || mentioned(tests, "dist/")) await ensureBundles();
  if (everything || mentioned(tests, "dist/types")) ensureTypes();
  return await runInFolder(specs, tests, { everything, ...options });
}

async function runInFolder(specs, tests, options) {
  mkdirSync("build/tests", { recursive: true });
  const folder = mkdtempSync("build/tests/run-");
  try {
    const stubs = writeSpecStubs(folder, specs);
    const bundles = await bundleTests(folder, tests);
    return await runNode([...stubs, ...bundles], options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runNode(files, options) {
  const reporter = options.reporter ?? (options.everything && !process.stdout.isTTY ? "tap" : "spec");
  const flags = [
    "--enable-source-maps",
    "--test",
    `--test-reporter=${reporter}`,
    `--test-timeout=${options["timeout-ms"]}`,
    `--test-concurrency=${options.concurrency}`,
  ];
  if (options.name) flags.push(`--test-name-pattern=${options.name}`);
  return run(options.node, [...flags, ...files]);
}

/** Type-checks src, tests and benchmarks, (with AssemblyScript's own declarations) assembly, and the examples. */
async function checkTypes() {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const host = await run(process.execPath, [tsc, "-p", "tsconfig.json"]);
  const assembly = await run(process.execPath, [tsc, "-p", "assembly/tsconfig.json"]);
  // The package by its name, from its sources. Not a tsconfig in examples/: bundlers would follow it.
  const examples = await run(process.execPath, [tsc, "-p", "tsconfig.examples.json"]);
  return host || assembly || examples;
}

function findSpecs(words) {
  const specs = filesBelow("assembly/__tests__", ".spec.ts");
  return specs.filter((spec) => words.length === 0 || words.some((word) => spec.includes(word)));
}

/** The tests whose path begins with one of `prefixes`; without any, those of the wanted speed. */
function findTests(prefixes, { fast, slow }) {
  const tests = filesBelow("tests", ".test.ts").filter((file) => !file.includes("node_modules"));
  if (prefixes.length === 0) return tests.filter(slow ? isSlow : fast ? isFast : (file) => !isSlow(file));
  const wanted = prefixes.map((prefix) => prefix.replace(/^\.\//, ""));
  return tests.filter((file) => wanted.some((prefix) => file.startsWith(prefix)));
}

/** node --test passes no arguments to a file: each variant gets a file of its own that names the specs. */
function writeSpecStubs(folder, specs) {
  if (specs.length === 0) return [];
  const runner = JSON.stringify(join(root, "scripts", "run-spec.mjs"));
  return Object.keys(VARIANT_FEATURES).map((variant) => {
    const stub = join(folder, `specs-${variant}.mjs`);
    const call = `runSpecs(${JSON.stringify(specs)}, ${JSON.stringify(variant)});`;
    writeFileSync(stub, `import { runSpecs } from ${runner};\n${call}\n`);
    return stub;
  });
}

async function bundleTests(folder, tests) {
  if (tests.length === 0) return [];
  const { build } = await import("esbuild");
  await build({
    ...BUNDLE,
    entryPoints: tests,
    outdir: folder,
    outbase: ".",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    plugins: [kernelsOnDemand],
  });
  return tests.map((file) => join(folder, file.replace(/\.ts$/, ".js")));
}

/** A test that reaches the kernels gets fresh ones; a test that does not is not kept waiting for them. */
const kernelsOnDemand = {
  name: "kernels-on-demand",
  setup(build) {
    let ready;
    build.onResolve({ filter: /^#kernels\// }, async ({ path }) => {
      await (ready ??= ensureKernels());
      return { path: join(root, "build", `kernels.${path.slice("#kernels/".length)}.wasm`) };
    });
  },
};

/** Whether a test reads what a build makes: a filtered run builds nothing else. */
function mentioned(tests, path) {
  return tests.some((file) => readFileSync(file, "utf8").includes(path));
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit" });
    child.on("error", reject);
    // A child killed by a signal has no code: it failed.
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  return 1;
});
