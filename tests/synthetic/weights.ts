/**
 * The bytes of a tensor of random weights with a wanted standard deviation, chunk by chunk, so that a file of any
 * size is written with a few MB of memory.
 *
 * Ternary and binary weights are drawn as codes and scales and then encoded: the same seed gives the same weights in
 * every ternary type. Dense types get random quants under constant scales: fast, and as good for timing and comparing.
 */
import { encodeLowBit } from "../../src/files/encode-low-bit.ts";
import { floatToHalf, halfToFloat } from "../../src/files/float16.ts";
import { quantize } from "../../src/files/quantize.ts";
import { TENSOR_TYPES } from "../../src/files/tensor-types.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { seededRandom, seedOf } from "./random.ts";
import type { Random } from "./random.ts";

export interface TensorSpec {
  readonly name: string;
  readonly type: TensorTypeName;
  /** ne order: shape[0] is the contiguous dimension. */
  readonly shape: readonly number[];
  readonly mean: number;
  readonly std: number;
  /** F32 only: half of the values, at random, change their sign. */
  readonly randomSigns?: boolean;
  /** Ternary and binary: one scale for the tensor, or one for every 256 (binary: 128) weights, ±25 % apart. */
  readonly scalePerTensor: boolean;
}

/** Yields the encoded tensor in chunks. */
export function* tensorBytes(spec: TensorSpec, seed: number): Generator<Uint8Array> {
  const nElements = spec.shape.reduce((product, n) => product * n, 1);
  const encode = encoders[spec.type];
  if (!encode) throw new Error(`synthetic weights: no encoder for ${spec.type}`);
  const tensorSeed = seedOf(seed, spec.name);
  const source: Source = { values: seededRandom(tensorSeed), scales: seededRandom(tensorSeed ^ 0x5ca1e), spec };
  for (let done = 0; done < nElements; done += CHUNK_ELEMENTS) {
    yield encode(source, Math.min(CHUNK_ELEMENTS, nElements - done));
  }
  if (spec.type === "I2_S") yield encodeLowBit("I2_S", new Int8Array(0), wholeScale(source));
}

interface Source {
  readonly values: Random;
  readonly scales: Random;
  readonly spec: TensorSpec;
}

type Encoder = (source: Source, nElements: number) => Uint8Array;

// A multiple of every block, and small enough to stay in the cache between drawing and encoding.
const CHUNK_ELEMENTS = 256 * 1024;

/** Standard deviation of a ternary code that is −1, 0, +1 with equal odds. */
const TERNARY_STD = Math.sqrt(2 / 3);

/** Weights that share a scale, whatever the type's own block: what the coarsest ternary types can hold. */
const TERNARY_GROUP = 256;

const encoders: Partial<Record<TensorTypeName, Encoder>> = {
  F32: (source, n) => quantize("F32", normals(source, n)),
  F16: (source, n) => quantize("F16", normals(source, n)),
  BF16: (source, n) => quantize("BF16", normals(source, n)),
  Q8_0: (source, n) => randomBlocks(source, n, "Q8_0", [[0, source.spec.std / 73.9]]),
  Q4_0: (source, n) => randomBlocks(source, n, "Q4_0", [[0, source.spec.std / 4.61]]),
  Q4_K: encodeQ4K,
  Q6_K: encodeQ6K,
  TQ1_0: ternaryEncoder("TQ1_0"),
  TQ2_0: ternaryEncoder("TQ2_0"),
  Q2_0: ternaryEncoder("Q2_0"),
  Q2_0_G128: ternaryEncoder("Q2_0_G128"),
  PQ2_0: ternaryEncoder("PQ2_0"),
  PTQ1_0: ternaryEncoder("PTQ1_0"),
  I2_S: encodeI2S,
  Q1_0: encodeQ1,
};

function normals({ values, spec }: Source, nElements: number): Float32Array {
  const out = new Float32Array(nElements);
  for (let i = 0; i < nElements; i++) {
    const value = spec.mean + spec.std * values.normal();
    out[i] = spec.randomSigns && values.u32() & 1 ? -value : value;
  }
  return out;
}

// Four codes for each 16-bit draw: entry d holds the base-3 digits of d mod 81 as bytes −1, 0, +1. 65536 mod 81 = 7:
// the seven extra entries are the middle ones (around all-zero), so that the mean stays zero.
const fourCodes = Uint32Array.from({ length: 65_536 }, (_, draw) => {
  let digits = draw < 65_529 ? draw % 81 : 37 + (draw - 65_529);
  let word = 0;
  for (let i = 0; i < 4; i++, digits = Math.trunc(digits / 3)) word |= (((digits % 3) - 1) & 0xff) << (8 * i);
  return word >>> 0;
});

function ternaryCodes(random: Random, nElements: number): Int8Array {
  const words = new Uint32Array(nElements / 4);
  for (let i = 0; i < words.length; i += 2) {
    const draw = random.u32();
    words[i] = fourCodes[draw & 0xffff];
    words[i + 1] = fourCodes[draw >>> 16];
  }
  return new Int8Array(words.buffer);
}

type BlockTernary = "TQ1_0" | "TQ2_0" | "Q2_0" | "Q2_0_G128" | "PQ2_0" | "PTQ1_0";

function ternaryEncoder(type: BlockTernary): Encoder {
  const blocksPerGroup = TERNARY_GROUP / TENSOR_TYPES[type].blockElements;
  return (source, nElements) => {
    const scales = new Float32Array((nElements / TERNARY_GROUP) * blocksPerGroup);
    for (let i = 0; i < scales.length; i += blocksPerGroup) {
      scales.fill(blockScale(source, TERNARY_STD), i, i + blocksPerGroup);
    }
    return encodeLowBit(type, ternaryCodes(source.values, nElements), scales);
  };
}

/** The codes of a chunk; the scale, which I2_S has once, follows the last chunk. */
function encodeI2S(source: Source, nElements: number): Uint8Array {
  const bytes = encodeLowBit("I2_S", ternaryCodes(source.values, nElements), 0);
  return bytes.subarray(0, nElements / 4);
}

/** Rounded to f16 as the block types round it, so that the weights are the same. */
function wholeScale({ spec }: Source): number {
  if (!spec.scalePerTensor)
    throw new Error("synthetic weights: I2_S has one scale a tensor; this shape has one a block");
  return halfToFloat(floatToHalf(spec.std / TERNARY_STD));
}

function blockScale({ scales, spec }: Source, codeStd: number): number {
  const base = spec.std / codeStd;
  return spec.scalePerTensor ? base : base * (1 + 0.25 * (scales.u32() / 0x8000_0000 - 1));
}

function encodeQ1(source: Source, nElements: number): Uint8Array {
  const out = new Uint8Array((nElements / 128) * 18);
  for (let at = 0; at < out.length; at += 18) {
    putU16(out, at, floatToHalf(blockScale(source, 1)));
    for (let word = 0; word < 4; word++) putU32(out, at + 2 + 4 * word, source.values.u32());
  }
  return out;
}

/** Blocks of random bits, with f16 `value`s put at the given bytes of each. */
function randomBlocks(
  { values }: Source,
  nElements: number,
  type: TensorTypeName,
  halves: [at: number, value: number][],
): Uint8Array {
  const { blockElements, blockBytes } = TENSOR_TYPES[type];
  const out = new Uint8Array((nElements / blockElements) * blockBytes);
  for (let at = 0; at + 1 < out.length; at += 2) putU16(out, at, values.u32() >>> 16);
  for (const [offset, value] of halves) {
    const bits = floatToHalf(value);
    for (let at = offset; at < out.length; at += blockBytes) putU16(out, at, bits);
  }
  return out;
}

// Nibbles of mean 7.5 and standard deviation 4.61 under 6-bit scales whose root mean square is 36.4; the minimum of a
// sub-block is its scale, times 7.5: what takes the mean away.
function encodeQ4K(source: Source, nElements: number): Uint8Array {
  const d = source.spec.std / (4.61 * 36.4);
  const out = randomBlocks(source, nElements, "Q4_K", [
    [0, d],
    [2, d * 7.5],
  ]);
  for (let at = 4; at < out.length; at += 144) {
    for (let j = 0; j < 4; j++) {
      out[at + 4 + j] = (out[at + j] & 63) | (out[at + 4 + j] & 0xc0);
      // The upper four pairs: 4 low bits of each in one byte, 2 high bits on top of the bytes before.
      const low = out[at + 8 + j] & 15;
      out[at + 8 + j] = low | (low << 4);
      out[at + 4 + j] = (out[at + 4 + j] & 63) | (out[at + j] & 0xc0);
    }
  }
  return out;
}

// Quants are uniform over −32..31 (standard deviation 18.5) under sub-block scales of 64..127 with random signs, whose
// root mean square is 97.
function encodeQ6K({ values, spec }: Source, nElements: number): Uint8Array {
  const out = new Uint8Array((nElements / 256) * 210);
  const d = floatToHalf(spec.std / (18.47 * 97.2));
  for (let at = 0; at < out.length; at += 210) {
    for (let i = 0; i < 192; i += 4) putU32(out, at + i, values.u32());
    for (let i = 0; i < 16; i++) {
      const draw = values.u32();
      const scale = 64 + (draw & 63);
      out[at + 192 + i] = draw & 64 ? 256 - scale : scale;
    }
    putU16(out, at + 208, d);
  }
  return out;
}

function putU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
}

function putU32(out: Uint8Array, at: number, value: number): void {
  putU16(out, at, value);
  putU16(out, at + 2, value >>> 16);
}
