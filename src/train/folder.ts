/**
 * The folder of a training: one training has it at a time, and what a killed one left is cleared away.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { StoreLock } from "../core/model-store.ts";
import { type FileStore, type Platform, fileStoreOf, temporaryFileTarget } from "../core/platform.ts";
import {
  type CheckpointContents,
  type LoadedCheckpoint,
  type SkippedCheckpoint,
  isCheckpointName,
  listCheckpoints,
  loadLatestCheckpoint,
  saveCheckpoint,
} from "./checkpoint.ts";
import { type RewoundMetrics, rewindMetrics } from "./metrics.ts";

/** Of the folder: one line of JSON a measurement, their curves, and who trains there now. */
export const METRICS_FILE = "metrics.jsonl";
export const PLOT_FILE = "loss.svg";
const LOCK_FILE = "training.lock";

/** The folder of a training, which this one has to itself. */
export class TrainingFolder {
  readonly #path: string;
  readonly #platform: Platform;
  readonly #files: FileStore;
  #lock: StoreLock;

  /**
   * Makes the folder where there is none, takes it, and removes the temporary files of writes that were killed.
   * @throws OnebitError `train/busy` when another training has it, saying which; `file/write`
   */
  static async take(platform: Platform, path: string): Promise<TrainingFolder> {
    // Before hours of training, not at the first save.
    await fileStoreOf(platform).makeFolder(path);
    const lock = await lockFolder(platform, path);
    try {
      await removeLeftovers(platform, path);
      return new TrainingFolder(platform, path, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(platform: Platform, path: string, lock: StoreLock) {
    this.#platform = platform;
    this.#files = fileStoreOf(platform);
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * The newest checkpoint that is whole, for a training that goes on; one that begins wants none here.
   * @throws OnebitError `checkpoint/mismatch`, or as {@link loadLatestCheckpoint}
   */
  async lastCheckpoint(resume: boolean): Promise<LoadedCheckpoint | undefined> {
    if (resume) return await loadLatestCheckpoint(this.#platform, this.#path);
    const [latest] = await listCheckpoints(this.#platform, this.#path);
    if (latest === undefined) return undefined;
    return fail(
      "checkpoint/mismatch",
      `${this.#path}: wanted a folder without a training, found ${latest.name}; resume that, or use another folder`,
    );
  }

  /** The log up to `step`, where the training goes on. @throws OnebitError as {@link rewindMetrics} */
  async rewindLog(step: number, resume: boolean): Promise<RewoundMetrics> {
    return await rewindMetrics(this.#platform, this.#path, METRICS_FILE, step, resume ? "set-aside" : "refuse");
  }

  /** @throws OnebitError `file/write` */
  async appendToLog(line: string): Promise<void> {
    await this.#files.appendLine(this.#pathOf(METRICS_FILE), line);
  }

  /**
   * @returns the path of the checkpoint
   * @throws OnebitError `train/busy` when another training took the folder while this process slept; as
   * {@link saveCheckpoint}
   */
  async save(
    step: number,
    contents: CheckpointContents,
    skipped: readonly SkippedCheckpoint[] | undefined,
  ): Promise<string> {
    // Whoever removed the file by hand did not take the folder.
    if (!(await this.#lock.isHeld())) this.#lock = await lockFolder(this.#platform, this.#path);
    // The checkpoint says which lines it has seen: a power cut must not take those and leave the checkpoint.
    await this.#files.syncFile(this.#pathOf(METRICS_FILE));
    return await saveCheckpoint(this.#platform, this.#path, step, contents, { skipped });
  }

  /** @throws OnebitError `file/write` */
  async savePlot(svg: string): Promise<void> {
    await this.#files.writeFileAtomically(this.#pathOf(PLOT_FILE), [new TextEncoder().encode(svg)]);
  }

  async release(): Promise<void> {
    await this.#lock.release();
  }

  #pathOf(name: string): string {
    return this.#platform.inFolder(this.#path, name);
  }
}

async function lockFolder(platform: Platform, folder: string): Promise<StoreLock> {
  const path = platform.inFolder(folder, LOCK_FILE),
    taken = await fileStoreOf(platform).lockFile(path);
  if (!("heldBy" in taken)) return taken;
  return fail(
    "train/busy",
    `${folder}: ${taken.heldBy} is training here; wait until it has ended, or use another folder. A machine that ` +
      `is gone loses the folder after a minute (${path})`,
  );
}

async function removeLeftovers(platform: Platform, folder: string): Promise<void> {
  const files = fileStoreOf(platform);
  for (const name of await files.listFolder(folder)) {
    const target = temporaryFileTarget(name) ?? "";
    const isOurs = target === METRICS_FILE || target === PLOT_FILE || isCheckpointName(target) || LOCK_ASIDE.test(name);
    if (isOurs) await files.removeFile(platform.inFolder(folder, name));
  }
}

/** The lock of a dead training, on its way out when its finder was killed. */
const LOCK_ASIDE = /^training\.lock\.(?:turn|[0-9a-f]{16})$/;
