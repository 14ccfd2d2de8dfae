/**
 * onebit/nn: layers of 1 and 1.58 bits, forward and backward, on plain arrays.
 *
 *   import { BitLinear, array } from "onebit/nn";
 *   const layer = new BitLinear(512, 400);
 *   const y = layer.forward(array(x, [10, 512]));   // (10, 400)
 *
 * @module onebit/nn
 */
export { OnebitError } from "./core/errors.ts";
export { AdamW } from "./nn/adam-w.ts";
export type { AdamWOptions, AdamWRates, ParameterRange } from "./nn/adam-w.ts";
export { BitFeedForward } from "./nn/bit-feed-forward.ts";
export type { BitFeedForwardOptions } from "./nn/bit-feed-forward.ts";
export { BitLinear } from "./nn/bit-linear.ts";
export type { BitLinearOptions, BitOptions } from "./nn/bit-linear.ts";
export { BitMGQA } from "./nn/bit-mgqa.ts";
export type { AttentionResult, BitMGQAOptions } from "./nn/bit-mgqa.ts";
export { BitNetTransformer } from "./nn/bit-net-transformer.ts";
export type { BitNetTransformerOptions } from "./nn/bit-net-transformer.ts";
export { CrossEntropyLoss } from "./nn/cross-entropy-loss.ts";
export type { LossResult } from "./nn/cross-entropy-loss.ts";
export { Dropout } from "./nn/dropout.ts";
export { Embedding } from "./nn/embedding.ts";
export type { GenerateOptions } from "./nn/generate-ids.ts";
export type { CacheLayer, KvCache } from "./nn/kv-cache.ts";
export { ArrayLayer, IdLayer, Layer } from "./nn/layer.ts";
export type { LayerOptions, RecordedGraph, StateDict } from "./nn/layer.ts";
export { array, ids } from "./nn/nd-array.ts";
export type { IdArray, NdArray } from "./nn/nd-array.ts";
export { LayerNorm, RMSNorm } from "./nn/norm-layers.ts";
export type { NormKind, NormOptions, RMSNormOptions } from "./nn/norm-layers.ts";
export * as ops from "./nn/checked-ops.ts";
export { Parameter } from "./nn/parameter.ts";
export type { ParameterPlaces } from "./nn/parameter.ts";
export type { ActivationBits, Linear, Projection, WeightBits } from "./nn/projection.ts";
export { replaceLinears } from "./nn/replace-linears.ts";
export type { ReplaceOptions, Replacement, RoundingError } from "./nn/replace-linears.ts";
export { Runtime } from "./nn/runtime.ts";
export type { RunRows, RuntimeOptions } from "./nn/runtime.ts";
export { Sequential } from "./nn/sequential.ts";
export type { TransformerShape } from "./nn/shape.ts";
export { Tape } from "./nn/tape.ts";
export { Tensor } from "./nn/tensor.ts";
export type { Graph } from "./nn/graph.ts";
export type {
  CompileOptions,
  GradientTarget,
  GraphMemory,
  InputOptions,
  PartOfTensor,
  Place,
  RecordOptions,
  TapeOptions,
} from "./nn/tape.ts";
export type { WeightCodes } from "./nn/weight-codes.ts";
