/** The log of a run: lines and back, and its end after a resume. */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { fileStoreOf } from "../../src/core/platform.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { formatMetric, parseMetrics, rewindMetrics } from "../../src/train/metrics.ts";
import type { MetricRecord } from "../../src/train/metrics.ts";

const platform = nodePlatform();
const root = mkdtempSync(join(tmpdir(), "onebit-metrics-"));
after(() => rmSync(root, { recursive: true, force: true }));

const isCode =
  (code: string, pattern = /^/) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === code && pattern.test(error.message);
const at = (step: number): MetricRecord => ({ step, tokens: step * 1024, trainLoss: 5 / step, elapsedMs: step * 10 });
const full: MetricRecord = {
  step: 10,
  tokens: 20480,
  trainLoss: 2.5,
  validationLoss: 2.75,
  bitsPerByte: 3.967,
  learningRate: 1.5e-3,
  gradNorm: 0.1 + 0.2,
  tokensPerSecond: 12345.678,
  elapsedMs: 1000.5,
};

describe("a record", () => {
  test("is a line of JSON and comes back from it, every bit", () => {
    assert.equal(formatMetric(at(5)), '{"step":5,"tokens":5120,"trainLoss":1,"elapsedMs":50}');
    assert.deepEqual(parseMetrics(`${formatMetric(full)}\n`), [full]);
  });

  test("that JSON cannot hold is refused", () => {
    for (const value of [NaN, Infinity])
      assert.throws(
        () => formatMetric({ ...full, validationLoss: value }),
        isCode("train/not-finite", /step 10: validationLoss/),
      );
  });
});

describe("a log", () => {
  const log = [1, 2, 3].map((step) => `${formatMetric(at(step))}\n`).join("");

  test("is read without a cut last line", () => {
    assert.deepEqual(parseMetrics(log), [at(1), at(2), at(3)]);
    for (let cut = 1; cut < formatMetric(at(3)).length + 1; cut++)
      assert.deepEqual(parseMetrics(log.slice(0, -cut)), [at(1), at(2)], `${cut}`);
    assert.deepEqual(parseMetrics(""), []);
  });

  test("with a bad line is refused with the line's number", () => {
    const lines = [
      "text",
      "{}",
      "null",
      "[]",
      '{"step":"1","tokens":1,"elapsedMs":1}',
      '{"step":3,"tokens":1}',
      '{"step":3,"tokens":1,"elapsedMs":1,"trainLoss":null}',
      "",
    ];
    for (const line of lines)
      assert.throws(
        () => parseMetrics(`${formatMetric(at(1))}\n${line}\n`, "log"),
        isCode("train/bad-data", /log: line 2/),
        line,
      );
    assert.throws(() => parseMetrics(log + log), isCode("train/bad-data", /line 4: wanted a step above 3, found 1/));
  });
});

describe("rewinding", () => {
  const rewind = async (name: string, step: number): Promise<MetricRecord[]> => {
    const { records, setAside } = await rewindMetrics(platform, root, name, step);
    assert.equal(setAside, undefined);
    return records;
  };

  test("drops later steps and a cut line, so that each step appears once", async () => {
    const path = join(root, "log"),
      { appendLine } = fileStoreOf(platform);
    for (const step of [1, 2, 3, 4]) await appendLine(path, formatMetric(at(step)));
    writeFileSync(path, `${readFileSync(path, "utf8")}{"step":5,"tok`);
    assert.deepEqual(await rewind("log", 2), [at(1), at(2)]);
    for (const step of [3, 4]) await appendLine(path, formatMetric(at(step)));
    assert.deepEqual(parseMetrics(readFileSync(path, "utf8")), [1, 2, 3, 4].map(at));
    assert.deepEqual(readdirSync(root), ["log"]);
  });

  test("keeps unknown members, and leaves a good log unchanged", async () => {
    const path = join(root, "kept"),
      text = '{"step":1,"tokens":1,"elapsedMs":1,"note":"mine"}\n';
    writeFileSync(path, text);
    const before = statSync(path).ino;
    assert.deepEqual(await rewind("kept", 1), [{ step: 1, tokens: 1, elapsedMs: 1 }]);
    assert.equal(statSync(path).ino, before);
    writeFileSync(path, `${text}${formatMetric(at(2))}\n`);
    await rewind("kept", 1);
    assert.equal(readFileSync(path, "utf8"), text);
  });

  test("gives none for no file", async () => assert.deepEqual(await rewind("none", 1), []));

  const good = [1, 2].map((step) => `${formatMetric(at(step))}\n`).join("");
  const damaged: Readonly<Record<string, [text: string, kept: MetricRecord[], reason: RegExp]>> = {
    "what is no log": ["Dear diary\n", [], /line 1: wanted a JSON object/],
    "a line torn in the middle": [
      `${good}{"step":3,"tok\n${formatMetric(at(4))}\n`,
      [at(1), at(2)],
      /line 3: wanted a JSON object/,
    ],
    "a line of zeros": [`${good}${"\0".repeat(40)}\n`, [at(1), at(2)], /line 3/],
    "steps that fall": [good + good, [at(1), at(2)], /line 3: wanted a step above 2/],
  };
  for (const [what, [text, kept, reason]] of Object.entries(damaged)) {
    test(`keeps what comes before ${what}, and sets the whole aside`, async () => {
      const folder = mkdtempSync(join(root, "f-")),
        path = join(folder, "log");
      for (const number of [1, 2]) {
        writeFileSync(path, text);
        const { records, setAside } = await rewindMetrics(platform, folder, "log", 9);
        assert.deepEqual(records, kept);
        assert.equal(setAside?.path, join(folder, `log.damaged-${number}`), "an earlier one is not overwritten");
        assert.match(setAside.reason, reason);
        assert.equal(readFileSync(setAside.path, "utf8"), text);
        assert.deepEqual(parseMetrics(readFileSync(path, "utf8")), kept);
      }
    });
  }

  test("moves away an unreadable log: a folder, or a file far too long", async () => {
    const folder = mkdtempSync(join(root, "f-")),
      path = join(folder, "log");
    mkdirSync(path);
    assert.match((await rewindMetrics(platform, folder, "log", 9)).setAside!.reason, /wanted a file, found a folder/);
    writeFileSync(path, "");
    truncateSync(path, 257 * 1024 * 1024);
    const { records, setAside } = await rewindMetrics(platform, folder, "log", 9);
    assert.deepEqual([records, setAside?.path], [[], join(folder, "log.damaged-2")]);
    assert.match(setAside!.reason, /wanted at most 268435456 bytes, it has 269484032/);
    assert.deepEqual(readdirSync(folder), ["log.damaged-1", "log.damaged-2"]);
  });
});
