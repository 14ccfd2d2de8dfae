/**
 * Writes ternary and binary tensors from integer codes and scales: the inverse of `decode-low-bit.ts`, which describes
 * the byte layouts.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { LowBitTypeName } from "./decode-low-bit.ts";
import { floatToHalf } from "./float16.ts";
import { TENSOR_TYPES, type TensorTypeName, tensorBytes } from "./tensor-types.ts";

/**
 * Encodes whole blocks of codes.
 *
 * @param codes −1, 0, +1; for Q1_0 only −1, +1
 * @param scales one for all, or one a block of the type (TQ*: 256, Q1_0, PQ2_0, PTQ1_0, Q2_0_G128: 128, Q2_0: 64);
 *   rounded to half precision, except that of I2_S
 * @param out room for the encoded bytes
 * @throws OnebitError `tensor/bad-data` on another code, a partial block, or a wrong number of scales
 */
export function encodeLowBit(
  type: WritableLowBitType,
  codes: Int8Array,
  scales: Float32Array | number,
  out?: Uint8Array,
): Uint8Array {
  const { blockElements, blockBytes } = TENSOR_TYPES[type];
  const sizeBytes = tensorBytes(TENSOR_TYPES[type], codes.length);
  if (sizeBytes === undefined || (out !== undefined && out.length !== sizeBytes)) {
    fail(
      "tensor/bad-data",
      `${codes.length} codes of ${type}: wanted whole blocks of ${blockElements}, and room for their bytes`,
    );
  }
  requireCodes(type, codes);
  const bytes = out ?? new Uint8Array(sizeBytes);
  const nBlocks = codes.length / blockElements;
  const { scaleAt, pack } = ENCODERS[type];
  for (let b = 0; b < nBlocks; b++) pack(codes, b * blockElements, bytes, b * blockBytes, blockElements);
  if (type === "I2_S") writeTail(bytes, nBlocks * blockBytes, scales);
  else writeScales(bytes, scales, nBlocks, blockBytes, scaleAt);
  return bytes;
}

function requireCodes(type: WritableLowBitType, codes: Int8Array): void {
  const binary = TENSOR_TYPES[type].layout === "binary";
  let wrong = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    // −1, 0, +1 become 0, 1, 2; a binary code must be odd.
    wrong |= (code + 1) >>> 0 > 2 || (binary && code === 0) ? 1 : 0;
  }
  if (wrong !== 0) fail("tensor/bad-data", `codes of ${type} must be ${binary ? "−1 or +1" : "−1, 0 or +1"}`);
}

function writeScales(
  bytes: Uint8Array,
  scales: Float32Array | number,
  nBlocks: number,
  blockBytes: number,
  scaleAt: number,
): void {
  if (typeof scales !== "number" && scales.length !== nBlocks) {
    fail("tensor/bad-data", `wanted ${nBlocks} scales, one a block, found ${scales.length}`);
  }
  const shared = typeof scales === "number" ? floatToHalf(scales) : 0;
  for (let b = 0; b < nBlocks; b++) {
    const bits = typeof scales === "number" ? shared : floatToHalf(scales[b]!);
    bytes[b * blockBytes + scaleAt] = bits & 255;
    bytes[b * blockBytes + scaleAt + 1] = bits >> 8;
  }
}

function writeTail(bytes: Uint8Array, at: number, scales: Float32Array | number): void {
  const scale = typeof scales === "number" ? scales : scales.length === 1 ? scales[0]! : undefined;
  if (scale === undefined)
    fail("tensor/bad-data", `I2_S has one scale for the whole tensor, found ${(scales as Float32Array).length}`);
  bytes.fill(0, at, at + 32);
  new DataView(bytes.buffer, bytes.byteOffset + at, 4).setFloat32(0, scale, true);
}

/** Packs the `n` codes at `codes[from]` into the block at `bytes[at]`. */
type Pack = (codes: Int8Array, from: number, bytes: Uint8Array, at: number, n: number) => void;

const ENCODERS = {
  TQ1_0: { scaleAt: 52, pack: packTq1 },
  TQ2_0: { scaleAt: 64, pack: packTq2 },
  Q1_0: { scaleAt: 0, pack: packQ1 },
  Q2_0: { scaleAt: 0, pack: packQ2 },
  Q2_0_G128: { scaleAt: 0, pack: packQ2 },
  PQ2_0: { scaleAt: 0, pack: packQ2 },
  PTQ1_0: { scaleAt: 26, pack: packPtq1 },
  I2_S: { scaleAt: 0, pack: packI2S },
} as const satisfies Partial<Record<LowBitTypeName, { scaleAt: number; pack: Pack }>>;

/** The low-bit types that can be written; one that is only read needs no row here. */
export type WritableLowBitType = keyof typeof ENCODERS;

export function isWritableLowBit(type: TensorTypeName): type is WritableLowBitType {
  return type in ENCODERS;
}

/**
 * Five digits v (or four, times three) become the fraction ⌈256·v/243⌉; each multiplication by 3 yields the next digit.
 */
const FRACTION_OF_DIGITS = Uint8Array.from({ length: 243 }, (_, v) => Math.ceil((v * 256) / 243));

/** Digit k of byte m is element k·nBytes + m; a missing fifth digit is 0. */
function packTrits(
  codes: Int8Array,
  from: number,
  bytes: Uint8Array,
  at: number,
  nBytes: number,
  nTrits: number,
): void {
  for (let m = 0; m < nBytes; m++) {
    let digits = 0;
    for (let k = 0; k < nTrits; k++) digits = digits * 3 + codes[from + k * nBytes + m]! + 1;
    bytes[at + m] = FRACTION_OF_DIGITS[nTrits === 5 ? digits : digits * 3]!;
  }
}

function packTq1(codes: Int8Array, from: number, bytes: Uint8Array, at: number): void {
  packTrits(codes, from, bytes, at, 32, 5);
  packTrits(codes, from + 160, bytes, at + 32, 16, 5);
  packTrits(codes, from + 240, bytes, at + 48, 4, 4);
}

function packPtq1(codes: Int8Array, from: number, bytes: Uint8Array, at: number): void {
  packTrits(codes, from, bytes, at, 16, 5);
  packTrits(codes, from + 80, bytes, at + 16, 8, 5);
  packTrits(codes, from + 120, bytes, at + 24, 2, 4);
}

function packTq2(codes: Int8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let m = 0; m < 64; m++) {
    const c = from + (m >> 5) * 128 + (m & 31);
    // 0b01010101 adds 1 to each of the four codes at once.
    bytes[at + m] = 0x55 + codes[c]! + codes[c + 32]! * 4 + codes[c + 64]! * 16 + codes[c + 96]! * 64;
  }
}

function packQ1(codes: Int8Array, from: number, bytes: Uint8Array, at: number, n: number): void {
  for (let m = 0; m < n / 8; m++) {
    let bits = 0;
    for (let i = 0; i < 8; i++) bits |= ((codes[from + 8 * m + i]! + 1) >> 1) << i;
    bytes[at + 2 + m] = bits;
  }
}

function packQ2(codes: Int8Array, from: number, bytes: Uint8Array, at: number, n: number): void {
  for (let m = 0; m < n / 4; m++) {
    const c = from + 4 * m;
    bytes[at + 2 + m] = 0x55 + codes[c]! + codes[c + 1]! * 4 + codes[c + 2]! * 16 + codes[c + 3]! * 64;
  }
}

function packI2S(codes: Int8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let m = 0; m < 32; m++) {
    const c = from + m;
    bytes[at + m] = 0x55 + codes[c]! * 64 + codes[c + 32]! * 16 + codes[c + 64]! * 4 + codes[c + 96]!;
  }
}
