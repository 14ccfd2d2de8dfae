/**
 * The README is run: every command line and every program in it, in a folder that holds the files they name. What its
 * tables say is compared with the tables of the code.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../benchmarks/synthetic/model.ts";
import type { Shape } from "../benchmarks/synthetic/shapes.ts";
import { writeModelFile } from "../benchmarks/synthetic/write-file.ts";
import { TENSOR_TYPES } from "../src/files/tensor-types.ts";
import { ggufArchitecture } from "../src/model/architectures.ts";

const readme = readFileSync("README.md", "utf8");
/** The command line as it was built. */
const CLI = resolve("dist/cli.js");
const EXAMPLE_TIMEOUT_MS = 60_000;

/** The smallest model that has everything the examples use: a vocabulary, a chat template, 512 positions. */
const SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 640,
  contextLength: 1024, ropeTheta: 10_000, normEps: 1e-6, tied: true,
  bodyType: "TQ2_0", headType: "F16", scalePerTensor: false,
};

describe("examples", () => {
  let folder = "";

  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/readme-"));
    await writeModelFile(join(folder, "model.gguf"), syntheticModel(SHAPE, 1));
    writeFileSync(join(folder, "prompt.txt"), "It was a bright cold day in April, and the clocks were striking thirteen.");
    writeFileSync(join(folder, "text.txt"), "All happy families are alike; each unhappy family is unhappy in its own way.\n".repeat(4));
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin", "onebit"), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    chmodSync(join(folder, "bin", "onebit"), 0o755);
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(resolve("."), join(folder, "node_modules", "onebit"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const line of blocks("console").flatMap((block) => block.trim().split("\n"))) {
    test(line, () => {
      assert.match(line, /^\$ onebit /);
      succeeds("sh", ["-c", line.slice(2)], folder);
    });
  }

  for (const [i, program] of blocks("js").entries()) {
    test(`program ${i + 1}`, () => {
      const file = `example-${i + 1}.mjs`;
      writeFileSync(join(folder, file), program);
      succeeds(process.execPath, [file], folder);
    });
  }
});

test("there are examples", () => {
  assert.ok(blocks("console").length >= 2 && blocks("js").length >= 4);
});

test("scripts and links it names exist", () => {
  const scripts = (JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }).scripts;
  const commands = blocks("sh").flatMap((block) => block.trim().split("\n"));
  for (const command of commands) {
    const [program, argument] = command.split(/\s+/);
    if (program === "npm") assert.ok(argument === "ci" || argument in scripts, command);
    else assert.ok(existsSync(program === "node" ? argument : program), command);
  }
  for (const match of readme.matchAll(/\]\(([^)#][^)]*)\)/g)) {
    if (!match[1].startsWith("http")) assert.ok(existsSync(match[1]), match[1]);
  }
});

describe("tables", () => {
  test("list every architecture, and no other", () => {
    const listed = column("architecture");
    for (const name of listed) assert.doesNotThrow(() => ggufArchitecture(name), name);
    assert.throws(() => ggufArchitecture("none"), (error: Error) => {
      const supported = /wanted one of ([^;]*);/.exec(error.message)?.[1].split(", ") ?? [];
      assert.ok(supported.length > 0);
      assert.deepEqual([...listed].sort(), supported.sort());
      return true;
    });
  });

  test("list every tensor type that is computed with, and no other", () => {
    const listed = new Set(column("tensor type").filter((name) => name !== "U8"));
    const computed = Object.values(TENSOR_TYPES).filter(({ layout }) => ["ternary", "binary", "dense"].includes(layout));
    // "`Q2_0` (blocks of 64 and of 128)" is two types of the code.
    const known = computed.map(({ name }) => name).filter((name) => name !== "Q2_0_G128");
    assert.deepEqual([...listed].sort(), known.sort() as string[]);
  });

  test("list every dependency, each with a reason", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<"dependencies" | "devDependencies", object>;
    const listed = column("");
    assert.deepEqual([...listed].sort(), Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort());
  });
});

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1]);
}

/** Every `name` in the first column of the table whose first heading is `heading`. */
function column(heading: string): string[] {
  const table = new RegExp(`^\\| ?${heading} ?\\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(readme);
  assert.ok(table, `a table headed "${heading}"`);
  return table[1].trim().split("\n").flatMap((row) => [...row.split("|")[1].matchAll(/`([^`]+)`/g)].map((match) => match[1]));
}

function succeeds(program: string, args: readonly string[], folder: string): void {
  const PATH = `${join(folder, "bin")}${delimiter}${process.env.PATH ?? ""}`;
  const run = spawnSync(program, args, { cwd: folder, env: { ...process.env, PATH }, encoding: "utf8", timeout: EXAMPLE_TIMEOUT_MS });
  assert.equal(run.status, 0, `${run.error?.message ?? ""}${run.stderr}`);
  const outFile = args.join(" ").match(/--out (\S+)/)?.[1];
  if (outFile === undefined) assert.notEqual(run.stdout.length, 0, "it says something");
  else assert.ok(existsSync(join(folder, outFile)), `it writes ${outFile}`);
}
