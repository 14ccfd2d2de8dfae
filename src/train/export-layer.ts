/**
 * A transformer of the layers API as the exporters see it, and as the bytes of a GGUF file that the engine loads.
 *
 *   const model = await load(await transformerGguf(transformer, { vocabulary: byteVocabulary() }));
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { withMemory } from "../core/refused-memory.ts";
import type { BitNetTransformer } from "../nn/bit-net-transformer.ts";
import { type GgufExportOptions, exportGguf } from "./export-gguf.ts";
import { memorySink } from "./train-model.ts";
import type { TrainedModel } from "./trained-model.ts";
import { type TrainedVocabulary, byteVocabulary } from "./vocabulary.ts";

export interface LayerExportOptions extends GgufExportOptions {
  /** Default: bytes, for transformers of 256 tokens and more. */
  readonly vocabulary?: TrainedVocabulary;
  /** Default "onebit". */
  readonly name?: string;
}

/** Good until the transformer's next step: nothing is copied. */
export function trainedModelOf(transformer: BitNetTransformer, { vocabulary = byteVocabulary(), name = "onebit" }: LayerExportOptions = {}): TrainedModel {
  const parameters = transformer.parameters();
  return {
    shape: transformer.shape,
    name,
    vocabulary,
    tensor: (tensor) => parameters.get(tensor)?.value ?? fail("model/missing-tensor", `the transformer has no tensor ${quoted(tensor)}${transformer.isPacked ? ": it is packed; export the one it was packed from" : ""}`),
    quantized: (tensor) => transformer.weightCodes(tensor),
  };
}

/** @throws OnebitError as {@link exportGguf}; `model/missing-tensor` for a packed transformer */
export async function transformerGguf(transformer: BitNetTransformer, options: LayerExportOptions = {}): Promise<Uint8Array> {
  return await withMemory("train/not-enough-memory", "the GGUF file of the transformer", async () => {
    const sink = memorySink();
    await exportGguf(trainedModelOf(transformer, options), sink, options);
    return sink.bytes();
  });
}
