/**
 * The training loop: steps, and between them validation, samples, log lines and checkpoints as they come due.
 *
 *   step → report (validation, sample, a line of the log) → checkpoint → step …
 *
 * A checkpoint holds everything that decides the weights' bits, so a run killed at any moment and resumed gives the
 * same weights, and the same log except for times, as an uninterrupted one.
 *
 * @module
 */
import { OnebitError, fail, throwIfAborted } from "../core/errors.ts";
import type { Breather } from "../core/event-loop.ts";
import { check, checkOptions, kind, list, whole } from "../core/options.ts";
import { typedRefusal, withMemory } from "../core/refused-memory.ts";
import type { Runtime } from "../nn/runtime.ts";
import type { SkippedCheckpoint } from "./checkpoint.ts";
import type { TrainingData } from "./data.ts";
import type { SampleRequest, Sampler, StepEvent, TrainEvent } from "./events.ts";
import { GGUF_EXPORT_OPTIONS, type GgufExportOptions, exportGguf } from "./export-gguf.ts";
import { SAFETENSORS_EXPORT_OPTIONS, type SafetensorsExportOptions, safetensorsFolder } from "./export-safetensors.ts";
import type { TrainingFolder } from "./folder.ts";
import { type Curve, lossPlotSvg } from "./loss-plot.ts";
import { type LogSetAside, type MetricRecord, formatMetric } from "./metrics.ts";
import { scheduleOptions } from "./options.ts";
import type { TrainingPlan } from "./plan.ts";
import type { Recipe, Settings } from "./recipe.ts";
import { type Schedule, createSchedule } from "./schedule.ts";
import { type Progress, type TrainingIdentity, checkpointContents, requireFinite } from "./state.ts";
import { type TrainedModel, memorySink, modelInTraining } from "./trained-model.ts";
import type { TransformerTrainer } from "./transformer-trainer.ts";
import { type Validation, validate } from "./validation.ts";
import { vocabularyTokenizer } from "./vocabulary.ts";

/** The parts {@link openTraining} prepared. */
export interface TrainingParts {
  readonly runtime: Runtime;
  readonly breather: Breather;
  readonly trainer: TransformerTrainer;
  readonly data: TrainingData;
  readonly identity: TrainingIdentity;
  readonly settings: Settings;
  readonly plan: TrainingPlan;
  readonly progress: Progress;
  readonly metrics: MetricRecord[];
  readonly name: string;
  /** Absent if nothing is kept. */
  readonly folder?: TrainingFolder;
  readonly logSetAside?: LogSetAside;
  readonly resumed?: ResumedFrom;
  readonly sampler?: Sampler;
  readonly samplePrompt?: string;
  readonly signal?: AbortSignal;
}

/** A file of {@link Training.safetensors}. */
export interface ExportedFile {
  /** Its name in the folder. */
  readonly name: string;
  /** What it holds. */
  readonly bytes: Uint8Array;
}

/** The checkpoint that a training went on from. */
export interface ResumedFrom {
  /** Where it is. */
  readonly path: string;
  /** Steps done then. */
  readonly step: number;
  /** Later checkpoints that were damaged, newest first. */
  readonly skipped: readonly SkippedCheckpoint[];
}

/** Ids of the default prompt of samples. */
const PROMPT_TOKENS = 32;

/**
 * A training that is ready to run, or ran: {@link openTraining} makes it. Iterate over it once; export whenever no step
 * runs;
 * then close it.
 *
 * @example
 * ```ts
 * import { openTraining } from "onebit/train";
 *
 * const text = new TextEncoder().encode("She sells sea shells by the sea shore.\n".repeat(50));
 * const training = await openTraining({ text, preset: "tiny", steps: 2, name: "shells" });
 * console.log(training.plan.parameters, (await training.validate(1))?.bitsPerByte);
 * for await (const event of training) console.log(event.kind, event.step);
 * for (const { name, bytes } of await training.safetensors()) console.log(name, bytes.length);
 * await training.close();
 * ```
 */
export class Training implements AsyncIterable<TrainEvent>, AsyncDisposable {
  /** What it takes. */
  readonly plan: TrainingPlan;
  /** What decides its weights. */
  readonly recipe: Recipe;
  /** What is reported and kept. */
  readonly settings: Settings;
  /** What the model is called in its files. */
  readonly name: string;
  /** The checkpoint it went on from; undefined for a training that begins. */
  readonly resumedFrom: ResumedFrom | undefined;
  /** A log of the folder that was damaged; what could be read of it goes on. */
  readonly logSetAside: LogSetAside | undefined;
  readonly #parts: TrainingParts;
  readonly #schedule: Schedule;
  #savedStep: number | undefined;

  /** @internal */
  constructor(parts: TrainingParts) {
    this.#parts = parts;
    this.plan = parts.plan;
    this.recipe = parts.identity.recipe;
    this.settings = parts.settings;
    this.name = parts.name;
    this.resumedFrom = parts.resumed;
    this.logSetAside = parts.logSetAside;
    this.#savedStep = parts.resumed?.step;
    this.#schedule = createSchedule(scheduleOptions(this.recipe));
  }

  /** Steps done. */
  get step(): number {
    return this.#parts.progress.step;
  }

  /** The log so far, lines before an interruption included. */
  get metrics(): readonly MetricRecord[] {
    return this.#parts.metrics;
  }

  /** The model as it is now: good until the next step. */
  get model(): TrainedModel {
    const { runtime, trainer, data, name } = this.#parts;
    return modelInTraining(runtime, trainer, data.vocabulary, name);
  }

  /**
   * Runs to the end. When the signal fires, the state is saved and `aborted` thrown; leaving the loop saves nothing.
   * @throws OnebitError `aborted`; `train/not-finite`, `file/write` and `train/busy`, after which the folder is as the
   * last checkpoint left it
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void> {
    const { progress, breather, signal, folder } = this.#parts;
    try {
      for (;;) {
        if (progress.step > progress.reportedStep) yield* this.#report();
        if (folder && this.#isCheckpointDue()) yield await this.#save(folder);
        if (progress.step >= this.recipe.steps) break;
        await breather.breathe();
        throwIfAborted(signal);
        yield this.#step();
      }
    } catch (thrown) {
      const error = typedRefusal(thrown, "train/not-enough-memory", `step ${progress.step + 1} of the training`),
        wasStopped = error instanceof OnebitError && error.code === "aborted";
      if (wasStopped && folder && progress.step !== (this.#savedStep ?? 0)) yield await this.#save(folder);
      throw error;
    }
    yield { kind: "done", step: progress.step };
  }

  /**
   * A GGUF file of the model as it is now.
   * @throws OnebitError `model/unsupported-architecture` for a shape that no GGUF engine computes; `model/bad-shape`
   *   when a row divides into no block of an allowed type; `tensor/bad-data`, `train/not-enough-memory`, `option/…`
   */
  async gguf(options: GgufExportOptions = {}): Promise<Uint8Array> {
    return await withMemory("train/not-enough-memory", "the GGUF file of the model", async () => {
      const sink = memorySink();
      await exportGguf(this.model, sink, checkOptions("gguf", options, GGUF_EXPORT_OPTIONS));
      return sink.bytes();
    });
  }

  /**
   * The files of a Hugging Face folder of the model as it is now: config.json, tokenizer files, model.safetensors.
   * @throws OnebitError as {@link Training.gguf}; `option/invalid` for masters of a binary model
   */
  async safetensors(options: SafetensorsExportOptions = {}): Promise<ExportedFile[]> {
    return await withMemory("train/not-enough-memory", "the safetensors files of the model", async () => {
      const written: ExportedFile[] = [];
      for (const file of safetensorsFolder(
        this.model,
        checkOptions("safetensors", options, SAFETENSORS_EXPORT_OPTIONS),
      )) {
        const sink = memorySink();
        await file.write(sink);
        written.push({ name: file.name, bytes: sink.bytes() });
      }
      return written;
    });
  }

  /**
   * How well it predicts the validation part; undefined when there is none.
   * @param maxWindows windows to judge; 0 for all
   * @throws OnebitError `aborted`, `train/not-enough-memory`, `option/invalid`
   */
  async validate(maxWindows = 0): Promise<Validation | undefined> {
    const { trainer, data, breather, signal } = this.#parts;
    check("maxWindows", maxWindows, whole(0));
    return await withMemory("train/not-enough-memory", "a validation", () =>
      validate({ trainer, data, recipe: this.recipe, breather, signal }, maxWindows),
    );
  }

  /** Ends the threads, and leaves the folder to others. */
  async close(): Promise<void> {
    const { runtime, folder } = this.#parts;
    await runtime.close().finally(() => folder?.release());
  }

  /** {@link Training.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #step(): StepEvent {
    const { trainer, data, progress } = this.#parts,
      { batch, seqLength } = this.recipe;
    const step = progress.step + 1,
      rates = this.#schedule(step - 1),
      beganMs = performance.now();
    const { loss, gradientNorm } = this.#orKeep(() =>
      trainer.step(step, rates, (inputs, targets) => data.dataset.nextBatch(batch, seqLength, inputs, targets)),
    );
    const stepMs = performance.now() - beganMs;
    progress.step = step;
    progress.lossSum += loss;
    progress.lossSteps++;
    progress.gradientNorm = gradientNorm;
    progress.sinceMs += stepMs;
    progress.elapsedMs += stepMs;
    return {
      kind: "step",
      step,
      loss,
      gradientNorm,
      learningRate: rates.learningRate,
      tokens: step * trainer.tokensPerStep,
      stepMs,
    };
  }

  async *#report(): AsyncGenerator<TrainEvent, void> {
    const { progress, sampler } = this.#parts,
      { step } = progress,
      { logEvery, validateEvery, validationWindows, sampleEvery } = this.settings;
    const isLast = step === this.recipe.steps,
      isDue = (every: number): boolean => every > 0 && (isLast || step % every === 0);
    const validation = isDue(validateEvery) ? await this.validate(isLast ? 0 : validationWindows) : undefined;
    if (validation) yield { kind: "validation", step, ...validation };
    if (sampler && isDue(sampleEvery)) yield await this.#sample(sampler);
    if (validation || isDue(logEvery)) await this.#log(validation);
    progress.reportedStep = step;
  }

  async #log(validation: Validation | undefined): Promise<void> {
    const { folder, progress, trainer, metrics } = this.#parts,
      { step, lossSum, lossSteps, sinceMs, elapsedMs, gradientNorm } = progress;
    const record: MetricRecord = {
      step,
      tokens: step * trainer.tokensPerStep,
      trainLoss: lossSum / lossSteps,
      ...(validation ? { validationLoss: validation.loss, bitsPerByte: validation.bitsPerByte } : {}),
      learningRate: this.#schedule(step - 1).learningRate,
      gradNorm: gradientNorm,
      // Some clocks stand still while a program computes.
      ...(sinceMs > 0 ? { tokensPerSecond: (lossSteps * trainer.tokensPerStep * 1000) / sinceMs } : {}),
      elapsedMs,
    };
    const line = this.#orKeep(() => formatMetric(record));
    await folder?.appendToLog(line);
    metrics.push(record);
    Object.assign(progress, { lossSum: 0, lossSteps: 0, sinceMs: 0 } satisfies Partial<Progress>);
  }

  async #sample(sampler: Sampler): Promise<TrainEvent> {
    const { signal, progress, data, samplePrompt } = this.#parts,
      { seqLength, seed } = this.recipe;
    const tokenizer = vocabularyTokenizer(data.vocabulary),
      { dataset, tokens } = data;
    const from = dataset.nValidationTokens >= PROMPT_TOKENS ? dataset.nTrainTokens : 0;
    const ids =
      samplePrompt === undefined
        ? Array.from(tokens.subarray(from, from + PROMPT_TOKENS))
        : tokenizer.encode(samplePrompt, { addSpecial: false });
    // Leave at least half the positions to the continuation.
    const promptIds = ids.slice(0, Math.max(1, Math.floor(seqLength / 2)));
    const request: SampleRequest = {
      promptIds,
      maxTokens: Math.min(this.settings.sampleTokens, seqLength - promptIds.length),
      seed,
      signal,
    };
    const text = await sampler(await this.gguf(), request);
    throwIfAborted(signal);
    return { kind: "sample", step: progress.step, prompt: tokenizer.decode(promptIds), text };
  }

  #isCheckpointDue(): boolean {
    const { step } = this.#parts.progress,
      { checkpointEvery } = this.settings;
    if (step === 0 || step === this.#savedStep) return false;
    return step === this.recipe.steps || (checkpointEvery > 0 && step % checkpointEvery === 0);
  }

  async #save(folder: TrainingFolder): Promise<TrainEvent> {
    const { runtime, trainer, data, identity, progress, resumed } = this.#parts,
      { step } = progress;
    const parts = { runtime, trainer, dataset: data.dataset };
    this.#orKeep(() => requireFinite(parts, step));
    const contents = checkpointContents(parts, identity, data.vocabulary, progress),
      path = await folder.save(step, contents, resumed?.skipped);
    this.#savedStep = step;
    const svg = lossPlotSvg(lossCurves(this.metrics), { title: `Training of ${this.name}` });
    await folder.savePlot(svg);
    return { kind: "checkpoint", step, path };
  }

  /** Adds the last checkpoint to a `train/not-finite` error. */
  #orKeep<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof OnebitError) || error.code !== "train/not-finite") throw error;
      const kept =
        this.#savedStep === undefined
          ? "no checkpoint was saved before"
          : `the checkpoint of step ${this.#savedStep} is kept`;
      return fail("train/not-finite", `${error.message}; ${kept}`, error);
    }
  }
}

/**
 * The curves of a log, for {@link lossPlotSvg} and {@link lossPlotText}.
 *
 * @throws OnebitError `option/invalid`
 * @example
 * ```ts
 * import { lossCurves, lossPlotText, parseMetrics } from "onebit/train";
 *
 * const metrics = parseMetrics('{"step":10,"tokens":20480,"trainLoss":2.5,"elapsedMs":900}\n');
 * console.log(lossPlotText(lossCurves(metrics), { width: 60, height: 12 }));
 * ```
 */
export function lossCurves(given: readonly MetricRecord[]): Curve[] {
  const metrics = check(
    "metrics",
    given,
    list(
      "a list of records",
      kind<MetricRecord>("a record", (record) => typeof record === "object" && record !== null),
    ),
  );
  const points = (name: "trainLoss" | "validationLoss"): [number, number][] =>
    metrics.flatMap((record) => (record[name] === undefined ? [] : [[record.step, record[name]]]));
  return [
    { name: "training", points: points("trainLoss") },
    { name: "validation", points: points("validationLoss") },
  ].filter((curve) => curve.points.length > 0);
}
