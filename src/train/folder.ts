/**
 * The folder of a training: one training owns it at a time, and clears leftovers of killed ones.
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

/** Name of the log in the folder of a training: one line of JSON for each measurement. */
export const METRICS_FILE = "metrics.jsonl";
/** Name of the curves in the folder of a training. */
export const PLOT_FILE = "loss.svg";
const LOCK_FILE = "training.lock";

/** A folder owned by this training. */
export class TrainingFolder {
  readonly #path: string;
  readonly #platform: Platform;
  readonly #files: FileStore;
  #lock: StoreLock;

  /**
   * Creates the folder if needed, takes its lock, and removes temporary files of killed writes.
   * @throws OnebitError `train/busy` naming the training that owns it; `file/write`
   */
  static async take(platform: Platform, path: string): Promise<TrainingFolder> {
    // Fail before hours of training, not at the first save.
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
   * The newest intact checkpoint for a resumed training; a new one must find none.
   * @throws OnebitError `checkpoint/mismatch`, or as {@link loadLatestCheckpoint}
   */
  async lastCheckpoint(resume: boolean): Promise<LoadedCheckpoint | undefined> {
    if (resume) return await loadLatestCheckpoint(this.#platform, this.#path);
    const [latest] = await listCheckpoints(this.#platform, this.#path);
    if (latest === undefined) return undefined;
    return fail(
      "checkpoint/mismatch",
      `${this.#path}: wanted a folder without checkpoints, found ${latest.name}; resume it, or use another folder`,
    );
  }

  /** Cuts the log at `step`, where the training continues. @throws OnebitError as {@link rewindMetrics} */
  async rewindLog(step: number, resume: boolean): Promise<RewoundMetrics> {
    return await rewindMetrics(this.#platform, this.#path, METRICS_FILE, step, resume ? "set-aside" : "refuse");
  }

  /** @throws OnebitError `file/write` */
  async appendToLog(line: string): Promise<void> {
    await this.#files.appendLine(this.#pathOf(METRICS_FILE), line);
  }

  /**
   * @returns the path of the checkpoint
   * @throws OnebitError `train/busy` if another training took the folder while this process slept; as
   * {@link saveCheckpoint}
   */
  async save(
    step: number,
    contents: CheckpointContents,
    skipped: readonly SkippedCheckpoint[] | undefined,
  ): Promise<string> {
    // A lock file removed by hand does not give the folder to another training.
    if (!(await this.#lock.isHeld())) this.#lock = await lockFolder(this.#platform, this.#path);
    // The log first: a power cut must not lose lines that the checkpoint counts.
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
    `${folder}: ${taken.heldBy} is training here; wait until it ends, or use another folder. If its machine is ` +
      `gone, the folder is free after a minute (${path})`,
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

/** A dead training's lock, renamed by a process that was killed before it removed it. */
const LOCK_ASIDE = /^training\.lock\.(?:turn|[0-9a-f]{16})$/;
