/**
 * The events of a running training.
 *
 * @module
 */
import type { Validation } from "./validation.ts";

export type TrainEvent =
  | StepEvent
  | ({ readonly kind: "validation"; readonly step: number } & Validation)
  | { readonly kind: "sample"; readonly step: number; readonly prompt: string; readonly text: string }
  /** It is on the disk. */
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string }
  | { readonly kind: "done"; readonly step: number };

export interface StepEvent {
  readonly kind: "step";
  /** Steps done, this one included. */
  readonly step: number;
  /** Mean natural-log loss for each token of the step. */
  readonly loss: number;
  /** Of all gradients, before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Trained on so far, repeats included. */
  readonly tokens: number;
  /** Time of this step. */
  readonly stepMs: number;
}

/** A request for a sample. */
export interface SampleRequest {
  readonly promptIds: readonly number[];
  /** At most; fewer when the context ends. */
  readonly maxTokens: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** Continues ids with the model in a GGUF file; returns the text without the prompt. */
export type Sampler = (gguf: Uint8Array, request: SampleRequest) => Promise<string>;
