/**
 * Adapts a transformer layer to the exporters, and writes it as a GGUF file that the engine loads.
 *
 *   const model = await load(await transformerGguf(transformer, { vocabulary: byteVocabulary() }));
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { withMemory } from "../core/refused-memory.ts";
import { type OptionTable, TEXT, check, checkOptions, kind } from "../core/options.ts";
import { BitNetTransformer } from "../nn/bit-net-transformer.ts";
import { GGUF_EXPORT_OPTIONS, type GgufExportOptions, exportGguf } from "./export-gguf.ts";
import { type TrainedModel, memorySink } from "./trained-model.ts";
import { type TrainedVocabulary, byteVocabulary } from "./vocabulary.ts";

/** Options of {@link transformerGguf}. */
export interface LayerExportOptions extends GgufExportOptions {
  /** Its tokens. Default: bytes, for transformers of 256 tokens and more. */
  readonly vocabulary?: TrainedVocabulary;
  /** What the model is called. Default "onebit". */
  readonly name?: string;
}

const VOCABULARY = kind<TrainedVocabulary>(
  "a vocabulary, such as byteVocabulary()",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Array.isArray((value as TrainedVocabulary).tokens) &&
    Array.isArray((value as TrainedVocabulary).merges),
);
export const LAYER_EXPORT_OPTIONS: OptionTable<LayerExportOptions> = {
  ...GGUF_EXPORT_OPTIONS,
  vocabulary: VOCABULARY,
  name: TEXT,
};
const TRANSFORMER = kind<BitNetTransformer>("a BitNetTransformer", (value) => value instanceof BitNetTransformer);

/** Not a copy: valid until the transformer's next step. */
export function trainedModelOf(
  transformer: BitNetTransformer,
  { vocabulary = byteVocabulary(), name = "onebit" }: LayerExportOptions = {},
): TrainedModel {
  const parameters = transformer.parameters();
  return {
    shape: transformer.shape,
    name,
    vocabulary,
    tensor: (tensor) =>
      parameters.get(tensor)?.value ??
      fail(
        "model/missing-tensor",
        "the transformer has no " +
          `tensor ${quoted(tensor)}${transformer.isPacked ? ": it is packed; export what it was packed from" : ""}`,
      ),
    quantized: (tensor) => transformer.weightCodes(tensor),
  };
}

/**
 * A transformer of the layers as the bytes of a GGUF file, which `load` and other engines read.
 *
 * @throws OnebitError as {@link Training.gguf}; `model/missing-tensor` for a packed transformer
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { BitNetTransformer } from "onebit/nn";
 * import { transformerGguf } from "onebit/train";
 *
 * const transformer = new BitNetTransformer({ numTokens: 256, dim: 64, depth: 1, heads: 4, ffMult: 2 });
 * await using model = await load(await transformerGguf(transformer), { contextLength: 64 });
 * console.log(await model.generate("She", { maxTokens: 4 }).result());
 * ```
 */
export async function transformerGguf(
  transformer: BitNetTransformer,
  given: LayerExportOptions = {},
): Promise<Uint8Array> {
  const options = checkOptions("transformerGguf", given, LAYER_EXPORT_OPTIONS),
    checked = check("transformer", transformer, TRANSFORMER);
  return await withMemory("train/not-enough-memory", "the GGUF file of the transformer", async () => {
    const sink = memorySink();
    await exportGguf(trainedModelOf(checked, options), sink, options);
    return sink.bytes();
  });
}
