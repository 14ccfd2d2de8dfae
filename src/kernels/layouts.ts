/**
 * How matrices lie in memory: one row for each layout, with all that the host needs to know of it. Its kernels stand in
 * assembly/layouts.ts. File types are many, layouts are few.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import type { ActivationMode, TernaryKernel } from "./choices.ts";
import type { KernelExports } from "./exports.ts";
import * as preparations from "./preparations.ts";
import type { Preparation } from "./preparations.ts";

export interface Layout {
  /** The weights it holds. Of ternary and binary ones, the first row of {@link LAYOUTS} that fits a matrix is taken. */
  readonly weights: "ternary" | "binary" | "dense";
  /** The activations and the kernel it is for; undefined: whichever. */
  readonly activationMode?: ActivationMode;
  readonly ternaryKernel?: TernaryKernel;
  /** LAYOUT_* of the ABI. Rows that differ only in how their activations are prepared have one id. */
  readonly id: number;
  /** Columns are padded to a multiple of this, and rows. */
  readonly columnMultiple: number;
  readonly rowMultiple: number;
  /** Bytes of a row of `kp` weights. */
  readonly rowBytes: (kp: number) => number;
  /** What a matmul reads in the place of f32; undefined: it reads those. */
  readonly preparation: Preparation | undefined;
  /** Scratch of a thread for `n` rows of activations. */
  readonly scratchBytes: (n: number) => number;
  /**
   * Where scales stand. `row`: one f32 a row, behind the weights. `block`: an f16 a block, `[row][block]`;
   * `tile`: the same as `[tile][block][32 rows]`. `weights`: among the weights.
   */
  readonly scales: "row" | "block" | "tile" | "weights";
  /** Code of a weight that is padding: 0 where it stands for −1 and meets activations of 0, 1 for a ternary 0. */
  readonly paddingCode: 0 | 1;
  /** What it becomes when the blocks of every row prove to share one scale, which is faster. */
  readonly uniformTwin?: Layout;
  /** For dense layouts that no file has: makes row `row` of one of the file's. */
  readonly packRow?: (kernels: KernelExports, from: number, weights: number, row: number, k: number) => void;
  /** For dense layouts that floats may become: makes row `row` of f32. */
  readonly packFloats?: (kernels: KernelExports, from: number, weights: number, row: number, k: number) => void;
}

const NO_SCRATCH = () => 0;

const TERNARY = {
  weights: "ternary",
  columnMultiple: abi.TERNARY_BLOCK,
  rowMultiple: abi.TILE_ROWS,
  rowBytes: (kp: number) => kp / 4,
  paddingCode: 1,
} as const;

const BINARY = {
  weights: "binary",
  columnMultiple: abi.BINARY_BLOCK,
  rowMultiple: abi.TILE_ROWS,
  rowBytes: (kp: number) => kp / 8,
  paddingCode: 0,
} as const;

/** Two ternary weights a lookup. */
export const TERNARY_TABLE = {
  ...TERNARY,
  id: abi.LAYOUT_TERNARY_TABLE,
  preparation: preparations.SHORT_TABLES,
  scratchBytes: (n: number) => abi.TERNARY_TABLE_SCRATCH_BYTES + 4 * n,
  scales: "row",
} satisfies Layout;

const TERNARY_TABLE_BLOCK: Layout = {
  ...TERNARY,
  activationMode: "token",
  id: abi.LAYOUT_TERNARY_TABLE_BLOCK,
  preparation: preparations.TERNARY_TABLES_FOR_BLOCKS,
  scratchBytes: () => abi.BLOCK_TABLE_SCRATCH_BYTES,
  scales: "tile",
  uniformTwin: TERNARY_TABLE,
};

/** Activations have a scale a block, too; so one scale a row would not help. */
const TERNARY_TABLE_BLOCK_BY_BLOCK: Layout = {
  ...TERNARY_TABLE_BLOCK,
  activationMode: "block",
  preparation: preparations.TERNARY_TABLES_BY_BLOCK,
  uniformTwin: undefined,
};

/** Dot products of bytes. */
const TERNARY_DOT: Layout = {
  ...TERNARY,
  activationMode: "token",
  ternaryKernel: "dot",
  id: abi.LAYOUT_TERNARY_DOT,
  preparation: preparations.ROW_BYTES,
  scratchBytes: () => abi.PANEL_SCRATCH_BYTES,
  scales: "row",
};

const TERNARY_DOT_BLOCK: Layout = {
  ...TERNARY,
  activationMode: "token",
  ternaryKernel: "dot",
  id: abi.LAYOUT_TERNARY_DOT_BLOCK,
  preparation: preparations.ROW_BYTES_FOR_BLOCKS,
  scratchBytes: NO_SCRATCH,
  scales: "block",
  uniformTwin: TERNARY_DOT,
};

/** Four binary weights a lookup. */
export const BINARY_TABLE = {
  ...BINARY,
  id: abi.LAYOUT_BINARY_TABLE,
  preparation: preparations.BINARY_TABLES,
  scratchBytes: () => abi.BINARY_TABLE_SCRATCH_BYTES,
  scales: "row",
} satisfies Layout;

const BINARY_TABLE_BLOCK: Layout = {
  ...BINARY,
  activationMode: "token",
  id: abi.LAYOUT_BINARY_TABLE_BLOCK,
  preparation: preparations.BINARY_TABLES_FOR_BLOCKS,
  scratchBytes: () => abi.BLOCK_TABLE_SCRATCH_BYTES,
  scales: "tile",
  uniformTwin: BINARY_TABLE,
};

const BINARY_TABLE_BLOCK_BY_BLOCK: Layout = {
  ...BINARY_TABLE_BLOCK,
  activationMode: "block",
  preparation: preparations.BINARY_TABLES_BY_BLOCK,
  uniformTwin: undefined,
};

/** Rows as in a file, of blocks of `blockBytes`. */
function dense(
  id: number,
  block: number,
  blockBytes: number,
  preparation: Preparation | undefined,
  pack: Pick<Layout, "packRow" | "packFloats"> = {},
): Layout {
  return {
    id,
    weights: "dense",
    columnMultiple: 1,
    rowMultiple: 1,
    rowBytes: (kp) => (kp / block) * blockBytes,
    preparation,
    scratchBytes: NO_SCRATCH,
    scales: "weights",
    paddingCode: 0,
    ...pack,
  };
}

export const Q8_0 = dense(abi.LAYOUT_Q8_0, 32, 34, preparations.DENSE, {
  packFloats: (kernels, from, weights, row, k) => kernels.quantizeRowQ8_0(from, k, weights + row * Q8_0.rowBytes(k)),
});

/** Every layout; of those that fit, the first is taken. */
export const LAYOUTS: readonly Layout[] = [
  TERNARY_DOT,
  TERNARY_DOT_BLOCK,
  TERNARY_TABLE,
  TERNARY_TABLE_BLOCK,
  TERNARY_TABLE_BLOCK_BY_BLOCK,
  BINARY_TABLE,
  BINARY_TABLE_BLOCK,
  BINARY_TABLE_BLOCK_BY_BLOCK,
  dense(abi.LAYOUT_F32, 1, 4, undefined),
  dense(abi.LAYOUT_F16, 1, 2, undefined),
  dense(abi.LAYOUT_BF16, 1, 2, undefined),
  Q8_0,
  dense(abi.LAYOUT_Q4_0, 32, 18, preparations.DENSE),
  dense(abi.LAYOUT_Q4_K, 256, 144, preparations.DENSE),
  dense(abi.LAYOUT_Q6_K, abi.Q6_K_BLOCK, abi.Q6_K_BLOCK_BYTES, preparations.DENSE_Q6_K, {
    packRow: (kernels, from, weights, row, k) => kernels.packQ6KRow(from, weights, row, k),
  }),
];

/** What a matrix takes in a layout. */
export interface MatrixSize {
  /** Columns and rows, padded. */
  readonly kp: number;
  readonly rowsPadded: number;
  /** Blocks of a row that have a scale each; 0 where the scale is the row's. */
  readonly nScaleBlocks: number;
  readonly rowBytes: number;
  readonly weightBytes: number;
  /** Room for f16 scales of blocks and, since the same room serves when they prove equal, for one f32 a row. */
  readonly scaleBytes: number;
}

/** @param scaleBlock weights that share a scale; 0 where it is the row's */
export function matrixSize(layout: Layout, rows: number, k: number, scaleBlock: number): MatrixSize {
  const kp = roundUp(k, layout.columnMultiple),
    rowsPadded = roundUp(rows, layout.rowMultiple),
    rowBytes = layout.rowBytes(kp),
    nScaleBlocks = scaleBlock === 0 ? 0 : Math.ceil(kp / scaleBlock);
  const scaleBytes = layout.scales === "weights" ? 0 : rowsPadded * Math.max(4, 2 * nScaleBlocks);
  return { kp, rowsPadded, nScaleBlocks, rowBytes, weightBytes: rowsPadded * rowBytes, scaleBytes };
}

/** Values of a row of outputs, which kernels write in whole tiles. */
export function padToTiles(n: number): number {
  return roundUp(n, abi.TILE_ROWS);
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}
