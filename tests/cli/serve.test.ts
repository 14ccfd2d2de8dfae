/** `onebit serve` as users start it: `dist/cli.js` in a process of its own. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { servedName } from "../../src/cli/served-models.ts";
import { syntheticModel } from "../synthetic/model.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";

const CLI = resolve("dist/cli.js");
const TIMEOUT_MS = 60_000;
const KEY = "a-key-of-this-test";
const SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 256,
  nVocab: 640,
  contextLength: 512,
  ropeTheta: 10_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "TQ2_0",
  headType: "F16",
  scalePerTensor: false,
};

type Child = ChildProcessByStdio<null, Readable, Readable>;

interface Started {
  readonly url: string;
  readonly child: Child;
  /** All it wrote so far. */
  text(): string;
}

let folder = "";
const children = new Set<Child>();

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): { child: Child; text(): string } {
  const child = spawn(process.execPath, [CLI, "serve", ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  children.add(child);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (out += String(data)));
  return { child, text: () => out };
}

async function serving(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Started> {
  const { child, text } = start(["--port=0", ...args], env);
  const url = await new Promise<string>((done, failed) => {
    child.stdout.once("data", (data) => done(String(data).trim()));
    child.once("exit", () => failed(new Error(text())));
  });
  return { url, child, text };
}

function exit(child: Child): Promise<number | null> {
  return new Promise((done) => child.once("close", (code) => done(code)));
}

async function refused(args: readonly string[], message: RegExp): Promise<void> {
  const { child, text } = start(args);
  assert.equal(await exit(child), 2, text());
  assert.match(text(), message);
}

const ask = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ messages: [{ role: "user", content: "ROMEO:" }], max_tokens: 4, ...body }),
  });

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/serve-"));
  for (const [i, name] of ["one", "two"].entries())
    await writeModelFile(join(folder, `${name}.gguf`), syntheticModel(SHAPE, i + 1));
});
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

describe("onebit serve", () => {
  test("without a model: the one in the box, and the page; SIGTERM lets an answer end", async () => {
    const { url, child, text } = await serving([]);
    assert.match(url, /^http:\/\/localhost:\d+\/$/);
    const { data } = (await (await fetch(`${url}v1/models`)).json()) as { data: { id: string }[] };
    assert.deepEqual(
      data.map(({ id }) => id),
      ["shakespeare"],
    );
    assert.match(await (await fetch(url)).text(), /<html/);
    const response = await ask(url, { stream: true, max_tokens: 100 });
    const ended = exit(child);
    child.kill("SIGTERM");
    assert.match(await response.text(), /data: \[DONE\]\n\n$/);
    assert.equal(await ended, 0, text());
    await assert.rejects(fetch(url));
  });

  test("several models, by their files' names, loaded when they are asked for; Ctrl-C ends", async () => {
    const { url, child, text } = await serving(["one.gguf", "two.gguf", "--context=128", "--parallel=2"]);
    const memory = async (): Promise<string[]> => {
      const metrics = await (await fetch(`${url}metrics`)).text();
      return [...metrics.matchAll(/^onebit_model_memory_bytes\{model="(\w+)"\}/gm)].map(([, name]) => name);
    };
    assert.deepEqual(await memory(), []);
    assert.equal((await ask(url, { model: "two" })).status, 200);
    assert.deepEqual(await memory(), ["two"]);
    assert.equal((await ask(url, {})).status, 200);
    assert.deepEqual((await memory()).sort(), ["one", "two"]);
    const ended = exit(child);
    child.kill("SIGINT");
    assert.equal(await ended, 0, text());
  });

  test("a key from the environment, or as an option", async () => {
    for (const [args, env] of [
      [[], { ONEBIT_API_KEY: KEY }],
      [[`--api-key=${KEY}`], {}],
    ] as const) {
      const { url, child } = await serving(args, env);
      assert.equal((await ask(url, {})).status, 401);
      assert.equal((await ask(url, {}, { authorization: `Bearer ${KEY}` })).status, 200);
      child.kill("SIGKILL");
    }
  });

  test("wrong command lines", async () => {
    await refused(["--host=0.0.0.0"], /--host: "0.0.0.0" lets other machines in: give a key too/);
    await refused(["--port=70000"], /--port: wanted 0 to 65535/);
    await refused(["--parallel=0"], /--parallel/);
    await refused(["--memory=0"], /--memory/);
    await refused(["one.gguf", "one.gguf"], /two models have the name "one"/);
    await refused(["--parralel=2"], /did you mean --parallel\?/);
  });

  test("a name for each source", () => {
    for (const [source, name] of [
      ["models/a.gguf", "a"],
      ["hf:owner/repo", "owner/repo"],
      ["hf:owner/repo/file.gguf@main", "owner/repo"],
      ["https://example.com/b.gguf?download=1", "b"],
      ["folder/", "folder"],
    ])
      assert.equal(servedName(source), name);
  });
});
