/**
 * The memory of a run, address by address, computed before a byte of it is taken.
 *
 *   | module | control, state, program | weights … | activations | tables | KV cache | logits | scratch |
 *                                                 └──────── staging, while loading ─────────┘
 *
 * The memory is created at exactly this size and never grows. Loading borrows the part after the weights, which is
 * not in use yet, so it costs nothing.
 *
 * @module
 */
import {
  CONTROL_BYTES,
  KV_Q8_POSITIONS,
  KV_Q8_ROW_TAIL_BYTES,
  KV_Q8_SCALE_BYTES,
  KV_Q8_SUM_BYTES,
  MODULE_RESERVED_BYTES,
  SHORT_BLOCK_BYTES,
  SHORT_BLOCK_WEIGHTS,
  STATE_BYTES,
  STEP_BYTES,
} from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import { RANDOM_STATE_BYTES } from "../kernels/numeric.ts";
import type { ModelConfig } from "./config.ts";
import {
  BINARY_BLOCK,
  DENSE_BLOCK,
  type Layout,
  type LayoutChoice,
  TERNARY_BLOCK,
  Q6_K_BLOCK,
  type Preparation,
  chooseLayout,
  TILE_ROWS,
  preparationOf,
  roundUp,
} from "./layout.ts";
import { type LinearTensors, type MatrixTensor, type ModelTensors, type VectorTensor, allLinears } from "./weights.ts";

/** How the KV cache holds keys and values: exactly, or in a quarter of the bytes. */
export type KvType = "f32" | "q8";

export interface PlanOptions extends LayoutChoice {
  readonly contextLength: number;
  readonly nThreads: number;
  readonly kvType: KvType;
  /** Refuse above this many bytes; the engine's ceiling is 4 GiB in any case. */
  readonly memoryLimitBytes: number;
}

export interface PlacedMatrix {
  readonly matrix: MatrixTensor;
  readonly layout: Layout;
  readonly weightAt: number;
  readonly scaleAt: number;
}

export interface PlacedVector {
  readonly vector: VectorTensor;
  readonly at: number;
}

/** Buffers of prepared activations; each exists only when some matrix reads it. */
export interface PreparedBuffers {
  readonly q: number;
  readonly scale: number;
  readonly sum: number;
  readonly blockScale: number;
  readonly blockSum: number;
  readonly tables: number;
}

export interface ActivationBuffers {
  readonly ids: number;
  readonly x: number;
  readonly h: number;
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly attention: number;
  readonly gate: number;
  readonly up: number;
  readonly branch: number;
  readonly ropeCos: number;
  readonly ropeSin: number;
  readonly logits: number;
}

export interface KvLayer {
  readonly k: number;
  readonly v: number;
}

export interface MemoryPlan {
  readonly options: PlanOptions;
  /** Rows of one walk of the program. */
  readonly nBatch: number;
  /** Rows of activations: those of a walk, or one for each thread. */
  readonly nActivationRows: number;
  /** Rows of logits one walk can give. */
  readonly nHeadRows: number;
  readonly control: number;
  readonly state: number;
  readonly program: number;
  readonly programBytes: number;
  readonly ropeFrequencies: number;
  readonly matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>;
  readonly vectors: ReadonlyMap<VectorTensor, PlacedVector>;
  readonly buffers: ActivationBuffers;
  readonly prepared: ReadonlyMap<Preparation, PreparedBuffers>;
  readonly kv: readonly KvLayer[];
  readonly numeric: {
    readonly ids: number;
    readonly values: number;
    readonly vector: number;
    readonly randomState: number;
  };
  readonly scratch: number;
  readonly scratchStrideBytes: number;
  readonly staging: number;
  readonly stagingBytes: number;
  /** Bytes of each of the two windows at the start of the staging area. */
  readonly windowBytes: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly totalBytes: number;
}

/**
 * Rows of a prompt that are computed together: on two threads 2B4T and Bonsai 1.7B read theirs 4 % slower with 32, 10
 * to 18 % with 16.
 */
const BATCH_ROWS = 64;
/** Logits of at most this many bytes are kept at once: 16 rows of a vocabulary of 128k. */
const LOGITS_BYTES_MAX = 8e6;
/** A tensor is read through a window of at least this many bytes, so that a read costs little next to its bytes. */
const WINDOW_BYTES_MIN = 4 << 20;
/** Steps of a layer (31 with every option) and of the ends, rounded up. */
const STEPS_PER_LAYER = 64;
const STEPS_OTHER = 32;
/** Every buffer starts on a cache line. */
const ALIGN = 64;
/** Scratch that a table kernel needs for its accumulators. */
const KERNEL_SCRATCH_BYTES = 24_576;

/** Hands out addresses. */
class Arena {
  at: number;
  constructor(begin: number) {
    this.at = begin;
  }
  take(bytes: number): number {
    const at = roundUp(this.at, ALIGN);
    this.at = at + bytes;
    return at;
  }
}

/**
 * Plans the memory of `tensors` run with `options`.
 * @throws OnebitError `model/not-enough-memory` saying what is needed and what would fit.
 */
export function planMemory(config: ModelConfig, tensors: ModelTensors, options: PlanOptions): MemoryPlan {
  const plan = layOutMemory(config, tensors, options);
  if (plan.totalBytes > options.memoryLimitBytes || plan.totalBytes > WASM_PAGES_MAX * WASM_PAGE_BYTES)
    refuse(plan, config, tensors);
  return plan;
}

/** The plan itself, whatever it comes to: what `inspect` shows of a model that would be refused. */
export function layOutMemory(config: ModelConfig, tensors: ModelTensors, options: PlanOptions): MemoryPlan {
  const arena = new Arena(MODULE_RESERVED_BYTES);
  const control = arena.take(CONTROL_BYTES),
    state = arena.take(STATE_BYTES);
  const programBytes = (config.nLayers * STEPS_PER_LAYER + STEPS_OTHER) * STEP_BYTES;
  const program = arena.take(programBytes),
    ropeFrequencies = arena.take((config.ropeDim / 2) * 8);
  const weightsBegin = arena.at;
  const matrices = placeMatrices(arena, tensors, options),
    vectors = placeVectors(arena, tensors);
  const weightBytes = arena.at - weightsBegin;
  const staging = roundUp(arena.at, ALIGN);

  const nBatch = Math.min(BATCH_ROWS, options.contextLength),
    vocabPadded = roundUp(config.vocabSize, 32);
  const nHeadRows = Math.max(1, Math.min(nBatch, Math.floor(LOGITS_BYTES_MAX / (vocabPadded * 4))));
  const nActivationRows = Math.max(nBatch, options.nThreads),
    buffers = placeActivations(arena, config, nActivationRows, nHeadRows * vocabPadded * 4);
  const prepared = placePrepared(arena, matrices, options, nActivationRows);
  const kvBegin = arena.at,
    kv = placeKv(arena, config, options),
    kvBytes = arena.at - kvBegin;
  const numeric = placeNumeric(arena, vocabPadded);
  const scratchStrideBytes = scratchBytes(config, matrices, options);
  const scratch = arena.take(scratchStrideBytes * options.nThreads);
  const { windowBytes, unpackBytes } = stagingNeed(matrices);
  const totalBytes = roundUp(Math.max(arena.at, staging + 2 * windowBytes + unpackBytes), WASM_PAGE_BYTES);
  return {
    options,
    nBatch,
    nActivationRows,
    nHeadRows,
    control,
    state,
    program,
    programBytes,
    ropeFrequencies,
    matrices,
    vectors,
    buffers,
    prepared,
    kv,
    numeric,
    scratch,
    scratchStrideBytes,
    staging,
    stagingBytes: totalBytes - staging,
    windowBytes,
    weightBytes,
    kvBytes,
    totalBytes,
  };
}

function placeMatrices(arena: Arena, tensors: ModelTensors, options: PlanOptions): Map<MatrixTensor, PlacedMatrix> {
  const tables = [tensors.tokenEmbd, ...(tensors.output ? [tensors.output] : [])];
  const linears = tensors.layers.flatMap((layer) => allLinears(layer).map((linear) => linear.matrix));
  return new Map(
    [...tables, ...linears].map((matrix, i) => {
      // Projections that a file has as floats stay so: what `dense` may shrink are embeddings and heads.
      const layout = chooseLayout(matrix, i < tables.length ? options : { ...options, dense: "keep" });
      return [
        matrix,
        { matrix, layout, weightAt: arena.take(layout.weightBytes), scaleAt: arena.take(layout.scaleBytes) },
      ];
    }),
  );
}

function placeVectors(arena: Arena, tensors: ModelTensors): Map<VectorTensor, PlacedVector> {
  const ofLinear = (linear: LinearTensors) => [linear.bias, linear.normIn];
  const all = [
    tensors.outputNorm,
    tensors.ropeFactors,
    tensors.ropeShort,
    tensors.ropeLong,
    ...tensors.layers.flatMap((layer) => [
      layer.attnNorm,
      layer.attnQNorm,
      layer.attnKNorm,
      layer.attnSubNorm,
      layer.ffnNorm,
      layer.ffnSubNorm,
      ...allLinears(layer).flatMap(ofLinear),
    ]),
  ];
  return new Map(
    all
      .filter((vector) => vector !== undefined)
      .map((vector) => [vector, { vector, at: arena.take(vector.length * 4) }]),
  );
}

function placeActivations(arena: Arena, config: ModelConfig, nRows: number, logitsBytes: number): ActivationBuffers {
  const rows = (width: number) => arena.take(nRows * roundUp(width, 32) * 4);
  const qWidth = config.nHeads * config.headDim,
    kvWidth = config.nKvHeads * config.headDim;
  return {
    ids: arena.take(nRows * 4),
    x: rows(config.nEmbd),
    h: rows(Math.max(config.nEmbd, qWidth, config.nFf)),
    q: rows(qWidth),
    k: rows(kvWidth),
    v: rows(kvWidth),
    attention: rows(qWidth),
    gate: rows(config.nFf),
    up: rows(config.nFf),
    branch: rows(config.nEmbd),
    ropeCos: rows(config.ropeDim / 2),
    ropeSin: rows(config.ropeDim / 2),
    logits: arena.take(logitsBytes),
  };
}

/**
 * Bytes a kind of prepared activations takes for one row of kp values: q, token scale and sum, block scales, tables.
 */
export const PREPARED_SHAPE: Readonly<
  Record<Exclude<Preparation, "f32">, { qBytes: number; block: number; tableBytes: number }>
> = {
  dense: { qBytes: 2, block: DENSE_BLOCK, tableBytes: 0 },
  // With the sums of 16 among them (assembly/ops/quantize-q6-k.ts).
  "dense-256": { qBytes: 2.25, block: Q6_K_BLOCK, tableBytes: 0 },
  "token-dot": { qBytes: 1, block: 0, tableBytes: 0 },
  // Block sums are taken from the 16-bit form, which follows the 8-bit one.
  "token-dot-block": { qBytes: 3, block: TERNARY_BLOCK, tableBytes: 0 },
  // Short tables: a record a k-block, sized in placePrepared.
  "token-tables": { qBytes: 2, block: 0, tableBytes: 0 },
  "token-tables-block": { qBytes: 2, block: TERNARY_BLOCK, tableBytes: 16 },
  "block-tables": { qBytes: 2, block: TERNARY_BLOCK, tableBytes: 16 },
  "binary-token": { qBytes: 2, block: 0, tableBytes: 8 },
  "binary-token-block": { qBytes: 2, block: BINARY_BLOCK, tableBytes: 8 },
  "binary-block": { qBytes: 2, block: BINARY_BLOCK, tableBytes: 8 },
};

/** Block kinds and their uniform twins: the loader decides between them when it has seen the scales. */
const TWINS: Readonly<Partial<Record<Preparation, Preparation>>> = {
  "token-dot-block": "token-dot",
  "token-tables-block": "token-tables",
  "binary-token-block": "binary-token",
};

function placePrepared(
  arena: Arena,
  matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>,
  options: PlanOptions,
  nRows: number,
): Map<Preparation, PreparedBuffers> {
  const kpMax = new Map<Exclude<Preparation, "f32">, number>();
  for (const { layout } of matrices.values()) {
    const kind = preparationOf(layout.id, options.activationMode);
    for (const each of [kind, TWINS[kind]]) {
      if (each !== undefined && each !== "f32") kpMax.set(each, Math.max(kpMax.get(each) ?? 0, layout.kp));
    }
  }
  return new Map(
    [...kpMax].map(([kind, kp]) => {
      const { qBytes, block, tableBytes } = PREPARED_SHAPE[kind];
      const nBlocks = block === 0 ? 0 : Math.ceil(kp / block);
      return [
        kind,
        {
          q: arena.take(nRows * kp * qBytes),
          scale: arena.take(nRows * 4),
          sum: arena.take(nRows * 4),
          blockScale: arena.take(nRows * nBlocks * 4),
          blockSum: arena.take(nRows * nBlocks * 4),
          tables: arena.take(nRows * (kind === "token-tables" ? shortTableBytes(kp) : kp * tableBytes)),
        },
      ];
    }),
  );
}

/** Bytes of the short tables of one row of kp activations. */
export function shortTableBytes(kp: number): number {
  return Math.ceil(kp / SHORT_BLOCK_WEIGHTS) * SHORT_BLOCK_BYTES;
}

function placeKv(arena: Arena, config: ModelConfig, { kvType, contextLength }: PlanOptions): KvLayer[] {
  const f32Bytes = config.nKvHeads * contextLength * config.headDim * 4;
  const padded = roundUp(contextLength, KV_Q8_POSITIONS);
  const q8Bytes = (headBytesPerPosition: number) => config.nKvHeads * padded * (headBytesPerPosition + config.headDim);
  const [keyBytes, valueBytes] =
    kvType === "f32"
      ? [f32Bytes, f32Bytes]
      : [q8Bytes(KV_Q8_SCALE_BYTES + KV_Q8_SUM_BYTES), q8Bytes(KV_Q8_SCALE_BYTES)];
  return Array.from({ length: config.nLayers }, () => ({ k: arena.take(keyBytes), v: arena.take(valueBytes) }));
}

function placeNumeric(arena: Arena, vocabPadded: number) {
  const words = () => arena.take(vocabPadded * 4);
  return { vector: words(), ids: words(), values: words(), randomState: arena.take(RANDOM_STATE_BYTES) };
}

/** Private memory of a thread: kernel accumulators, a panel of four unpacked rows, scores of one group of heads. */
function scratchBytes(
  config: ModelConfig,
  matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>,
  { contextLength }: PlanOptions,
): number {
  const kpMax = Math.max(...[...matrices.values()].map(({ layout }) => layout.kp));
  const scores =
    (config.nHeads / config.nKvHeads) * (roundUp(contextLength, KV_Q8_POSITIONS) * 4 + KV_Q8_ROW_TAIL_BYTES);
  return roundUp(Math.max(KERNEL_SCRATCH_BYTES + 4 * kpMax, scores), ALIGN);
}

/** What the loader borrows: two windows on the file, and room to unpack a tile of 32 rows. */
function stagingNeed(matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>): { windowBytes: number; unpackBytes: number } {
  let windowBytes = WINDOW_BYTES_MIN,
    unpackBytes = 0;
  for (const { matrix, layout } of matrices.values()) {
    const { tensor, rows, encoding } = matrix;
    const tileBytes = TILE_ROWS * Math.ceil(tensor.sizeBytes / rows);
    windowBytes = Math.max(windowBytes, encoding.kind === "packed" ? tensor.sizeBytes : tileBytes);
    unpackBytes = Math.max(unpackBytes, unpackedTileBytes(layout));
  }
  return { windowBytes: roundUp(windowBytes, ALIGN), unpackBytes };
}

/** Bytes to unpack a tile of 32 rows: codes, f16 scales and one row of f32. */
function unpackedTileBytes(layout: Layout): number {
  const codes = roundUp(layout.kp, ALIGN),
    scales = roundUp(Math.ceil(layout.kp / TERNARY_BLOCK) * 2, ALIGN);
  return TILE_ROWS * (codes + scales) + layout.kp * 4 + ALIGN;
}

function refuse(plan: MemoryPlan, config: ModelConfig, tensors: ModelTensors): never {
  const { options } = plan,
    limitBytes = Math.min(options.memoryLimitBytes, WASM_PAGES_MAX * WASM_PAGE_BYTES);
  const fits = (kvType: KvType): number => {
    let low = 0,
      high = options.contextLength;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const fitsHere =
        layOutMemory(config, tensors, { ...options, kvType, contextLength: middle }).totalBytes <= limitBytes;
      if (fitsHere) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const f32 = options.kvType === "f32" ? fits("f32") : 0,
    q8 = fits("q8");
  const advice = [
    ...(f32 > 0 ? [`a context of ${f32}`] : []),
    ...(q8 > f32 ? [`a context of ${q8} with an 8-bit KV cache`] : []),
  ];
  const remedy =
    advice.length > 0 ? `${advice.join(", or ")} would fit` : "no context length fits: choose a smaller model";
  fail(
    "model/not-enough-memory",
    `model "${config.name}": wanted ${megabytes(plan.totalBytes)} (weights ${megabytes(plan.weightBytes)}, KV ` +
      `cache of ${options.contextLength} positions ${megabytes(plan.kvBytes)}), the limit ` +
      `is ${megabytes(limitBytes)}; ${remedy}`,
  );
}
