/**
 * Recipes that are known to work, to begin from.
 *
 * @module
 */
import type { Preset } from "./train-recipe.ts";

export type PresetName = "shakespeare" | "enwik8" | "tiny";

/** What the presets share: the ternary transformer of the BitNet papers over the 256 bytes. */
const BITNET = {
  vocabSize: 256, activation: "silu", glu: true, ropeTheta: 10_000, normEps: 1e-5,
  weightBits: 1.58, activationBits: 8, subNorms: true, tied: true,
  epsilon: 1e-8, floor: 0, seed: 1, dataSeed: 1, maxBytes: 0,
} as const;

export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  shakespeare: {
    ...BITNET,
    summary: "3.0 million weights over a megabyte of text: an hour or two on one core",
    dim: 256, depth: 5, heads: 8, kvHeads: 4, headDim: 32, ffHidden: 512,
    seqLength: 512, batch: 3, accumulation: 1, steps: 4400,
    // Low-bit weights bear, and need, ten times the rate of float ones.
    learningRate: 3e-3, schedule: "linear", warmupSteps: 100, weightDecay: 0.1, beta1: 0.9, beta2: 0.99, clipNorm: 1,
    dropout: 0.05, validationFraction: 0.1,
    logEvery: 10, validateEvery: 200, validationWindows: 48, sampleEvery: 500, sampleTokens: 300, checkpointEvery: 100,
  },
  // The classic exercise: 90 million bytes of Wikipedia to learn from, 5 million to be judged on, 1.6 billion bytes seen.
  enwik8: {
    ...BITNET,
    summary: "32 million weights over 95 million bytes of text: a month and a half on two cores",
    dim: 512, depth: 8, heads: 8, kvHeads: 4, headDim: 64, ffHidden: 2048,
    seqLength: 1024, batch: 4, accumulation: 4, steps: 100_000,
    learningRate: 2e-4, schedule: "constant", warmupSteps: 0, weightDecay: 0.2, beta1: 0.9, beta2: 0.99, clipNorm: 0.5,
    dropout: 0, validationBytes: 5_000_000, maxBytes: 95_000_000,
    logEvery: 10, validateEvery: 100, validationWindows: 4, sampleEvery: 500, sampleTokens: 512, checkpointEvery: 100,
  },
  tiny: {
    ...BITNET,
    summary: "ninety thousand weights, for trying things out: seconds",
    dim: 64, depth: 2, heads: 4, kvHeads: 2, headDim: 16, ffHidden: 128,
    seqLength: 64, batch: 8, accumulation: 1, steps: 400,
    learningRate: 5e-3, schedule: "linear", warmupSteps: 20, weightDecay: 0.1, beta1: 0.9, beta2: 0.95, clipNorm: 1,
    dropout: 0, validationFraction: 0.1,
    logEvery: 10, validateEvery: 100, validationWindows: 0, sampleEvery: 200, sampleTokens: 100, checkpointEvery: 50,
  },
};
