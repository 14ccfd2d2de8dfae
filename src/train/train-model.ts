/**
 * A transformer in training, as the exporters see it: its weights as they are now.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { Parameter } from "../nn/parameter.ts";
import type { Runtime } from "../nn/runtime.ts";
import { weightCodes } from "../nn/weight-codes.ts";
import type { TrainedModel } from "./trained-model.ts";
import type { TransformerTrainer } from "./transformer-trainer.ts";
import type { TrainedVocabulary } from "./vocabulary.ts";

/** Good until the next step: nothing is copied. */
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

/** Gathers what an exporter writes. */
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
