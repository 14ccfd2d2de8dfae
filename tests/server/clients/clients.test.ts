/**
 * Clients of OpenAI's interface, unchanged, against the handler in each runtime: `onebit serve` on this Node, and a
 * program of a few lines on Deno, Bun and workerd. The clients themselves want Node 22 or later.
 *
 * ONEBIT_RUNTIMES=all runs every one of them and fails where one is missing: `.ci/run nodes runtimes clients` brings
 * them. Without it they say why they do not run.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { type InstalledPackage, installPackage } from "../../runtime/installed-package.ts";
import { serveWorker, workerdBinary } from "../../runtime/served-worker.ts";
import { syntheticModel } from "../../synthetic/model.ts";
import type { Shape } from "../../synthetic/shapes.ts";
import { writeModelFile } from "../../synthetic/write-file.ts";

// The package is installed from dist/ as it was built.
const MODEL = "served";
const CONTEXT = 2048;
const START_TIMEOUT_MS = 30_000;
const RUN_TIMEOUT_MS = 120_000;
/** As small as a model that can be asked for JSON and tools. */
const SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 640,
  contextLength: 65_536,
  ropeTheta: 10_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "TQ2_0",
  headType: "F16",
  scalePerTensor: false,
};

interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

const isExpected = process.env.ONEBIT_RUNTIMES === "all";
const binaryBelow = (folder: string, path: RegExp): string | undefined =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map(String)
        .filter((file) => path.test(file))
        .map((file) => resolve(folder, file))[0]
    : undefined;
const deno = binaryBelow(".ci/runtimes/node_modules", /^@deno\/linux-[^/]*\/deno$/);
const bun = binaryBelow(".ci/runtimes/node_modules", /^@oven\/bun-linux-[^/]*\/bin\/bun$/);
const node24 = binaryBelow(".ci/nodes/node_modules", /^node-24-[^/]*\/bin\/node$/);

let installed: InstalledPackage;

const SERVERS: readonly (readonly [name: string, start: () => Promise<Served>])[] = [
  [
    "onebit serve on this Node",
    () =>
      serveProcess(process.execPath, [
        join("node_modules", "onebit", "dist", "cli.js"),
        "serve",
        `models/${MODEL}.gguf`,
        "--port=0",
        `--context=${CONTEXT}`,
        "--threads=1",
      ]),
  ],
  ["Deno", () => serveProcess(deno, ["run", "--no-prompt", "--allow-read=models", "--allow-net", "server.js"])],
  ["Bun", () => serveProcess(bun, ["server.js"])],
  ["workerd", serveInWorkerd],
];

describe("clients of OpenAI's interface", { skip: isExpected ? false : "runs in .ci/run clients" }, () => {
  before(async () => {
    installed = await installPackage("clients", []);
    const { folder } = installed;
    await writeModelFile(join(folder, "models", `${MODEL}.gguf`), syntheticModel(SHAPE, 1));
    writeFileSync(join(folder, "server.js"), programText());
    writeFileSync(join(folder, "worker.js"), workerText());
  });
  after(() => rmSync(installed.folder, { recursive: true, force: true }));

  for (const [name, start] of SERVERS)
    test(name, async (t) => {
      const served = await start();
      try {
        const found = await runClients("program.mjs", [`${served.url}/v1`, MODEL]);
        t.diagnostic(`${Object.keys(found).length} checks`);
        assert.ok(Object.keys(found).length > 10);
        assertAllOk(found);
      } finally {
        await served.stop();
      }
    });

  test("onebit/ai-sdk, without a server", async () => {
    const { folder } = installed,
      found = await runClients("in-process.mjs", [folder, join(folder, "models", `${MODEL}.gguf`)]);
    assert.ok(Object.keys(found).length > 5);
    assertAllOk(found);
  });
});

function assertAllOk(found: Readonly<Record<string, string>>): void {
  assert.deepEqual(
    Object.entries(found).filter(([, outcome]) => outcome !== "ok"),
    [],
  );
}

/** @param program prints a line of JSON: each check with "ok" or what went wrong */
function runClients(program: string, args: readonly string[]): Promise<Record<string, string>> {
  const { promise, resolve: done, reject } = withResolvers<Record<string, string>>();
  assert.ok(node24, "Node 24 is not installed: run .ci/run nodes");
  const child = spawn(node24, [`tests/server/clients/${program}`, ...args], { timeout: RUN_TIMEOUT_MS });
  let out = "",
    errors = "";
  child.stdout.on("data", (data) => (out += String(data)));
  child.stderr.on("data", (data) => (errors += String(data)));
  child.on("error", reject);
  child.on("close", (status) => {
    const line = out.trimEnd().split("\n").at(-1) ?? "";
    if (status === 0 && line.startsWith("{")) done(JSON.parse(line) as Record<string, string>);
    else reject(new Error(`the clients ended with ${status}: ${out}${errors}`));
  });
  return promise;
}

/** Starts a server that writes its address in a line. */
async function serveProcess(binary: string | undefined, args: readonly string[]): Promise<Served> {
  assert.ok(binary, "not installed: run .ci/run runtimes");
  const child = spawn(binary, args, { cwd: installed.folder, stdio: ["ignore", "pipe", "pipe"] });
  const url = await addressOf(child);
  return {
    url: url.replace(/\/$/, ""),
    async stop() {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve: done, reject } = withResolvers<string>();
  let out = "";
  const timer = setTimeout(
    () => reject(new Error(`no address within ${START_TIMEOUT_MS} ms: ${out}`)),
    START_TIMEOUT_MS,
  );
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (data) => {
      out += String(data);
      const address = /^http:\/\/\S+$/m.exec(out)?.[0];
      if (address === undefined) return;
      clearTimeout(timer);
      done(address);
    });
  child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${out}`)));
  return promise;
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

function programText(): string {
  return `import { load } from "onebit";
    import { createHandler } from "onebit/server";
    const options = { contextLength: ${CONTEXT}, kvPositions: ${4 * CONTEXT}, threads: 1 };
    const handler = createHandler({ models: { ${MODEL}: await load("models/${MODEL}.gguf", options) } });
    const listening = { hostname: "127.0.0.1", port: 0 };
    const say = ({ port }) => console.log("http://127.0.0.1:" + port);
    if (globalThis.Deno) Deno.serve({ ...listening, onListen: say }, handler);
    else say(Bun.serve({ ...listening, fetch: handler }));`;
}

function workerText(): string {
  return `import { load } from "./onebit/index.workerd.js";
    import { createHandler } from "./onebit/server.workerd.js";
    import file from "./models/${MODEL}.gguf";
    const options = { contextLength: ${CONTEXT}, kvPositions: ${4 * CONTEXT} };
    const handler = createHandler({ models: { ${MODEL}: () => load(new Uint8Array(file), options) } });
    export default { fetch: handler };`;
}

async function serveInWorkerd(): Promise<Served> {
  const binary = workerdBinary();
  assert.ok(binary, "workerd is not installed: run .ci/run runtimes");
  const { folder } = installed,
    dist = "node_modules/onebit/dist",
    files = readdirSync(join(folder, dist), { recursive: true, encoding: "utf8" });
  const modules = [
    `(name = "worker.js", esModule = embed "worker.js")`,
    ...files
      .filter((path) => path.endsWith(".wasm"))
      .map((path) => `(name = "onebit/${path}", wasm = embed "${dist}/${path}")`),
    ...files
      .filter((path) => /^[^/]*\.workerd.*\.js$/.test(path))
      .map((path) => `(name = "onebit/${basename(path)}", esModule = embed "${dist}/${path}")`),
    `(name = "onebit/shakespeare.js", esModule = embed "${dist}/shakespeare.js")`,
    `(name = "models/${MODEL}.gguf", data = embed "models/${MODEL}.gguf")`,
  ];
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = .main)],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );
    const main :Workerd.Worker = (
      compatibilityDate = "2026-04-01",
      compatibilityFlags = ["enable_request_signal"],
      modules = [${modules.join(", ")}],
    );`,
  );
  return await serveWorker(folder, binary);
}
