/**
 * Shapes of published 1-bit models, and small models of the same architectures for tests.
 *
 * A shape is what a model's configuration says; the weights are random. The two full shapes stand for files people
 * have: BitNet b1.58 2B4T (TQ2_0 body, Q6_K tied embedding: 811 MB) and Bonsai 1.7B (Q1_0 everywhere: 0.25 GB).
 */

import type { TensorTypeName } from "../../src/files/tensor-types.ts";

export type Architecture =
  | "bitnet"
  | "bitnet-b1.58"
  | "bitnet-25"
  | "gemma3"
  | "hunyuan-dense"
  | "llama"
  | "qwen2"
  | "qwen3"
  | "qwen35"
  | "minicpm";

/** Of `qwen35`: every fourth layer is gated attention, the others are gated delta nets. */
export interface HybridSizes {
  readonly nKeyHeads: number;
  readonly nValueHeads: number;
  readonly stateSize: number;
  readonly nTaps: number;
  readonly ropeDim: number;
}

export interface Shape {
  readonly architecture: Architecture;
  readonly nEmbd: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly nFf: number;
  readonly nVocab: number;
  readonly contextLength: number;
  readonly ropeTheta: number;
  readonly normEps: number;
  /** No `output.weight`: the head reads the embedding's rows. */
  readonly tied: boolean;
  /** Of the seven projections of a layer. */
  readonly bodyType: TensorTypeName;
  /** Of token_embd and, when not tied, of the head. */
  readonly headType: TensorTypeName;
  /** One scale for a whole tensor, as BitNet-trained models have; otherwise one for 256 weights (128 for Q1_0). */
  readonly scalePerTensor: boolean;
  /** Of BitNet architectures, squared ReLU by default. The others have SiLU. */
  readonly activation?: "relu2" | "silu";
  /**
   * Size of what all layers add to the embedding, over the embedding's. Without it every branch is as large as the
   * stream. Then a model with 8-bit activations is chaotic, as no trained one is: a rounding error of f32 flips an
   * integer, that flip many more, and after three layers two correct engines differ by the noise of 8 bits.
   */
  readonly branchShare?: number;
  /** Of gemma3: positions that five of six layers see. */
  readonly window?: number;
  readonly hybrid?: HybridSizes;
  readonly yarn?: { readonly factor: number; readonly originalContextLength: number };
}

const bitnet2b4t: Shape = {
  // llama.cpp's name of the architecture, so that it loads the file too.
  architecture: "bitnet",
  nEmbd: 2560,
  nLayers: 30,
  nHeads: 20,
  nKvHeads: 5,
  headDim: 128,
  nFf: 6912,
  nVocab: 128_256,
  contextLength: 4096,
  ropeTheta: 500_000,
  normEps: 1e-5,
  tied: true,
  bodyType: "TQ2_0",
  headType: "Q6_K",
  scalePerTensor: true,
  branchShare: 0.2,
};

const bonsai17b: Shape = {
  architecture: "qwen3",
  nEmbd: 2048,
  nLayers: 28,
  nHeads: 16,
  nKvHeads: 8,
  headDim: 128,
  nFf: 6144,
  nVocab: 151_936,
  contextLength: 32_768,
  ropeTheta: 1_000_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "Q1_0",
  headType: "Q1_0",
  scalePerTensor: false,
};

/** Qwen3.5 2B, as Ternary Bonsai 2 has it, but in blocks of 64, which llama.cpp reads. */
const qwen352b: Shape = {
  architecture: "qwen35",
  nEmbd: 2048,
  nLayers: 24,
  nHeads: 8,
  nKvHeads: 2,
  headDim: 256,
  nFf: 6144,
  nVocab: 248_320,
  contextLength: 262_144,
  ropeTheta: 10_000_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "Q2_0",
  headType: "Q2_0",
  scalePerTensor: false,
  hybrid: { nKeyHeads: 16, nValueHeads: 16, stateSize: 128, nTaps: 4, ropeDim: 64 },
};

/** 99 million weights, of which linear layers have 48: a model for the 128 MB of a Cloudflare Worker. */
const trilm99m: Shape = {
  architecture: "llama",
  nEmbd: 512,
  nLayers: 16,
  nHeads: 8,
  nKvHeads: 8,
  headDim: 64,
  nFf: 1280,
  nVocab: 50_304,
  contextLength: 2048,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tied: false,
  bodyType: "TQ2_0",
  headType: "Q4_K",
  scalePerTensor: true,
};

// Width 512: every block format divides it, and 64 positions in f64 take a second.
const small: Omit<Shape, "architecture" | "scalePerTensor"> = {
  nEmbd: 512,
  nLayers: 4,
  nHeads: 8,
  nKvHeads: 2,
  headDim: 64,
  nFf: 1536,
  nVocab: 1024,
  contextLength: 1024,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tied: false,
  bodyType: "TQ2_0",
  headType: "Q6_K",
};

const smallBitnet: Shape = { ...small, architecture: "bitnet", tied: true, scalePerTensor: true, branchShare: 0.2 };

export const shapes: Readonly<Record<string, Shape>> = {
  "2b4t": bitnet2b4t,
  "bonsai-1.7b": bonsai17b,
  "bonsai-1.7b-yarn": { ...bonsai17b, yarn: { factor: 4, originalContextLength: 8192 } },
  "ternary-bonsai-1.7b": { ...bonsai17b, bodyType: "Q2_0", headType: "Q2_0" },
  "trilm-99m": trilm99m,
  "llama-512": { ...small, architecture: "llama", scalePerTensor: false },
  "qwen2-512": { ...small, architecture: "qwen2", scalePerTensor: false },
  "qwen3-512": { ...small, architecture: "qwen3", headDim: 128, nHeads: 4, scalePerTensor: false },
  "qwen3-512-yarn": {
    ...small,
    architecture: "qwen3",
    headDim: 128,
    nHeads: 4,
    scalePerTensor: false,
    yarn: { factor: 4, originalContextLength: 256 },
  },
  "gemma3-512": {
    ...small,
    architecture: "gemma3",
    nLayers: 7,
    nKvHeads: 1,
    nHeads: 4,
    headDim: 128,
    ropeTheta: 1_000_000,
    normEps: 1e-6,
    tied: true,
    window: 16,
    scalePerTensor: false,
  },
  "hunyuan-512": {
    ...small,
    architecture: "hunyuan-dense",
    headDim: 128,
    nHeads: 4,
    ropeTheta: 11_158_840,
    tied: true,
    scalePerTensor: false,
  },
  "qwen35-2b": qwen352b,
  "qwen35-512": {
    ...small,
    architecture: "qwen35",
    scalePerTensor: false,
    hybrid: { nKeyHeads: 4, nValueHeads: 8, stateSize: 64, nTaps: 4, ropeDim: 16 },
  },
  "minicpm-512": { ...small, architecture: "minicpm", scalePerTensor: false },
  "bitnet-512": smallBitnet,
  // llama.cpp computes `bitnet` with SiLU whatever the file says: these are for comparing with it.
  "2b4t-silu": { ...bitnet2b4t, activation: "silu" },
  "bitnet-512-silu": { ...smallBitnet, activation: "silu" },
  "bitnet-b1.58-512": { ...smallBitnet, architecture: "bitnet-b1.58" },
};
