/** The line of a terminal while training. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { estimateLeftMs, formatCount, formatDuration, formatTrainingProgress } from "../../src/train/progress-line.ts";

test("prints what is known", () => {
  assert.equal(
    formatTrainingProgress({
      step: 120,
      totalSteps: 1000,
      loss: 2.34567,
      validationLoss: 2.4,
      tokensPerSecond: 12_345,
      etaMs: 3_720_000,
    }),
    "step 120/1000 (12 %) · loss 2.346 · validation 2.400 · 12.3k tokens/s · 1 h 02 min left",
  );
  assert.equal(formatTrainingProgress({ step: 0, totalSteps: 10 }), "step 0/10 (0 %)");
  assert.equal(formatTrainingProgress({ step: 999, totalSteps: 1000 }), "step 999/1000 (99 %)");
});

test("durations have their two largest units, and never 60 of a smaller one", () => {
  const wanted: [ms: number, text: string][] = [
    [0, "0 s"],
    [-5, "0 s"],
    [4_000, "4 s"],
    [59_499, "59 s"],
    [59_500, "1 min 00 s"],
    [200_000, "3 min 20 s"],
    [3_599_499, "59 min 59 s"],
    [3_599_500, "1 h 00 min"],
    [3_720_000, "1 h 02 min"],
    [86_399_000, "1 d 00 h"],
    [100_000_000, "1 d 04 h"],
    [Infinity, "unknown time"],
    [NaN, "unknown time"],
  ];
  for (const [ms, text] of wanted) assert.equal(formatDuration(ms), text, `${ms}`);
});

test("counts have three or so digits", () => {
  const wanted: [count: number, text: string][] = [
    [0, "0"],
    [999.4, "999"],
    [999.5, "1.0k"],
    [12_345, "12.3k"],
    [999_949, "999.9k"],
    [999_950, "1.0M"],
    [4_560_000, "4.6M"],
  ];
  for (const [count, text] of wanted) assert.equal(formatCount(count), text, `${count}`);
});

test("time left goes by this run's own speed", () => {
  assert.equal(estimateLeftMs(10, 90, 1000), 9000);
  assert.equal(estimateLeftMs(10, 0, 1000), 0);
  assert.equal(estimateLeftMs(10, -5, 1000), 0);
  assert.equal(estimateLeftMs(0, 90, 1000), undefined);
  assert.equal(estimateLeftMs(10, 90, 0), undefined);
});
