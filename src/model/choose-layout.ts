/**
 * Which layout a matrix gets (src/kernels/layouts.ts): by the type it has in the file, by how activations meet weights,
 * and by what this engine computes fastest. Equal scales, seen while loading, decide between a layout and its twin.
 *
 * @module
 */
import { TENSOR_TYPES, type TensorType, isFloatType } from "../files/tensor-types.ts";
import * as layouts from "../kernels/layouts.ts";
import type { Layout } from "../kernels/layouts.ts";
import type { ActivationMode } from "./architectures.ts";
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

/**
 * How 8-bit activations meet ternary weights: by table lookups, or by dot products over 2-bit codes. The same bits.
 */
export type TernaryKernel = "tables" | "dot";

export interface LayoutChoice {
  readonly ternaryKernel: TernaryKernel;
  readonly activationMode: ActivationMode;
  readonly dense: DensePolicy;
}

export interface ChosenLayout {
  readonly layout: Layout;
  /** Weights that share a scale in the file; 0 where it is the row's. */
  readonly scaleBlock: number;
}

/** By whether a row has one scale or one for each block. */
interface TernaryLayouts {
  readonly row: Layout;
  readonly blocks: Layout;
}

const TABLES_BY_BLOCK: TernaryLayouts = {
  row: layouts.TERNARY_TABLE,
  blocks: layouts.TERNARY_TABLE_BLOCK_BY_BLOCK,
};

const TERNARY: Readonly<Record<ActivationMode, Readonly<Record<TernaryKernel, TernaryLayouts>>>> = {
  token: {
    tables: { row: layouts.TERNARY_TABLE, blocks: layouts.TERNARY_TABLE_BLOCK },
    dot: { row: layouts.TERNARY_DOT, blocks: layouts.TERNARY_DOT_BLOCK },
  },
  block: { tables: TABLES_BY_BLOCK, dot: TABLES_BY_BLOCK },
};

const BINARY: Readonly<Record<ActivationMode, Layout>> = {
  token: layouts.BINARY_TABLE_BLOCK,
  block: layouts.BINARY_TABLE_BLOCK_BY_BLOCK,
};

/** The layout a matrix gets, whose type `findTensors` has checked. */
export function chooseLayout(matrix: MatrixTensor, choice: LayoutChoice): ChosenLayout {
  const type = TENSOR_TYPES[matrix.tensor.type],
    ternary = TERNARY[choice.activationMode][choice.ternaryKernel];
  // The scale of I2_S is the tensor's, as those of matrices that Hugging Face packs or rounds are.
  if (matrix.encoding.kind !== "typed" || type.name === "I2_S") return { layout: ternary.row, scaleBlock: 0 };
  if (type.layout === "ternary") return { layout: ternary.blocks, scaleBlock: type.blockElements };
  if (type.layout === "binary") return { layout: BINARY[choice.activationMode], scaleBlock: type.blockElements };
  return { layout: shrinks(matrix, type, choice.dense) ? layouts.Q8_0 : denseLayout(type), scaleBlock: 0 };
}

/** Ids of dense types are those of their layouts. */
function denseLayout({ ggmlId }: TensorType): Layout {
  return layouts.LAYOUTS.find(({ id }) => id === ggmlId)!;
}

/** Whether a matrix of floats is held in 8 bits. */
function shrinks({ rows, k }: MatrixTensor, { name, blockBytes }: TensorType, dense: DensePolicy): boolean {
  if (!isFloatType(name) || k % TENSOR_TYPES.Q8_0.blockElements !== 0) return false;
  return dense === "q8" || (dense === "auto" && rows * k * blockBytes > DENSE_KEPT_BYTES_MAX);
}
