/**
 * How a matrix lies in memory, and what its kernel wants as input. File types are many, layouts are few.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { TENSOR_TYPES } from "../files/tensor-types.ts";
import type { ActivationMode } from "./config.ts";
import type { MatrixTensor } from "./weights.ts";

/**
 * What to do with F32, F16 and BF16 embeddings and heads. `keep`: as in the file. `q8`: 8 bits, about half or a
 * quarter of the bytes a token reads. `auto`: q8 above {@link DENSE_KEPT_BYTES_MAX}.
 */
export type DensePolicy = "auto" | "keep" | "q8";

/**
 * A phone can hold and read 64 MB of 16-bit embeddings; the 656 MB of BitNet 2B4T, half of what a token reads, it
 * cannot.
 */
const DENSE_KEPT_BYTES_MAX = 64e6;

/** Rows a tile of the table layouts holds; every row count is padded to it. */
export const TILE_ROWS = 32;

/** Weights that share one activation scale when activations are quantised in blocks. */
export const TERNARY_BLOCK = 64;
export const BINARY_BLOCK = 128;
export const DENSE_BLOCK = 32;
export const Q6_K_BLOCK = 256;

/** What the activations of a matrix must be prepared as before its kernel runs. */
export type Preparation =
  | "f32"
  | "dense"
  | "dense-256"
  | "token-dot"
  | "token-dot-block"
  | "token-tables"
  | "token-tables-block"
  | "block-tables"
  | "binary-token"
  | "binary-token-block"
  | "binary-block";

export interface Layout {
  /** LAYOUT_* of the ABI. Block layouts turn into their uniform twin when all scales of every row prove equal. */
  readonly id: number;
  readonly k: number;
  /** k padded to what the kernel walks in. */
  readonly kp: number;
  readonly rowsPadded: number;
  /** Weights that share one scale in the file; 0 when the scale belongs to the row. */
  readonly scaleBlock: number;
  readonly weightBytes: number;
  readonly scaleBytes: number;
  /** Bytes of one row, for row-major layouts; 0 for tiles. */
  readonly rowBytes: number;
}

/** GGML ids of dense types are the ids of their layouts. */
const DENSE_LAYOUTS: Readonly<Record<string, number>> = {
  F32: abi.LAYOUT_F32,
  F16: abi.LAYOUT_F16,
  BF16: abi.LAYOUT_BF16,
  Q8_0: abi.LAYOUT_Q8_0,
  Q4_0: abi.LAYOUT_Q4_0,
  Q4_K: abi.LAYOUT_Q4_K,
  Q6_K: abi.LAYOUT_Q6_K,
};

const FLOAT_TYPES: ReadonlySet<string> = new Set(["F32", "F16", "BF16"]);

/**
 * How 8-bit activations meet ternary weights: by table lookups, or by dot products over 2-bit codes. The same bits.
 */
export type TernaryKernel = "tables" | "dot";

export interface LayoutChoice {
  readonly ternaryKernel: TernaryKernel;
  readonly activationMode: ActivationMode;
  readonly dense: DensePolicy;
}

/** The layout a matrix gets, whose type `findTensors` has checked. */
export function chooseLayout(matrix: MatrixTensor, choice: LayoutChoice): Layout {
  const type = TENSOR_TYPES[matrix.tensor.type];
  if (matrix.encoding.kind !== "typed") return ternaryLayout(matrix, choice, 0);
  if (type.layout === "ternary") return ternaryLayout(matrix, choice, type.name === "I2_S" ? 0 : type.blockElements);
  if (type.layout === "binary") return binaryLayout(matrix, choice, type.blockElements);
  return denseLayout(matrix, choice);
}

function ternaryLayout(
  { rows, k }: MatrixTensor,
  { ternaryKernel, activationMode }: LayoutChoice,
  scaleBlock: number,
): Layout {
  const kp = roundUp(k, TERNARY_BLOCK),
    rowsPadded = roundUp(rows, TILE_ROWS);
  const dot = ternaryKernel === "dot" && activationMode === "token";
  const uniform = scaleBlock === 0;
  return {
    id: dot
      ? uniform
        ? abi.LAYOUT_TERNARY_DOT
        : abi.LAYOUT_TERNARY_DOT_BLOCK
      : uniform
        ? abi.LAYOUT_TERNARY_TABLE
        : abi.LAYOUT_TERNARY_TABLE_BLOCK,
    k,
    kp,
    rowsPadded,
    scaleBlock,
    weightBytes: (rowsPadded * kp) / 4,
    scaleBytes: scaleBytes(rowsPadded, kp, scaleBlock),
    rowBytes: dot ? kp / 4 : 0,
  };
}

function binaryLayout({ rows, k }: MatrixTensor, _choice: LayoutChoice, scaleBlock: number): Layout {
  const kp = roundUp(k, BINARY_BLOCK),
    rowsPadded = roundUp(rows, TILE_ROWS);
  return {
    id: abi.LAYOUT_BINARY_TABLE_BLOCK,
    k,
    kp,
    rowsPadded,
    scaleBlock,
    weightBytes: (rowsPadded * kp) / 8,
    scaleBytes: scaleBytes(rowsPadded, kp, scaleBlock),
    rowBytes: 0,
  };
}

function denseLayout({ tensor, rows, k }: MatrixTensor, { dense }: LayoutChoice): Layout {
  const type = TENSOR_TYPES[tensor.type];
  const isFloat = FLOAT_TYPES.has(type.name),
    keptBytes = (rows * k * type.blockBytes) / type.blockElements;
  const shrink =
    isFloat && k % DENSE_BLOCK === 0 && (dense === "q8" || (dense === "auto" && keptBytes > DENSE_KEPT_BYTES_MAX));
  const kept = shrink ? TENSOR_TYPES.Q8_0 : type;
  const rowBytes = kept.name === "Q6_K" ? packedQ6KBytes(k) : (k / kept.blockElements) * kept.blockBytes;
  return {
    id: DENSE_LAYOUTS[kept.name],
    k,
    kp: k,
    rowsPadded: roundUp(rows, TILE_ROWS),
    scaleBlock: 0,
    weightBytes: rows * rowBytes,
    scaleBytes: 0,
    rowBytes,
  };
}

/** What assembly/weights/q6-k.ts makes of 210 bytes a block: its scale is an f32. */
function packedQ6KBytes(k: number): number {
  return (k / Q6_K_BLOCK) * 212;
}

/** Room for f16 scales of blocks and, since the same room serves when they prove equal, for one f32 a row. */
function scaleBytes(rowsPadded: number, kp: number, scaleBlock: number): number {
  return Math.max(rowsPadded * 4, scaleBlock === 0 ? 0 : rowsPadded * Math.ceil(kp / scaleBlock) * 2);
}

const UNIFORM_TWIN: Readonly<Record<number, number>> = {
  [abi.LAYOUT_TERNARY_TABLE_BLOCK]: abi.LAYOUT_TERNARY_TABLE,
  [abi.LAYOUT_TERNARY_DOT_BLOCK]: abi.LAYOUT_TERNARY_DOT,
  [abi.LAYOUT_BINARY_TABLE_BLOCK]: abi.LAYOUT_BINARY_TABLE,
};

/** The layout id for one scale a row, or undefined when `id` has no such twin or activations differ by block. */
export function uniformTwin(id: number, mode: ActivationMode): number | undefined {
  return mode === "token" ? UNIFORM_TWIN[id] : undefined;
}

/** The preparation each layout's kernel reads. */
export function preparationOf(id: number, mode: ActivationMode): Preparation {
  switch (id) {
    case abi.LAYOUT_F32:
    case abi.LAYOUT_F16:
    case abi.LAYOUT_BF16:
      return "f32";
    case abi.LAYOUT_TERNARY_DOT:
      return "token-dot";
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      return "token-dot-block";
    case abi.LAYOUT_TERNARY_TABLE:
      return "token-tables";
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
      return mode === "token" ? "token-tables-block" : "block-tables";
    case abi.LAYOUT_BINARY_TABLE:
      return "binary-token";
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      return mode === "token" ? "binary-token-block" : "binary-block";
    case abi.LAYOUT_Q6_K:
      return "dense-256";
    default:
      return "dense";
  }
}

export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}
