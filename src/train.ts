/**
 * `onebit/train`: trains 1-bit language models.
 *
 * @module onebit/train
 */
import { THREADS_MAX } from "./core/limits.ts";
import {
  BOOLEAN,
  BYTES,
  FUNCTION,
  type OptionTable,
  SIGNAL,
  TEXT,
  checkOptions,
  required,
  whole,
} from "./core/options.ts";
import { PLATFORM, type Platform } from "./core/platform.ts";
import { load } from "./load.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Sampler, TrainEvent } from "./train/events.ts";
import type { MetricRecord } from "./train/metrics.ts";
import { type TrainingOptions, openTraining as openTrainingOn } from "./train/open.ts";
import { RECIPE_MEANINGS, RECIPE_OPTIONS } from "./train/options.ts";
import type { Training } from "./train/training.ts";

export { OnebitError } from "./core/errors.ts";
export type { TransformerShape } from "./nn/shape.ts";
export { lossPlotSvg } from "./train/loss-plot.ts";
export type { Curve, LossPlotOptions } from "./train/loss-plot.ts";
export { parseMetrics } from "./train/metrics.ts";
export type { LogSetAside, MetricRecord } from "./train/metrics.ts";
export { PRESETS } from "./train/presets.ts";
export type { PresetName } from "./train/presets.ts";
export { estimateLeftMs, formatTrainingProgress } from "./train/progress-line.ts";
export type { TrainingProgress } from "./train/progress-line.ts";
export { lossPlotText } from "./train/terminal-plot.ts";
export type { TerminalPlotOptions } from "./train/terminal-plot.ts";
export { readTextFile } from "./train/text-file.ts";
export type { TextFileOptions } from "./train/text-file.ts";
export { lossCurves } from "./train/training.ts";
export { METRICS_FILE, PLOT_FILE } from "./train/folder.ts";
export type { ExportedFile, ResumedFrom, Training } from "./train/training.ts";
export type {
  CheckpointEvent,
  DoneEvent,
  SampleEvent,
  SampleRequest,
  Sampler,
  StepEvent,
  TrainEvent,
  ValidationEvent,
} from "./train/events.ts";
export { resolveOptions } from "./train/options.ts";
export type { RecipeOptions, ResolvedOptions } from "./train/options.ts";
export { defaultThreads, planTraining } from "./train/plan.ts";
export type { PlanOptions, TrainingPlan } from "./train/plan.ts";
export type { Preset, Recipe, Settings } from "./train/recipe.ts";
export type { ScheduleKind } from "./train/schedule.ts";
export type { SkippedCheckpoint } from "./train/checkpoint.ts";
export type { QuantizedMatrix, TrainedModel } from "./train/trained-model.ts";
export type { TrainedVocabulary } from "./train/vocabulary.ts";
export type { Validation } from "./train/validation.ts";
export { ggufArchitectureOf } from "./train/export-gguf.ts";
export { transformerGguf } from "./train/export-layer.ts";
export type { LayerExportOptions } from "./train/export-layer.ts";
export type { ArchitectureName, FloatType, GgufExportOptions } from "./train/export-gguf.ts";
export type { SafetensorsExportOptions } from "./train/export-safetensors.ts";

/** Options of {@link openTraining}. */
export interface TrainOptions extends Omit<TrainingOptions, "platform"> {
  /** Files and threads. Default: those of the runtime the program runs in. */
  readonly platform?: Platform;
}

/**
 * Makes a training ready: iterate over it, export the model, close it. Checks everything, plans memory, and goes on
 * from the last checkpoint where it is told to.
 *
 * @throws OnebitError `train/bad-option`; `train/bad-data` for a text that is empty, too short or no UTF-8;
 *   `train/not-enough-memory` before any is taken; `checkpoint/mismatch` for a folder that holds another training, or
 *   one that should not be resumed; `checkpoint/corrupt`; `train/busy` while another training has the folder;
 *   `engine/…`, `file/…`, `option/unknown`, `aborted`
 * @example
 * ```ts
 * import { openTraining } from "onebit/train";
 *
 * const text = new TextEncoder().encode("She sells sea shells by the sea shore.\n".repeat(50));
 * await using training = await openTraining({ text, preset: "tiny", steps: 3, folder: "my-model", resume: true });
 * for await (const event of training) if (event.kind === "step") console.log(event.step, event.loss);
 * console.log((await training.gguf()).length);
 * ```
 */
export async function openTraining(options: TrainOptions): Promise<Training> {
  return await openChecked(
    checkOptions("openTraining", options, TRAIN_OPTIONS, { code: "train/bad-option", meanings: RECIPE_MEANINGS }),
  );
}

const TRAIN_OPTIONS: OptionTable<TrainOptions> = {
  ...RECIPE_OPTIONS,
  text: required(BYTES),
  platform: PLATFORM,
  threads: whole(1, THREADS_MAX),
  folder: TEXT,
  resume: BOOLEAN,
  name: TEXT,
  sampler: FUNCTION,
  samplePrompt: TEXT,
  signal: SIGNAL,
};

async function openChecked(options: TrainOptions): Promise<Training> {
  const { platform = detectPlatform(), sampler = engineSampler(platform) } = options;
  return await openTrainingOn({ ...options, platform, sampler });
}

/** Options of {@link train}. */
export interface TrainToEndOptions extends TrainOptions {
  /** Told what happens, as it happens. */
  readonly onEvent?: (event: TrainEvent) => void;
}

const TRAIN_TO_END_OPTIONS: OptionTable<TrainToEndOptions> = { ...TRAIN_OPTIONS, onEvent: FUNCTION };

/** What {@link train} gives. */
export interface TrainedResult {
  /** A model file, for `load` and every other engine that reads GGUF. */
  readonly gguf: Uint8Array;
  /** The log. */
  readonly metrics: readonly MetricRecord[];
}

/**
 * Trains a model from beginning to end.
 *
 * @throws OnebitError as {@link openTraining} and {@link Training}; `model/unsupported-architecture`, `model/bad-shape`
 *   before the first step for a shape that GGUF cannot hold
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { train } from "onebit/train";
 *
 * const text = new TextEncoder().encode("She sells sea shells by the sea shore.\n".repeat(50));
 * const { gguf, metrics } = await train({ text, preset: "tiny", steps: 3 });
 * console.log(metrics.at(-1)?.bitsPerByte);
 * await using model = await load(gguf);
 * console.log(await model.generate("She sells", { maxTokens: 8 }).text());
 * ```
 */
export async function train(given: TrainToEndOptions): Promise<TrainedResult> {
  const { onEvent, ...options } = checkOptions("train", given, TRAIN_TO_END_OPTIONS, {
    code: "train/bad-option",
    meanings: RECIPE_MEANINGS,
  });
  await using training = await openChecked(options);
  // Fail before training, not at the export.
  await training.gguf();
  for await (const event of training) onEvent?.(event);
  return { gguf: await training.gguf(), metrics: training.metrics };
}

/** Samples with the engine on one thread; training keeps the others. */
function engineSampler(platform: Platform): Sampler {
  return async (gguf, { promptIds, maxTokens, seed, signal }) => {
    await using model = await load(gguf, { platform, threads: 1, signal });
    return await model.generate(promptIds, { maxTokens, seed, signal, ignoreEnd: true }).text();
  };
}
