/**
 * A folder of checkpoints that survives a crash, a kill or a power cut at any moment.
 *
 * A new checkpoint is on the disk under its name before older ones are removed. Loading skips an unreadable one for the
 * one before, and reports it. The folder belongs to one training run at a time.
 *
 * @module
 */
import { OnebitError, fail, quoted } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import { fileStoreOf, temporaryFileTarget } from "../core/platform.ts";
import type { FileStore, Platform } from "../core/platform.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-file.ts";
import type { Checkpoint, CheckpointArray, CheckpointContents } from "./checkpoint-file.ts";

export type { Checkpoint, CheckpointArray, CheckpointContents } from "./checkpoint-file.ts";

/** A later checkpoint that could not be read and was skipped. */
export interface SkippedCheckpoint {
  /** Where it is. */
  readonly path: string;
  /** Of the error. */
  readonly code: ErrorCode;
  /** Its message. */
  readonly reason: string;
}

export interface LoadedCheckpoint extends Checkpoint {
  readonly path: string;
  /** Later checkpoints that could not be read, newest first; report them, and pass them to {@link saveCheckpoint}. */
  readonly skipped: readonly SkippedCheckpoint[];
}

export interface SaveOptions {
  /** Checkpoints to keep, this one included. Default 2: one to fall back to. */
  readonly keepLast?: number;
  /**
   * Checkpoints that loading skipped: corrupt ones are removed once this one is safe; none counts as kept. Default
   * none.
   */
  readonly skipped?: readonly SkippedCheckpoint[];
}

const KEEP_LAST_DEFAULT = 2;

/** `checkpoint-<step>.onebit` */
export function checkpointName(step: number): string {
  return `checkpoint-${step}.onebit`;
}

/**
 * Writes `checkpoint-<step>.onebit`, then removes older ones and leftovers of crashed saves. When it resolves, the
 * checkpoint is on the disk. The arrays must not change meanwhile.
 * @param step optimiser steps done
 * @returns the file's path
 * @throws OnebitError `file/write` (nothing was lost), `checkpoint/mismatch` when the folder holds a later checkpoint
 * (from another run, or from this one if not resumed from its latest), `train/not-finite`, `train/bad-option`
 */
export async function saveCheckpoint(
  platform: Platform,
  folder: string,
  step: number,
  contents: CheckpointContents,
  options: SaveOptions = {},
): Promise<string> {
  const { keepLast = KEEP_LAST_DEFAULT, skipped = [] } = options;
  if (!Number.isSafeInteger(keepLast) || keepLast < 1)
    fail("train/bad-option", `keepLast: wanted a whole number of 1 or more, found ${keepLast}`);
  const files = fileStoreOf(platform);
  await files.makeFolder(folder);
  const names = await files.listFolder(folder);
  const passedOver = new Set(skipped.map(({ path }) => path));
  const others = checkpointsIn(names).filter(
    (other) => other.step !== step && !passedOver.has(platform.inFolder(folder, other.name)),
  );
  const later = others.find((other) => other.step > step);
  if (later) {
    fail(
      "checkpoint/mismatch",
      `${folder}: it holds ${later.name}, which is later than step ${step}; resume from it, or use another folder`,
    );
  }
  // Leftovers go first: this save may need their space.
  const leftovers = names.filter((name) => isCheckpointName(temporaryFileTarget(name) ?? ""));
  await removeAll(
    files,
    leftovers.map((name) => platform.inFolder(folder, name)),
  );
  const path = platform.inFolder(folder, checkpointName(step));
  await files.writeFileAtomically(path, encodeCheckpoint(step, contents));
  const old = others.slice(keepLast - 1).map(({ name }) => platform.inFolder(folder, name));
  const corrupt = skipped
    .filter((file) => file.code === "checkpoint/corrupt" && file.path !== path)
    .map((file) => file.path);
  await removeAll(files, [...old, ...corrupt]);
  return path;
}

/**
 * Reads the newest intact checkpoint.
 * @returns undefined when there is no checkpoint or no such folder
 * @throws OnebitError `checkpoint/corrupt` when there are checkpoints but none is readable, `train/not-enough-memory`
 */
export async function loadLatestCheckpoint(platform: Platform, folder: string): Promise<LoadedCheckpoint | undefined> {
  const skipped: SkippedCheckpoint[] = [];
  for (const { step, name } of await listCheckpoints(platform, folder)) {
    const path = platform.inFolder(folder, name);
    try {
      const checkpoint = await loadCheckpoint(platform, path);
      if (checkpoint.step !== step)
        fail("checkpoint/corrupt", `${path}: its name says step ${step}, its header ${checkpoint.step}`);
      return { ...checkpoint, path, skipped };
    } catch (error) {
      if (!(error instanceof OnebitError) || !MAY_FALL_BACK.has(error.code)) throw error;
      skipped.push({ path, code: error.code, reason: error.message });
    }
  }
  if (skipped.length > 0) {
    fail(
      "checkpoint/corrupt",
      `${folder}: none of its ${skipped.length} checkpoints can be ` +
        `read:\n${skipped.map(({ reason }) => `  ${reason}`).join("\n")}`,
    );
  }
  return undefined;
}

/** Errors an older checkpoint may avoid; it would not help against lack of memory, being as large. */
const MAY_FALL_BACK: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["checkpoint/corrupt", "file/read", "file/not-found"]);

/**
 * Reads one checkpoint. @throws OnebitError `checkpoint/corrupt`, `train/not-enough-memory`, `file/not-found`,
 * `file/read`
 */
export async function loadCheckpoint(platform: Platform, path: string): Promise<Checkpoint> {
  const source = await platform.openFile(path);
  try {
    return await decodeCheckpoint(source, platform.availableMemoryBytes?.());
  } finally {
    await source.close();
  }
}

/** True for the name of a checkpoint of any step. */
export function isCheckpointName(name: string): boolean {
  return stepOf(name) !== undefined;
}

/** The checkpoints of a folder, newest first; none when there is no such folder. */
export async function listCheckpoints(platform: Platform, folder: string): Promise<{ step: number; name: string }[]> {
  const names = await fileStoreOf(platform)
    .listFolder(folder)
    .catch((error: unknown) => {
      if (error instanceof OnebitError && error.code === "file/not-found") return [];
      throw error;
    });
  return checkpointsIn(names);
}

/**
 * Copies an array from a checkpoint to the trainer.
 * @throws OnebitError `checkpoint/mismatch` when it has no array of this name, type and length
 */
export function restoreArray(checkpoint: Checkpoint, name: string, into: CheckpointArray): void {
  const array = checkpoint.arrays.get(name);
  const wanted = `${into.constructor.name} of ${into.length}`;
  if (!array)
    fail(
      "checkpoint/mismatch",
      `checkpoint of step ${checkpoint.step}: wanted ${quoted(name)}, ${wanted}, found no such array`,
    );
  if (array.constructor !== into.constructor || array.length !== into.length) {
    fail(
      "checkpoint/mismatch",
      `checkpoint of step ${checkpoint.step}: wanted ${quoted(name)} as ${wanted}, ` +
        `found ${array.constructor.name} of ${array.length}`,
    );
  }
  into.set(array);
}

function checkpointsIn(names: readonly string[]): { step: number; name: string }[] {
  return names
    .flatMap((name) => {
      const step = stepOf(name);
      return step === undefined ? [] : [{ step, name }];
    })
    .sort((a, b) => b.step - a.step);
}

function stepOf(name: string): number | undefined {
  const digits = /^checkpoint-(0|[1-9]\d{0,15})\.onebit$/.exec(name)?.[1];
  return digits !== undefined && Number.isSafeInteger(Number(digits)) ? Number(digits) : undefined;
}

async function removeAll(files: FileStore, paths: readonly string[]): Promise<void> {
  for (const path of paths) await files.removeFile(path);
}
