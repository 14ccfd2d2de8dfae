/**
 * A trained transformer, as the exporters see it: shape, vocabulary, master weights, and the codes they round to.
 *
 * @module
 */
import type { TransformerShape } from "../nn/shape.ts";
import type { TrainedVocabulary } from "./vocabulary.ts";

/** A matrix of a 1- or 1.58-bit model: value = code · scale. */
export interface QuantizedMatrix {
  /** −1, 0, +1 (only −1, +1 with 1 bit), row-major (rows, columns). */
  readonly codes: Int8Array;
  /** Exactly representable in half precision. */
  readonly scale: number;
}

export interface TrainedModel {
  readonly shape: TransformerShape;
  readonly name: string;
  readonly vocabulary: TrainedVocabulary;
  /** f32 master weights by their GGUF names (`blk.0.attn_q.weight`), matrices row-major. */
  tensor(name: string): Float32Array;
  /** Codes and scale of a linear (`blk.N.attn_q.weight`, …) of a 1- or 1.58-bit model. */
  quantized(name: string): QuantizedMatrix;
}
