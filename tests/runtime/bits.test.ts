/**
 * The promise of the same bits: every model below gives the same logits and the same saved context with each kind of
 * KV cache, to the last bit, from every variant of the kernels, one thread or two, the prompt in one batch, in
 * pieces or token by token, on every Node named.
 *
 * ONEBIT_NODES: more Node binaries to run, separated as PATH is. Each must be there; none is skipped. ONEBIT_PUBLISH=1:
 * writes the hashes to expected-hashes.json instead of comparing: after a change that is meant to change numbers. Its
 * difference is then part of the change. The kernels under test are those of build/kernels.*.wasm.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { build } from "esbuild";
import type { BitsLine } from "./bits.ts";
import { SYNTHETIC, writeSyntheticModels } from "./synthetic-models.ts";

/** A trained model, where the data that comes beside a checkout is there: a fresh clone has only the synthetic ones. */
const STORIES = "../shared/data/stories260k/stories260K-f32.gguf";

/** Hashes that every machine must reproduce: of the model file; with each cache, of all logits and a saved context. */
const PUBLISHED = "tests/runtime/expected-hashes.json";

const CHILD_TIMEOUT_MS = 300_000;

/** Path → version. */
const nodes = new Map(
  [process.execPath, ...(process.env.ONEBIT_NODES ?? "").split(delimiter).filter((path) => path !== "")].map((path) => [
    path,
    versionOf(path),
  ]),
);
let folder = "";
let program = "";

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/bits-"));
  program = join(folder, "bits.mjs");
  await build({
    entryPoints: ["tests/runtime/bits.ts"],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    loader: { ".wasm": "binary" },
    logLevel: "warning",
  });
  await writeSyntheticModels(folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const name of Object.keys(SYNTHETIC)) {
  describe(name, () => sameBits(() => join(folder, `${name}.gguf`)));
}

describe("stories260K", { skip: existsSync(STORIES) ? false : `${STORIES} is not here` }, () =>
  sameBits(() => resolve(STORIES)),
);

/** One test for each Node, and one for all together. */
function sameBits(pathOf: () => string): void {
  const hashes = { f32: new Set<string>(), q8: new Set<string>() },
    saved = { f32: new Set<string>(), q8: new Set<string>() };
  for (const [node, version] of nodes) {
    test(version, (t) => {
      const lines = evaluate(node, pathOf());
      const relaxed = !version.startsWith("v20.");
      // Three splits on one thread and on two, for each cache and each variant that this Node has.
      assert.equal(lines.length, relaxed ? 24 : 12);
      assert.equal(
        lines.some((line) => line.variant === "relaxed"),
        relaxed,
      );
      for (const kvType of ["f32", "q8"] as const) {
        const [first, ...others] = lines.filter((line) => line.kvType === kvType);
        for (const line of others) {
          const what = `${describeLine(line)} against ${describeLine(first)}`;
          assert.equal(line.hash, first.hash, what);
          assert.equal(line.saved, first.saved, `the saved context, ${what}`);
        }
        hashes[kvType].add(first.hash);
        saved[kvType].add(first.saved);
        t.diagnostic(`${kvType}: ${first.hash} × ${1 + others.length}`);
      }
    });
  }

  test("the same on all, and as published", () => {
    assert.deepEqual([hashes.f32.size, hashes.q8.size, saved.f32.size, saved.q8.size], [1, 1, 1, 1]);
    const file = createHash("sha256").update(readFileSync(pathOf())).digest("hex");
    const name = pathOf()
      .replace(/^.*\//, "")
      .replace(/\.gguf$/, "");
    const [logits, logitsQ8, savedF32, savedQ8] = [hashes.f32, hashes.q8, saved.f32, saved.q8].map(([hash]) => hash);
    const entry = { file, logits, logitsQ8, saved: savedF32, savedQ8 };
    const published = JSON.parse(readFileSync(PUBLISHED, "utf8")) as Record<string, unknown>;
    if (process.env.ONEBIT_PUBLISH)
      writeFileSync(PUBLISHED, `${JSON.stringify({ ...published, [name]: entry }, null, 2)}\n`);
    else assert.deepEqual(entry, published[name], `${PUBLISHED}, "${name}"`);
  });
}

function evaluate(node: string, path: string): BitsLine[] {
  const run = spawnSync(node, [program, path], { encoding: "utf8", timeout: CHILD_TIMEOUT_MS });
  assert.equal(run.status, 0, `${run.error?.message ?? ""}${run.stderr.slice(-2000)}`);
  return run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as BitsLine);
}

/** `v24.21.0 arm64` */
function versionOf(node: string): string {
  const run = spawnSync(node, ["-p", "`${process.version} ${process.arch}`"], { encoding: "utf8" });
  assert.equal(run.status, 0, `${node} does not run`);
  return run.stdout.trim();
}

function describeLine({ runtime, kvType, variant, threads, split }: BitsLine): string {
  return `${runtime}, ${kvType} cache, ${variant}, ${threads} threads, ${split}`;
}
