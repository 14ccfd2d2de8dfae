/**
 * Reads ternary and binary tensors as integer codes and scales: weight i is `codes[i] * scales[floor(i / group)]`.
 *
 * The readable reference for the byte layouts, used by tests and tools; loading a model repacks with kernels instead.
 * Layouts: ggml `ggml-quants.c` (TQ1_0, TQ2_0, Q1_0, Q2_0), PrismML's fork (PQ2_0, PTQ1_0), microsoft/BitNet (I2_S),
 * Tencent's AngelSlim (STQ1_0).
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { halfToFloat } from "./float16.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";
import type { TensorTypeName } from "./tensor-types.ts";

export interface LowBitTensor {
  /** −1, 0, +1 (ternary) or −1, +1 (binary). The 2-bit types can also hold +2, which no converter writes. */
  readonly codes: Int8Array;
  /** One scale a group of consecutive elements. */
  readonly scales: Float32Array;
  readonly groupElements: number;
}

/** Types this file reads. */
export type LowBitTypeName = keyof typeof DECODERS;

export function isLowBit(type: TensorTypeName): type is LowBitTypeName {
  return type in DECODERS;
}

/**
 * Codes and scales of a whole tensor, or of any run of whole blocks (I2_S: the whole tensor with its tail).
 *
 * @throws OnebitError `tensor/bad-data` when `bytes` does not fit `elements` values, or I2_S holds a code 3
 */
export function decodeLowBit(type: LowBitTypeName, bytes: Uint8Array, elements: number): LowBitTensor {
  const row = TENSOR_TYPES[type];
  const wantedBytes = tensorBytes(row, elements);
  if (wantedBytes !== bytes.length) {
    fail(
      "tensor/bad-data",
      `${elements} elements of ${type}: wanted ${wantedBytes ?? "whole blocks of"} bytes, found ${bytes.length}`,
    );
  }
  const codes = new Int8Array(elements);
  if (type === "I2_S") return { codes, scales: decodeI2S(bytes, codes), groupElements: elements };
  const { blockElements, blockBytes } = row;
  const { scaleAt, unpack } = DECODERS[type];
  const scales = new Float32Array(elements / blockElements);
  for (let b = 0; b < scales.length; b++) {
    const at = b * blockBytes;
    scales[b] = halfToFloat(bytes[at + scaleAt]! | (bytes[at + scaleAt + 1]! << 8));
    unpack(bytes, at, codes, b * blockElements, blockElements);
  }
  return { codes, scales, groupElements: blockElements };
}

/** Writes the `n` codes of the block at `bytes[at]` to `codes[to…]`. */
type Unpack = (bytes: Uint8Array, at: number, codes: Int8Array, to: number, n: number) => void;

/** `scaleAt`: offset of a block's f16 scale. */
const DECODERS = {
  TQ1_0: { scaleAt: 52, unpack: unpackTq1 },
  TQ2_0: { scaleAt: 64, unpack: unpackTq2 },
  Q1_0: { scaleAt: 0, unpack: unpackQ1 },
  Q2_0: { scaleAt: 0, unpack: unpackQ2 },
  Q2_0_G128: { scaleAt: 0, unpack: unpackQ2 },
  PQ2_0: { scaleAt: 0, unpack: unpackQ2 },
  PTQ1_0: { scaleAt: 26, unpack: unpackPtq1 },
  I2_S: { scaleAt: 0, unpack: unpackI2S },
  STQ1_0: { scaleAt: 40, unpack: unpackStq },
} as const satisfies Partial<Record<TensorTypeName, { scaleAt: number; unpack: Unpack }>>;

/** 3^k, to shift a base-3 digit to the top of a byte. */
const POWERS_OF_3: readonly number[] = [1, 3, 9, 27, 81];

/** Digit k, most significant first, of five base-3 digits stored as the fraction byte/256; −1, 0 or +1. */
function trit(byte: number, k: number): number {
  return ((((byte * POWERS_OF_3[k]!) & 255) * 3) >> 8) - 1;
}

/** `nBytes` bytes of `nTrits` digits each; digit k of byte m is element k·nBytes + m. */
function unpackTrits(
  bytes: Uint8Array,
  at: number,
  nBytes: number,
  nTrits: number,
  codes: Int8Array,
  to: number,
): void {
  for (let k = 0; k < nTrits; k++) {
    for (let m = 0; m < nBytes; m++) codes[to + k * nBytes + m] = trit(bytes[at + m]!, k);
  }
}

/** 32 bytes hold elements 0–159, 16 bytes 160–239, five digits each; 4 bytes of four digits hold 240–255. */
function unpackTq1(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  unpackTrits(bytes, at, 32, 5, codes, to);
  unpackTrits(bytes, at + 32, 16, 5, codes, to + 160);
  unpackTrits(bytes, at + 48, 4, 4, codes, to + 240);
}

/** 16 bytes hold elements 0–79, 8 bytes 80–119, five digits each; 2 bytes of four digits hold 120–127. */
function unpackPtq1(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  unpackTrits(bytes, at, 16, 5, codes, to);
  unpackTrits(bytes, at + 16, 8, 5, codes, to + 80);
  unpackTrits(bytes, at + 24, 2, 4, codes, to + 120);
}

/** Two halves of 128: byte m of 32 holds elements m, m+32, m+64, m+96, lowest bits first; code − 1. */
function unpackTq2(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  for (let half = 0; half < 2; half++) {
    for (let r = 0; r < 128; r++) {
      codes[to + half * 128 + r] = ((bytes[at + half * 32 + (r & 31)]! >> (2 * (r >> 5))) & 3) - 1;
    }
  }
}

/** Bit i of 16 bytes after the scale, lowest first: 1 is +1, 0 is −1. */
function unpackQ1(bytes: Uint8Array, at: number, codes: Int8Array, to: number, n: number): void {
  for (let i = 0; i < n; i++) codes[to + i] = ((bytes[at + 2 + (i >> 3)]! >> (i & 7)) & 1) * 2 - 1;
}

/** Four elements a byte after the scale, lowest bits first; code − 1. */
function unpackQ2(bytes: Uint8Array, at: number, codes: Int8Array, to: number, n: number): void {
  for (let i = 0; i < n; i++) codes[to + i] = ((bytes[at + 2 + (i >> 2)]! >> (2 * (i & 3))) & 3) - 1;
}

/** 128 elements in 32 bytes: byte m holds elements m, m+32, m+64, m+96, highest bits first; code − 1. */
function unpackI2S(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  for (let p = 0; p < 128; p++) codes[to + p] = ((bytes[at + (p & 31)]! >> (6 - 2 * (p >> 5))) & 3) - 1;
}

/**
 * 64 groups of four, 16 elements apart, one of each 0: 4 bits tell which, and which of the others have another sign
 * than the first; 8 bytes of the firsts' signs follow.
 */
function unpackStq(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  for (let g = 0; g < 64; g++) {
    const slot = (bytes[at + (g >> 1)]! >> (4 * (g & 1))) & 15,
      first = ((bytes[at + 32 + (g >> 3)]! >> (g & 7)) & 1) === 0 ? 1 : -1;
    const signs = [first, slot & 1 ? -first : first, slot & 2 ? -first : first];
    signs.splice(slot >> 2, 0, 0);
    signs.forEach((sign, lane) => (codes[to + (g >> 4) * 64 + (g & 15) + 16 * lane] = sign));
  }
}

/** Fills `codes` and returns the one scale, which follows the codes. */
function decodeI2S(bytes: Uint8Array, codes: Int8Array): Float32Array {
  for (let block = 0; block < codes.length / 128; block++) unpackI2S(bytes, block * 32, codes, block * 128);
  const wrong = codes.indexOf(2);
  if (wrong >= 0) {
    fail(
      "tensor/bad-data",
      `element ${wrong} of an I2_S tensor has code 3, which I2_S does not use; its writer put another layout under ` +
        "the same type id, convert the model again",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + codes.length / 4, 4);
  return new Float32Array([view.getFloat32(0, true)]);
}
