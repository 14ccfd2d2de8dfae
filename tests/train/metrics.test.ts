/** The log of a run: lines and back, and its end after a resume. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { fileStoreOf } from "../../src/core/platform.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { formatMetric, parseMetrics, rewindMetrics } from "../../src/train/metrics.ts";
import type { MetricRecord } from "../../src/train/metrics.ts";

const platform = nodePlatform();
const root = mkdtempSync(join(tmpdir(), "onebit-metrics-"));
after(() => rmSync(root, { recursive: true, force: true }));

const isCode = (code: string, pattern = /^/) => (error: unknown): boolean => error instanceof OnebitError && error.code === code && pattern.test(error.message);
const at = (step: number): MetricRecord => ({ step, tokens: step * 1024, trainLoss: 5 / step, elapsedMs: step * 10 });
const full: MetricRecord = {
  step: 10, tokens: 20480, trainLoss: 2.5, validationLoss: 2.75, bitsPerByte: 3.967, learningRate: 1.5e-3, gradNorm: 0.1 + 0.2, tokensPerSecond: 12345.678, elapsedMs: 1000.5,
};

describe("a record", () => {
  test("is a line of JSON and comes back from it, every bit", () => {
    assert.equal(formatMetric(at(5)), '{"step":5,"tokens":5120,"trainLoss":1,"elapsedMs":50}');
    assert.deepEqual(parseMetrics(`${formatMetric(full)}\n`), [full]);
  });

  test("that JSON cannot hold is refused", () => {
    for (const value of [NaN, Infinity]) assert.throws(() => formatMetric({ ...full, validationLoss: value }), isCode("train/not-finite", /step 10: validationLoss/));
  });
});

describe("a log", () => {
  const log = [1, 2, 3].map((step) => `${formatMetric(at(step))}\n`).join("");

  test("is read; of a cut last line nothing is", () => {
    assert.deepEqual(parseMetrics(log), [at(1), at(2), at(3)]);
    for (let cut = 1; cut < formatMetric(at(3)).length + 1; cut++) assert.deepEqual(parseMetrics(log.slice(0, -cut)), [at(1), at(2)], `${cut}`);
    assert.deepEqual(parseMetrics(""), []);
  });

  test("that is none is refused with the line's number", () => {
    const lines = ["text", "{}", "null", "[]", '{"step":"1","tokens":1,"elapsedMs":1}', '{"step":3,"tokens":1}', '{"step":3,"tokens":1,"elapsedMs":1,"trainLoss":null}', ""];
    for (const line of lines) assert.throws(() => parseMetrics(`${formatMetric(at(1))}\n${line}\n`, "log"), isCode("train/bad-data", /log: line 2/), line);
    assert.throws(() => parseMetrics(log + log), isCode("train/bad-data", /line 4: wanted a step above 3, found 1/));
  });
});

describe("rewinding", () => {
  test("drops later steps and a cut line, so that training again gives each step once", async () => {
    const path = join(root, "log"), { appendLine } = fileStoreOf(platform);
    for (const step of [1, 2, 3, 4]) await appendLine(path, formatMetric(at(step)));
    writeFileSync(path, `${readFileSync(path, "utf8")}{"step":5,"tok`);
    assert.deepEqual(await rewindMetrics(platform, path, 2), [at(1), at(2)]);
    for (const step of [3, 4]) await appendLine(path, formatMetric(at(step)));
    assert.deepEqual(parseMetrics(readFileSync(path, "utf8")), [1, 2, 3, 4].map(at));
    assert.deepEqual(readdirSync(root), ["log"]);
  });

  test("keeps members that are not known here, and leaves alone what need not change", async () => {
    const path = join(root, "kept"), text = '{"step":1,"tokens":1,"elapsedMs":1,"note":"mine"}\n';
    writeFileSync(path, text);
    const before = statSync(path).ino;
    assert.deepEqual(await rewindMetrics(platform, path, 1), [{ step: 1, tokens: 1, elapsedMs: 1 }]);
    assert.equal(statSync(path).ino, before);
    writeFileSync(path, `${text}${formatMetric(at(2))}\n`);
    await rewindMetrics(platform, path, 1);
    assert.equal(readFileSync(path, "utf8"), text);
  });

  test("gives none for no file, and does not touch what is no log", async () => {
    assert.deepEqual(await rewindMetrics(platform, join(root, "none"), 1), []);
    const path = join(root, "diary");
    writeFileSync(path, "Dear diary\n");
    await assert.rejects(rewindMetrics(platform, path, 1), isCode("train/bad-data", /diary: line 1/));
    assert.equal(readFileSync(path, "utf8"), "Dear diary\n");
  });
});
