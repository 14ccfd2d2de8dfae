/**
 * The memory of a run, address by address, computed before any is allocated.
 *
 *   | machine | program | weights … | activations | tables | KV cache | logits | scratch |
 *                                                 └──────── staging, while loading ─────────┘
 *
 * The memory is created at exactly this size and never grows. Loading borrows the part after the weights, which is not
 * in use yet, so staging costs nothing.
 *
 * @module
 */
import { CONTEXT_HEAD_BYTES, PLACE_BYTES, STEP_BYTES, TERNARY_BLOCK, TILE_ROWS } from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import { MACHINE_BYTES } from "../kernels/machine.ts";
import { type NumericArena, RANDOM_STATE_BYTES } from "../kernels/numeric.ts";
import {
  type CachedHeads,
  type KvLayer,
  attendScratchBytes,
  kvCacheBytes,
  pagesFor,
} from "../kernels/attention-cache.ts";
import type { DotProducts, KvType } from "../kernels/choices.ts";
import { type Layout, type MatrixSize, matrixSize, padToTiles, roundUp } from "../kernels/layouts.ts";
import { type Preparation, type PreparedRows, placePreparedRows } from "../kernels/preparations.ts";
import { type LayoutChoice, chooseLayout } from "./choose-layout.ts";
import { mixedWidthOf, valueWidthOf } from "./blocks.ts";
import type { ModelConfig } from "./config.ts";
import type { ModelMemory } from "./engine-interface.ts";
import { type PlacedStates, placeSigns, placeStates, recurrenceScratchBytes } from "./placed-states.ts";
import { closedRows } from "./row-order.ts";
import { type LinearTensors, type MatrixTensor, type ModelTensors, type VectorTensor, allLinears } from "./weights.ts";

export interface PlanOptions extends LayoutChoice {
  readonly contextLength: number;
  /** Of the KV cache, for all contexts; rounded up to whole pages. */
  readonly kvPositions: number;
  readonly nThreads: number;
  readonly kvType: KvType;
  readonly dots: DotProducts;
  /** Refuse above this many bytes; the engine's ceiling is 4 GiB in any case. */
  readonly memoryLimitBytes: number;
}

export interface PlacedMatrix {
  readonly matrix: MatrixTensor;
  readonly layout: Layout;
  /** Weights that share a scale; 0 if the row has one. */
  readonly scaleBlock: number;
  readonly size: MatrixSize;
  readonly weightAt: number;
  readonly scaleAt: number;
}

export interface PlacedVector {
  readonly vector: VectorTensor;
  readonly at: number;
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
  /** Inputs after their rotation (hadamard.ts). */
  readonly rotated: number;
  readonly ropeCos: number;
  readonly ropeSin: number;
  /** Of layers that slide, if there are any. */
  readonly slidingCos: number;
  readonly slidingSin: number;
  readonly logits: number;
}

/** The KV cache: pages for all contexts. */
export interface PlacedKv {
  readonly heads: CachedHeads;
  /** One per attention block. */
  readonly layers: readonly KvLayer[];
  readonly bytes: number;
  /** The rows of a walk and the pages of each one's context. */
  readonly places: number;
  readonly pageLists: number;
  readonly pageListBytes: number;
  readonly states: PlacedStates;
}

export interface MemoryPlan {
  readonly options: PlanOptions;
  /** Rows of one walk of the program. */
  readonly nBatch: number;
  /** Rows of activations: those of a walk, or one per thread. */
  readonly nActivationRows: number;
  /** Rows of logits one walk can give. */
  readonly nHeadRows: number;
  readonly program: number;
  readonly programBytes: number;
  readonly ropeFrequencies: number;
  /** Of layers that slide; 0 without any. */
  readonly slidingFrequencies: number;
  /** Signs of rotations, by width. */
  readonly signs: ReadonlyMap<number, number>;
  readonly matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>;
  readonly vectors: ReadonlyMap<VectorTensor, PlacedVector>;
  readonly buffers: ActivationBuffers;
  /** Buffers for prepared activations, one set per preparation in use. */
  readonly prepared: ReadonlyMap<Preparation, PreparedRows<number>>;
  readonly kv: PlacedKv;
  readonly numeric: NumericArena;
  readonly scratch: number;
  readonly scratchStrideBytes: number;
  readonly staging: number;
  readonly stagingBytes: number;
  /** Bytes of each of the two windows at the start of the staging area. */
  readonly windowBytes: number;
  readonly weightBytes: number;
  readonly totalBytes: number;
}

/**
 * Rows of a prompt computed together: on two threads, 2B4T and Bonsai 1.7B read theirs 4 % slower with 32 rows, 10 to
 * 18 % slower with 16.
 */
const BATCH_ROWS = 64;
/** Keep at most this many bytes of logits at once: 16 rows of a vocabulary of 128k. */
const LOGITS_BYTES_MAX = 8e6;
/** The least window for reading a tensor, so that the cost of a read is small next to its bytes. */
const WINDOW_BYTES_MIN = 4 << 20;
/** Steps of a layer (31 with every option) and of the ends, rounded up. */
const STEPS_PER_LAYER = 64;
const STEPS_OTHER = 32;
/** Every buffer starts on a cache line. */
const ALIGN = 64;

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
 * Plans the memory to run `tensors` with `options`.
 * @throws OnebitError `model/not-enough-memory` saying what it needs and what would fit.
 */
export function planMemory(config: ModelConfig, tensors: ModelTensors, options: PlanOptions): MemoryPlan {
  const plan = layOutMemory(config, tensors, options);
  if (plan.totalBytes > options.memoryLimitBytes || plan.totalBytes > WASM_PAGES_MAX * WASM_PAGE_BYTES)
    refuse(plan, config, tensors);
  return plan;
}

export function memoryOf({ totalBytes, weightBytes, kv }: MemoryPlan): ModelMemory {
  return { wasmBytes: totalBytes, weightBytes, kvBytes: kv.bytes, stateBytes: kv.states.bytes };
}

/** The plan alone, whatever its size: `inspect` shows it even for a model that would be refused. */
export function layOutMemory(config: ModelConfig, tensors: ModelTensors, options: PlanOptions): MemoryPlan {
  const arena = new Arena(MACHINE_BYTES);
  const programBytes = (config.nLayers * STEPS_PER_LAYER + STEPS_OTHER) * STEP_BYTES;
  const program = arena.take(programBytes),
    ropeFrequencies = arena.take((config.ropeDim / 2) * 8),
    slidingFrequencies = config.sliding === undefined ? 0 : arena.take((config.ropeDim / 2) * 8),
    signs = placeSigns(config, (bytes) => arena.take(bytes));
  const weightsBegin = arena.at;
  const matrices = placeMatrices(arena, tensors, options),
    vectors = placeVectors(arena, tensors);
  const weightBytes = arena.at - weightsBegin;
  const staging = roundUp(arena.at, ALIGN);

  const nBatch = Math.min(BATCH_ROWS, options.contextLength),
    vocabPadded = padToTiles(config.vocabSize);
  const nHeadRows = Math.max(1, Math.min(nBatch, Math.floor(LOGITS_BYTES_MAX / (vocabPadded * 4))));
  const nActivationRows = Math.max(nBatch, options.nThreads),
    rotatedWidth = Math.max(0, ...[...matrices.keys()].map(({ k, isRotated }) => (isRotated ? k : 0))),
    logitsBytes = config.embeddingOnly ? 0 : nHeadRows * vocabPadded * 4,
    buffers = placeActivations(arena, config, nActivationRows, logitsBytes, rotatedWidth);
  const prepared = placePrepared(arena, matrices, nActivationRows);
  const kv = placeKv(arena, config, tensors, options, nActivationRows);
  const numeric = placeNumeric(arena, vocabPadded);
  const scratchStrideBytes = scratchBytes(config, matrices, options, nBatch);
  const scratch = arena.take(scratchStrideBytes * options.nThreads);
  const { windowBytes, unpackBytes } = stagingNeed(matrices, vectors);
  const totalBytes = roundUp(Math.max(arena.at, staging + 2 * windowBytes + unpackBytes), WASM_PAGE_BYTES);
  return {
    options,
    nBatch,
    nActivationRows,
    nHeadRows,
    program,
    programBytes,
    ropeFrequencies,
    slidingFrequencies,
    signs,
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
    totalBytes,
  };
}

function placeMatrices(arena: Arena, tensors: ModelTensors, options: PlanOptions): Map<MatrixTensor, PlacedMatrix> {
  const tables = [tensors.tokenEmbd, ...(tensors.output ? [tensors.output] : [])];
  const linears = allLinears(tensors).map(({ matrix }) => matrix);
  return new Map(
    [...tables, ...linears].map((matrix, i) => {
      // Projections that a file has as floats stay floats: `dense` may shrink only embeddings and heads.
      const { layout, scaleBlock } = chooseLayout(matrix, i < tables.length ? options : { ...options, dense: "keep" });
      const size = matrixSize(layout, matrix.rows, matrix.k, scaleBlock);
      return [
        matrix,
        {
          matrix,
          layout,
          scaleBlock,
          size,
          weightAt: arena.take(size.weightBytes),
          scaleAt: arena.take(size.scaleBytes),
        },
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
    ...tensors.layers.flat().flatMap(({ vectors, linears }) => [...vectors, ...linears.flatMap(ofLinear)]),
  ];
  return new Map(
    all
      .filter((vector) => vector !== undefined)
      .map((vector) => [vector, { vector, at: arena.take(vector.length * 4) }]),
  );
}

function placeActivations(
  arena: Arena,
  config: ModelConfig,
  nRows: number,
  logitsBytes: number,
  rotatedWidth: number,
): ActivationBuffers {
  const rows = (...widths: number[]) => arena.take(nRows * padToTiles(Math.max(...widths)) * 4);
  const qWidth = config.nHeads * config.headDim,
    kvWidth = config.nKvHeads * config.headDim;
  // Blocks of a delta net borrow those of others (program.ts).
  const net = config.deltaNet,
    mixed = net === undefined ? 0 : mixedWidthOf(net),
    values = net === undefined ? 0 : valueWidthOf(net),
    nGates = net?.nValueHeads ?? 0;
  return {
    ids: arena.take(nRows * 4),
    x: rows(config.nEmbd),
    h: rows(config.nEmbd, qWidth, config.nFf),
    q: rows(net === undefined ? qWidth : 2 * qWidth, values),
    k: rows(kvWidth, nGates),
    v: rows(kvWidth, nGates),
    attention: rows(qWidth, values),
    gate: rows(config.nFf, mixed),
    up: rows(config.nFf, mixed),
    branch: rows(config.nEmbd),
    rotated: rows(rotatedWidth),
    ropeCos: rows(config.ropeDim / 2),
    ropeSin: rows(config.ropeDim / 2),
    slidingCos: config.sliding === undefined ? 0 : rows(config.ropeDim / 2),
    slidingSin: config.sliding === undefined ? 0 : rows(config.ropeDim / 2),
    logits: arena.take(logitsBytes),
  };
}

/** A twin's preparation gets room too: only loading shows whether scales are equal. */
function placePrepared(
  arena: Arena,
  matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>,
  nRows: number,
): Map<Preparation, PreparedRows<number>> {
  const kpMax = new Map<Preparation, number>();
  for (const { layout, size } of matrices.values()) {
    for (const preparation of [layout.preparation, layout.uniformTwin?.preparation]) {
      if (preparation !== undefined) kpMax.set(preparation, Math.max(kpMax.get(preparation) ?? 0, size.kp));
    }
  }
  return new Map(
    [...kpMax].map(([preparation, kp]) => [
      preparation,
      placePreparedRows(preparation, kp, 0, (rowBytes) => arena.take(nRows * rowBytes)),
    ]),
  );
}

function placeKv(
  arena: Arena,
  config: ModelConfig,
  { layers }: ModelTensors,
  { kvType, contextLength, kvPositions }: PlanOptions,
  nRows: number,
): PlacedKv {
  const { nKvHeads, headDim } = config,
    heads = { nKvHeads, headDim, nPages: pagesFor(kvPositions) },
    pageListBytes = CONTEXT_HEAD_BYTES + pagesFor(contextLength) * 4;
  const places = arena.take(nRows * PLACE_BYTES),
    pageLists = arena.take(nRows * pageListBytes);
  const begin = arena.at,
    { keyBytes, valueBytes } = kvCacheBytes(kvType, heads);
  const attentions = layers.flat().filter(({ kind }) => kind === "attention" || kind === "gatedAttention"),
    placed = attentions.map(() => ({ k: arena.take(keyBytes), v: arena.take(valueBytes) }));
  return {
    heads,
    layers: placed,
    bytes: arena.at - begin,
    states: placeStates(config, { contextLength, kvPositions }, (bytes) => arena.take(bytes)),
    places,
    pageLists,
    pageListBytes,
  };
}

function placeNumeric(arena: Arena, vocabPadded: number): NumericArena {
  const words = () => arena.take(vocabPadded * 4);
  const places = { vector: words(), ids: words(), values: words(), randomState: arena.take(RANDOM_STATE_BYTES) };
  return { ...places, nMax: vocabPadded };
}

/** Private memory of a thread, for a matmul or attention. */
function scratchBytes(
  { nHeads, nKvHeads, deltaNet }: ModelConfig,
  matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>,
  { kvType, contextLength }: PlanOptions,
  nBatch: number,
): number {
  const ofMatmuls = [...matrices.values()].flatMap(({ layout, layout: { uniformTwin } }) => [
    layout.scratchBytes(nBatch),
    uniformTwin?.scratchBytes(nBatch) ?? 0,
  ]);
  const ofMixing = [
    attendScratchBytes(kvType, nHeads / nKvHeads, contextLength),
    recurrenceScratchBytes(deltaNet, nBatch),
  ];
  return roundUp(Math.max(...ofMatmuls, ...ofMixing), ALIGN);
}

/** The loader borrows two windows on the file, and room to unpack a tile of 32 rows. */
function stagingNeed(
  matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>,
  vectors: ReadonlyMap<VectorTensor, PlacedVector>,
): { windowBytes: number; unpackBytes: number } {
  let windowBytes = Math.max(WINDOW_BYTES_MIN, ...[...vectors.keys()].map(({ tensor }) => tensor.sizeBytes)),
    unpackBytes = 0;
  for (const { matrix, size } of matrices.values()) {
    const { tensor, rows, encoding, order } = matrix;
    const unitBytes = Math.min(rows, closedRows(order, TILE_ROWS)) * Math.ceil(tensor.sizeBytes / rows);
    windowBytes = Math.max(windowBytes, encoding.kind === "packed" ? tensor.sizeBytes : unitBytes);
    unpackBytes = Math.max(unpackBytes, unpackedTileBytes(size));
  }
  return { windowBytes: roundUp(windowBytes, ALIGN), unpackBytes };
}

/** Bytes to unpack a tile of 32 rows: codes, f16 scales and one row of f32. */
function unpackedTileBytes({ kp }: MatrixSize): number {
  const codes = roundUp(kp, ALIGN),
    scales = roundUp(Math.ceil(kp / TERNARY_BLOCK) * 2, ALIGN);
  return TILE_ROWS * (codes + scales) + kp * 4 + ALIGN;
}

function refuse(plan: MemoryPlan, config: ModelConfig, tensors: ModelTensors): never {
  const { options } = plan,
    limitBytes = Math.min(options.memoryLimitBytes, WASM_PAGES_MAX * WASM_PAGE_BYTES);
  const fits = (kvType: KvType): number => {
    let low = 0,
      high = options.kvPositions;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2),
        contextLength = Math.min(options.contextLength, middle);
      const smaller = { ...options, kvType, contextLength, kvPositions: middle };
      if (layOutMemory(config, tensors, smaller).totalBytes <= limitBytes) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const sizeOf = (positions: number) =>
    positions <= options.contextLength ? `a context of ${positions}` : `kvPositions of ${positions}`;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const f32 = options.kvType === "f32" ? fits("f32") : 0,
    q8 = fits("q8");
  const advice = [...(f32 > 0 ? [sizeOf(f32)] : []), ...(q8 > f32 ? [`${sizeOf(q8)} with an 8-bit KV cache`] : [])];
  const remedy =
    advice.length > 0 ? `${advice.join(", or ")} would fit` : "no context length fits: choose a smaller model";
  const { nStates, bytes } = plan.kv.states,
    states = nStates > 0 ? `, ${nStates} states ${megabytes(bytes)}` : "";
  fail(
    "model/not-enough-memory",
    `model "${config.name}": wanted ${megabytes(plan.totalBytes)} (weights ${megabytes(plan.weightBytes)}, KV ` +
      `cache of ${options.kvPositions} positions ${megabytes(plan.kv.bytes)}${states}), the limit ` +
      `is ${megabytes(limitBytes)}; ${remedy}`,
  );
}
