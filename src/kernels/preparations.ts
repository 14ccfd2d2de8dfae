/**
 * Turns activations into what a matmul reads: 8- or 16-bit integers with a scale per row or per block, or lookup tables
 * made from those. Layouts (layouts.ts) share preparations, so projections of one input whose layouts agree prepare it
 * once.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import type { StepOptions } from "./step-writer.ts";
import type { StepFields, StepName } from "./steps.ts";

/** Rows of f32: `k` values each, `xStride` values apart. */
export interface InputRows<Place> {
  readonly x: Place;
  readonly xStride: number;
  readonly k: number;
  /** With one row, each thread has made its own copy. */
  readonly isOwn: boolean;
}

/** Where prepared rows lie; a buffer that a preparation lacks gets the place `none`. */
export interface PreparedRows<Place> {
  readonly q8: Place;
  readonly q16: Place;
  /** One per row. */
  readonly scale: Place;
  readonly sum: Place;
  /** One per block of a row. */
  readonly blockScale: Place;
  readonly blockSum: Place;
  readonly tables: Place;
}

export type PreparedBuffer = keyof PreparedRows<never>;

/** Receives steps: a program in memory, or a tape. */
export interface StepSink<Place> {
  step<Name extends StepName>(name: Name, fields: StepFields<Name, Place>, options?: StepOptions): void;
}

type Quantize = <Place>(to: StepSink<Place>, rows: InputRows<Place>, at: PreparedRows<Place>, kp: number) => void;
type BuildTables = <Place>(to: StepSink<Place>, at: PreparedRows<Place>, kp: number) => void;

export interface Preparation {
  /** Bytes per row of `kp` activations, in each buffer. */
  readonly rowBytes: (kp: number) => Readonly<Partial<Record<PreparedBuffer, number>>>;
  /** Makes integers from f32. */
  readonly quantize: Quantize;
  /** Makes tables from the integers. */
  readonly buildTables?: BuildTables;
  /** The buffers that the matmul reads. */
  readonly reads: { readonly act: PreparedBuffer; readonly scale: PreparedBuffer; readonly sum: PreparedBuffer };
  /**
   * Whether each thread makes its own copy of a single row. Made once for all, half of the values (49 KB for 6144
   * binary weights) would come from another core's cache.
   */
  readonly isOwn: boolean;
}

/** A row that each thread makes for itself from its own earlier one. */
const OWN: StepOptions = { barrier: "batch", ownRow: true };
const ofInput = (isOwn: boolean): StepOptions => ({ barrier: "batch", ownRow: true, ownInput: isOwn });

/** Largest activation of each quantisation by blocks: the byte sums of the kernels have room for no more. */
const TABLE_Q_MAX = 255,
  DENSE_Q_MAX = 2047;

const PER_ROW = { scale: 4, sum: 4 };
const perBlock = (kp: number, block: number) => ({ blockScale: (kp / block) * 4, blockSum: (kp / block) * 4 });

/** One scale per row, for integers of 8 bits, of 16, or both. `magnitudes`: sums of |q|, which binary tables need. */
function byRow(magnitudes: boolean): Quantize {
  return (to, { x, xStride, k, isOwn }, { q8, q16, scale, sum }, kp) =>
    to.step("quantizeToken", { x, xStride, q8, q16, scale, sum, k, kp, magnitudes }, ofInput(isOwn));
}

/** The same for weights with block scales: copies the row's scale to each block, and sums each block. */
function byRowForBlocks(block: number, magnitudes: boolean): Quantize {
  const quantize = byRow(magnitudes);
  return (to, rows, at, kp) => {
    quantize(to, rows, at, kp);
    const { scale, q16, blockScale, blockSum } = at;
    to.step("tokenBlocks", { scale, q16, blockScale, blockSum, kp, block, magnitudes }, OWN);
  };
}

/** A scale per block. */
function byBlock(block: number, qMax: number, magnitudes: boolean): Quantize {
  return (to, { x, xStride, k, isOwn }, { q16, blockScale, blockSum }, kp) =>
    to.step(
      "quantizeBlocks",
      { x, xStride, q16, scale: blockScale, sum: blockSum, k, kp, block, qMax, magnitudes },
      ofInput(isOwn),
    );
}

/** Tables for every group of weights, each in two parts (assembly/weights/tables.ts). */
function tables(name: "ternaryTables" | "binaryTables", group: number): BuildTables {
  return (to, { q16, tables: at }, kp) =>
    to.step(name, { q16, kp, tables: at, tableStride: tableBytes(kp, group), nGroups: kp / group }, OWN);
}

const tableBytes = (kp: number, group: number): number => (kp / group) * abi.TABLE_BYTES;
const shortTableBytes = (kp: number): number => Math.ceil(kp / abi.SHORT_BLOCK_WEIGHTS) * abi.SHORT_BLOCK_BYTES;

const ROW_SCALES = { scale: "scale", sum: "sum" } as const,
  BLOCK_SCALES = { scale: "blockScale", sum: "blockSum" } as const;

/** For dense layouts: 12 bits, with a scale for every 32 values. */
export const DENSE: Preparation = {
  rowBytes: (kp) => ({ q16: 2 * kp, ...perBlock(kp, abi.DENSE_BLOCK) }),
  quantize: byBlock(abi.DENSE_BLOCK, DENSE_Q_MAX, false),
  reads: { act: "q16", ...BLOCK_SCALES },
  isOwn: true,
};

/** A scale for every 256 values, whose sums are among the integers (assembly/ops/quantize-q6-k.ts). */
export const DENSE_Q6_K: Preparation = {
  rowBytes: (kp) => ({ q16: (kp / 64) * abi.Q6_K_ACTIVATION_BYTES, blockScale: (kp / abi.Q6_K_BLOCK) * 4 }),
  quantize: (to, { x, xStride, k, isOwn }, { q16, blockScale }) =>
    to.step("quantizeQ6K", { x, xStride, q: q16, scale: blockScale, k }, ofInput(isOwn)),
  reads: { act: "q16", ...BLOCK_SCALES },
  isOwn: true,
};

export const ROW_BYTES: Preparation = {
  rowBytes: (kp) => ({ q8: kp, ...PER_ROW }),
  quantize: byRow(false),
  reads: { act: "q8", ...ROW_SCALES },
  isOwn: true,
};

/** Sums of blocks come from the 16-bit integers. */
export const ROW_BYTES_FOR_BLOCKS: Preparation = {
  rowBytes: (kp) => ({ q8: kp, q16: 2 * kp, ...PER_ROW, ...perBlock(kp, abi.TERNARY_BLOCK) }),
  quantize: byRowForBlocks(abi.TERNARY_BLOCK, false),
  reads: { act: "q8", ...BLOCK_SCALES },
  isOwn: true,
};

/** The tables take 12 µs for 2560 weights: longer than waiting for another thread's half. */
export const SHORT_TABLES: Preparation = {
  rowBytes: (kp) => ({ q16: 2 * kp, ...PER_ROW, tables: shortTableBytes(kp) }),
  quantize: byRow(false),
  buildTables: (to, { q16, tables: at }, kp) =>
    to.step(
      "shortTables",
      { q16, kp, tables: at, tableStride: shortTableBytes(kp), nGroups: kp / abi.TERNARY_GROUP },
      { ownInput: true },
    ),
  reads: { act: "tables", ...ROW_SCALES },
  isOwn: false,
};

/** Tables from activations with one scale per row, for weights with a scale per row or per block. */
function tablesByRow(block: number, group: number, magnitudes: boolean, buildTables: BuildTables): Preparation {
  return {
    rowBytes: (kp) => ({
      q16: 2 * kp,
      ...PER_ROW,
      ...(block === 0 ? {} : perBlock(kp, block)),
      tables: tableBytes(kp, group),
    }),
    quantize: block === 0 ? byRow(magnitudes) : byRowForBlocks(block, magnitudes),
    buildTables,
    reads: { act: "tables", ...(block === 0 ? ROW_SCALES : BLOCK_SCALES) },
    isOwn: true,
  };
}

/** Tables from activations with a scale per block. */
function tablesByBlock(block: number, group: number, magnitudes: boolean, buildTables: BuildTables): Preparation {
  return {
    rowBytes: (kp) => ({ q16: 2 * kp, ...perBlock(kp, block), tables: tableBytes(kp, group) }),
    quantize: byBlock(block, TABLE_Q_MAX, magnitudes),
    buildTables,
    reads: { act: "tables", ...BLOCK_SCALES },
    isOwn: true,
  };
}

const ternaryTables = tables("ternaryTables", abi.TERNARY_GROUP),
  binaryTables = tables("binaryTables", abi.BINARY_GROUP);

export const TERNARY_TABLES_FOR_BLOCKS = tablesByRow(abi.TERNARY_BLOCK, abi.TERNARY_GROUP, false, ternaryTables);
export const TERNARY_TABLES_BY_BLOCK = tablesByBlock(abi.TERNARY_BLOCK, abi.TERNARY_GROUP, false, ternaryTables);
export const BINARY_TABLES = tablesByRow(0, abi.BINARY_GROUP, true, binaryTables);
export const BINARY_TABLES_FOR_BLOCKS = tablesByRow(abi.BINARY_BLOCK, abi.BINARY_GROUP, true, binaryTables);
export const BINARY_TABLES_BY_BLOCK = tablesByBlock(abi.BINARY_BLOCK, abi.BINARY_GROUP, true, binaryTables);

/** A place for each buffer that rows of `kp` activations need; `none` for the others. */
export function placePreparedRows<Place>(
  { rowBytes }: Preparation,
  kp: number,
  none: Place,
  place: (rowBytes: number) => Place,
): PreparedRows<Place> {
  const bytes = rowBytes(kp),
    of = (buffer: PreparedBuffer) => (bytes[buffer] === undefined ? none : place(bytes[buffer]));
  return {
    q8: of("q8"),
    q16: of("q16"),
    scale: of("scale"),
    sum: of("sum"),
    blockScale: of("blockScale"),
    blockSum: of("blockSum"),
    tables: of("tables"),
  };
}

/** The fields of a matmul's step that point to prepared rows. */
export function preparedOperand<Place>({ rowBytes, reads }: Preparation, at: PreparedRows<Place>, kp: number) {
  const bytes = rowBytes(kp),
    actRowBytes = bytes[reads.act] ?? 0;
  return {
    act: at[reads.act],
    actScale: at[reads.scale],
    actSum: at[reads.sum],
    actRowBytes,
    scaleRowBytes: bytes[reads.scale] ?? 0,
  };
}
