/** The folder of a training: one training at a time, and nothing of a killed one left. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import type { Training } from "../../src/train/training.ts";
import { openTraining } from "../../src/train/open.ts";
import { RESUMED } from "./resume-recipe.ts";
import { buildTestProgram } from "./train-program.ts";

const platform = nodePlatform(),
  root = mkdtempSync(join(tmpdir(), "onebit-folder-")),
  program = join(root, "resume-child.mjs");
before(() => buildTestProgram("tests/train/resume-child.ts", program));
after(() => rmSync(root, { recursive: true, force: true }));

const freshFolder = (): string => mkdtempSync(join(root, "run-"));
const open = (folder: string): Promise<Training> => openTraining({ ...RESUMED, platform, folder, resume: true });
const isBusy =
  (message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === "train/busy" && message.test(error.message);

/** A process that trains in the folder; resolves when it has begun. */
async function trainElsewhere(folder: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

describe("two trainings in one folder", () => {
  test("in one process: the second is refused, until the first is closed", async () => {
    const folder = freshFolder(),
      first = await open(folder);
    await assert.rejects(open(folder), isBusy(/this process is training here.*training\.lock/));
    await first.close();
    await (await open(folder)).close();
    assert.ok(!existsSync(join(folder, "training.lock")));
  });

  test(
    "in two: the second is refused with the number of the first, also while that stands still; once dead, it holds " +
      "nothing",
    async () => {
      const folder = freshFolder(),
        child = await trainElsewhere(folder);
      try {
        child.kill("SIGSTOP");
        // As if it had computed for an hour without a turn of its event loop.
        const lock = join(folder, "training.lock"),
          { utimesSync } = await import("node:fs");
        utimesSync(lock, new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000));
        await assert.rejects(open(folder), isBusy(new RegExp(`process ${child.pid} of this machine is training here`)));
      } finally {
        await kill(child);
      }
      await (await open(folder)).close();
    },
  );

  test("that lost the folder to another does not overwrite it", async () => {
    const folder = freshFolder();
    await using training = await open(folder);
    const lock = join(folder, "training.lock"),
      other = JSON.parse(readFileSync(lock, "utf8")) as object;
    await assert.rejects(
      async () => {
        for await (const event of training)
          if (event.kind === "step" && event.step === 4)
            writeFileSync(lock, JSON.stringify({ ...other, token: "another", pid: 1, started: undefined }));
      },
      isBusy(/process 1 of this machine/),
    );
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("checkpoint")),
      ["checkpoint-3.onebit"],
    );
    assert.ok(existsSync(lock), "the other's lock stays");
  });

  test("whose lock file was removed takes it again", async () => {
    const folder = freshFolder();
    await using training = await open(folder);
    for await (const event of training) {
      if (event.kind === "step" && event.step === 4) rmSync(join(folder, "training.lock"));
      if (event.kind === "checkpoint" && event.step === 6) break;
    }
    assert.ok(existsSync(join(folder, "training.lock")));
  });

  test("a training that cannot begin leaves the folder free", async () => {
    const folder = freshFolder();
    await assert.rejects(
      openTraining({
        ...RESUMED,
        platform: { ...platform, openFile: () => Promise.reject(new Error("no")) },
        folder,
        resume: true,
      }),
    );
    await (await open(folder)).close();
  });
});

test("removes temporary files of killed writes when a training starts; other files stay", async () => {
  const folder = freshFolder();
  for (const name of ["checkpoint-1.onebit", "metrics.jsonl", "loss.svg", "mine.txt"])
    writeFileSync(join(folder, `${name}.0123abcd.tmp`), "part");
  await (await open(folder)).close();
  assert.deepEqual(readdirSync(folder), ["mine.txt.0123abcd.tmp"]);
});

test("a log damaged in the middle does not stop a training, which reports that it set the log aside", async () => {
  const folder = freshFolder();
  {
    await using training = await open(folder);
    for await (const event of training) if (event.kind === "checkpoint" && event.step === 12) break;
  }
  appendFileSync(join(folder, "metrics.jsonl"), '{"step":16,"tok\n');
  await using training = await open(folder);
  assert.equal(training.step, 12);
  assert.deepEqual(
    training.metrics.map(({ step }) => step),
    [4, 8, 10, 12],
  );
  assert.equal(training.logSetAside?.path, join(folder, "metrics.jsonl.damaged-1"));
});
