/** The measured synthetic models, written on first use. */
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { syntheticModel } from "../../tests/synthetic/model.ts";
import { shapes } from "../../tests/synthetic/shapes.ts";
import { writeModelFile } from "../../tests/synthetic/write-file.ts";

const FOLDER = "build/benchmarks";
const SEED = 1;

export const MODELS = ["2b4t", "bonsai-1.7b"] as const;
export type ModelName = (typeof MODELS)[number];

export const MODEL_TITLES: Readonly<Record<ModelName, string>> = {
  "2b4t": "BitNet 2B4T, TQ2_0 with a Q6_K head",
  "bonsai-1.7b": "Bonsai 1.7B, Q1_0",
};

export interface ModelFile {
  readonly path: string;
  readonly bytes: number;
  readonly nLayers: number;
  readonly nVocab: number;
}

/** Cuts a shape to a smaller model of the same width. */
export interface Cut {
  readonly nLayers?: number;
  readonly nVocab?: number;
}

export async function modelFile(name: ModelName, note: (line: string) => void, cut: Cut = {}): Promise<ModelFile> {
  const shape = { ...shapes[name], ...cut },
    path = `${FOLDER}/${[name, ...Object.entries(cut).flat()].join("-")}.gguf`;
  if (!existsSync(path)) {
    note(`writing ${path}`);
    mkdirSync(FOLDER, { recursive: true });
    // By rename: an interrupted run leaves no partial model.
    await writeModelFile(`${path}.part`, syntheticModel(shape, SEED));
    renameSync(`${path}.part`, path);
  }
  return { path, bytes: statSync(path).size, nLayers: shape.nLayers, nVocab: shape.nVocab };
}
