/**
 * The package, installed, in each runtime for servers: one suite, the same answers from all.
 *
 * ONEBIT_RUNTIMES=all runs every one of them and fails where one is missing: `.ci/run nodes runtimes` brings them.
 * Without it this Node alone runs, and the others say why they do not.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { type InstalledPackage, installPackage, publishedHashes } from "./installed-package.ts";
import type { SuiteReport } from "./suite.ts";
import { recordRow } from "./table.ts";
import { VanishingServer } from "./vanishing-server.ts";

// The package is installed from dist/ as it was built.
const RUN_TIMEOUT_MS = 120_000;

interface Runtime {
  readonly name: string;
  /** Undefined where it is not installed. */
  readonly binary: string | undefined;
  readonly args: readonly string[];
  /** For the program that keeps a model on the disk; undefined where there is no place for one. */
  readonly offlineArgs: readonly string[] | undefined;
  /** As the platform says. */
  readonly variant: "simd" | "relaxed";
  readonly reason?: RegExp;
}

const ci = (path: RegExp, below: string): string | undefined =>
  existsSync(below)
    ? readdirSync(below, { recursive: true })
        .map(String)
        .filter((file) => path.test(file))
        .map((file) => resolve(below, file))[0]
    : undefined;
const node = (version: number): Runtime => {
  const binary = ci(new RegExp(`^node-${version}-[^/]*/bin/node$`), ".ci/nodes/node_modules");
  return {
    name: `Node ${version}`,
    binary,
    args: ["program.js"],
    offlineArgs: ["offline-program.js"],
    variant: version === 20 ? "simd" : "relaxed",
  };
};
const other = (path: RegExp): string | undefined => ci(path, ".ci/runtimes/node_modules");

const RUNTIMES: readonly Runtime[] = [
  {
    name: `this Node`,
    binary: process.execPath,
    args: ["program.js"],
    offlineArgs: ["offline-program.js"],
    variant: process.version.startsWith("v20.") ? "simd" : "relaxed",
  },
  node(20),
  node(22),
  node(24),
  // Paths need the permission to read; nothing else is asked for. To keep a model: its folder, the network, variables
  // that name them, the name of this host for locks, and what room the disk has.
  {
    name: "Deno",
    binary: other(/^@deno\/linux-[^/]*\/deno$/),
    args: ["run", "--no-prompt", "--allow-read=models", "program.js"],
    offlineArgs: [
      "run",
      "--no-prompt",
      "--allow-read=cache",
      "--allow-write=cache",
      "--allow-net=127.0.0.1",
      "--allow-env",
      "--allow-sys=hostname,statfs",
      "offline-program.js",
    ],
    variant: "relaxed",
  },
  {
    name: "Bun",
    binary: other(/^@oven\/bun-linux-[^/]*\/bin\/bun$/),
    args: ["program.js"],
    offlineArgs: ["offline-program.js"],
    variant: "relaxed",
  },
  // Its objects are kept in R2, by the program that runs there: examples/worker.
  {
    name: "workerd",
    binary: other(/^@cloudflare\/workerd-linux-[^/]*\/bin\/workerd$/),
    args: ["test", "config.capnp"],
    offlineArgs: undefined,
    variant: "relaxed",
    reason: /workerd has no threads/,
  },
];

let installed: InstalledPackage, server: VanishingServer;
const reports = new Map<string, SuiteReport>();

before(async () => {
  installed = await installPackage("runtimes", ["tests/runtime/suite.ts", "tests/runtime/offline.ts"]);
  const { folder, models } = installed;
  server = await VanishingServer.start(new Uint8Array(readFileSync(join(folder, "models", `${models[0]}.gguf`))));
  writeFileSync(join(folder, "program.js"), programText(models));
  writeFileSync(join(folder, "offline-program.js"), offlineText());
  writeFileSync(join(folder, "worker.js"), workerText(models));
  writeFileSync(join(folder, "config.capnp"), workerdConfig(models));
});
after(async () => {
  await server?.stop();
  rmSync(installed.folder, { recursive: true, force: true });
});

for (const runtime of RUNTIMES) {
  const isExpected = process.env.ONEBIT_RUNTIMES === "all" || runtime.name === "this Node";
  describe(runtime.name, { skip: isExpected ? false : "runs in .ci/run runtimes" }, () => {
    let offline = "not applicable: no place for files";
    test("finds a model it fetched once without the network", {
      skip: runtime.offlineArgs ? false : `${runtime.name} has no place for files`,
    }, async () => {
      offline = "NO";
      assert.match(await run(runtime, runtime.offlineArgs!), /^ok$/m);
      offline = "disk";
    });

    test("passes every check", async (t) => {
      const output = await run(runtime, runtime.args),
        begin = output.indexOf('{"engine"'),
        version = versionOf(runtime);
      assert.ok(begin >= 0, output.slice(-2000));
      const report = JSON.parse(output.slice(begin).split("\n")[0]) as SuiteReport;
      reports.set(runtime.name, report);
      t.diagnostic(`${version}: ${JSON.stringify(report.engine)}`);
      if (runtime.name !== "this Node") recordRow(`${runtime.name.split(" ")[0]} ${version}`, report, offline);
      for (const [name, found] of Object.entries(report.checks)) assert.equal(found, "ok", name);
    });

    test("chose the kernels and threads there are", () => {
      const { engine } = reports.get(runtime.name)!;
      assert.equal(engine.variant, runtime.variant);
      if (runtime.reason) assert.match(engine.reason ?? "", runtime.reason);
      else assert.equal(engine.reason, undefined);
    });

    test("gave the published logits", () => {
      const published = publishedHashes(installed),
        { models } = reports.get(runtime.name)!;
      assert.ok(published.size >= 8);
      for (const [name, logits] of published) assert.equal(models[name].logits, logits, name);
    });

    test("gave the same ids, chats and embeddings as this Node", () => {
      assert.deepEqual(reports.get(runtime.name)!.models, reports.get("this Node")!.models);
    });
  });
}

/** Not spawnSync: the server is in this process. */
function run({ name, binary }: Runtime, args: readonly string[]): Promise<string> {
  assert.ok(binary, `${name} is not installed for this machine: run .ci/run nodes runtimes`);
  const caches = { XDG_CACHE_HOME: "cache", ONEBIT_CACHE: join("cache", name), HF_HUB_OFFLINE: "" };
  const child = spawn(binary, args, {
    cwd: installed.folder,
    env: { ...process.env, ...caches },
    timeout: RUN_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) =>
      code === 0 ? done(output) : failed(new Error(`${name} ended with ${code}: ${output.slice(-2000)}`)),
    );
  });
}

function versionOf({ binary }: Runtime): string {
  return spawnSync(binary!, ["--version"], { encoding: "utf8" }).stdout.match(/\d[\d.-]*/)?.[0] ?? "";
}

function programText(models: readonly string[]): string {
  return `import { readFileSync } from "node:fs";
    import { load } from "onebit";
    import { openTraining } from "onebit/train";
    import { runSuite } from "./suite.js";
    const read = (name) => new Uint8Array(readFileSync("models/" + name + ".gguf"));
    const files = Object.fromEntries(${JSON.stringify(models)}.map((name) => [name, read(name)]));
    console.log(JSON.stringify(await runSuite({ open: load, openTraining, files, url: "models/${models[0]}.gguf" })));`;
}

function offlineText(): string {
  return `import { load } from "onebit";
    import { platformWithHub, pull, remove } from "onebit/hub";
    import { offlineOutcome } from "./offline.js";
    const url = "${server.origin}/" + Math.random() + "/model.gguf";
    console.log(await offlineOutcome({ load, platformWithHub, pull, remove }, url));`;
}

function workerText(models: readonly string[]): string {
  return `import { load } from "./onebit/${workerdEntry(".")}";
    import { openTraining } from "./onebit/${workerdEntry("./train")}";
    import { runSuite } from "./suite.js";
    ${models.map((name, i) => `import model${i} from "./models/${name}.gguf";`).join("\n")}
    const files = { ${models.map((name, i) => `${JSON.stringify(name)}: new Uint8Array(model${i})`).join(", ")} };
    const test = async () => console.log(JSON.stringify(await runSuite({ open: load, openTraining, files })));
    export default { test };`;
}

/** The file of dist/ that the package exports to workerd. */
function workerdEntry(name: string): string {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
    exports: Record<string, { workerd: string }>;
  };
  return basename(exports[name].workerd);
}

/** Modules as a bundler for workerd would list them. An old date: nothing newer is needed. */
function workerdConfig(models: readonly string[]): string {
  const dist = "node_modules/onebit/dist",
    built = readdirSync(join(installed.folder, dist)),
    kernels = readdirSync(join(installed.folder, dist), { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".wasm"),
    );
  const modules = [
    `(name = "worker.js", esModule = embed "worker.js")`,
    `(name = "suite.js", esModule = embed "suite.js")`,
    ...kernels.map((name) => `(name = "onebit/${name}", wasm = embed "${dist}/${name}")`),
    ...built
      .filter((name) => /\.workerd.*\.js$/.test(name))
      .map((name) => `(name = "onebit/${name}", esModule = embed "${dist}/${name}")`),
    `(name = "onebit/shakespeare.js", esModule = embed "${dist}/shakespeare.js")`,
    ...models.map((name) => `(name = "models/${name}.gguf", data = embed "models/${name}.gguf")`),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (services = [(name = "suite", worker = .suite)]);
    const suite :Workerd.Worker = (compatibilityDate = "2023-12-01", modules = [${modules.join(", ")}]);`;
}
