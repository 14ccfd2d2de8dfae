/**
 * The bundled model, which runs when none is named. models/README.md says how it was made.
 *
 * Its bytes are a chunk of their own: programs that name their models never load it.
 *
 * @module
 */
import { packagePart } from "./core/package-part.ts";

/**
 * Its default threads: a token is 0.9 MB of weights and dozens of barriers, where waiting costs more than sharing saves
 * (two busy cores: 700 tokens a second on one thread, 150 on two).
 */
export const DEFAULT_MODEL_THREADS = 1;

/**
 * The bytes of its GGUF file: the same array each time; do not change or transfer it. @throws OnebitError
 * `engine/part-missing`
 */
export async function defaultModelBytes(): Promise<Uint8Array<ArrayBuffer>> {
  const importModel = async () => await (await import("#models/shakespeare")).default;
  return await packagePart(
    "the model in the box",
    importModel,
    'in a bundled page, import model from "onebit/shakespeare" and load(model)',
  );
}
