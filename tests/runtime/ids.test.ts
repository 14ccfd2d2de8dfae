/**
 * The promise of the same ids: a corpus of every kind of text has them on every Node named, of whatever version of
 * Unicode. The other runtimes and the browsers are held to the same hash by suite.ts.
 *
 * ONEBIT_NODES: more Node binaries to run, separated as PATH is. Each must be there; none is skipped.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import expected from "./expected-ids.json" with { type: "json" };

const TIMEOUT_MS = 120_000;
const nodes = [process.execPath, ...(process.env.ONEBIT_NODES ?? "").split(delimiter).filter((path) => path !== "")];
let folder = "";

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/ids-"));
  await build({
    entryPoints: ["tests/runtime/ids.ts"],
    outfile: join(folder, "ids.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const node of nodes) {
  test(`the ids of the corpus, ${node}`, (t) => {
    const versions = spawnSync(node, ["-p", "`${process.version}, Unicode ${process.versions.unicode}`"], {
      encoding: "utf8",
    });
    assert.equal(versions.status, 0, `${node} does not run`);
    const run = spawnSync(node, [join(folder, "ids.mjs")], { encoding: "utf8", timeout: TIMEOUT_MS });
    assert.equal(run.status, 0, `${run.error?.message ?? ""}${run.stderr.slice(-2000)}`);
    assert.equal(run.stdout.trim(), expected.sha256, versions.stdout.trim());
    t.diagnostic(`${versions.stdout.trim()}: ${run.stdout.trim()}`);
  });
}
