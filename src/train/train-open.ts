/**
 * Makes a training ready: checks everything it is given, plans its memory, and takes up the last checkpoint.
 *
 * @module
 */
import { fail, throwIfAborted } from "../core/errors.ts";
import { createBreather } from "../core/event-loop.ts";
import type { Platform } from "../core/platform.ts";
import { withMemory } from "../core/refused-memory.ts";
import { Runtime } from "../nn/runtime.ts";
import { type LoadedCheckpoint, listCheckpoints, loadLatestCheckpoint } from "./checkpoint.ts";
import { fingerprint } from "./digest.ts";
import { type RewoundMetrics, rewindMetrics } from "./metrics.ts";
import { Training } from "./train.ts";
import { prepareData, validationBytesOf } from "./train-data.ts";
import type { Sampler } from "./train-events.ts";
import { type RecipeOptions, resolveChecked, shapeOf } from "./train-options.ts";
import { planTraining } from "./train-plan.ts";
import type { Recipe } from "./train-recipe.ts";
import { type Progress, readState, restoreTraining } from "./train-state.ts";
import { METRICS_FILE, takeFolder } from "./training-folder.ts";
import { TransformerTrainer } from "./transformer-trainer.ts";

export interface TrainingOptions extends RecipeOptions {
  /** What to learn: any bytes for a vocabulary of 256, UTF-8 for byte pairs. It must not change. */
  readonly text: Uint8Array;
  readonly platform: Platform;
  /** Default 1. The weights are the same bits with any number. */
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
  const { platform, threads = 1, folder, signal, name = "model" } = options,
    { recipe, settings } = resolveChecked(options);
  throwIfAborted(signal);
  const text = settings.maxBytes === 0 ? options.text : options.text.subarray(0, settings.maxBytes);
  requireText(text, recipe);
  const plan = planTraining(recipe, { threads, platform });
  const identity = { recipe, textBytes: text.length, textHash: folder === undefined ? "" : await fingerprint(text) };
  const lock = folder === undefined ? undefined : await takeFolder(platform, folder);
  try {
    const checkpoint = folder === undefined ? undefined : await takeUp(options, folder);
    const restored = checkpoint && readState(checkpoint, identity);
    const data = await prepareData(text, recipe, {
        known: restored?.vocabulary,
        breather: createBreather(platform),
        signal,
      }),
      { dataset } = data;
    const runtime = await Runtime.open({ threads, platform });
    try {
      const trainer = trainerOf(runtime, recipe);
      if (checkpoint) restoreTraining(checkpoint, { runtime, trainer, dataset });
      const progress = restored?.progress ?? newProgress();
      const log = folder === undefined ? undefined : await rewoundLog(options, folder, progress);
      const resumed = checkpoint && { path: checkpoint.path, step: checkpoint.step, skipped: checkpoint.skipped };
      const { sampler, samplePrompt } = options,
        metrics = log?.records ?? [],
        logSetAside = log?.setAside;
      return new Training({
        platform,
        runtime,
        trainer,
        data,
        identity,
        settings,
        plan,
        progress,
        metrics,
        logSetAside,
        name,
        folder,
        lock,
        resumed,
        sampler,
        samplePrompt,
        signal,
      });
    } catch (error) {
      await runtime.close();
      throw error;
    }
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

function requireText(text: Uint8Array, recipe: Recipe): void {
  if (text.length === 0) fail("train/bad-data", "training data: wanted a text, found nothing: it is empty");
  const validationBytes = validationBytesOf(text.length, recipe),
    left = text.length - validationBytes;
  if (left < 2)
    fail(
      "train/bad-data",
      `training data: wanted text beside the ${validationBytes} bytes for validation, found ${text.length} bytes ` +
        "in all",
    );
}

async function takeUp(
  { platform, resume = false }: TrainingOptions,
  folder: string,
): Promise<LoadedCheckpoint | undefined> {
  if (resume) return await loadLatestCheckpoint(platform, folder);
  const [latest] = await listCheckpoints(platform, folder);
  if (latest)
    fail(
      "checkpoint/mismatch",
      `${folder}: wanted a folder without a training, found ${latest.name}; resume that, or use another folder`,
    );
  return undefined;
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

/** The log up to where the training goes on. */
async function rewoundLog(
  { platform, resume = false }: TrainingOptions,
  folder: string,
  { reportedStep }: Progress,
): Promise<RewoundMetrics> {
  return await rewindMetrics(platform, folder, METRICS_FILE, reportedStep, resume ? "set-aside" : "refuse");
}

function newProgress(): Progress {
  return { step: 0, reportedStep: 0, lossSum: 0, lossSteps: 0, gradientNorm: 0, sinceMs: 0, elapsedMs: 0 };
}
