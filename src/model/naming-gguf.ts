/**
 * How GGUF files name tensors (blocks.ts).
 *
 * @module
 */
import { GGUF_ENDS } from "./blocks.ts";
import type { TensorNaming } from "./weights.ts";

export const GGUF_NAMING: TensorNaming = {
  ...GGUF_ENDS,
  vector: (layer, { gguf }) => [`${GGUF_ENDS.layer(layer)}${gguf}.weight`],
  linear: (layer, { gguf }) => GGUF_ENDS.layer(layer) + gguf,
  normIn: (linear) => [`${linear}_norm_in.weight`],
  normInRequired: false,
  bias: (linear) => `${linear}.bias`,
  outputScale: (linear) => `${linear}.scale`,
  encoding: () => ({ kind: "typed" }),
  // llama.cpp's and the BitNet fork's graphs use a BitNet model's embedding table as its head, even beside another.
  isHarmless: (name, { alwaysTied }) => alwaysTied && name === GGUF_ENDS.output,
};
