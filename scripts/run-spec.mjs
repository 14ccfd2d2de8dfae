/**
 * Runs as-pect specs as node:test tests: one test for a variant of the kernels, in it one for each spec, in it one for
 * each leaf.
 *
 * as-pect is driven through @as-pect/core: its own command line reports success for zero specs and for a killed child.
 * Binaries are cached in build/specs under the hash of all sources, so a second run does not compile.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { filesBelow, hashFiles } from "./build.mjs";

/** Single-thread variants: a spec runs on one thread. Flags as in asconfig.json, optimised like the shipped kernels. */
export const VARIANT_FEATURES = { simd: ["simd"], relaxed: ["simd", "relaxed-simd"] };

const AS_PECT = "./node_modules/@as-pect/assembly/assembly/index.ts";
const LEAF = 0;
const HEADING = ".heading.ts";

/**
 * Registers the tests of the specs (paths from the repository root) on one variant. Compiles them together: alone, each
 * of 26 would compile the kernels and the library again, 6 s each. `keep`: cache the binary.
 */
export function runSpecs(specFiles, variant, keep = true) {
  test(`assembly specs [${variant}]`, async (t) => {
    const binary = await compileSpecs(specFiles, variant, keep);
    if (!WebAssembly.validate(binary)) {
      assert.equal(variant, "relaxed", "the baseline must validate on every engine");
      return t.skip(`compiled; not run: ${process.version} has no relaxed SIMD`);
    }
    const { leavesOf, problems } = await runLeaves(specFiles, binary);
    for (const [specFile, leaves] of leavesOf) {
      await t.test(`${specFile} [${variant}]`, async (t) => {
        for (const leaf of leaves) await t.test(pathOf(leaf), () => reportLeaf(leaf));
        assert.ok(leaves.length > 0, "the spec has no test");
      });
    }
    assert.deepEqual(problems, [], "outside any test");
  });
}

async function compileSpecs(specFiles, variant, keep) {
  // The specs last: their selection is part of the hash.
  const sources = hashFiles([
    ...filesBelow("assembly", ".ts"),
    "package-lock.json",
    "scripts/run-spec.mjs",
    ...specFiles,
  ]);
  const cached = keep && `build/specs/${variant}.${sources.slice(0, 16)}.wasm`;
  if (cached && existsSync(cached)) return new Uint8Array(readFileSync(cached));
  const asc = await import("assemblyscript/asc");
  const flags = ["--config", "none", "--exportStart", "_start", "--exportRuntime", "--exportTable", "--debug"];
  flags.push("--use", "RTRACE=1", "--use", "TRAIN=1", "--runtime", "incremental", "-O3", "--outFile", "spec.wasm");
  for (const feature of VARIANT_FEATURES[variant]) flags.push("--enable", feature);
  let binary;
  const writeFile = (name, data) => void (name.endsWith(".wasm") && (binary = new Uint8Array(data)));
  const entries = specFiles.flatMap((specFile) => [headingOf(specFile), specFile]);
  const { error, stderr } = await asc.main([AS_PECT, ...entries, ...flags], { readFile, writeFile });
  if (error) throw new Error(`asc, ${specFiles.join(", ")}, ${variant}: ${error.message}\n${stderr.toString()}`);
  if (cached) {
    mkdirSync("build/specs", { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, binary);
    renameSync(`${cached}.${process.pid}`, cached);
  }
  return binary;
}

/** An entry before each spec: an empty group, named like it, tells whose the leaves after it are. */
function headingOf(specFile) {
  return `${specFile}${HEADING}`;
}

function readFile(name) {
  if (name.endsWith(HEADING)) return `describe(${JSON.stringify(name.slice(0, -HEADING.length))}, () => {});`;
  return existsSync(name) ? readFileSync(name, "utf8") : null;
}

async function runLeaves(specFiles, binary) {
  const { TestContext } = await import("@as-pect/core");
  const { instantiateSync } = await import("@assemblyscript/loader");
  const leavesOf = new Map(specFiles.map((specFile) => [specFile, []]));
  const groups = [];
  let leaves;
  const onExit = (_, node) => {
    if (node.type === LEAF) leaves.push(node);
    else if (leavesOf.has(node.name)) leaves = leavesOf.get(node.name);
    else groups.push(node);
  };
  const reporter = { onEnter() {}, onExit, onFinish() {} };
  const context = new TestContext({ fileName: "assembly specs", binary, reporter });
  context.run(instantiateSync(binary, context.createImports({ env: {} })));
  // A group fails by itself (not through a leaf) when its body or a before/after hook traps.
  const isFine = (child) => child.pass || leavesOf.has(child.name);
  const broken = groups.filter((group) => !group.pass && group.children.every(isFine));
  const problems = broken.map((group) => `${pathOf(group) || "top level"}: ${explain(group)}`);
  const allPass = [...leavesOf.values()].every((each) => each.every((leaf) => leaf.pass));
  if (!context.pass && problems.length === 0 && allPass) problems.push("the run failed");
  return { leavesOf, problems };
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
