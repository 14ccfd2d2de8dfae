/**
 * The events of a running training.
 *
 * @module
 */
import type { Validation } from "./validation.ts";

/** What a training says of itself while it runs; `kind` tells them apart. */
export type TrainEvent = StepEvent | ValidationEvent | SampleEvent | CheckpointEvent | DoneEvent;

/** The validation part was judged. */
export interface ValidationEvent extends Validation {
  /** Which event it is. */
  readonly kind: "validation";
  /** Steps done. */
  readonly step: number;
}

/** A sample was written. */
export interface SampleEvent {
  /** Which event it is. */
  readonly kind: "sample";
  /** Steps done. */
  readonly step: number;
  /** What it continues. */
  readonly prompt: string;
  /** What the model wrote, without the prompt. */
  readonly text: string;
}

/** A checkpoint is on the disk. */
export interface CheckpointEvent {
  /** Which event it is. */
  readonly kind: "checkpoint";
  /** Steps done. */
  readonly step: number;
  /** Where it is. */
  readonly path: string;
}

/** The last step is done. */
export interface DoneEvent {
  /** Which event it is. */
  readonly kind: "done";
  /** Steps done. */
  readonly step: number;
}

/** An optimiser step is done. */
export interface StepEvent {
  /** Which event it is. */
  readonly kind: "step";
  /** Steps done, this one included. */
  readonly step: number;
  /** Mean natural-log loss for each token of the step. */
  readonly loss: number;
  /** Norm of all gradients, before clipping. */
  readonly gradientNorm: number;
  /** The rate of the step. */
  readonly learningRate: number;
  /** Tokens trained on so far, repeats included. */
  readonly tokens: number;
  /** Time of this step. */
  readonly stepMs: number;
}

/** A request for a sample. */
export interface SampleRequest {
  /** What to continue. */
  readonly promptIds: readonly number[];
  /** The most ids; fewer when the context ends. */
  readonly maxTokens: number;
  /** Seed of the draws. */
  readonly seed: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** Continues ids with the model in a GGUF file; returns the text without the prompt. */
export type Sampler = (gguf: Uint8Array, request: SampleRequest) => Promise<string>;
