/** Small models of random weights that every runtime is asked for the same numbers of. */
import { join } from "node:path";
import { syntheticModel } from "../synthetic/model.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";

/** Width 512 and four layers take about a second a model; odd sizes on purpose: rows that are no multiple of a tile. */
const BASE = {
  nEmbd: 512,
  nLayers: 2,
  nHeads: 8,
  nKvHeads: 2,
  headDim: 64,
  nFf: 768,
  nVocab: 500,
  contextLength: 256,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tied: false,
  bodyType: "TQ2_0",
  headType: "Q6_K",
  scalePerTensor: false,
} as const;

/** Every layout of weights and every kind of activation, by at least one model. */
export const SYNTHETIC: Readonly<Record<string, Shape>> = {
  "bitnet-tq2_0": { ...BASE, architecture: "bitnet-b1.58", tied: true, scalePerTensor: true },
  "bitnet-tq2_0-blocks": { ...BASE, architecture: "bitnet", tied: true },
  "llama-tq1_0": { ...BASE, architecture: "llama", bodyType: "TQ1_0" },
  "llama-q2_0": { ...BASE, architecture: "llama", bodyType: "Q2_0", headType: "Q4_K" },
  "qwen3-q1_0": {
    ...BASE,
    architecture: "qwen3",
    bodyType: "Q1_0",
    headType: "Q1_0",
    tied: true,
    headDim: 128,
    nHeads: 4,
  },
  "qwen3-q1_0-yarn": {
    ...BASE,
    architecture: "qwen3",
    bodyType: "Q1_0",
    headType: "Q8_0",
    yarn: { factor: 4, originalContextLength: 64 },
  },
  "qwen2-q4_0": { ...BASE, architecture: "qwen2", bodyType: "Q4_0", headType: "F16" },
  "minicpm-q8_0": { ...BASE, architecture: "minicpm", bodyType: "Q8_0", headType: "BF16" },
};

/** Writes them all to `folder`, each as `<name>.gguf`. */
export async function writeSyntheticModels(folder: string): Promise<void> {
  for (const [name, shape] of Object.entries(SYNTHETIC))
    await writeModelFile(join(folder, `${name}.gguf`), syntheticModel(shape, 1));
}
