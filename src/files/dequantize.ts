/**
 * The values of a tensor of any type, as floats: the readable reference that tests and tools compare with.
 *
 * Bit for bit the values of ggml's `dequantize_row_*` (ggml `ggml-quants.c`). Every product below is exact in double
 * precision, so rounding happens once, on the store to the Float32Array.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { decodeLowBit, isLowBit } from "./decode-low-bit.ts";
import { halfToFloat } from "./float16.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";
import type { TensorTypeName } from "./tensor-types.ts";

/**
 * Decodes a whole tensor, or any run of whole blocks (I2_S: the whole tensor with its tail).
 *
 * @returns `elements` floats
 * @throws OnebitError `tensor/bad-data` when `bytes` has another size; `tensor/unsupported-type` for types that are
 *   only listed, and for U8, whose meaning is not in the tensor
 */
export function dequantize(type: TensorTypeName, bytes: Uint8Array, elements: number): Float32Array {
  if (isLowBit(type)) {
    const { codes, scales, groupElements } = decodeLowBit(type, bytes, elements);
    const values = new Float32Array(elements);
    for (let i = 0; i < elements; i++) values[i] = codes[i]! * scales[(i / groupElements) | 0]!;
    return values;
  }
  const unpack =
    DECODERS[type] ?? fail("tensor/unsupported-type", `values of type ${type} cannot be decoded on their own`);
  const { blockElements, blockBytes } = TENSOR_TYPES[type];
  const wantedBytes = tensorBytes(TENSOR_TYPES[type], elements);
  if (wantedBytes !== bytes.length) {
    fail(
      "tensor/bad-data",
      `${elements} elements of ${type}: wanted ${wantedBytes ?? "whole blocks of"} bytes, found ${bytes.length}`,
    );
  }
  const values = new Float32Array(elements);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let b = 0; b * blockElements < elements; b++) unpack(view, b * blockBytes, values, b * blockElements);
  return values;
}

/** Writes the values of the block at byte `at` to `values[to…]`. */
type Unpack = (view: DataView, at: number, values: Float32Array, to: number) => void;

const DECODERS: Partial<Record<TensorTypeName, Unpack>> = {
  F32: (view, at, values, to) => {
    values[to] = view.getFloat32(at, true);
  },
  F16: (view, at, values, to) => {
    values[to] = halfToFloat(view.getUint16(at, true));
  },
  BF16: unpackBf16,
  Q4_0: unpackQ4,
  Q8_0: unpackQ8,
  Q4_K: unpackQ4K,
  Q6_K: unpackQ6K,
};

/** The bits are the upper half of a float. */
function unpackBf16(view: DataView, at: number, values: Float32Array, to: number): void {
  new Uint32Array(values.buffer, 4 * to, 1)[0] = view.getUint16(at, true) << 16;
}

/** f16 d, 16 bytes: low nibbles are elements 0–15, high ones 16–31; (nibble − 8)·d. */
function unpackQ4(view: DataView, at: number, values: Float32Array, to: number): void {
  const d = halfToFloat(view.getUint16(at, true));
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 2 + i);
    values[to + i] = ((byte & 15) - 8) * d;
    values[to + 16 + i] = ((byte >> 4) - 8) * d;
  }
}

/** f16 d, 32 signed bytes. */
function unpackQ8(view: DataView, at: number, values: Float32Array, to: number): void {
  const d = halfToFloat(view.getUint16(at, true));
  for (let i = 0; i < 32; i++) values[to + i] = view.getInt8(at + 2 + i) * d;
}

/** f16 d, f16 dmin, 12 bytes of eight 6-bit (scale, min) pairs, 128 bytes of nibbles; d·scale·q − dmin·min. */
function unpackQ4K(view: DataView, at: number, values: Float32Array, to: number): void {
  const d = halfToFloat(view.getUint16(at, true));
  const dmin = halfToFloat(view.getUint16(at + 2, true));
  for (let j = 0; j < 8; j++) {
    const [scale, min] = q4kScaleMin(view, at + 4, j);
    const shift = (j & 1) * 4;
    for (let i = 0; i < 32; i++) {
      const q = (view.getUint8(at + 16 + (j >> 1) * 32 + i) >> shift) & 15;
      values[to + j * 32 + i] = d * scale * q - dmin * min;
    }
  }
}

/** Pair j of the packed scales: the first four in the low 6 bits, the rest in nibbles and the top bits left over. */
function q4kScaleMin(view: DataView, at: number, j: number): [scale: number, min: number] {
  const byte = (i: number): number => view.getUint8(at + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

/** 128 bytes of low nibbles, 64 bytes of 2 high bits, 16 signed scales, f16 d; d·scale·(q − 32). */
function unpackQ6K(view: DataView, at: number, values: Float32Array, to: number): void {
  const d = halfToFloat(view.getUint16(at + 208, true));
  for (let half = 0; half < 2; half++) {
    for (let r = 0; r < 128; r++) {
      const group = r >> 5;
      const lane = r & 31;
      const low = (view.getUint8(at + half * 64 + (group & 1) * 32 + lane) >> (group < 2 ? 0 : 4)) & 15;
      const high = (view.getUint8(at + 128 + half * 32 + lane) >> (2 * group)) & 3;
      const scale = view.getInt8(at + 192 + half * 8 + group * 2 + (lane >> 4));
      values[to + half * 128 + r] = d * scale * ((low | (high << 4)) - 32);
    }
  }
}
