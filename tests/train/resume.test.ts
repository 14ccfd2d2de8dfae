/**
 * A training that is killed, stopped or out of disk space goes on as if nothing had happened: the same bits of weights
 * and moments, the same log but for times. ONEBIT_TRAIN_KILLS sets how many kills: 10 without it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { Platform } from "../../src/core/platform.ts";
import { nodeFileStore } from "../../src/platform/node/files.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { type LoadedCheckpoint, loadLatestCheckpoint } from "../../src/train/checkpoint.ts";
import { type MetricRecord, parseMetrics } from "../../src/train/metrics.ts";
import { type TrainingOptions, openTraining } from "../../src/train/open.ts";
import type { TrainEvent } from "../../src/train/events.ts";
import { seededRandom } from "../hostile/mutate.ts";
import { RESUMED } from "./resume-recipe.ts";
import { buildTestProgram } from "./train-program.ts";
import { grammarText } from "./train-text.ts";

const KILLS = Number(process.env["ONEBIT_TRAIN_KILLS"] ?? 10);
const platform = nodePlatform();

let root = "",
  program = "",
  unbroken = "";
before(async () => {
  root = mkdtempSync(join(tmpdir(), "onebit-resume-"));
  program = join(root, "resume-child.mjs");
  await buildTestProgram("tests/train/resume-child.ts", program);
  unbroken = freshFolder();
  await runToEnd({ folder: unbroken });
});
after(() => rmSync(root, { recursive: true, force: true }));

const freshFolder = (): string => mkdtempSync(join(root, "run-"));
const isCode =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === code && message.test(error.message);

async function runToEnd(
  options: Partial<TrainingOptions>,
  onEvent: (event: TrainEvent) => void = () => {},
): Promise<void> {
  await using training = await openTraining({ ...RESUMED, platform, ...options });
  for await (const event of training) onEvent(event);
}

async function lastCheckpoint(folder: string): Promise<LoadedCheckpoint> {
  return (await loadLatestCheckpoint(platform, folder)) ?? assert.fail(`${folder} has no checkpoint`);
}

/** Same step, same bits of every array, same log but for times. */
async function assertSame(folder: string, wantedFolder = unbroken): Promise<void> {
  const found = await lastCheckpoint(folder),
    wanted = await lastCheckpoint(wantedFolder);
  assert.equal(found.step, wanted.step);
  assert.deepEqual([...found.arrays.keys()], [...wanted.arrays.keys()]);
  for (const [name, array] of wanted.arrays) {
    const bytes = (view: ArrayBufferView): Buffer => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    assert.ok(bytes(found.arrays.get(name)!).equals(bytes(array)), `${name} of step ${found.step} differ`);
  }
  assert.deepEqual(withoutTimes(folder), withoutTimes(wantedFolder));
}

function withoutTimes(folder: string): Omit<MetricRecord, "tokensPerSecond" | "elapsedMs">[] {
  return parseMetrics(readFileSync(join(folder, "metrics.jsonl"), "utf8")).map(
    ({ tokensPerSecond: _speed, elapsedMs: _time, ...record }) => record,
  );
}

/** The longest that a timer waits. */
const NEVER_MS = 2 ** 31 - 1;

describe("killed", () => {
  test(`${KILLS} times at any moment, it ends with the same weights and the same log`, async () => {
    const random = seededRandom(7);
    const { wholeMs } = await runAndKill(freshFolder(), NEVER_MS, 1);
    let folder = freshFolder(),
      nCutSaves = 0,
      nEnds = 0,
      kills = 0,
      reached = 0;
    while (kills < KILLS) {
      // Most kills fall between two checkpoints and their log; some before the first step, or into the start.
      const delayMs = 1.5 * wholeMs * random() * random();
      const { killed, opened, saved } = await runAndKill(folder, delayMs, 1 + (kills % 2));
      assert.ok(opened >= reached, `step ${reached} was said to be saved, the next run began at ${opened}`);
      reached = Math.max(opened, saved);
      kills += killed ? 1 : 0;
      nCutSaves += readdirSync(folder).some((name) => name.endsWith(".tmp")) ? 1 : 0;
      if (killed) continue;
      await assertSame(folder);
      nEnds++;
      rmSync(folder, { recursive: true });
      folder = freshFolder();
      reached = 0;
    }
    await runToEnd({ folder, resume: true });
    await assertSame(folder);
    // In the long run kills must have fallen into saves, and runs must have ended, or the test shows less than it says.
    if (KILLS >= 100) assert.ok(nCutSaves > 0 && nEnds > 0, `${nCutSaves} kills fell into a save, ${nEnds} runs ended`);
  });
});

/**
 * Kills the child `delayMs` after it says that it is ready. @returns the step it began at, the last that it said was
 * saved, and how long it ran once ready
 */
function runAndKill(
  folder: string,
  delayMs: number,
  threads: number,
): Promise<{ killed: boolean; opened: number; saved: number; wholeMs: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, folder, String(threads)], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "",
      err = "",
      readyAt = 0,
      timer: NodeJS.Timeout | undefined;
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (out === "") {
        readyAt = performance.now();
        timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
      }
      out += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const wholeMs = performance.now() - readyAt;
      if (code !== 0 && signal !== "SIGKILL") reject(new Error(`the child ended with ${code ?? signal}: ${err}`));
      // What a kill cuts off is no report.
      const lines = out
        .split("\n")
        .slice(0, -1)
        .map((line) => line.split(" "));
      const steps = (kind: string): number[] =>
        lines.filter(([found]) => found === kind).map(([, step]) => Number(step));
      resolve({
        killed: signal === "SIGKILL",
        opened: steps("open")[0],
        saved: steps("checkpoint").at(-1) ?? 0,
        wholeMs,
      });
    });
  });
}

describe("stopped by a signal", () => {
  for (const at of [1, 3, 40, 59]) {
    test(`after step ${at}, it saves that step and goes on from it`, async () => {
      const folder = freshFolder(),
        controller = new AbortController(),
        events: string[] = [];
      const run = runToEnd({ folder, signal: controller.signal }, ({ kind, step }) => {
        events.push(`${kind} ${step}`);
        if (kind === "step" && step === at) controller.abort();
      });
      await assert.rejects(run, isCode("aborted", /abort signal/));
      assert.equal(events.at(-1), `checkpoint ${at}`);
      assert.equal((await lastCheckpoint(folder)).step, at);
      await runToEnd({ folder, resume: true, threads: 2 });
      await assertSame(folder);
    });
  }

  test("in the middle of a report, it repeats the report", async () => {
    const folder = freshFolder(),
      controller = new AbortController();
    const sampler = async (): Promise<string> => (controller.abort(), "a text");
    await assert.rejects(
      runToEnd({ folder, signal: controller.signal, sampler, sampleEvery: 20 }),
      isCode("aborted", /./),
    );
    assert.equal((await lastCheckpoint(folder)).step, 20);
    assert.equal(withoutTimes(folder).at(-1)!.step, 16, "step 20 is not in the log yet");
    const kinds: string[] = [];
    await runToEnd({ folder, resume: true }, ({ kind, step }) => kinds.push(`${kind} ${step}`));
    assert.equal(kinds[0], "validation 20");
    await assertSame(folder);
  });

  test("before it begins, it does nothing", async () => {
    const folder = join(root, "never");
    await assert.rejects(runToEnd({ folder, signal: AbortSignal.abort() }), isCode("aborted", /./));
    assert.ok(!readdirSync(root).includes("never"));
  });
});

test("a finished training that is resumed does nothing more", async () => {
  const kinds: string[] = [];
  await runToEnd({ folder: unbroken, resume: true }, ({ kind, step }) => kinds.push(`${kind} ${step}`));
  assert.deepEqual(kinds, ["done 60"]);
});

test("what a killed run logged after its last checkpoint is replaced, a line cut short too", async () => {
  const folder = freshFolder(),
    controller = new AbortController();
  await assert.rejects(
    runToEnd(
      { folder, signal: controller.signal },
      ({ kind, step }) => void (kind === "step" && step === 50 && controller.abort()),
    ),
    isCode("aborted", /./),
  );
  appendFileSync(join(folder, "metrics.jsonl"), '{"step":52,"tokens":1,"elapsedMs":1}\n{"step":56,"tok');
  await runToEnd({ folder, resume: true });
  await assertSame(folder);
});

test("a damaged checkpoint is skipped for the one before, and reported", async () => {
  const folder = freshFolder(),
    controller = new AbortController();
  await assert.rejects(
    runToEnd(
      { folder, signal: controller.signal },
      ({ kind, step }) => void (kind === "checkpoint" && step === 30 && controller.abort()),
    ),
    isCode("aborted", /./),
  );
  const path = join(folder, "checkpoint-30.onebit"),
    bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(path, bytes);
  {
    await using training = await openTraining({ ...RESUMED, platform, folder, resume: true });
    assert.equal(training.step, 27);
    assert.deepEqual(
      training.resumedFrom?.skipped.map(({ code }) => code),
      ["checkpoint/corrupt"],
    );
    for await (const event of training) if (event.kind === "step" && event.step > 58) break;
  }
  await runToEnd({ folder, resume: true });
  await assertSame(folder);
});

describe("no space on the disk", () => {
  /** Writes fail from the `first`-th on, as those of a full disk do. */
  function fullDisk(first: number): Platform {
    let writes = 0;
    const fs = process.getBuiltinModule("node:fs/promises");
    const open: typeof fs.open = async (path, ...rest) => {
      const handle = await fs.open(path, ...rest),
        { write } = handle;
      handle.write = (async (...args: Parameters<typeof write>) => {
        if (++writes >= first)
          throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
        return await write.apply(handle, args);
      }) as typeof write;
      return handle;
    };
    return { ...platform, ...nodeFileStore({ ...fs, open }) };
  }

  for (const first of [1, 3, 20, 21, 22, 23]) {
    test(`from write ${first} on: a clear error, and what was saved stays`, async () => {
      const folder = freshFolder();
      let saved = 0;
      await assert.rejects(
        runToEnd(
          { folder, platform: fullDisk(first) },
          ({ kind, step }) => void (kind === "checkpoint" && (saved = step)),
        ),
        isCode("file/write", /no space is left on the disk/),
      );
      const kept = await loadLatestCheckpoint(platform, folder);
      assert.ok((kept?.step ?? 0) >= saved);
      await runToEnd({ folder, resume: true });
      await assertSame(folder);
    });
  }
});

describe("another training", () => {
  const cases: readonly [what: string, options: Partial<TrainingOptions>, message: RegExp][] = [
    [
      "another text",
      { text: grammarText(20_000, 2) },
      /the text: wanted \d+ bytes with hash [0-9a-f]{12}…, it has \d+ with [0-9a-f]{12}…/,
    ],
    [
      "one byte of the text",
      { text: RESUMED.text.map((byte, i) => (i === 5000 ? byte ^ 1 : byte)) },
      /the text: wanted/,
    ],
    ["less of the text", { maxBytes: 10_000 }, /the text: wanted 10000 bytes/],
    ["another width", { dim: 128 }, /dim: wanted 128, it has 64\n {2}headDim: wanted 32, it has 16/],
    ["more steps", { steps: 61 }, /steps: wanted 61, it has 60/],
    ["another rate", { learningRate: 1e-3 }, /learningRate: wanted 0\.001, it has 0\.005/],
    ["another schedule", { schedule: "cosine" }, /schedule: wanted "cosine", it has "linear"/],
    ["another seed of the data", { dataSeed: 2 }, /dataSeed: wanted 2, it has 1/],
    [
      "another split",
      { validationBytes: 5000 },
      /validationFraction: wanted none, it has 0\.1[\s\S]*validationBytes: wanted 5000, it has none/,
    ],
    ["another rounding", { weightBits: 1 }, /weightBits: wanted 1, it has 1\.58/],
    ["another vocabulary", { vocabSize: 300 }, /vocabSize: wanted 300, it has 256/],
  ];
  for (const [what, options, message] of cases) {
    test(`${what}: refused, saying what differs`, async () => {
      await assert.rejects(
        openTraining({ ...RESUMED, platform, folder: unbroken, resume: true, ...options }),
        isCode("checkpoint/mismatch", message),
      );
    });
  }

  test("does not start in a folder that holds one, unless resumed", async () => {
    await assert.rejects(
      openTraining({ ...RESUMED, platform, folder: unbroken }),
      isCode("checkpoint/mismatch", /found checkpoint-60\.onebit; resume it, or use another folder/),
    );
  });

  test("may change what it reports", async () => {
    await using training = await openTraining({
      ...RESUMED,
      platform,
      folder: unbroken,
      resume: true,
      logEvery: 1,
      validateEvery: 0,
      checkpointEvery: 7,
      sampleEvery: 3,
      threads: 2,
    });
    assert.equal(training.step, 60);
  });
});

test("a vocabulary of byte pairs comes from the checkpoint, and the run ends the same", async () => {
  const options = { ...RESUMED, vocabSize: 320, steps: 30 },
    whole = freshFolder(),
    folder = freshFolder(),
    controller = new AbortController();
  await runToEnd({ ...options, folder: whole });
  await assert.rejects(
    runToEnd({ ...options, folder, signal: controller.signal }, ({ step }) => void (step === 11 && controller.abort())),
    isCode("aborted", /./),
  );
  await runToEnd({ ...options, folder, resume: true });
  await assertSame(folder, whole);
});
