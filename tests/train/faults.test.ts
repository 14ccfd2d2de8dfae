/**
 * Every file operation of a training, one after the other, is the last of its process, torn, refused, or cut by a power
 * loss. Whatever happens, no checkpoint that was said to be saved is lost, no failure is untyped, and `resume` goes on
 * to the same bits, the same log and the same exported model. ONEBIT_TRAIN_FAULTS=all tries every error at every
 * operation; without it, one of six at each.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, describe, test } from "node:test";
import { writeModel } from "../../src/cli/training-files.ts";
import { OnebitError } from "../../src/core/errors.ts";
import type { Platform } from "../../src/core/platform.ts";
import { nodeFileStore } from "../../src/platform/node/files.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { openFile } from "../../src/platform/node/source.ts";
import { loadLatestCheckpoint } from "../../src/train/checkpoint.ts";
import { type MetricRecord, parseMetrics } from "../../src/train/metrics.ts";
import { type TrainingOptions, openTraining } from "../../src/train/open.ts";
import { type Fault, FaultyFiles, Killed, POWER_LOSSES, type Survival } from "../platform/node/faulty-files.ts";
import { grammarText } from "./train-text.ts";

const isWhole = process.env["ONEBIT_TRAIN_FAULTS"] === "all";

/** As small as a transformer gets that GGUF can hold, with a log between checkpoints, accumulation and dropout. */
const SMALLEST: Omit<TrainingOptions, "platform"> = {
  preset: "tiny",
  dim: 64,
  depth: 1,
  heads: 1,
  headDim: 64,
  kvHeads: 1,
  ffHidden: 64,
  seqLength: 8,
  batch: 1,
  accumulation: 2,
  dropout: 0.1,
  steps: 4,
  warmupSteps: 1,
  checkpointEvery: 2,
  logEvery: 1,
  validateEvery: 3,
  validationWindows: 1,
  sampleEvery: 0,
  validationBytes: 20,
  text: grammarText(400),
  folder: "/run",
};
const node = nodePlatform();

function platformOver(files: FaultyFiles, fault?: Fault, at?: number): Platform {
  const fs = files.begin(fault, at);
  return { ...node, ...nodeFileStore(fs), openFile: (path) => openFile(path, fs) };
}

interface Life {
  /** The last step that was said to be saved. */
  readonly saved: number;
  readonly error?: unknown;
}

/** Trains to the end and exports, as `onebit train --resume` does. */
async function live(platform: Platform, resume: boolean): Promise<Life> {
  let saved = 0;
  try {
    await using training = await openTraining({ ...SMALLEST, platform, resume });
    for await (const event of training) if (event.kind === "checkpoint") saved = event.step;
    await writeModel(platform, training, "/run", {
      hasGguf: true,
      gguf: undefined,
      ternary: undefined,
      safetensors: "/run/hf",
    });
    return { saved };
  } catch (error) {
    return { saved, error };
  }
}

const ASIDE = "metrics.jsonl.damaged-1";
const sha256 = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");

/** What must be the same in the end: all bits of the last checkpoint, the log but for times, the files of the model. */
async function outcomeOf(files: FaultyFiles): Promise<unknown> {
  const last = (await loadLatestCheckpoint(platformOver(files), "/run")) ?? assert.fail("no checkpoint");
  const read = (path: string): MetricRecord[] => parseMetrics(new TextDecoder().decode(files.read(path))),
    records = read("/run/metrics.jsonl");
  // A log that failed to read is set aside; the lines after the checkpoint are in another.
  const before = read(`/run/${ASIDE}`).filter(({ step }) => step < records[0].step);
  const log = [...before, ...records].map(({ tokensPerSecond: _, elapsedMs: __, ...record }) => record);
  const kept = ["/run/model.gguf", "/run/hf/config.json", "/run/hf/model.safetensors"].map((path) =>
    sha256(files.read(path) ?? assert.fail(`no ${path}`)),
  );
  const left = files
    .list()
    .filter((path) => !/\/[\w-]+\.(?:json|jsonl|svg|gguf|safetensors|onebit)$/.test(path) && !path.endsWith(ASIDE));
  return { step: last.step, arrays: [...last.arrays].map(([name, array]) => [name, sha256(array)]), log, kept, left };
}

const ERRORS = ["ENOSPC", "EIO", "EACCES"].flatMap((code): Fault[] => [
  { kind: "error", code },
  { kind: "error", code, from: true },
]);
const CUTS: readonly Survival[] = ["all", ...POWER_LOSSES];

interface Tally {
  tried: number;
  /** Different states of the folder that were left. */
  states: number;
  untyped: string[];
  lost: string[];
  /** By how the process ended. */
  readonly ended: Record<string, number>;
}

/** Tries faults at every operation of a process that begins with `before`. */
async function tryAll(before: FaultyFiles, wanted: unknown, resume: boolean): Promise<Tally> {
  const tally: Tally = { tried: 0, states: 0, untyped: [], lost: [], ended: {} },
    seen = new Set<string>(),
    counting = before.clone();
  await live(platformOver(counting), resume);
  for (const [at, operation] of [...counting.operations].entries()) {
    const cuts: readonly Fault[] = operation.startsWith("write ")
      ? [{ kind: "kill" }, { kind: "torn" }]
      : [{ kind: "kill" }];
    for (const fault of [...cuts, ...ERRORS.filter((_, i) => isWhole || i === at % ERRORS.length)]) {
      const files = before.clone(),
        cut = await live(platformOver(files, fault, at), resume);
      const where = `operation ${at} (${operation}), ${JSON.stringify(fault)}`,
        code = endOf(cut.error);
      tally.ended[code] = (tally.ended[code] ?? 0) + 1;
      if (code === "untyped") tally.untyped.push(`${where}: ${String(cut.error)}`);
      for (const survival of fault.kind === "error" ? (["all", "synced"] as const) : CUTS) {
        const left = files.clone();
        left.end(survival);
        tally.tried++;
        await goOn(left, cut.saved, wanted, tally, seen, `${where}, ${survival}`);
      }
    }
  }
  return { ...tally, states: seen.size };
}

/** Resumes from what is left, unless a training has from the same. */
async function goOn(
  left: FaultyFiles,
  saved: number,
  wanted: unknown,
  tally: Tally,
  seen: Set<string>,
  where: string,
): Promise<void> {
  const kept = await loadLatestCheckpoint(platformOver(left), "/run").catch(
    (error: unknown) => (tally.lost.push(`${where}: ${String(error)}`), undefined),
  );
  if ((kept?.step ?? 0) < saved) tally.lost.push(`${where}: step ${saved} was saved, found ${kept?.step}`);
  const state = left
    .list()
    .map((path) =>
      [
        unnumbered(path),
        path.includes("training.lock") ? left.read(path)!.length > 100 : sha256(left.read(path)!),
      ].join(" "),
    )
    .join("\n");
  if (seen.has(state)) return;
  seen.add(state);
  const { error } = await live(platformOver(left), true);
  assert.equal(error, undefined, `${where}: resuming fails: ${String(error)}`);
  assert.deepEqual(await outcomeOf(left), wanted, where);
  assert.ok(
    !left.list().some((path) => path.endsWith(ASIDE)) || /\/run\/metrics\.jsonl\), .*error/.test(where),
    `${where}: the log was set aside, but nothing was wrong with it`,
  );
}

/** Temporary files and locks have a number of their own each time. */
function unnumbered(path: string): string {
  return path.replace(/\.[0-9a-f]{8}\.tmp$/, ".tmp").replace(/lock\.[0-9a-f]{16}$/, "lock.aside");
}

function endOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof Killed) return "killed";
  if (error === undefined) return "not at all";
  return error instanceof OnebitError ? error.code : "untyped";
}

async function report(t: TestContext, before: FaultyFiles, resume: boolean): Promise<void> {
  const whole = new FaultyFiles();
  assert.equal((await live(platformOver(whole), false)).error, undefined);
  const { tried, states, untyped, lost, ended } = await tryAll(before, await outcomeOf(whole), resume);
  t.diagnostic(
    `${tried} ends, ${states} different states left, processes ended by ${JSON.stringify(ended)}; ${lost.length} ` +
      `lost, ${untyped.length} untyped`,
  );
  assert.deepEqual({ untyped, lost }, { untyped: [], lost: [] });
  assert.ok(tried > 100 && (ended["killed"] ?? 0) > 0 && (ended["file/write"] ?? 0) > 0, JSON.stringify(ended));
}

describe("a fault at every file operation", () => {
  // Or states would differ by the times that logs and checkpoints note.
  const stopTheClock = (t: TestContext): void => void t.mock.method(performance, "now", () => 0);

  test("of a training from its beginning to its export", async (t) => {
    stopTheClock(t);
    await report(t, new FaultyFiles(), false);
  });

  test("of one that resumes after a power loss in a save", async (t) => {
    stopTheClock(t);
    const files = new FaultyFiles(),
      counting = new FaultyFiles();
    await live(platformOver(counting), false);
    const inSave = counting.operations.findIndex((operation) => operation.includes("rename /run/checkpoint-4"));
    await live(platformOver(files, { kind: "kill" }, inSave), false);
    files.end("half");
    await report(t, files, true);
  });
});
