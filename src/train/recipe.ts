/**
 * The parts of a training: the recipe decides every bit of the weights, the settings what is reported and saved.
 *
 * @module
 */
import type { TransformerShape } from "../nn/shape.ts";
import type { ScheduleKind } from "./schedule.ts";

/** Runs of the same recipe on the same text give the same weights, on any engine and any number of threads. */
export interface Recipe extends Omit<TransformerShape, "contextLength"> {
  /** Ids a sequence has, and the positions of the model. */
  readonly seqLength: number;
  /** Sequences a forward and backward pass takes. */
  readonly batch: number;
  /** Passes whose gradients add up to one step. */
  readonly accumulation: number;
  /** Optimiser steps of the whole training. */
  readonly steps: number;
  /** The highest learning rate. */
  readonly learningRate: number;
  /** The learning rate at the end. */
  readonly floor: number;
  readonly schedule: ScheduleKind;
  /** For `two-stage`: the peak whose line the second half follows. Default 2/3 of learningRate. */
  readonly secondPeak?: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Gradients are scaled down to this norm; 0 leaves them. */
  readonly clipNorm: number;
  readonly dropout: number;
  /** Seed of the first weights. */
  readonly seed: number;
  /** Seed of the order of the training windows. */
  readonly dataSeed: number;
  /** The part of the text, at its end, that is never trained on. Or {@link validationBytes}. */
  readonly validationFraction?: number;
  readonly validationBytes?: number;
}

/**
 * What may change between a run and the one that resumes it. `…Every` counts steps, and what is due every so often is
 * due at the last step too; 0 means never.
 */
export interface Settings {
  /** A line of metrics every so many steps. */
  readonly logEvery: number;
  readonly validateEvery: number;
  /** Validation windows that are judged; 0 for all. The last step judges all of them always. */
  readonly validationWindows: number;
  /** Has no effect without a sampler. */
  readonly sampleEvery: number;
  readonly sampleTokens: number;
  /** With 0 the last step is saved all the same, and the one at which the signal fires. */
  readonly checkpointEvery: number;
  /** Bytes of the text that are used; 0 for all. What is cut off is not part of the recipe: the text is. */
  readonly maxBytes: number;
}

export interface Preset extends Recipe, Settings {
  /** One line for people to choose by. */
  readonly summary: string;
}
