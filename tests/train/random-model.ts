/**
 * Trained models of random weights. Every number of a matrix is one that F16 holds: scales are powers of two, tables
 * and float linears multiples of 1/64 or of a smaller power of two. Masters of ternary linears have exactly their scale
 * as mean magnitude, so that rounding them at load gives the codes back.
 */
import { type Random, seedOf, seededRandom } from "../synthetic/random.ts";
import type { TransformerShape } from "../../src/nn/shape.ts";
import type { QuantizedMatrix, TrainedModel } from "../../src/train/trained-model.ts";
import { type TrainedVocabulary, byteVocabulary } from "../../src/train/vocabulary.ts";

/** BitNet with SiLU, grouped queries, 256 bytes. */
const SHAPE: TransformerShape = {
  vocabSize: 256,
  dim: 256,
  depth: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 64,
  ffHidden: 512,
  activation: "silu",
  glu: true,
  ropeTheta: 10_000,
  normEps: 1e-5,
  contextLength: 128,
  weightBits: 1.58,
  activationBits: 8,
  subNorms: true,
  tied: true,
};

/** What attention and feed-forward add is this much smaller than the stream: a rounding of 8 bits then stays one. */
const BRANCH = 1 / 8;

export function randomModel(
  changes: Partial<TransformerShape> = {},
  vocabulary: TrainedVocabulary = byteVocabulary(),
): TrainedModel {
  const shape = { ...SHAPE, ...changes };
  const columnsOf = (name: string) =>
    /attn_output/.test(name) ? shape.heads * shape.headDim : /ffn_down/.test(name) ? shape.ffHidden : shape.dim;
  const rowsOf = (name: string) =>
    /attn_q/.test(name)
      ? shape.heads * shape.headDim
      : /attn_[kv]/.test(name)
        ? shape.kvHeads * shape.headDim
        : /ffn_(?:gate|up)/.test(name)
          ? shape.ffHidden
          : shape.dim;
  const quantized = remember((name): QuantizedMatrix => {
    const random = seededRandom(seedOf(3, name)),
      columns = columnsOf(name),
      n = rowsOf(name) * columns;
    const gain = /attn_output|ffn_down/.test(name) ? BRANCH : 1;
    const scale = gain * 2 ** (-Math.round(Math.log2(Math.sqrt(columns))) + (random.u32() % 2));
    const codes =
      shape.weightBits === 1
        ? Int8Array.from({ length: n }, () => (random.u32() & 1024 ? 1 : -1))
        : ternaryCodes(random, n);
    return { codes, scale };
  });
  const tensor = remember((name): Float32Array => {
    if (name === "output_norm.weight") return outputNorm(shape.dim);
    if (/norm/.test(name)) return normWeights(name, lengthOfNorm(name, shape));
    if (!name.startsWith("blk.")) return steps(name, shape.vocabSize * shape.dim);
    const { codes, scale } = quantized(name);
    if (shape.weightBits === 1) return Float32Array.from(codes, (code) => code * scale);
    if (shape.weightBits === 1.58)
      return Float32Array.from(codes, (code, i) => scale * (code === 0 ? (i % 2 === 0 ? 0.25 : -0.25) : 1.75 * code));
    return steps(name, codes.length).map((value) => value * scale);
  });
  return { shape, name: "random", vocabulary, tensor, quantized };
}

/**
 * Logits of standard deviation 2.5, a softmax neither flat nor one-hot; random signs between the stream, which stays
 * near the token's own embedding, and the tied head, or the model would only repeat its input.
 */
function outputNorm(dim: number): Float32Array {
  const random = seededRandom(seedOf(1, "output_norm.weight"));
  return Float32Array.from({ length: dim }, () => (random.u32() & 1024 ? 0.25 : -0.25));
}

function lengthOfNorm(name: string, shape: TransformerShape): number {
  return /attn_sub_norm/.test(name)
    ? shape.heads * shape.headDim
    : /ffn_sub_norm/.test(name)
      ? shape.ffHidden
      : shape.dim;
}

function remember<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    const value = made.get(name) ?? make(name);
    made.set(name, value);
    return value;
  };
}

/** −1 to 1 in steps of 1/64. */
function steps(name: string, n: number): Float32Array {
  const random = seededRandom(seedOf(1, name));
  return Float32Array.from({ length: n }, () => ((random.u32() % 129) - 64) / 64);
}

/**
 * 0.75 to 1.25, of all 24 bits: on a grid, activations of half their maximum would be common, and 63.5 rounds either
 * way.
 */
function normWeights(name: string, n: number): Float32Array {
  const random = seededRandom(seedOf(1, name));
  return Float32Array.from({ length: n }, () => 0.75 + random.u32() / 2 ** 33);
}

/** Of every eight codes four are zero, in random places. */
function ternaryCodes(random: Random, n: number): Int8Array {
  const codes = new Int8Array(n);
  for (let begin = 0; begin < n; begin += 8) {
    for (let i = 0, zeros = 4; i < 8; i++) {
      const zero = random.u32() % (8 - i) < zeros;
      if (zero) zeros--;
      codes[begin + i] = zero ? 0 : random.u32() & 1024 ? 1 : -1;
    }
  }
  return codes;
}

/** Ids of a prompt longer than one batch, all below 256. */
export const IDS = Array.from({ length: 37 }, (_, i) => (i * 29 + 5) % 256);
