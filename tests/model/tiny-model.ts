/**
 * Tiny models as tensors, before any file format: the same one can be written as GGUF in every type and as a Hugging
 * Face folder, so that two ways to hold the same weights can be compared bit for bit.
 *
 * Every number is one that F16 and BF16 hold too: scales are powers of two, tables and norms multiples of 1/64. Of
 * every eight ternary codes four are zero, so that float masters exist whose mean magnitude is exactly the scale.
 */
import { type Random, seedOf, seededRandom } from "../synthetic/random.ts";

export interface TinyShape {
  readonly nEmbd: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly nFf: number;
  readonly nVocab: number;
  readonly tied?: boolean;
  /** RMS norms before the output projections of attention and feed-forward (BitNet). */
  readonly subNorms?: boolean;
  /** RMS norms of query and key heads (Qwen3). */
  readonly qkNorm?: boolean;
  /** RMS norms of what attention and feed-forward add (Gemma 3). */
  readonly postNorms?: boolean;
  /** Biases of q, k and v (Qwen2). */
  readonly biases?: boolean;
  /** An RMS norm of each projection's own input (BitNet embedding). */
  readonly normIn?: boolean;
  /** "one": a power of two for each matrix; "blocks": another for every 256 weights. Default "one". */
  readonly scales?: "one" | "blocks";
  /** No zero weights: what binary types can hold. */
  readonly binary?: boolean;
  /** One zero in each four weights that are 16 apart: what STQ1_0 can hold. Rows of whole 64. */
  readonly threeOfFour?: boolean;
  /**
   * Factor on what attention and feed-forward add, a power of two; default 1. A random model of 8-bit activations is
   * chaotic: with branches as large as the stream, one activation that f32 and f64 round apart grows to a hundredth.
   */
  readonly branches?: number;
}

export interface TinyTensor {
  /** As GGUF names it. */
  readonly name: string;
  readonly kind: "table" | "vector" | "linear";
  /** shape[0] is contiguous. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Of a linear: values = codes × scales; one scale, or one for every {@link SCALE_GROUP} weights. */
  readonly codes?: Int8Array;
  readonly scales?: Float32Array;
}

/** Weights that share a scale in "blocks": what the coarsest type can hold. */
export const SCALE_GROUP = 256;

/** Made once: most tests change one thing in the same model. */
const made = new Map<string, readonly TinyTensor[]>();

/** The tensors of a model of random weights; the same shape gives the same ones. */
export function tinyTensors(shape: TinyShape): readonly TinyTensor[] {
  const key = JSON.stringify(shape),
    tensors = made.get(key) ?? makeTensors(shape);
  made.set(key, tensors);
  return tensors;
}

function makeTensors(shape: TinyShape): TinyTensor[] {
  const { nEmbd, nVocab } = shape;
  return [
    table("token_embd.weight", nEmbd, nVocab),
    ...Array.from({ length: shape.nLayers }, (_, layer) => layerTensors(shape, `blk.${layer}.`)).flat(),
    vector("output_norm.weight", nEmbd, 1),
    ...(shape.tied ? [] : [table("output.weight", nEmbd, nVocab)]),
  ];
}

function layerTensors(shape: TinyShape, prefix: string): TinyTensor[] {
  const { nEmbd, nFf, headDim } = shape,
    qWidth = shape.nHeads * headDim,
    kvWidth = shape.nKvHeads * headDim;
  const norm = (name: string, length: number) => vector(`${prefix}${name}.weight`, length, 1);
  const project = (name: string, k: number, rows: number): TinyTensor[] => [
    linear(shape, `${prefix}${name}.weight`, k, rows),
    ...(shape.normIn ? [norm(`${name}_norm_in`, k)] : []),
    ...(shape.biases && /attn_[qkv]$/.test(name) ? [vector(`${prefix}${name}.bias`, rows, 0)] : []),
  ];
  return [
    norm("attn_norm", nEmbd),
    ...project("attn_q", nEmbd, qWidth),
    ...project("attn_k", nEmbd, kvWidth),
    ...project("attn_v", nEmbd, kvWidth),
    ...(shape.qkNorm ? [norm("attn_q_norm", headDim), norm("attn_k_norm", headDim)] : []),
    ...(shape.subNorms ? [norm("attn_sub_norm", qWidth)] : []),
    ...project("attn_output", qWidth, nEmbd),
    ...(shape.postNorms ? [norm("post_attention_norm", nEmbd)] : []),
    norm("ffn_norm", nEmbd),
    ...project("ffn_gate", nEmbd, nFf),
    ...project("ffn_up", nEmbd, nFf),
    ...(shape.subNorms ? [norm("ffn_sub_norm", nFf)] : []),
    ...project("ffn_down", nFf, nEmbd),
    ...(shape.postNorms ? [norm("post_ffw_norm", nEmbd)] : []),
  ];
}

/** Values in −1…1, in steps of 1/64. */
function table(name: string, k: number, rows: number): TinyTensor {
  return { name, kind: "table", shape: [k, rows], values: steps(name, k * rows, 0, 64) };
}

/** Values within 1/4 of `middle`, in steps of 1/64. */
function vector(name: string, length: number, middle: number): TinyTensor {
  return { name, kind: "vector", shape: [length], values: steps(name, length, middle, 16) };
}

function steps(name: string, n: number, middle: number, reach: number): Float32Array {
  const random = seededRandom(seedOf(1, name));
  return Float32Array.from({ length: n }, () => middle + ((random.u32() % (2 * reach + 1)) - reach) / 64);
}

function linear(
  { scales: kind, binary, threeOfFour, branches = 1 }: TinyShape,
  name: string,
  k: number,
  rows: number,
): TinyTensor {
  const random = seededRandom(seedOf(2, name)),
    n = k * rows;
  const sign = () => (random.u32() & 1024 ? 1 : -1);
  const codes = binary || threeOfFour ? Int8Array.from({ length: n }, sign) : ternaryCodes(random, n);
  for (let group = 0; threeOfFour && group < n / 4; group++)
    codes[(group >> 4) * 64 + 16 * (random.u32() % 4) + (group & 15)] = 0;
  // Outputs have about the size of inputs; scales differ by tensor, so that swapped ones show.
  const gain = /attn_output|ffn_down/.test(name) ? branches : 1,
    near = gain * 2 ** -Math.round(Math.log2(Math.sqrt(binary ? k : k / 2)));
  const scale = () => near * 2 ** (random.u32() % 2);
  const nScales = kind === "blocks" ? n / SCALE_GROUP : 1;
  const scales = Float32Array.from({ length: nScales }, scale),
    group = n / nScales;
  const values = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / group)]);
  return { name, kind: "linear", shape: [k, rows], values, codes, scales };
}

/** Of every eight codes four are zero, in random places. */
function ternaryCodes(random: Random, n: number): Int8Array {
  const codes = new Int8Array(n);
  for (let begin = 0; begin < n; begin += 8) {
    const size = Math.min(8, n - begin),
      zeros = size / 2;
    for (let i = 0, left = zeros; i < size; i++) {
      const zero = random.u32() % (size - i) < left;
      if (zero) left--;
      codes[begin + i] = zero ? 0 : random.u32() & 1024 ? 1 : -1;
    }
  }
  return codes;
}
