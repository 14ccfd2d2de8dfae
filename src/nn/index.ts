/**
 * onebit/nn: layers of 1 and 1.58 bits, forward and backward, on plain arrays.
 *
 *   import { BitLinear, array } from "onebit/nn";
 *   const layer = new BitLinear(512, 400);
 *   const y = layer.forward(array(x, [10, 512]));   // (10, 400)
 *
 * @module
 */
export { OnebitError } from "../core/errors.ts";
export { AdamW } from "./adam-w.ts";
export type { AdamWOptions, AdamWRates, ParameterRange } from "./adam-w.ts";
export { BitFeedForward } from "./bit-feed-forward.ts";
export type { BitFeedForwardOptions } from "./bit-feed-forward.ts";
export { BitLinear } from "./bit-linear.ts";
export type { BitLinearOptions, BitOptions } from "./bit-linear.ts";
export { BitMGQA } from "./bit-mgqa.ts";
export type { BitMGQAOptions } from "./bit-mgqa.ts";
export { BitNetTransformer } from "./bit-net-transformer.ts";
export type { BitNetTransformerOptions } from "./bit-net-transformer.ts";
export { CrossEntropyLoss } from "./cross-entropy-loss.ts";
export type { LossResult } from "./cross-entropy-loss.ts";
export { Dropout } from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export type { GenerateOptions } from "./generate-ids.ts";
export type { KvCache } from "./kv-cache.ts";
export { ArrayLayer, IdLayer, Layer } from "./layer.ts";
export type { LayerOptions, StateDict } from "./layer.ts";
export { array, ids } from "./nd-array.ts";
export type { IdArray, NdArray } from "./nd-array.ts";
export { LayerNorm, RMSNorm } from "./norm-layers.ts";
export type { NormKind, NormOptions, RMSNormOptions } from "./norm-layers.ts";
export * as ops from "./checked-ops.ts";
export { Parameter } from "./parameter.ts";
export type { ActivationBits, WeightBits } from "./projection.ts";
export { replaceLinears } from "./replace-linears.ts";
export type { ReplaceOptions, Replacement, RoundingError } from "./replace-linears.ts";
export { Runtime } from "./runtime.ts";
export type { RuntimeOptions } from "./runtime.ts";
export { Sequential } from "./sequential.ts";
export type { TransformerShape } from "./shape.ts";
export { Tape, Tensor } from "./tape.ts";
export type { CompileOptions, Graph } from "./tape.ts";
export type { WeightCodes } from "./weight-codes.ts";
