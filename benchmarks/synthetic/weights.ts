/**
 * The bytes of a tensor of random weights with a wanted standard deviation, block by block, so that a file of any
 * size is written with a few MB of memory.
 *
 * Ternary and binary weights are drawn as codes and then encoded: the same seed gives the same model in every ternary
 * type. Dense types get random quants under constant scales, which is fast and as good for timing and comparing.
 */
import { seededRandom, seedOf } from "./random.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import type { Random } from "./random.ts";

export interface TensorSpec {
  readonly name: string;
  readonly type: TensorTypeName;
  /** ne order: shape[0] is the contiguous dimension. */
  readonly shape: readonly number[];
  readonly mean: number;
  readonly std: number;
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

const encoders: Partial<Record<TensorTypeName, Encoder>> = {
  F32: (source, n) => new Uint8Array(normals(source, n).buffer),
  F16: (source, n) => new Uint8Array(Uint16Array.from(normals(source, n), f16Bits).buffer),
  TQ2_0: (source, n) => encodeTq2(source, ternaryCodes(source.values, n)),
  Q1_0: encodeQ1,
  Q6_K: encodeQ6K,
};

function normals({ values, spec }: Source, nElements: number): Float32Array {
  const out = new Float32Array(nElements);
  for (let i = 0; i < nElements; i++) out[i] = spec.mean + spec.std * values.normal();
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

function blockScale({ scales, spec }: Source, codeStd: number): number {
  const base = spec.std / codeStd;
  return spec.scalePerTensor ? base : base * (1 + 0.25 * ((scales.u32() / 0x8000_0000) - 1));
}

function encodeTq2(source: Source, codes: Int8Array): Uint8Array {
  const nBlocks = codes.length / 256;
  const out = new Uint8Array(nBlocks * 66);
  for (let block = 0, at = 0, from = 0; block < nBlocks; block++, at += 66, from += 256) {
    for (let i = 0; i < 64; i++) {
      const c = from + (i & 32) * 4 + (i & 31);
      out[at + i] = (codes[c] + 1) | ((codes[c + 32] + 1) << 2) | ((codes[c + 64] + 1) << 4) | ((codes[c + 96] + 1) << 6);
    }
    putU16(out, at + 64, f16Bits(blockScale(source, TERNARY_STD)));
  }
  return out;
}

function encodeQ1(source: Source, nElements: number): Uint8Array {
  const out = new Uint8Array((nElements / 128) * 18);
  for (let at = 0; at < out.length; at += 18) {
    putU16(out, at, f16Bits(blockScale(source, 1)));
    for (let word = 0; word < 4; word++) putU32(out, at + 2 + 4 * word, source.values.u32());
  }
  return out;
}

// Quants are uniform over −32..31 (standard deviation 18.5) under sub-block scales of 64..127 with random signs, whose
// root mean square is 97.
function encodeQ6K({ values, spec }: Source, nElements: number): Uint8Array {
  const out = new Uint8Array((nElements / 256) * 210);
  const d = f16Bits(spec.std / (18.47 * 97.2));
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

const f32Scratch = new Float32Array(1);
const f32Bits = new Uint32Array(f32Scratch.buffer);

/** f32 → f16 bits, ties to even; normal range only, which is all that synthetic scales use. */
function f16Bits(value: number): number {
  f32Scratch[0] = value;
  const bits = f32Bits[0];
  const rounded = bits + 0xfff + ((bits >>> 13) & 1);
  const exponent = ((rounded >>> 23) & 0xff) - 112;
  const sign = (bits >>> 16) & 0x8000;
  if (exponent <= 0) return sign | Math.round(Math.abs(value) * 2 ** 24);
  return sign | (exponent << 10) | ((rounded >>> 13) & 0x3ff);
}
