/**
 * The tensors of a trained transformer in file order, with sizes checked.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { floatToHalf, halfToFloat } from "../files/float16.ts";
import type { TransformerShape } from "../nn/shape.ts";
import type { QuantizedMatrix, TrainedModel } from "./trained-model.ts";

export interface ModelTensor {
  /** Its GGUF name. */
  readonly name: string;
  /** `linear`: low-bit where the model is; `table`: embedding and head, always floats. */
  readonly kind: "linear" | "table" | "vector";
  /** 1 for vectors. */
  readonly rows: number;
  readonly columns: number;
}

/** Every tensor of the model once: embedding, layers, output norm, head. */
export function modelTensors(shape: TransformerShape): ModelTensor[] {
  const { dim, vocabSize, depth, tied } = shape;
  return [
    table("token_embd.weight", vocabSize, dim),
    ...Array.from({ length: depth }, (_, layer) => layerTensors(shape, `blk.${layer}.`)).flat(),
    vector("output_norm.weight", dim),
    ...(tied ? [] : [table("output.weight", vocabSize, dim)]),
  ];
}

function layerTensors(shape: TransformerShape, prefix: string): ModelTensor[] {
  const { dim, ffHidden, headDim, glu, subNorms } = shape;
  const qWidth = shape.heads * headDim,
    kvWidth = shape.kvHeads * headDim;
  const norm = (role: string, length: number) => vector(`${prefix}${role}.weight`, length);
  const linear = (role: string, rows: number, columns: number): ModelTensor => ({
    name: `${prefix}${role}.weight`,
    kind: "linear",
    rows,
    columns,
  });
  return [
    norm("attn_norm", dim),
    linear("attn_q", qWidth, dim),
    linear("attn_k", kvWidth, dim),
    linear("attn_v", kvWidth, dim),
    ...(subNorms ? [norm("attn_sub_norm", qWidth)] : []),
    linear("attn_output", dim, qWidth),
    norm("ffn_norm", dim),
    ...(glu ? [linear("ffn_gate", ffHidden, dim)] : []),
    linear("ffn_up", ffHidden, dim),
    ...(subNorms ? [norm("ffn_sub_norm", ffHidden)] : []),
    linear("ffn_down", dim, ffHidden),
  ];
}

function table(name: string, rows: number, columns: number): ModelTensor {
  return { name, kind: "table", rows, columns };
}

function vector(name: string, columns: number): ModelTensor {
  return { name, kind: "vector", rows: 1, columns };
}

/** About a million numbers a piece: only one piece is in memory twice while it is encoded. */
const PIECE_ELEMENTS = 1 << 20;

/**
 * The rows of a matrix, in pieces of whole rows.
 * @param rowAt the row of `values` at each place, if the order changes
 */
export function* rowPieces<Values extends Float32Array | Int8Array>(
  values: Values,
  { rows, columns }: ModelTensor,
  rowAt?: (row: number) => number,
): Iterable<Values> {
  const step = Math.max(1, Math.floor(PIECE_ELEMENTS / columns));
  for (let begin = 0; begin < rows; begin += step) {
    const end = Math.min(rows, begin + step);
    if (rowAt === undefined) {
      yield values.subarray(begin * columns, end * columns) as Values;
      continue;
    }
    const piece = values.slice(begin * columns, end * columns) as Values;
    for (let row = begin; row < end; row++) {
      const from = rowAt(row) * columns;
      piece.set(values.subarray(from, from + columns), (row - begin) * columns);
    }
    yield piece;
  }
}

/** @throws OnebitError `model/bad-shape` */
export function floatsOf(model: TrainedModel, tensor: ModelTensor): Float32Array {
  const values = model.tensor(tensor.name);
  requireSize(tensor, values.length);
  return values;
}

/** @throws OnebitError `model/bad-shape`; `tensor/bad-data` for a scale outside half precision */
export function codesOf(model: TrainedModel, tensor: ModelTensor): QuantizedMatrix {
  const { codes, scale } = model.quantized(tensor.name);
  requireSize(tensor, codes.length);
  if (!Number.isFinite(scale) || halfToFloat(floatToHalf(scale)) !== scale) {
    fail("tensor/bad-data", `tensor "${tensor.name}": wanted a half-precision scale, found ${scale}`);
  }
  return { codes, scale };
}

function requireSize({ name, rows, columns }: ModelTensor, found: number): void {
  if (found !== rows * columns)
    fail("model/bad-shape", `tensor "${name}": wanted ${rows} × ${columns} numbers, found ${found}`);
}
