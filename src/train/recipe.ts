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
  /**
   * How the learning rate goes. `two-stage` is that of "The Era of 1-bit LLMs: Training Tips, Code and FAQ" (Ma et al.,
   * 2024).
   */
  readonly schedule: ScheduleKind;
  /** For `two-stage`: the peak whose line the second half follows. Default 2/3 of learningRate. */
  readonly secondPeak?: number;
  /** Steps over which the rate rises from 0; below `steps`. */
  readonly warmupSteps: number;
  /** Times the learning rate, it is the part of a matrix that a step takes away. */
  readonly weightDecay: number;
  /** AdamW's decay of the mean of the gradients, from 0 to below 1. */
  readonly beta1: number;
  /** AdamW's decay of the mean of their squares, from 0 to below 1. */
  readonly beta2: number;
  /** AdamW's, above 0. */
  readonly epsilon: number;
  /** Gradients are scaled down to this norm; 0 leaves them. */
  readonly clipNorm: number;
  /** Rate, of the embedding and of what each block adds; from 0 to below 1. */
  readonly dropout: number;
  /** Seed of the first weights. */
  readonly seed: number;
  /** Seed of the order of the training windows. */
  readonly dataSeed: number;
  /** The part of the text, at its end, that is never trained on. Or {@link validationBytes}. */
  readonly validationFraction?: number;
  /** Bytes at the end of the text that are never trained on. Or {@link validationFraction}. */
  readonly validationBytes?: number;
}

/**
 * What may change between a run and the one that resumes it. `…Every` counts steps, and what is due every so often is
 * due at the last step too; 0 means never.
 */
export interface Settings {
  /** A line of metrics every so many steps. */
  readonly logEvery: number;
  /** Judges the validation part every so many steps. */
  readonly validateEvery: number;
  /** Validation windows that are judged; 0 for all. The last step judges all of them always. */
  readonly validationWindows: number;
  /** Writes a sample every so many steps. Has no effect without a sampler. */
  readonly sampleEvery: number;
  /** Ids of a sample. */
  readonly sampleTokens: number;
  /** Saves every so many steps. With 0 the last step is saved all the same, and the one at which the signal fires. */
  readonly checkpointEvery: number;
  /** Bytes of the text that are used; 0 for all. What is cut off is not part of the recipe: the text is. */
  readonly maxBytes: number;
}

/** A recipe with settings that is known to work. */
export interface Preset extends Recipe, Settings {
  /** One line for people to choose by. */
  readonly summary: string;
}
