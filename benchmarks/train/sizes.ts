/** The measured products and models, and their arithmetic. */
import { countParameters, parameterShapes } from "../../src/nn/transformer-parameters.ts";
import type { TransformerShape } from "../../src/nn/shape.ts";

/** y = x · wᵀ; dx = dy · w; dw = dyᵀ · x. */
export const FORMS = ["forward", "input", "weight"] as const;
export type Form = (typeof FORMS)[number];

/** x (rows, inputs), w (outputs, inputs). */
export interface ProductSize {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** The projections of the model below on its 2048 tokens, one of a wider model, and two cubes. */
export const PRODUCT_SIZES: readonly ProductSize[] = [
  { rows: 2048, inputs: 192, outputs: 192 },
  { rows: 2048, inputs: 192, outputs: 576 },
  { rows: 2048, inputs: 576, outputs: 192 },
  { rows: 2048, inputs: 256, outputs: 768 },
  { rows: 512, inputs: 512, outputs: 512 },
  { rows: 1024, inputs: 1024, outputs: 1024 },
];

export function productFlops({ rows, inputs, outputs }: ProductSize): number {
  return 2 * rows * inputs * outputs;
}

export interface Training {
  readonly shape: TransformerShape;
  readonly batch: number;
  readonly seqLength: number;
}

/** 1.97 million parameters over bytes. */
const SMALL: TransformerShape = {
  vocabSize: 256,
  dim: 192,
  depth: 4,
  heads: 6,
  kvHeads: 6,
  headDim: 32,
  ffHidden: 576,
  activation: "silu",
  glu: true,
  ropeTheta: 10000,
  normEps: 1e-5,
  contextLength: 256,
  weightBits: 32,
  activationBits: 32,
  subNorms: false,
  tied: true,
};
const SMALL_TERNARY: TransformerShape = { ...SMALL, weightBits: 1.58, activationBits: 8, subNorms: true };

export const FLOAT_TRAINING: Training = { shape: SMALL, batch: 8, seqLength: 256 };
export const TERNARY_TRAINING: Training = { shape: SMALL_TERNARY, batch: 8, seqLength: 256 };
/** Small enough to check a peer's slow way quickly; all code paths are the same. */
export const CHECKED_TRAINING: Training = { shape: { ...SMALL, contextLength: 128 }, batch: 2, seqLength: 128 };

/** The sizes of the well-known byte-level models of enwik8. */
export const ENWIK8_TRAINING: Training = {
  shape: {
    ...SMALL_TERNARY,
    dim: 512,
    depth: 8,
    heads: 8,
    kvHeads: 4,
    headDim: 64,
    ffHidden: 2048,
    activation: "relu2",
    glu: false,
    contextLength: 1024,
  },
  batch: 4,
  seqLength: 1024,
};

export function parameterCount({ shape }: Training): number {
  return countParameters(shape);
}

/**
 * Of a step: 6 for each weight and token (forward 2, backward 4), the tied embedding as the head, and attention's two
 * products over the half of its matrix that a causal model needs, forward and twice backward.
 */
export function stepFlops({ shape, batch, seqLength }: Training): number {
  const tokens = batch * seqLength;
  const weights = parameterShapes(shape)
    .filter(([, extents]) => extents.length > 1)
    .reduce((sum, [, [rows, columns]]) => sum + rows * columns, 0);
  const attention = 6 * seqLength * shape.heads * shape.headDim * shape.depth;
  return tokens * (6 * weights + attention);
}

/** Meaningless bytes, the same in every run. The targets are the next ids. */
export function exampleBatch({ shape, batch, seqLength }: Training): { ids: Int32Array; targets: Int32Array } {
  const ids = new Int32Array(batch * seqLength),
    targets = new Int32Array(batch * seqLength);
  let state = 1;
  for (let i = 0; i < ids.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    ids[i] = (state >>> 16) % shape.vocabSize;
  }
  for (let i = 0; i < ids.length; i++) targets[i] = ids[(i + 1) % ids.length];
  return { ids, targets };
}
