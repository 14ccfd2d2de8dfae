/**
 * The examples of the original BitNet README, at their sizes; and examples/nn.ts, which has them, run on the package.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { BitFeedForward } from "../../src/nn/bit-feed-forward.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { BitMGQA } from "../../src/nn/bit-mgqa.ts";
import { randomArray } from "./arrays.ts";

test("x (10, 512) through BitLinear(512, 400)", () => {
  const y = new BitLinear(512, 400).forward(randomArray([10, 512], 1));
  assert.deepEqual(y.shape, [10, 400]);
  // Three quarters of weights uniform in ±1/√512 round to their mean magnitude, half of that: 512 · ¾ / (4 · 512).
  const variance = y.data.reduce((sum, v) => sum + v * v, 0) / y.data.length;
  assert.ok(Math.abs(variance - 3 / 16) < 0.03, `variance ${variance}`);
});

test("(10, 512) through BitFeedForward(512)", () => {
  const layer = new BitFeedForward(512, { postActNorm: "layer", activation: "silu", dropout: 0.1 });
  const y = layer.forward(randomArray([10, 512], 2));
  assert.deepEqual(y.shape, [10, 512]);
  assert.deepEqual(layer.backward(randomArray([10, 512], 3)).shape, [10, 512]);
});

test("(1, 10, 512) through BitMGQA(512, 8, 4), with weights", () => {
  const { output, weights } = new BitMGQA(512, 8, 4).forwardWithWeights(randomArray([1, 10, 512], 4));
  assert.deepEqual(
    [output.shape, weights.shape],
    [
      [1, 10, 512],
      [1, 8, 10, 10],
    ],
  );
  for (let row = 0; row < 80; row++) {
    const total = weights.data.subarray(row * 10, (row + 1) * 10).reduce((sum, p) => sum + p, 0);
    assert.ok(Math.abs(total - 1) < 1e-5, `row ${row} sums to ${total}`);
  }
});

test("examples/nn.ts, ids (1, 1024) through a transformer of 20000 tokens among them", async (t) => {
  assert.ok(existsSync("dist/nn.js"));
  const { transform } = await import("esbuild"),
    { code } = await transform(readFileSync("examples/nn.ts", "utf8"), { loader: "ts" });
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/example-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(resolve("."), join(folder, "node_modules", "onebit"));
    writeFileSync(join(folder, "nn.mjs"), code);
    const begin = performance.now(),
      run = spawnSync(process.execPath, ["nn.mjs"], { cwd: folder, encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    t.diagnostic(`${((performance.now() - begin) / 1000).toFixed(1)} s; ${run.stdout.trim().split("\n").at(-1)}`);
    for (const line of [
      "BitLinear: (10, 400)",
      "its gradient: (10, 512)",
      "packed: 54912 bytes for 819200",
      "the same numbers: true",
      "BitFeedForward: (10, 512)",
      "BitMGQA: (1, 10, 512)",
      "its weights: (1, 8, 10, 10)",
      "after 3 1 4 1: 5 9 3 1 4 1",
      "BitNetTransformer: (1, 1024, 20000)",
    ])
      assert.ok(run.stdout.split("\n").includes(line), `${line}\n${run.stdout}`);
    assert.match(run.stdout, /replaced 524288 weights: cosine 0\.\d{3}, \d+ % zeros/);
    assert.match(run.stdout, /^finite: true/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
