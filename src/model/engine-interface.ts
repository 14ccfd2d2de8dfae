/**
 * The interface of an engine for those who need logits; engine.ts implements it.
 *
 * @module
 */
import type { AbortState } from "../core/errors.ts";
import type { DotProducts, KvType, TernaryKernel } from "../kernels/choices.ts";
import type { Numeric } from "../kernels/numeric.ts";
import type { Variant } from "../kernels/variant.ts";
import type { ModelConfig } from "./config.ts";
import type { KvPages, Sequence } from "./kv-pages.ts";

/** Something that a model's user should know. */
export interface ModelWarning {
  /** What is wrong: all weights of a layer are zero. */
  readonly code: "weights/all-zero";
  /** The tensor it is about, by its name in the file. */
  readonly tensor: string;
  /** For people. */
  readonly message: string;
}

/** Memory that a model takes. */
export interface ModelMemory {
  /** All of the WebAssembly memory. */
  readonly wasmBytes: number;
  /** Of it the packed weights. */
  readonly weightBytes: number;
  /** Of it the KV cache. */
  readonly kvBytes: number;
  /** Of it the states of recurrent layers (Qwen3.5), for all contexts; 0 for models without. */
  readonly stateBytes: number;
}

/** What a model runs on. */
export interface RunningEngine {
  /** The build of the kernels. */
  readonly variant: Variant;
  /** How ternary weights are multiplied. */
  readonly ternaryKernel: TernaryKernel;
  /** How products of bytes are added. */
  readonly dots: DotProducts;
  /** Threads, the caller's own among them. */
  readonly threads: number;
  /** Why one thread runs where more were wanted and none was asked for by number. */
  readonly reason?: string;
}

export interface EvaluateOptions {
  /** "last" (default): logits after the last id. "all": after each, through `onLogits`. "none": only the KV cache. */
  readonly want?: "last" | "all" | "none";
  readonly onLogits?: (row: number, logits: Float32Array) => void;
  readonly signal?: AbortState;
}

/** Rows of one sequence in a walk. */
export interface BatchPart {
  /** With room for them. */
  readonly sequence: Sequence;
  readonly ids: readonly number[];
  /** Of so many of the last ids the logits after them. */
  readonly nLogits: number;
}

/** The bytes of the KV cache's pages, for those who keep them elsewhere. */
export interface KvStore {
  /** The same in models that give the same bits: see fingerprint.ts. */
  readonly fingerprint: bigint;
  readonly kvType: KvType;
  readonly pageBytes: number;
  readonly pagePositions: number;
  /** Copies a page, zero from position `length` of it on. @throws OnebitError `model/closed` */
  readPage(page: number, length: number, into: Uint8Array): void;
  /** @param bytes as `readPage` copied them @throws OnebitError `model/closed` */
  writePage(page: number, bytes: Uint8Array): void;
  /** Bytes of a context's state of recurrent layers; 0 for models without. */
  readonly stateBytes: number;
  /** Copies a state. @throws OnebitError `model/closed` */
  readState(state: number, into: Uint8Array): void;
  /** @throws OnebitError `model/closed` */
  writeState(state: number, bytes: Uint8Array): void;
  /** Hashes any bytes. @throws OnebitError `model/closed` */
  hash(bytes: Uint8Array, position: number): bigint;
}

export interface Engine {
  readonly config: ModelConfig;
  /** Positions allocated. */
  readonly contextLength: number;
  /** Logits a row. */
  readonly vocabSize: number;
  readonly memory: ModelMemory;
  readonly engine: RunningEngine;
  /** What a user should know about the weights. */
  readonly warnings: readonly ModelWarning[];
  readonly numeric: Numeric;
  /** What the KV cache holds. */
  readonly pages: KvPages;
  /** Their bytes. */
  readonly kv: KvStore;
  /** Rows of one walk, and how many of them can have logits. */
  readonly rowsMax: number;
  readonly logitsMax: number;
  /**
   * Appends the ids of each part to its sequence, in one walk. Returns the logits of each part: views that the next
   * call overwrites. Yields to the event loop after 15 ms.
   * @throws OnebitError `model/bad-token`, `model/context-full`, `model/closed`, `engine/thread-lost`, `aborted`
   */
  compute(parts: readonly BatchPart[], signal?: AbortState): Promise<Float32Array[][]>;
  /**
   * Appends `ids` to `sequence`. Returns the logits after the last id (empty for "none"): a view that the next call
   * overwrites. Yields to the event loop after 15 ms, within one call or across many.
   * @throws OnebitError `model/bad-token`, `model/context-full`, `model/not-finite`, `model/closed`,
   * `engine/thread-lost`, `aborted`
   */
  evaluate(ids: readonly number[], sequence: Sequence, options?: EvaluateOptions): Promise<Float32Array>;
  /**
   * Appends `ids` to `sequence`. Returns the hidden states after the output norm, (ids.length, nEmbd).
   * @throws OnebitError as {@link Engine.evaluate}
   */
  hidden(ids: readonly number[], sequence: Sequence, options?: { readonly signal?: AbortState }): Promise<Float32Array>;
  close(): Promise<void>;
}
