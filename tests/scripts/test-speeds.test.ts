/** Tests that `npm test` leaves out run in the suite of `.ci/run` that the table names. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";

interface TestSpeeds {
  readonly SLOW_TESTS: Readonly<Record<string, string>>;
  readonly FAST_TESTS: readonly string[];
  readonly isSlow: (file: string) => boolean;
}
const { SLOW_TESTS, FAST_TESTS, isSlow } = (await import(resolve("scripts/test-speeds.mjs"))) as TestSpeeds;

/** What a suite runs: its line, and the scripts of the package.json that the line names. */
function commandOf(suite: string): string {
  const line = new RegExp(`^${suite}\\(\\) .*$`, "m").exec(readFileSync(".ci/run", "utf8"))?.[0] ?? "";
  const [, folder] = /npm test --prefix (\S+)/.exec(line) ?? [];
  return folder === undefined ? line : line + readFileSync(`${folder.replace(/;$/, "")}/package.json`, "utf8");
}

for (const [begin, suite] of Object.entries(SLOW_TESTS)) {
  test(`${begin} runs in ${suite}`, () => {
    const words = commandOf(suite).split(/[\s";]+/);
    assert.ok(
      words.some((word) => word.startsWith("tests/") && begin.startsWith(word)),
      commandOf(suite),
    );
  });
}

test("each beginning is of a test", () => {
  const below = readdirSync("tests", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".test.ts"));
  const files = below.map((path) => `tests/${path.replaceAll("\\", "/")}`);
  for (const begin of [...Object.keys(SLOW_TESTS), ...FAST_TESTS]) {
    assert.ok(
      files.some((file) => file.startsWith(begin)),
      begin,
    );
  }
  assert.ok(files.some((file) => isSlow(file)) && files.some((file) => !isSlow(file)));
});
