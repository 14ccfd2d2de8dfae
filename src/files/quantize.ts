/**
 * Floats to tensor bytes, for converters, synthetic models and tests.
 *
 * The simple types follow ggml's `quantize_row_*_ref` (ggml `ggml-quants.c`): the absolute maximum sets the scale.
 * Q4_K and Q6_K are in `quantize-k.ts`. Codes that are already integers go through `encodeLowBit`.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type WritableLowBitType, encodeLowBit, isWritableLowBit } from "./encode-low-bit.ts";
import { floatToHalf, floatsToBfloats, floatsToHalves } from "./float16.ts";
import { quantizeQ4K, quantizeQ6K } from "./quantize-k.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";
import type { TensorTypeName } from "./tensor-types.ts";

/**
 * Encodes whole blocks of values (I2_S: the whole tensor, which has one scale).
 *
 * Ternary types round to the nearest of −amax, 0, +amax of the block, which is exact for weights that are already
 * ternary; Q1_0 keeps signs and the mean magnitude.
 *
 * @throws OnebitError `tensor/bad-data` on a value that is not finite or a partial block,
 *   `tensor/unsupported-type` on a type we do not write
 */
export function quantize(type: TensorTypeName, values: Float32Array): Uint8Array {
  const { blockElements, blockBytes } = TENSOR_TYPES[type];
  if (tensorBytes(TENSOR_TYPES[type], values.length) === undefined) {
    fail("tensor/bad-data", `${values.length} values of ${type}: wanted whole blocks of ${blockElements}`);
  }
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) fail("tensor/bad-data", `value ${wrong} is ${values[wrong]}, wanted a finite number`);
  if (type === "F32") return new Uint8Array(values.slice().buffer);
  if (type === "F16") return new Uint8Array(floatsToHalves(values).buffer);
  if (type === "BF16") return new Uint8Array(floatsToBfloats(values).buffer);
  if (isWritableLowBit(type)) return quantizeLowBit(type, values);
  const pack = ENCODERS[type] ?? fail("tensor/unsupported-type", `values cannot be written as type ${type}`);
  const bytes = new Uint8Array((values.length / blockElements) * blockBytes);
  const view = new DataView(bytes.buffer);
  for (let b = 0; b * blockElements < values.length; b++) {
    pack(values.subarray(b * blockElements, (b + 1) * blockElements), view, b * blockBytes);
  }
  return bytes;
}

/** Writes one block of values at byte `at`. */
type Pack = (block: Float32Array, view: DataView, at: number) => void;

const ENCODERS: Partial<Record<TensorTypeName, Pack>> = {
  Q8_0: packQ8,
  Q4_0: packQ4,
  Q4_K: quantizeQ4K,
  Q6_K: quantizeQ6K,
};

function quantizeLowBit(type: WritableLowBitType, values: Float32Array): Uint8Array {
  const groupElements = type === "I2_S" ? values.length : TENSOR_TYPES[type].blockElements;
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(values.length / groupElements);
  const toCodes = TENSOR_TYPES[type].layout === "binary" ? binaryCodes : ternaryCodes;
  for (let g = 0; g < scales.length; g++) {
    const begin = g * groupElements;
    scales[g] = toCodes(values.subarray(begin, begin + groupElements), codes, begin);
  }
  return encodeLowBit(type, codes, scales);
}

/** Writes the codes of a group to `codes[to…]` and returns its scale. */
function ternaryCodes(group: Float32Array, codes: Int8Array, to: number): number {
  const amax = absmax(group);
  const half = amax / 2;
  for (let i = 0; i < group.length; i++) {
    const value = group[i]!;
    codes[to + i] = amax === 0 || Math.abs(value) < half ? 0 : value > 0 ? 1 : -1;
  }
  return amax;
}

function binaryCodes(group: Float32Array, codes: Int8Array, to: number): number {
  let sum = 0;
  for (let i = 0; i < group.length; i++) {
    const value = group[i]!;
    sum += Math.abs(value);
    codes[to + i] = value >= 0 ? 1 : -1;
  }
  return sum / group.length;
}

function absmax(values: Float32Array): number {
  let amax = 0;
  for (let i = 0; i < values.length; i++) amax = Math.max(amax, Math.abs(values[i]!));
  return amax;
}

function packQ8(block: Float32Array, view: DataView, at: number): void {
  const d = Math.fround(absmax(block) / 127);
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  view.setUint16(at, floatToHalf(d), true);
  for (let i = 0; i < 32; i++) view.setInt8(at + 2 + i, roundHalfAway(Math.fround(block[i]! * inverse)));
}

/** The value of largest magnitude becomes −8, the code that has no positive counterpart. */
function packQ4(block: Float32Array, view: DataView, at: number): void {
  let extreme = 0;
  for (const value of block) if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  const d = Math.fround(extreme / -8);
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  view.setUint16(at, floatToHalf(d), true);
  const nibble = (i: number): number => Math.min(15, Math.trunc(Math.fround(Math.fround(block[i]! * inverse) + 8.5)));
  for (let i = 0; i < 16; i++) view.setUint8(at + 2 + i, nibble(i) | (nibble(i + 16) << 4));
}

/** C's `roundf`. */
function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}
