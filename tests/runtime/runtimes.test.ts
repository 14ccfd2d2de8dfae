/**
 * The package, installed, in each runtime for servers: one suite, the same answers from all.
 *
 * ONEBIT_RUNTIMES=all runs every one of them and fails where one is missing: `.ci/run nodes runtimes` brings them.
 * Without it this Node alone runs, and the others say why they do not.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { type InstalledPackage, installPackage, publishedHashes } from "./installed-package.ts";
import type { SuiteReport } from "./suite.ts";
import { recordRow } from "./table.ts";

// The package is installed from dist/ as it was built.
const RUN_TIMEOUT_MS = 120_000;

interface Runtime {
  readonly name: string;
  /** Undefined where it is not installed. */
  readonly binary: string | undefined;
  readonly args: readonly string[];
  /** As the platform says. */
  readonly variant: "simd" | "relaxed";
  readonly reason?: RegExp;
}

const ci = (path: RegExp, below: string): string | undefined =>
  existsSync(below) ? readdirSync(below, { recursive: true }).map(String).filter((file) => path.test(file)).map((file) => resolve(below, file))[0] : undefined;
const node = (version: number): Runtime => {
  const binary = ci(new RegExp(`^node-${version}-[^/]*/bin/node$`), ".ci/nodes/node_modules");
  return { name: `Node ${version}`, binary, args: ["program.js"], variant: version === 20 ? "simd" : "relaxed" };
};
const other = (path: RegExp): string | undefined => ci(path, ".ci/runtimes/node_modules");

const RUNTIMES: readonly Runtime[] = [
  { name: `this Node`, binary: process.execPath, args: ["program.js"], variant: process.version.startsWith("v20.") ? "simd" : "relaxed" },
  node(20),
  node(22),
  node(24),
  // Paths need the permission to read; nothing else is asked for.
  { name: "Deno", binary: other(/^@deno\/linux-[^/]*\/deno$/), args: ["run", "--no-prompt", "--allow-read=models", "program.js"], variant: "relaxed" },
  { name: "Bun", binary: other(/^@oven\/bun-linux-[^/]*\/bin\/bun$/), args: ["program.js"], variant: "relaxed" },
  { name: "workerd", binary: other(/^@cloudflare\/workerd-linux-[^/]*\/bin\/workerd$/), args: ["test", "config.capnp"], variant: "relaxed", reason: /workerd has no threads/ },
];

let installed: InstalledPackage;
const reports = new Map<string, SuiteReport>();

before(async () => {
  installed = await installPackage("runtimes", ["tests/runtime/suite.ts"]);
  const { folder, models } = installed;
  writeFileSync(join(folder, "program.js"), programText(models));
  writeFileSync(join(folder, "worker.js"), workerText(models));
  writeFileSync(join(folder, "config.capnp"), workerdConfig(models));
});
after(() => rmSync(installed.folder, { recursive: true, force: true }));

for (const runtime of RUNTIMES) {
  const isExpected = process.env.ONEBIT_RUNTIMES === "all" || runtime.name === "this Node";
  describe(runtime.name, { skip: isExpected ? false : "runs in .ci/run runtimes" }, () => {
    test("passes every check", (t) => {
      const { report, version } = run(runtime);
      reports.set(runtime.name, report);
      t.diagnostic(`${version}: ${JSON.stringify(report.engine)}`);
      if (runtime.name !== "this Node") recordRow(`${runtime.name.split(" ")[0]} ${version}`, report);
      for (const [name, found] of Object.entries(report.checks)) assert.equal(found, "ok", name);
    });

    test("chose the kernels and threads there are", () => {
      const { engine } = reports.get(runtime.name)!;
      assert.equal(engine.variant, runtime.variant);
      if (runtime.reason) assert.match(engine.reason ?? "", runtime.reason);
      else assert.equal(engine.reason, undefined);
    });

    test("gave the published logits", () => {
      const published = publishedHashes(installed), { models } = reports.get(runtime.name)!;
      assert.ok(published.size >= 8);
      for (const [name, logits] of published) assert.equal(models[name].logits, logits, name);
    });

    test("gave the same ids, chats and embeddings as this Node", () => {
      assert.deepEqual(reports.get(runtime.name)!.models, reports.get("this Node")!.models);
    });
  });
}

function run({ name, binary, args }: Runtime): { report: SuiteReport; version: string } {
  assert.ok(binary, `${name} is not installed for this machine: run .ci/run nodes runtimes`);
  const options = { cwd: installed.folder, encoding: "utf8", timeout: RUN_TIMEOUT_MS, maxBuffer: 1 << 26 } as const;
  const result = spawnSync(binary, args, options), output = `${result.stdout}${result.stderr}`;
  assert.equal(result.status, 0, `${result.error?.message ?? ""}${output.slice(-2000)}`);
  const report = output.split("\n").find((line) => line.includes('{"engine"'));
  assert.ok(report, output.slice(-2000));
  const version = spawnSync(binary, ["--version"], options).stdout.match(/\d[\d.-]*/)?.[0] ?? "";
  return { report: JSON.parse(report.slice(report.indexOf('{"engine"'))) as SuiteReport, version };
}

function programText(models: readonly string[]): string {
  return `import { readFileSync } from "node:fs";
    import { load } from "onebit";
    import { runSuite } from "./suite.js";
    const files = Object.fromEntries(${JSON.stringify(models)}.map((name) => [name, new Uint8Array(readFileSync("models/" + name + ".gguf"))]));
    console.log(JSON.stringify(await runSuite(load, files, "models/${models[0]}.gguf")));`;
}

function workerText(models: readonly string[]): string {
  return `import { load } from "onebit";
    import { runSuite } from "./suite.js";
    ${models.map((name, i) => `import model${i} from "./models/${name}.gguf";`).join("\n")}
    const files = { ${models.map((name, i) => `${JSON.stringify(name)}: new Uint8Array(model${i})`).join(", ")} };
    export default { test: async () => console.log(JSON.stringify(await runSuite(load, files))) };`;
}

/** Modules as a bundler for workerd would list them, the package by its exports. An old date: nothing newer is needed. */
function workerdConfig(models: readonly string[]): string {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, { workerd: string }> };
  const dist = "node_modules/onebit/dist", entry = join("node_modules/onebit", exports["."].workerd);
  const built = readdirSync(join(installed.folder, dist));
  const modules = [
    `(name = "worker.js", esModule = embed "worker.js")`,
    `(name = "suite.js", esModule = embed "suite.js")`,
    `(name = "onebit", esModule = embed "${entry}")`,
    ...built.filter((name) => name.endsWith(".wasm")).map((name) => `(name = "${name}", wasm = embed "${dist}/${name}")`),
    ...built.filter((name) => /^chunk\.workerd.*\.js$/.test(name)).map((name) => `(name = "${name}", esModule = embed "${dist}/${name}")`),
    ...models.map((name) => `(name = "models/${name}.gguf", data = embed "models/${name}.gguf")`),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (services = [(name = "suite", worker = .suite)]);
    const suite :Workerd.Worker = (compatibilityDate = "2023-12-01", modules = [${modules.join(", ")}]);`;
}
