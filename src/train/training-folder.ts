/**
 * The folder of a training: one training has it at a time, and what a killed one left is cleared away.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { StoreLock } from "../core/model-store.ts";
import { fileStoreOf, temporaryFileTarget } from "../core/platform.ts";
import type { Platform } from "../core/platform.ts";
import { isCheckpointName } from "./checkpoint.ts";

/** Of the folder: one line of JSON a measurement, their curves, and who trains there now. */
export const METRICS_FILE = "metrics.jsonl";
export const PLOT_FILE = "loss.svg";
export const LOCK_FILE = "training.lock";

/** The right to write to a training's folder. */
export interface FolderLock {
  /** @throws OnebitError `train/busy` when another training took the folder while this process slept */
  requireHeld(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Makes the folder where there is none, takes it, and removes the temporary files of writes that were killed.
 * @throws OnebitError `train/busy` when another training has it, saying which; `file/write`
 */
export async function takeFolder(platform: Platform, folder: string): Promise<FolderLock> {
  const files = fileStoreOf(platform);
  // Before hours of training, not at the first save.
  await files.makeFolder(folder);
  let lock = await lockFolder(platform, folder);
  try {
    await removeLeftovers(platform, folder);
  } catch (error) {
    await lock.release();
    throw error;
  }
  return {
    async requireHeld() {
      // Whoever removed the file by hand did not take the folder.
      if (!(await lock.isHeld())) lock = await lockFolder(platform, folder);
    },
    release: () => lock.release(),
  };
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
