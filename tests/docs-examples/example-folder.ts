/**
 * A folder in which the programs of README, docs and docstrings run and are type-checked: this build as the package,
 * and the files they name.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { syntheticModel } from "../synthetic/model.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";

/** The smallest model that has everything the examples use: a vocabulary, a chat template, 512 positions. */
const SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 640,
  contextLength: 1024,
  ropeTheta: 10_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "TQ2_0",
  headType: "F16",
  scalePerTensor: false,
};

/** Makes the folder, in build, with the files that examples name. */
export async function makeExampleFolder(): Promise<string> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/examples-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules", "onebit"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  await writeModelFile(join(folder, "model.gguf"), syntheticModel(SHAPE, 1));
  writeFileSync(
    join(folder, "prompt.txt"),
    "It was a bright cold day in April, and the clocks were striking thirteen.",
  );
  writeFileSync(
    join(folder, "text.txt"),
    "All happy families are alike; each unhappy family is unhappy in its own way.\n".repeat(4),
  );
  return folder;
}

/** Checks programs of the folder, with the types of pages and none of Node. */
export function checkExampleTypes(folder: string, files: readonly string[]): void {
  const compilerOptions = {
    strict: true,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "dom", "dom.asynciterable", "dom.iterable", "esnext.disposable"],
    types: [],
    noEmit: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const run = spawnSync(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder], {
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stdout);
}
