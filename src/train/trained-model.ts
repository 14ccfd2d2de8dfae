/**
 * A trained transformer for the exporters: shape, vocabulary, master weights, and the codes they round to.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { Parameter } from "../nn/parameter.ts";
import type { Runtime } from "../nn/runtime.ts";
import type { TransformerShape } from "../nn/shape.ts";
import { weightCodes } from "../nn/weight-codes.ts";
import type { TransformerTrainer } from "./transformer-trainer.ts";
import type { TrainedVocabulary } from "./vocabulary.ts";

/** A matrix of a 1- or 1.58-bit model: value = code · scale. */
export interface QuantizedMatrix {
  /** −1, 0, +1 (only −1, +1 with 1 bit), row-major (rows, columns). */
  readonly codes: Int8Array;
  /** Exactly representable in half precision. */
  readonly scale: number;
}

/** A trained transformer: shape, vocabulary, weights. */
export interface TrainedModel {
  /** Its sizes, and how it rounds. */
  readonly shape: TransformerShape;
  /** What it is called in its files. */
  readonly name: string;
  /** Its tokens. */
  readonly vocabulary: TrainedVocabulary;
  /**
   * f32 master weights by their GGUF names (`blk.0.attn_q.weight`), matrices row-major.
   * @throws OnebitError `model/missing-tensor`
   */
  tensor(name: string): Float32Array;
  /**
   * Codes and scale of a linear (`blk.N.attn_q.weight`, …) of a 1- or 1.58-bit model.
   * @throws OnebitError `model/missing-tensor`, `option/invalid`
   */
  quantized(name: string): QuantizedMatrix;
}

/** A model in training. Not a copy: valid until the next step. */
export function modelInTraining(
  runtime: Runtime,
  trainer: TransformerTrainer,
  vocabulary: TrainedVocabulary,
  name: string,
): TrainedModel {
  const { shape, parameters } = trainer;
  const parameter = (tensor: string): Parameter =>
    parameters.byName.get(tensor) ??
    fail("model/missing-tensor", `the model in training has no tensor ${quoted(tensor)}`);
  return {
    shape,
    name,
    vocabulary,
    tensor: (tensor) => parameter(tensor).value,
    quantized: (tensor) => weightCodes(runtime, parameter(tensor), shape.weightBits),
  };
}

/** Collects an exporter's output in memory. */
export function memorySink(): { write(bytes: Uint8Array): void; bytes(): Uint8Array } {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  return {
    write(bytes) {
      pieces.push(bytes.slice());
      sizeBytes += bytes.length;
    },
    bytes() {
      const whole = new Uint8Array(sizeBytes);
      let used = 0;
      for (const piece of pieces) {
        whole.set(piece, used);
        used += piece.length;
      }
      return whole;
    },
  };
}
