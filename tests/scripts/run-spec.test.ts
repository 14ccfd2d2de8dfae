/**
 * The runner of assembly specs fails when it should: a spec that passes for no reason would hide every kernel's bugs.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { after, before, describe, test } from "node:test";

const CASES: readonly { name: string; source: string; ok: boolean; says: RegExp }[] = [
  { name: "passes", source: 'test("adds", () => { expect<i32>(1 + 1).toBe(2); });', ok: true, says: /ok \d+ - adds/ },
  {
    name: "fails",
    source: 'test("adds", () => { expect<i32>(1 + 1).toBe(3, "one and one"); });',
    ok: false,
    says: /one and one/,
  },
  { name: "traps", source: 'test("reads", () => { load<i32>(0xfffffff0); });', ok: false, says: /out of bounds/ },
  {
    name: "traps outside tests",
    source: 'describe("group", () => { unreachable(); });',
    ok: false,
    says: /outside any test/,
  },
  { name: "traps at the top", source: 'unreachable(); test("adds", () => {});', ok: false, says: /top level: failed/ },
  { name: "has no test", source: "export const a: i32 = 1;", ok: false, says: /has no test/ },
  {
    name: "does not compile",
    source: 'test("adds", () => { missing(); });',
    ok: false,
    says: /Cannot find name 'missing'/,
  },
];

describe("run-spec", () => {
  let folder = "";
  /** What the runner reported, in TAP: of each case alone, then of the first three together. */
  let reports: readonly string[] = [];
  const specOf = (i: number): string => relative(".", join(folder, `case-${i}.spec.ts`));

  before(() => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/spec-"));
    for (const [i, { source }] of CASES.entries()) writeFileSync(specOf(i), source);
    const runs = [...CASES.map((_, i) => [specOf(i)]), [0, 1, 2].map(specOf)];
    const calls = runs.map((specs) => `runSpecs(${JSON.stringify(specs)}, "simd", false);`);
    const runner = JSON.stringify(resolve("scripts/run-spec.mjs"));
    writeFileSync(join(folder, "stub.mjs"), [`import { runSpecs } from ${runner};`, ...calls].join("\n"));
    // With this variable the child would believe that it is part of this run, and report nothing.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const run = spawnSync(process.execPath, ["--test", "--test-reporter=tap", join(folder, "stub.mjs")], {
      encoding: "utf8",
      env,
    });
    assert.equal(run.status, 1, run.stderr);
    reports = run.stdout.split(/^# Subtest: /m).slice(1);
    assert.equal(reports.length, runs.length);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [i, { name, ok, says }] of CASES.entries()) {
    test(`a spec that ${name}`, () => {
      assert.match(reports[i], says);
      assert.equal(/^not ok/m.test(reports[i]), !ok, reports[i]);
    });
  }

  test("specs together: each has its own leaves", () => {
    const [, ...own] = reports[CASES.length].split(/^ {4}# Subtest: /m);
    assert.equal(own.length, 3);
    for (const [i, part] of own.entries()) {
      assert.ok(part.startsWith(specOf(i)), part);
      assert.match(part, CASES[i].says);
      assert.equal(/^ {4}not ok/m.test(part), !CASES[i].ok, part);
    }
  });
});
