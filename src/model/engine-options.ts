/**
 * Options for loading and running a model.
 *
 * @module
 */
import { THREADS_MAX } from "../core/limits.ts";
import { FUNCTION, type OptionTable, SIGNAL, number, oneOf, whole } from "../core/options.ts";
import type { Variant } from "../kernels/variant.ts";
import type { ActivationMode, DotProducts, KvType, TernaryKernel } from "../kernels/choices.ts";

/** Bytes of weights that are loaded, of all. */
export interface LoadProgress {
  /** Packed so far. */
  readonly loadedBytes: number;
  /** In the file. */
  readonly totalBytes: number;
}

export interface LoadOptions {
  /** Told as weights arrive. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Stops the loading, which then throws `aborted`. */
  readonly signal?: AbortSignal;
}

/**
 * What to do with F32, F16 and BF16 embeddings and heads. `keep`: as in the file. `q8`: 8 bits, about half or a
 * quarter of the bytes a token reads. `auto`: q8 above 64 MB. `keep` also leaves projections alone that a Hugging Face
 * folder has as floats and that hold only −s, 0, +s; otherwise these are packed, and meet 8-bit activations.
 */
export type DensePolicy = "auto" | "keep" | "q8";

export interface EngineOptions extends LoadOptions {
  /** Positions to allocate: prompt and reply together. Default: what the model was trained for, at most 4096. */
  readonly contextLength?: number;
  /**
   * Positions of the KV cache, for all contexts together: those that begin alike share them, and what was not used for
   * longest makes room. At least `contextLength`, which is the default.
   */
  readonly kvPositions?: number;
  /**
   * Default: the processors of the platform, at most 8, 1 where it has no threads. While another program has one of
   * them, one thread alone writes where that is faster.
   */
  readonly threads?: number;
  /** Default: the fastest kernels this engine computes correctly. Results are the same bits. */
  readonly variant?: Variant;
  /** How the KV cache is held. Default "f32"; "q8" takes a quarter of the memory and changes results slightly. */
  readonly kvType?: KvType;
  /** What to do with 16- and 32-bit embeddings and heads. Default "auto": 8 bits above 64 MB. */
  readonly dense?: DensePolicy;
  /**
   * How ternary weights are multiplied. Default: "dot" on x86 with relaxed SIMD, else "tables". The same bits.
   */
  readonly ternaryKernel?: TernaryKernel;
  /** How products of bytes are added. Default: what this CPU computes fastest. The same bits. */
  readonly dots?: DotProducts;
  /** Overrides how activations meet 1-bit weights; by default the model's family decides. */
  readonly activationMode?: ActivationMode;
  /** Refuse a model that needs more. Default: what the platform has free, at most 4 GiB. */
  readonly memoryLimitBytes?: number;
}

/**
 * What depends on the model (`contextLength`, `kvPositions`) or the platform (`threads`) is checked again where those
 * are known.
 */
export const ENGINE_OPTIONS: OptionTable<EngineOptions> = {
  contextLength: whole(1),
  kvPositions: whole(1),
  threads: whole(1, THREADS_MAX),
  variant: oneOf("simd", "relaxed"),
  kvType: oneOf("f32", "q8"),
  dense: oneOf("auto", "keep", "q8"),
  ternaryKernel: oneOf("tables", "dot"),
  dots: oneOf("fused", "pairs"),
  activationMode: oneOf("token", "block"),
  memoryLimitBytes: number({ above: 0, max: Infinity }),
  signal: SIGNAL,
  onProgress: FUNCTION,
};
