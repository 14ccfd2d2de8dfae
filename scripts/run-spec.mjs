/**
 * Runs one as-pect spec as node:test tests, once a variant: one test for the variant, one subtest for each leaf of the
 * spec.
 *
 * as-pect is driven through @as-pect/core: its own command line reports success for zero specs and for a killed child.
 * A compiled spec is kept in build/specs under the hash of every source it could see, so that a second run only runs.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { filesBelow, hashFiles } from "./build.mjs";

/** Single-thread variants: a spec runs on one thread. Flags as in asconfig.json, optimised as what is shipped. */
const VARIANT_FEATURES = { simd: ["simd"], relaxed: ["simd", "relaxed-simd"] };

const AS_PECT = "./node_modules/@as-pect/assembly/assembly/index.ts";
const LEAF = 0;

/** Registers the tests of the spec at `specFile` (path from the repository root). `keep`: keep what was compiled. */
export function runSpec(specFile, keep = true) {
  const sources = hashFiles([...filesBelow("assembly", ".ts"), specFile, "package-lock.json", "scripts/run-spec.mjs"]);
  for (const [variant, features] of Object.entries(VARIANT_FEATURES)) {
    test(`${specFile} [${variant}]`, async (t) => {
      const binary = await compileSpec(specFile, variant, features, keep && sources);
      if (!WebAssembly.validate(binary)) {
        assert.equal(variant, "relaxed", "the baseline must validate on every engine");
        return t.skip(`compiled; not run: ${process.version} has no relaxed SIMD`);
      }
      const { leaves, problems } = await runLeaves(specFile, binary);
      for (const leaf of leaves) await t.test(pathOf(leaf), () => reportLeaf(leaf));
      assert.deepEqual(problems, [], "outside any test");
      assert.ok(leaves.length > 0, "the spec has no test");
    });
  }
}

async function compileSpec(specFile, variant, features, sources) {
  const cached = sources && `build/specs/${basename(specFile, ".spec.ts")}.${variant}.${sources.slice(0, 16)}.wasm`;
  if (cached && existsSync(cached)) return new Uint8Array(readFileSync(cached));
  const asc = await import("assemblyscript/asc");
  const flags = ["--config", "none", "--exportStart", "_start", "--exportRuntime", "--exportTable", "--debug"];
  flags.push("--use", "RTRACE=1", "--use", "TRAIN=1", "--runtime", "incremental", "-O3", "--outFile", "spec.wasm");
  for (const feature of features) flags.push("--enable", feature);
  let binary;
  const writeFile = (name, data) => void (name.endsWith(".wasm") && (binary = new Uint8Array(data)));
  const { error, stderr } = await asc.main([AS_PECT, specFile, ...flags], { writeFile });
  if (error) throw new Error(`asc, ${specFile}, ${variant}: ${error.message}\n${stderr.toString()}`);
  if (cached) {
    mkdirSync("build/specs", { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, binary);
    renameSync(`${cached}.${process.pid}`, cached);
  }
  return binary;
}

async function runLeaves(specFile, binary) {
  const { TestContext } = await import("@as-pect/core");
  const { instantiateSync } = await import("@assemblyscript/loader");
  const leaves = [];
  const groups = [];
  const onExit = (_, node) => void (node.type === LEAF ? leaves : groups).push(node);
  const reporter = { onEnter() {}, onExit, onFinish() {} };
  const context = new TestContext({ fileName: specFile, binary, reporter });
  context.run(instantiateSync(binary, context.createImports({ env: {} })));
  // A group fails by itself (not through a leaf) when its body or a before/after hook traps.
  const broken = groups.filter((group) => !group.pass && group.children.every((child) => child.pass));
  const problems = broken.map((group) => `${pathOf(group) || "top level"}: ${explain(group)}`);
  if (!context.pass && problems.length === 0 && leaves.every((leaf) => leaf.pass)) problems.push("the run failed");
  return { leaves, problems };
}

function reportLeaf(leaf) {
  if (leaf.pass) return;
  const failure = new Error(explain(leaf));
  failure.stack = failure.message; // this file's own frames would say nothing
  throw failure;
}

function pathOf(node) {
  const names = [];
  for (let at = node; at; at = at.parent) if (at.name) names.unshift(at.name);
  return names.join(" > ");
}

/** What a failed node says. A trap says only where: as-pect leaves the values of an earlier failure on it. */
function explain(node) {
  const values = (reflected) => (reflected ? reflected.stringify({ indent: 0 }) : "(none)");
  const frames = (node.stackTrace ?? "")
    .split("\n")
    .filter((line) => !line.startsWith("    at ") || line.includes("wasm-function"));
  const trapped = frames[0] !== "" && !frames[0].endsWith("unreachable");
  const lines = trapped
    ? []
    : [node.message || "failed", `actual ${values(node.actual)}`, `expected ${values(node.expected)}`];
  for (const error of node.errors) lines.push(`${error.type}: ${error.message}`);
  for (const logged of node.logs) lines.push(`log ${values(logged)}`);
  return [...lines, ...frames].join("\n");
}
