/**
 * A trained transformer as a GGUF file.
 *
 *     sub-norms, squared ReLU   architecture bitnet-b1.58   onebit, bitnet.cpp
 *     sub-norms, SiLU           architecture bitnet         onebit, llama.cpp (which computes `bitnet` with SiLU)
 *     no sub-norms, SiLU        architecture llama          onebit, llama.cpp
 *
 * The two BitNet architectures mean 8-bit activations with one scale a token wherever weights are of low bits. A llama
 * file says nothing about activations: for ternary weights engines round them to 8 bits in blocks, finer than one scale
 * a token; only I2_S, by definition for 8-bit activations, keeps the trained rounding. Shapes that no engine computes
 * as trained are refused, with the reason.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type OptionTable, checkOptions, oneOf } from "../core/options.ts";
import { encodeLowBit } from "../files/encode-low-bit.ts";
import { type ByteSink, type GgufEntry, type GgufTensorToWrite, writeGguf } from "../files/gguf-writer.ts";
import { quantize } from "../files/quantize.ts";
import { TENSOR_TYPES, type TensorTypeName } from "../files/tensor-types.ts";
import { TRANSFORMER_SHAPE, type TransformerShape } from "../nn/shape.ts";
import { type ModelTensor, codesOf, floatsOf, modelTensors, rowPieces } from "./export-tensors.ts";
import type { TrainedModel } from "./trained-model.ts";
import { vocabularyMetadata } from "./vocabulary.ts";

/** How weights are written. */
export interface GgufExportOptions {
  /**
   * Ternary linears; all of these are exact. TQ2_0 (2.06 bits a weight, the fastest), TQ1_0 (1.69 bits), both for rows
   * of whole 256s; Q2_0 (2.25 bits) for rows of whole 64s; I2_S (2 bits) for rows of whole 128s, which llama.cpp cannot
   * read. Default: TQ2_0, and Q2_0 for the matrices whose rows do not divide into 256s.
   */
  readonly ternary?: "TQ2_0" | "TQ1_0" | "Q2_0" | "I2_S";
  /** Linears of a model of float weights. Default F16. */
  readonly linears?: FloatType;
  /** Embedding, and the head that is not tied to it. Default Q8_0. */
  readonly embedding?: FloatType;
}

/** A tensor type for weights that are not of low bits. */
export type FloatType = "F32" | "F16" | "Q8_0";
const FLOAT_TYPE = oneOf("F32", "F16", "Q8_0");
export const GGUF_EXPORT_OPTIONS: OptionTable<GgufExportOptions> = {
  ternary: oneOf("TQ2_0", "TQ1_0", "Q2_0", "I2_S"),
  linears: FLOAT_TYPE,
  embedding: FLOAT_TYPE,
};

type LowBitType = "TQ2_0" | "TQ1_0" | "Q1_0" | "Q2_0" | "I2_S";

/**
 * Writes the file and returns its size in bytes.
 *
 * Binary linears become Q1_0 (1.125 bits), or Q2_0 where rows do not divide into 128s; both exact.
 *
 * @throws OnebitError `model/unsupported-architecture` for a shape that no GGUF engine computes; `model/bad-shape` when
 * a
 *   row divides into no block of an allowed type, or a tensor has another size than the shape says; `tensor/bad-data`;
 *   what the sink throws
 */
export async function exportGguf(
  model: TrainedModel,
  sink: ByteSink,
  options: GgufExportOptions = {},
): Promise<number> {
  const architecture = ggufArchitectureOf(model.shape);
  const metadata = [
    ...shapeMetadata(model, architecture),
    ...vocabularyMetadata(model.vocabulary, model.shape.vocabSize),
  ];
  const tensors = modelTensors(model.shape).map((tensor) => toWrite(model, tensor, architecture, options));
  return writeGguf(sink, { metadata, tensors });
}

/** `general.architecture` of an exported file. */
export type ArchitectureName = "bitnet" | "bitnet-b1.58" | "llama";

/** Shapes that GGUF cannot hold, and why. */
const REFUSALS: readonly (readonly [(shape: TransformerShape) => boolean, string])[] = [
  [
    (s) => !s.glu,
    "its feed-forward has no gate (glu: false); no engine combines that with RMS norms and rotary positions",
  ],
  [(s) => s.activationBits === 1, "its activations have 1 bit; engines round them to 8 bits or not at all"],
  [
    (s) => s.activationBits === 8 && s.weightBits === 32,
    "its activations have 8 bits and its weights are floats; engines round activations only for low-bit weights",
  ],
  [
    (s) => s.activation === "gelu",
    "its activation is GELU; GGUF's architectures have SiLU or squared ReLU. Export safetensors instead",
  ],
  [
    (s) => !s.subNorms && s.activation !== "silu",
    "it has squared ReLU without sub-norms; llama.cpp would compute it with SiLU. Export safetensors instead",
  ],
  [
    (s) => s.subNorms && !s.tied,
    "it has sub-norms and its own head; GGUF's BitNet architectures always use the embedding as the head. " +
      "Export safetensors instead",
  ],
  [
    (s) => s.subNorms && s.weightBits !== 32 && s.activationBits === 32,
    "it has sub-norms, low-bit weights and float activations; GGUF's BitNet architectures have 8-bit " +
      "activations. Export safetensors instead",
  ],
];

/**
 * The architecture that a GGUF file of this shape names. With sub-norms: `bitnet` with SiLU, `bitnet-b1.58` with
 * squared ReLU; without: `llama`.
 *
 * @throws OnebitError `model/unsupported-architecture` for a shape that no GGUF engine computes; `option/…`
 * @example
 * ```ts
 * import { BitNetTransformer } from "onebit/nn";
 * import { ggufArchitectureOf } from "onebit/train";
 *
 * const { shape } = new BitNetTransformer({ numTokens: 256, dim: 32, depth: 1, heads: 4 });
 * console.log(ggufArchitectureOf(shape)); // bitnet
 * ```
 */
export function ggufArchitectureOf(shape: TransformerShape): ArchitectureName {
  const checked = checkOptions("ggufArchitectureOf", shape, TRANSFORMER_SHAPE);
  const refusal = REFUSALS.find(([applies]) => applies(checked));
  if (refusal !== undefined) fail("model/unsupported-architecture", `GGUF cannot hold this model: ${refusal[1]}`);
  if (!checked.subNorms) return "llama";
  return checked.activation === "silu" ? "bitnet" : "bitnet-b1.58";
}

function shapeMetadata({ shape, name }: TrainedModel, architecture: ArchitectureName): GgufEntry[] {
  const key = (suffix: string) => `${architecture}.${suffix}`;
  return [
    ["general.architecture", "string", architecture],
    ["general.name", "string", name],
    ["general.quantization_version", "uint32", 2],
    [key("vocab_size"), "uint32", shape.vocabSize],
    [key("context_length"), "uint32", shape.contextLength],
    [key("embedding_length"), "uint32", shape.dim],
    [key("block_count"), "uint32", shape.depth],
    [key("feed_forward_length"), "uint32", shape.ffHidden],
    [key("attention.head_count"), "uint32", shape.heads],
    [key("attention.head_count_kv"), "uint32", shape.kvHeads],
    [key("attention.key_length"), "uint32", shape.headDim],
    [key("attention.value_length"), "uint32", shape.headDim],
    [key("attention.layer_norm_rms_epsilon"), "float32", shape.normEps],
    [key("rope.dimension_count"), "uint32", shape.headDim],
    [key("rope.freq_base"), "float32", shape.ropeTheta],
    // `bitnet` alone is ambiguous: conversions of BitNet b1.58 2B4T use it with squared ReLU.
    [key("hidden_activation"), "string", shape.activation],
  ];
}

function toWrite(
  model: TrainedModel,
  tensor: ModelTensor,
  architecture: ArchitectureName,
  options: GgufExportOptions,
): GgufTensorToWrite {
  const { name, kind, rows, columns } = tensor,
    { shape } = model;
  const lowBit = kind === "linear" && shape.weightBits !== 32;
  const type = lowBit ? lowBitType(tensor, shape, options) : floatType(tensor, options);
  const rowAt = architecture === "llama" ? adjacentRows(name, shape.headDim) : undefined;
  const data = lowBit
    ? () => lowBitPieces(model, tensor, type as LowBitType, rowAt)
    : function* () {
        for (const piece of rowPieces(floatsOf(model, tensor), tensor, rowAt)) yield quantize(type, piece);
      };
  return { name, shape: kind === "vector" ? [columns] : [columns, rows], type, data };
}

function* lowBitPieces(
  model: TrainedModel,
  tensor: ModelTensor,
  type: LowBitType,
  rowAt: ((row: number) => number) | undefined,
): Iterable<Uint8Array> {
  const { codes, scale } = codesOf(model, tensor),
    tailBytes = TENSOR_TYPES[type].tailBytes;
  let tail = new Uint8Array(0);
  for (const piece of rowPieces(codes, tensor, rowAt)) {
    const bytes = encodeLowBit(type, piece, scale),
      end = bytes.length - tailBytes;
    tail = bytes.slice(end);
    yield bytes.subarray(0, end);
  }
  // I2_S stores its one scale after the last row, not after each piece.
  yield tail;
}

/** The first exact type for ternary or binary weights whose block divides the rows. */
function lowBitType(
  { name, columns }: ModelTensor,
  { weightBits }: TransformerShape,
  { ternary }: GgufExportOptions,
): LowBitType {
  const ternaryTypes: readonly LowBitType[] = ternary === undefined ? ["TQ2_0", "Q2_0"] : [ternary];
  const types = weightBits === 1 ? (["Q1_0", "Q2_0"] as const) : ternaryTypes;
  const fits = types.find((type) => columns % TENSOR_TYPES[type].blockElements === 0);
  const wanted = types.map((type) => `${TENSOR_TYPES[type].blockElements} (${type})`).join(" or ");
  return (
    fits ??
    fail("model/bad-shape", `tensor "${name}": its rows have ${columns} weights, wanted a multiple of ${wanted}`)
  );
}

function floatType(
  { name, kind, columns }: ModelTensor,
  { linears = "F16", embedding = "Q8_0" }: GgufExportOptions,
): TensorTypeName {
  if (kind === "vector") return "F32";
  const type = kind === "table" ? embedding : linears,
    { blockElements } = TENSOR_TYPES[type];
  if (columns % blockElements === 0) return type;
  return fail(
    "model/bad-shape",
    `tensor "${name}": its rows have ${columns} numbers, wanted a multiple of ${blockElements} for ${type}; choose F16`,
  );
}

/**
 * Training rotates dimensions i and i + headDim/2 of a head together, a llama file 2i and 2i + 1: reorders the rows of
 * q and k. Undefined for other tensors.
 */
function adjacentRows(name: string, headDim: number): ((row: number) => number) | undefined {
  if (!/\.attn_[qk]\.weight$/.test(name)) return undefined;
  return (row) => {
    const i = row % headDim,
      half = headDim / 2;
    return row - i + (i >> 1) + (i % 2 === 0 ? 0 : half);
  };
}
