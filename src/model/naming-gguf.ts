/**
 * How GGUF files name tensors (blocks.ts).
 *
 * @module
 */
import { GGUF_ENDS } from "./blocks.ts";
import type { ModelConfig } from "./config.ts";
import type { TensorNaming } from "./weights.ts";

export const GGUF_NAMING: TensorNaming = {
  ...GGUF_ENDS,
  vector: (layer, { gguf }, isBare) => [`${GGUF_ENDS.layer(layer)}${gguf}${isBare ? "" : ".weight"}`],
  change: (part) => (part.kind === "vector" ? part.change : undefined),
  linear: (layer, { gguf }) => GGUF_ENDS.layer(layer) + gguf,
  normIn: (linear) => [`${linear}_norm_in.weight`],
  normInRequired: false,
  bias: (linear) => `${linear}.bias`,
  outputScale: (linear) => `${linear}.scale`,
  encoding: () => ({ kind: "typed" }),
  // llama.cpp's and the BitNet fork's graphs use a BitNet model's embedding table as its head, even beside another.
  isHarmless: (name, config) => (config.alwaysTied && name === GGUF_ENDS.output) || isUnusedLayer(name, config),
};

/** Layers that guess tokens ahead stand behind the others. */
function isUnusedLayer(name: string, { nLayers, nUnusedLayers = 0 }: ModelConfig): boolean {
  const layer = Number(LAYER.exec(name)?.[1] ?? -1);
  return layer >= nLayers && layer < nLayers + nUnusedLayers;
}

const LAYER = /^blk\.(\d{1,4})\./;
