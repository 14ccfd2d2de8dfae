/**
 * The examples that are one file, each in its runtime, with the package installed: what they say, and that they stop.
 *
 * ONEBIT_RUNTIMES=all runs them all: `.ci/run runtimes` brings Deno and Bun. Without it, those of Node.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import inTheBox from "../default-model/expected.json" with { type: "json" };
import { type InstalledPackage, installPackage } from "./installed-package.ts";

// The package is installed from dist/ as it was built.
const TIMEOUT_MS = 60_000;
const skip = process.env.ONEBIT_RUNTIMES === "all" ? false : "runs in .ci/run runtimes";
const { prompt, ids } = inTheBox.generation;
/** What the model in the package writes after the prompt, with the seed that the examples have too. */
const expectedText = prompt + new TextDecoder().decode(Uint8Array.from(ids));

let installed: InstalledPackage;
before(async () => {
  installed = await installPackage("examples", []);
  for (const name of ["node.mjs", "deno.ts", "bun-server.ts"])
    copyFileSync(join("examples", name), join(installed.folder, name));
});
after(() => rmSync(installed.folder, { recursive: true, force: true }));

describe("examples/node.mjs", () => {
  test("goes on with a text", async () => {
    const { out, err, code } = await ended(start(process.execPath, ["node.mjs", prompt]));
    assert.equal(code, 0, err);
    assert.ok(out.startsWith(expectedText), out);
    assert.match(err, /length: 300 tokens, \d+ a second/);
  });

  test("stops at Ctrl-C, and says how it ended", async () => {
    // On a busy machine the text may have ended before the signal came.
    for (let tries = 0; tries < 5; tries++) {
      const child = start(process.execPath, ["node.mjs"]);
      child.stdout!.once("data", () => child.kill("SIGINT"));
      const { err, code } = await ended(child);
      assert.equal(code, 0, err);
      if (/aborted: \d+ tokens/.test(err)) return;
    }
    assert.fail("it never stopped before its end");
  });
});

test("examples/deno.ts, without a permission", { skip }, async () => {
  const { out, err, code } = await ended(
    start(binaryOf(/^@deno\/linux-[^/]*\/deno$/), ["run", "--no-prompt", "deno.ts"]),
  );
  assert.equal(code, 0, err);
  const lines = out
    .trim()
    .split("\n")
    .map((line) => /^ *([\d.]+) (.*)$/.exec(line) ?? assert.fail(line));
  assert.deepEqual(
    lines.map(([, , text]) => text.split(" ")[0]),
    ["Speak,", "The", "zxq"],
  );
  // A uniform guess among 256 bytes is 256; the model's own loss, 1.79 nats, is 6.
  assert.ok(Number(lines[0][1]) < 12 && Number(lines[2][1]) > 20, out);
});

test("examples/bun-server.ts", { skip }, async () => {
  const child = start(binaryOf(/^@oven\/bun-linux-[^/]*\/bin\/bun$/), ["bun-server.ts"], { PORT: "0" });
  try {
    const url = await new Promise<string>((found, failed) => {
      let out = "";
      child.stdout!.on("data", (text: string) => {
        out += text;
        const match = /listening on (\S+)\n/.exec(out);
        if (match) found(match[1]);
      });
      child.once("exit", (code) => failed(new Error(`ended with ${code}`)));
    });
    assert.equal((await fetch(url)).status, 405);
    const leave = new AbortController(),
      left = await fetch(url, { method: "POST", body: prompt, signal: leave.signal });
    await left.body!.getReader().read();
    leave.abort();
    const answers = await Promise.all(
      [1, 2].map(async () => (await fetch(url, { method: "POST", body: prompt })).text()),
    );
    for (const answer of answers) assert.equal(answer.length, 300);
  } finally {
    child.kill();
  }
});

function start(binary: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(binary, args, {
    cwd: installed.folder,
    env: { ...process.env, ...env },
    timeout: TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.setEncoding("utf8");
  child.stderr.setEncoding("utf8");
  return child;
}

function ended(child: ChildProcess): Promise<{ out: string; err: string; code: number | null }> {
  let out = "",
    err = "";
  child.stdout!.on("data", (text: string) => (out += text));
  child.stderr!.on("data", (text: string) => (err += text));
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ out, err, code }));
  });
}

function binaryOf(pattern: RegExp): string {
  const below = ".ci/runtimes/node_modules";
  const found = existsSync(below)
    ? readdirSync(below, { recursive: true })
        .map(String)
        .find((file) => pattern.test(file))
    : undefined;
  return resolve(below, found ?? assert.fail(`${pattern} is not installed: run .ci/run runtimes`));
}
