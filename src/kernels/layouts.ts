/**
 * How matrices lie in memory: one row per layout, with all that the host must know of it. The kernels are in
 * assembly/layouts.ts. File types are many, layouts few.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import type { ActivationMode, TernaryKernel } from "./choices.ts";
import type { KernelExports } from "./exports.ts";
import * as preparations from "./preparations.ts";
import type { Preparation } from "./preparations.ts";

export interface Layout {
  /** The weights it holds. A ternary or binary matrix takes the first row of {@link LAYOUTS} that fits. */
  readonly weights: "ternary" | "binary" | "dense";
  /** The activations and the ternary kernel it works with; undefined: any. */
  readonly activationMode?: ActivationMode;
  readonly ternaryKernel?: TernaryKernel;
  /** LAYOUT_* of the ABI. Rows that differ only in the preparation of activations share an id. */
  readonly id: number;
  /** Columns are padded to a multiple of this, rows to the next. */
  readonly columnMultiple: number;
  readonly rowMultiple: number;
  /** Bytes of a row of `kp` weights. */
  readonly rowBytes: (kp: number) => number;
  /** What a matmul reads instead of f32; undefined: f32. */
  readonly preparation: Preparation | undefined;
  /** Scratch per thread for `n` rows of activations. */
  readonly scratchBytes: (n: number) => number;
  /**
   * Where the scales are. `row`: one f32 per row, behind the weights. `block`: an f16 per block, `[row][block]`;
   * `tile`: the same as `[tile][block][32 rows]`. `weights`: among the weights.
   */
  readonly scales: "row" | "block" | "tile" | "weights";
  /** Code of a padding weight: 0 where that means −1 and meets activations of 0, 1 for a ternary 0. */
  readonly paddingCode: 0 | 1;
  /** The faster layout for a matrix whose rows each prove to have one scale. */
  readonly uniformTwin?: Layout;
  /** For dense layouts that no file has: packs row `row` from one of the file's. */
  readonly packRow?: (kernels: KernelExports, from: number, weights: number, row: number, k: number) => void;
  /** For dense layouts that floats may become: packs row `row` from f32. */
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

/** Two ternary weights per lookup. */
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

/** Activations have a scale per block too, so one scale per row would not help. */
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

/** Four binary weights per lookup. */
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

/** Rows as in the file, in blocks of `blockBytes`. */
function dense(
  id: number,
  block: number,
  blockBytes: number,
  preparation: Preparation | undefined,
  more: Partial<Pick<Layout, "packRow" | "packFloats" | "scratchBytes">> = {},
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
    ...more,
  };
}

export const Q8_0 = dense(abi.LAYOUT_Q8_0, 32, 34, preparations.DENSE, {
  packFloats: (kernels, from, weights, row, k) => kernels.quantizeRowQ8_0(from, k, weights + row * Q8_0.rowBytes(k)),
  scratchBytes: () => abi.Q8_0_SCRATCH_BYTES,
});

/** Every layout; the first that fits wins. */
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

/** Size of a matrix in a layout. */
export interface MatrixSize {
  /** Columns and rows, padded. */
  readonly kp: number;
  readonly rowsPadded: number;
  /** Blocks in a row that each have a scale; 0 if the row has one. */
  readonly nScaleBlocks: number;
  readonly rowBytes: number;
  readonly weightBytes: number;
  /** Room for f16 scales of blocks, or for one f32 per row if they prove equal. */
  readonly scaleBytes: number;
}

/** @param scaleBlock weights that share a scale; 0 if the row has one */
export function matrixSize(layout: Layout, rows: number, k: number, scaleBlock: number): MatrixSize {
  const kp = roundUp(k, layout.columnMultiple),
    rowsPadded = roundUp(rows, layout.rowMultiple),
    rowBytes = layout.rowBytes(kp),
    nScaleBlocks = scaleBlock === 0 ? 0 : Math.ceil(kp / scaleBlock);
  const scaleBytes = layout.scales === "weights" ? 0 : rowsPadded * Math.max(4, 2 * nScaleBlocks);
  return { kp, rowsPadded, nScaleBlocks, rowBytes, weightBytes: rowsPadded * rowBytes, scaleBytes };
}

/** Values in a row of outputs, which kernels write in whole tiles. */
export function padToTiles(n: number): number {
  return roundUp(n, abi.TILE_ROWS);
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}
