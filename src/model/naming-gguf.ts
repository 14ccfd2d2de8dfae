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
  // The graphs of llama.cpp and of BitNet's fork take a BitNet model's embedding table for its head, whatever else is
  // there.
  isHarmless: (name, { alwaysTied }) => alwaysTied && name === GGUF_ENDS.output,
};
