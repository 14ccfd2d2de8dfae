/**
 * The table of tensor types: what a file may hold, how many bytes it takes, and what it becomes in memory.
 *
 * Ids are those of ggml (`ggml.h`); 36 is the BitNet fork's, 43 Tencent's, 142 and 143 PrismML's, and 42 has three
 * meanings that only the distance between tensors tells apart (see `gguf-tensors.ts`).
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";

/** How we compute with a type's weights: as signs and zeros, as signs, as numbers, or not at all. */
export type TensorLayout =
  /** −1, 0, +1 times a scale: a ternary layout after loading. */
  | "ternary"
  /** −1, +1 times a scale: a binary layout after loading. */
  | "binary"
  /** Numbers, possibly quantised: kept as in the file. */
  | "dense"
  /** Bytes whose meaning another tensor or a config gives (ternary weights packed by Hugging Face). */
  | "packed"
  /** Of known size, so it can be listed, but nothing here computes with it. */
  | "listed";

export interface TensorType {
  readonly name: TensorTypeName;
  /** Type id in GGUF; undefined for a type that only safetensors has. */
  readonly ggmlId: number | undefined;
  /** Elements along shape[0] that share one block. */
  readonly blockElements: number;
  readonly blockBytes: number;
  readonly layout: TensorLayout;
  /** Bytes after the last block: I2_S ends with one scale for the whole tensor, in a 32-byte tail. */
  readonly tailBytes: number;
  readonly parts: BlockParts;
}

/** Offsets of a block's 16-bit scales, and its ranges of codes with the byte that means all zeros: [from, to, byte]. */
export interface BlockParts {
  readonly scales: readonly number[];
  readonly zeros: readonly (readonly [from: number, to: number, byte: number])[];
}

export type TensorTypeName = keyof typeof ROWS;

/** Four 2-bit codes of 1, each meaning 0. */
const ZERO_CODES = 0x55;
/** Five base-3 digits of 1, and four. */
const ZERO_TRITS = 0x80,
  ZERO_LAST_TRITS = 0x7f;

const parts = (scales: BlockParts["scales"], ...zeros: BlockParts["zeros"]): BlockParts => ({ scales, zeros });
const NO_SCALE = parts([]);

/** Name → [ggml id, elements a block, bytes a block, layout, bytes of tail, parts of a block]. */
const ROWS = {
  F32: [0, 1, 4, "dense", 0, parts([0, 2])],
  F16: [1, 1, 2, "dense", 0, parts([0])],
  BF16: [30, 1, 2, "dense", 0, parts([0])],
  Q4_0: [2, 32, 18, "dense", 0, parts([0], [2, 18, 0x88])],
  Q8_0: [8, 32, 34, "dense", 0, parts([0], [2, 34, 0])],
  Q4_K: [12, 256, 144, "dense", 0, parts([0, 2])],
  Q6_K: [14, 256, 210, "dense", 0, parts([208])],
  TQ1_0: [34, 256, 54, "ternary", 0, parts([52], [0, 48, ZERO_TRITS], [48, 52, ZERO_LAST_TRITS])],
  TQ2_0: [35, 256, 66, "ternary", 0, parts([64], [0, 64, ZERO_CODES])],
  /** Ternary, 128 weights in 32 bytes; ne0 must be a multiple of 128 so that no row shares a byte with the next. */
  I2_S: [36, 128, 32, "ternary", 32, parts([], [0, 32, ZERO_CODES])],
  Q1_0: [41, 128, 18, "binary", 0, parts([0])],
  /** Groups of 64, as in ggml. */
  Q2_0: [42, 64, 18, "ternary", 0, parts([0], [2, 18, ZERO_CODES])],
  /** Groups of 128, as PrismML first wrote it, under the same id. */
  Q2_0_G128: [42, 128, 34, "ternary", 0, parts([0], [2, 34, ZERO_CODES])],
  /** The same bytes as Q2_0_G128, under PrismML's own id. */
  PQ2_0: [142, 128, 34, "ternary", 0, parts([0], [2, 34, ZERO_CODES])],
  PTQ1_0: [143, 128, 28, "ternary", 0, parts([26], [0, 24, ZERO_TRITS], [24, 26, ZERO_LAST_TRITS])],
  /** Three of every four weights are not 0; Tencent's first files have it under id 42. */
  STQ1_0: [43, 256, 42, "ternary", 0, parts([40])],
  U8: [undefined, 1, 1, "packed", 0, parts([], [0, 1, ZERO_CODES])],
  I8: [24, 1, 1, "listed", 0, NO_SCALE],
  I16: [25, 1, 2, "listed", 0, NO_SCALE],
  I32: [26, 1, 4, "listed", 0, NO_SCALE],
  I64: [27, 1, 8, "listed", 0, NO_SCALE],
  F64: [28, 1, 8, "listed", 0, NO_SCALE],
  BOOL: [undefined, 1, 1, "listed", 0, NO_SCALE],
  U16: [undefined, 1, 2, "listed", 0, NO_SCALE],
  U32: [undefined, 1, 4, "listed", 0, NO_SCALE],
  U64: [undefined, 1, 8, "listed", 0, NO_SCALE],
  F8_E4M3: [undefined, 1, 1, "listed", 0, NO_SCALE],
  F8_E5M2: [undefined, 1, 1, "listed", 0, NO_SCALE],
} as const satisfies Record<string, readonly [number | undefined, number, number, TensorLayout, number, BlockParts]>;

/** Every type, by name. */
export const TENSOR_TYPES: Readonly<Record<TensorTypeName, TensorType>> = Object.freeze(
  Object.fromEntries(
    Object.entries(ROWS).map(([name, [ggmlId, blockElements, blockBytes, layout, tailBytes, parts]]) => [
      name,
      Object.freeze({ name, ggmlId, blockElements, blockBytes, layout, tailBytes, parts }),
    ]),
  ),
) as Readonly<Record<TensorTypeName, TensorType>>;

export type FloatTypeName = "F32" | "F16" | "BF16";

/** True for the types that hold plain floats. */
export function isFloatType(name: TensorTypeName): name is FloatTypeName {
  return name === "F32" || name === "F16" || name === "BF16";
}

/**
 * The id by which kernels know a tensor's type.
 * @throws OnebitError `tensor/unsupported-type` for a type that only safetensors has.
 */
export function kernelTypeId({ name, type }: { readonly name: string; readonly type: TensorTypeName }): number {
  return (
    TENSOR_TYPES[type].ggmlId ?? fail("tensor/unsupported-type", `tensor ${quoted(name)}: no kernel reads ${type}`)
  );
}

/** @throws OnebitError `tensor/unsupported-type` for a type that no kernel multiplies by. */
export function requireWeightType({ name, type }: { readonly name: string; readonly type: TensorTypeName }): void {
  const { layout } = TENSOR_TYPES[type];
  if (layout === "ternary" || layout === "binary" || layout === "dense") return;
  fail(
    "tensor/unsupported-type",
    `tensor ${quoted(name)}: no kernel multiplies by ${type}; convert it to TQ2_0, Q1_0, Q8_0 or F16`,
  );
}

/** Names of the type ids that only other builds compute with. */
const FOREIGN_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [3, "Q4_1"],
  [6, "Q5_0"],
  [7, "Q5_1"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [13, "Q5_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [29, "IQ1_M"],
  [37, "I8_S"],
  [38, "TL1"],
  [39, "MXFP4 (or TL2 of bitnet.cpp)"],
  [40, "NVFP4"],
  [134, "IQ1_BN"],
  [135, "IQ2_BN"],
]);

const REQUANTIZE = "convert the model again with TQ2_0 (ternary) or Q1_0 (binary) weights and a Q6_K, Q8_0 or F16 head";
const ADVICE: ReadonlyMap<number, string> = new Map([
  [
    38,
    "its byte order depends on a tile configuration that the file does not hold; convert the model to I2_S or TQ2_0",
  ],
  [
    39,
    "a TL2 file needs a tile configuration that it does not hold: convert it to I2_S or TQ2_0; " +
      "weights in MXFP4 are not those of a 1-bit model",
  ],
  [40, "weights in NVFP4 are not those of a 1-bit model"],
]);

/** The type of a GGUF id. Id 42 gives Q2_0; the caller decides between its meanings. */
export function tensorTypeOfId(id: number): TensorType | undefined {
  for (const type of Object.values(TENSOR_TYPES)) if (type.ggmlId === id) return type;
  return undefined;
}

/**
 * Refuses a type by its name and says what to do instead.
 * @throws OnebitError `tensor/unsupported-type`, always.
 */
export function refuseTensorType(tensorName: string, id: number): never {
  const foreign = FOREIGN_TYPE_NAMES.get(id);
  const found = foreign === undefined ? `unknown type id ${id}` : `type ${foreign} (id ${id})`;
  const advice =
    ADVICE.get(id) ?? (foreign === undefined ? "the file is newer than this version, or damaged" : REQUANTIZE);
  return fail("tensor/unsupported-type", `tensor ${quoted(tensorName)}: ${found} is not supported; ${advice}`);
}

/**
 * Bytes of a tensor of `elements` values, or undefined when that is not a whole, safe number of bytes.
 * A caller that has a shape must also check that shape[0] is a multiple of `blockElements`.
 */
export function tensorBytes(type: TensorType, elements: number): number | undefined {
  const blocks = elements / type.blockElements;
  const bytes = blocks * type.blockBytes + type.tailBytes;
  return Number.isSafeInteger(blocks) && Number.isSafeInteger(bytes) ? bytes : undefined;
}
