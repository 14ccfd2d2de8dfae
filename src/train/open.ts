/**
 * Prepares a training: checks all options, plans memory, and restores the last checkpoint.
 *
 * @module
 */
import { throwIfAborted } from "../core/errors.ts";
import { createBreather } from "../core/event-loop.ts";
import type { Platform } from "../core/platform.ts";
import { withMemory } from "../core/refused-memory.ts";
import { Runtime } from "../nn/runtime.ts";
import { prepareData, trainingText } from "./data.ts";
import { fingerprint } from "./digest.ts";
import type { Sampler } from "./events.ts";
import { TrainingFolder } from "./folder.ts";
import { type RecipeOptions, resolveChecked, shapeOf } from "./options.ts";
import { defaultThreads, planTraining } from "./plan.ts";
import type { Recipe } from "./recipe.ts";
import { newProgress, readState, restoreTraining } from "./state.ts";
import { Training } from "./training.ts";
import { TransformerTrainer } from "./transformer-trainer.ts";

export interface TrainingOptions extends RecipeOptions {
  /** The training text: any bytes for a vocabulary of 256, UTF-8 for byte pairs. It must not change. */
  readonly text: Uint8Array;
  /** Files and threads. */
  readonly platform: Platform;
  /** Default: one per processor; 1 for small models and without threads. Any number gives the same bits. */
  readonly threads?: number;
  /**
   * Folder for checkpoints, the log and its plot; created if needed. One training at a time. Without it nothing is
   * kept.
   */
  readonly folder?: string;
  /** Continue from the folder's last checkpoint; start new if it has none. Default false. */
  readonly resume?: boolean;
  /** The model's name in its files. Default "model". */
  readonly name?: string;
  /** Writes the samples. Default: no samples. */
  readonly sampler?: Sampler;
  /** The text samples continue. Default: the beginning of the validation part. */
  readonly samplePrompt?: string;
  /** Stops the training after the current step, once its state is saved. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a training; iterate over it to run.
 * @param options checked by their table
 * @throws OnebitError `train/bad-option`; `train/bad-data` for a text that is empty, too short or not UTF-8;
 * `train/not-enough-memory` before any is taken; `checkpoint/mismatch` for a folder that holds another training, or
 * this one without resume; `train/busy` while another training owns it; `checkpoint/corrupt`; `engine/…`, `file/…`,
 * `aborted`
 */
export async function openTraining(options: TrainingOptions): Promise<Training> {
  return await withMemory("train/not-enough-memory", "beginning a training", () => open(options));
}

async function open(options: TrainingOptions): Promise<Training> {
  const { platform, signal, resume = false, name = "model", sampler, samplePrompt } = options,
    { recipe, settings } = resolveChecked(options),
    { threads = defaultThreads(recipe, platform) } = options;
  throwIfAborted(signal);
  const text = trainingText(options.text, recipe, settings),
    plan = planTraining(recipe, { threads, platform }),
    textHash = options.folder === undefined ? "" : await fingerprint(text),
    identity = { recipe, textBytes: text.length, textHash };
  const folder = options.folder === undefined ? undefined : await TrainingFolder.take(platform, options.folder);
  let runtime: Runtime | undefined;
  try {
    const checkpoint = await folder?.lastCheckpoint(resume),
      restored = checkpoint && readState(checkpoint, identity),
      breather = createBreather(platform);
    const data = await prepareData(text, recipe, { known: restored?.vocabulary, breather, signal });
    runtime = await Runtime.open({ threads, platform });
    const trainer = trainerOf(runtime, recipe);
    if (checkpoint) restoreTraining(checkpoint, { runtime, trainer, dataset: data.dataset });
    const progress = restored?.progress ?? newProgress(),
      log = await folder?.rewindLog(progress.reportedStep, resume);
    return new Training({
      runtime,
      breather,
      trainer,
      data,
      identity,
      settings,
      plan,
      progress,
      metrics: log?.records ?? [],
      logSetAside: log?.setAside,
      name,
      folder,
      resumed: checkpoint && { path: checkpoint.path, step: checkpoint.step, skipped: checkpoint.skipped },
      sampler,
      samplePrompt,
      signal,
    });
  } catch (error) {
    try {
      await runtime?.close();
    } finally {
      await folder?.release();
    }
    throw error;
  }
}

function trainerOf(runtime: Runtime, recipe: Recipe): TransformerTrainer {
  const { batch, accumulation, seqLength, dropout, seed, beta1, beta2, epsilon, clipNorm } = recipe;
  return new TransformerTrainer(runtime, {
    shape: shapeOf(recipe),
    batch,
    accumulation,
    seqLength,
    dropout,
    seed,
    beta1,
    beta2,
    epsilon,
    clipNorm,
  });
}
