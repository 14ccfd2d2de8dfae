/**
 * Makes a training ready: checks everything it is given, plans its memory, and takes up the last checkpoint.
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
  /** What to learn: any bytes for a vocabulary of 256, UTF-8 for byte pairs. It must not change. */
  readonly text: Uint8Array;
  readonly platform: Platform;
  /**
   * Default: the processors; 1 for small models, and where there are no threads. The weights are the same bits with any
   * number.
   */
  readonly threads?: number;
  /**
   * Where checkpoints, the log and its plot go; made when it is not there. One training at a time. Without it nothing
   * is kept.
   */
  readonly folder?: string;
  /** Go on from the last checkpoint of the folder; from the beginning when it has none. Default false. */
  readonly resume?: boolean;
  /** What the model is called in its files. Default "model". */
  readonly name?: string;
  /** Writes the samples. Default: none are made. */
  readonly sampler?: Sampler;
  /** What samples continue. Default: the beginning of the validation part. */
  readonly samplePrompt?: string;
  /** Ends the training after the step that is running; its state is saved first. */
  readonly signal?: AbortSignal;
}

/**
 * Ready to run: iterate over it.
 * @param options checked by their table
 * @throws OnebitError `train/bad-option`; `train/bad-data` for a text that is empty, too short or no UTF-8;
 *   `train/not-enough-memory` before any is taken; `checkpoint/mismatch` for a folder that holds another training, or
 *   one that should not be resumed; `train/busy` while another training has the folder; `checkpoint/corrupt`;
 *   `engine/…`, `file/…`, `aborted`
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
