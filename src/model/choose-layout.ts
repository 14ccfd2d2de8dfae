/**
 * Chooses the layout of a matrix (src/kernels/layouts.ts) by its type in the file, by how activations meet weights, and
 * by what this engine computes fastest. Equal scales, seen while loading, decide between a layout and its twin.
 *
 * @module
 */
import { TENSOR_TYPES, type TensorType, isFloatType } from "../files/tensor-types.ts";
import type { ActivationMode, TernaryKernel } from "../kernels/choices.ts";
import { LAYOUTS, type Layout, Q8_0 } from "../kernels/layouts.ts";
import type { DensePolicy } from "./engine-options.ts";
import type { MatrixTensor } from "./weights.ts";

/**
 * A phone can hold and read 64 MB of 16-bit embeddings, but not the 656 MB of BitNet 2B4T, half of what a token reads.
 */
const DENSE_KEPT_BYTES_MAX = 64e6;

export interface LayoutChoice {
  readonly ternaryKernel: TernaryKernel;
  readonly activationMode: ActivationMode;
  readonly dense: DensePolicy;
}

export interface ChosenLayout {
  readonly layout: Layout;
  /** Weights that share a scale in the file; 0 if the row has one. */
  readonly scaleBlock: number;
}

/** The layout of a matrix whose type `findTensors` has checked. */
export function chooseLayout(matrix: MatrixTensor, choice: LayoutChoice): ChosenLayout {
  const type = TENSOR_TYPES[matrix.tensor.type];
  const { encoding } = matrix;
  if (encoding.kind === "unpacked")
    return { layout: lowBitLayout(encoding.weights, "blocks", choice), scaleBlock: encoding.group };
  // I2_S has one scale per tensor, as have matrices that Hugging Face packs or rounds.
  if (encoding.kind !== "typed" || type.name === "I2_S")
    return { layout: lowBitLayout("ternary", "row", choice), scaleBlock: 0 };
  if (type.layout === "ternary" || type.layout === "binary")
    return { layout: lowBitLayout(type.layout, "blocks", choice), scaleBlock: type.blockElements };
  return { layout: shrinks(matrix, type, choice.dense) ? Q8_0 : denseLayout(type), scaleBlock: 0 };
}

/** The first layout that fits these weights, scales and activations, and this kernel. */
function lowBitLayout(
  weights: "ternary" | "binary",
  scales: "row" | "blocks",
  { activationMode, ternaryKernel }: LayoutChoice,
): Layout {
  const isOr = <T>(wanted: T | undefined, found: T) => wanted === undefined || wanted === found;
  return LAYOUTS.find(
    (layout) =>
      layout.weights === weights &&
      (layout.scales === "row") === (scales === "row") &&
      isOr(layout.activationMode, activationMode) &&
      isOr(layout.ternaryKernel, ternaryKernel),
  )!;
}

/** Dense types and their layouts share ids. */
function denseLayout({ ggmlId }: TensorType): Layout {
  return LAYOUTS.find(({ id }) => id === ggmlId)!;
}

/** Whether a float matrix becomes 8 bits. */
function shrinks({ rows, k }: MatrixTensor, { name, blockBytes }: TensorType, dense: DensePolicy): boolean {
  if (!isFloatType(name) || k % TENSOR_TYPES.Q8_0.blockElements !== 0) return false;
  return dense === "q8" || (dense === "auto" && rows * k * blockBytes > DENSE_KEPT_BYTES_MAX);
}
