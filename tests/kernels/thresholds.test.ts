/** The list of thresholds is whole: no number in the kernels at which something changes is without its row. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { NOT_THRESHOLDS, THRESHOLDS, constantsOf, limitsOf, sizesAround } from "./thresholds.ts";

const KERNELS = ["assembly", "assembly/ops", "assembly/weights", "assembly/train"];

test("every constant of the kernels is a threshold with its sizes, or listed as not one", () => {
  const files = KERNELS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`),
  );
  const listed = (file: string, name: string) =>
    NOT_THRESHOLDS[file]?.includes(name) || THRESHOLDS.some((each) => each.file === file && each.limit === name);
  const missing = files
    .filter((file) => file !== "assembly/abi.ts")
    .flatMap((file) =>
      [...constantsOf(file).keys()].filter((name) => !listed(file, name)).map((name) => `${file} ${name}`),
    );
  assert.deepEqual(missing, []);
});

test("everything listed exists", () => {
  for (const threshold of THRESHOLDS)
    assert.ok(
      limitsOf(threshold).every((limit) => limit >= 1),
      threshold.branch,
    );
  for (const [file, names] of Object.entries(NOT_THRESHOLDS))
    for (const name of names) assert.ok(constantsOf(file).has(name), `${file} ${name}`);
});

test("sizes lie on both sides", () => {
  const rows = sizesAround("rows", 200);
  for (const size of [1, 2, 3, 15, 16, 17, 63, 64, 65]) assert.ok(rows.includes(size), `${size} rows`);
});
