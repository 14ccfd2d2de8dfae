/**
 * The same bits from every engine and any number of threads. ONEBIT_NODES names other Nodes (paths, `:` between them);
 * Deno and Bun take part with ONEBIT_RUNTIMES=all, where `.ci/run nodes runtimes` brought them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildTestProgram } from "./train-program.ts";

const TIMEOUT_MS = 300_000;

let folder = "",
  program = "",
  expected = "";
before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/determinism-"));
  program = join(folder, "determinism.mjs");
  await buildTestProgram("tests/train/determinism.ts", program);
  expected = await outputOf(process.execPath, [program, "1"]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Not spawnSync: while that waits, no timeout of the test runner can fire. */
function outputOf(binary: string, args: readonly string[]): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(binary, args, { timeout: TIMEOUT_MS, stdio: ["ignore", "pipe", "pipe"] });
    let out = "",
      err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.on("error", failed);
    child.on("close", (code) => (code === 0 ? done(out) : failed(new Error(`${binary} ended with ${code}: ${err}`))));
  });
}

const nodes = (process.env["ONEBIT_NODES"] ?? "").split(":").filter((path) => path !== "");
const below = ".ci/runtimes/node_modules",
  wantsRuntimes = process.env["ONEBIT_RUNTIMES"] === "all";

function binaryOf(pattern: RegExp): string {
  const found = existsSync(below)
    ? readdirSync(below, { recursive: true })
        .map(String)
        .find((file) => pattern.test(file))
    : undefined;
  return resolve(below, found ?? assert.fail(`${pattern} is not installed: run .ci/run runtimes`));
}

describe("the same bits of loss and weights", () => {
  test("in two runs: with a loss that is a number and weights that differ between recipes", async () => {
    const runs = Object.values(JSON.parse(expected) as Record<string, { loss: string; weights: string[] }>);
    assert.equal(new Set(runs.map(({ loss }) => loss)).size, runs.length);
    // Doubles between 0 and 8 begin so.
    for (const { loss } of runs) assert.match(loss, /^(?:3f|40[01])/);
    assert.equal(await outputOf(process.execPath, [program, "1"]), expected);
  });

  for (const threads of [2, 3]) {
    test(`on ${threads} threads`, async () =>
      assert.equal(await outputOf(process.execPath, [program, String(threads)]), expected));
  }

  for (const node of nodes) {
    test(`in ${node}, on 1 and 2 threads`, async () => {
      for (const threads of ["1", "2"]) assert.equal(await outputOf(node, [program, threads]), expected);
    });
  }

  test("in Deno", { skip: wantsRuntimes ? false : "ONEBIT_RUNTIMES=all runs it" }, async () => {
    assert.equal(await outputOf(binaryOf(/^@deno\/linux-[^/]*\/deno$/), ["run", "--no-prompt", program]), expected);
  });
  test("in Bun", { skip: wantsRuntimes ? false : "ONEBIT_RUNTIMES=all runs it" }, async () => {
    assert.equal(await outputOf(binaryOf(/^@oven\/bun-linux-[^/]*\/bin\/bun$/), [program, "2"]), expected);
  });
});
