/**
 * The interface of an engine for those who need logits; engine.ts implements it.
 *
 * @module
 */
import type { AbortState } from "../core/errors.ts";
import type { TernaryKernel } from "../kernels/choices.ts";
import type { Numeric } from "../kernels/numeric.ts";
import type { Variant } from "../kernels/variant.ts";
import type { ModelConfig } from "./config.ts";

/** Something that a model's user should know. */
export interface ModelWarning {
  readonly code: "weights/all-zero";
  /** The tensor it is about, by its name in the file. */
  readonly tensor: string;
  readonly message: string;
}

export interface EvaluateOptions {
  /** "last" (default): logits after the last id. "all": after each, through `onLogits`. "none": only the KV cache. */
  readonly want?: "last" | "all" | "none";
  readonly onLogits?: (row: number, logits: Float32Array) => void;
  readonly signal?: AbortState;
}

export interface Engine {
  readonly config: ModelConfig;
  /** Positions allocated. */
  readonly contextLength: number;
  /** Logits a row. */
  readonly vocabSize: number;
  readonly memory: { readonly wasmBytes: number; readonly weightBytes: number; readonly kvBytes: number };
  /** `reason`: why only one thread runs, where the caller left the number open and more were planned. */
  readonly engine: {
    readonly variant: Variant;
    readonly ternaryKernel: TernaryKernel;
    readonly threads: number;
    readonly reason?: string;
  };
  /** What a user should know about the weights. */
  readonly warnings: readonly ModelWarning[];
  readonly numeric: Numeric;
  /**
   * Runs `ids` at positions `[position, position + ids.length)`; the KV cache must hold every earlier position. Returns
   * the logits after the last id (empty for "none"): a view that the next call overwrites. Yields to the event loop
   * after 15 ms, within one call or across many.
   * @throws OnebitError `model/bad-token`, `model/context-full`, `model/not-finite`, `model/closed`,
   * `engine/thread-lost`, `aborted`
   */
  evaluate(ids: readonly number[], position: number, options?: EvaluateOptions): Promise<Float32Array>;
  /**
   * Hidden states after the output norm, (ids.length, nEmbd), computed from position 0: overwrites the KV cache.
   * @throws OnebitError as {@link Engine.evaluate}
   */
  hidden(ids: readonly number[], options?: { readonly signal?: AbortState }): Promise<Float32Array>;
  close(): Promise<void>;
}
