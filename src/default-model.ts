/**
 * The model in the package: what runs when nobody names one. models/README.md says how it was made.
 *
 * Its bytes are a chunk of their own, which a program that names its models never fetches.
 *
 * @module
 */
import { packagePart } from "./core/package-part.ts";

/**
 * Threads it runs on unless told: a token is 0.9 MB of weights behind dozens of barriers, and waiting there costs
 * more than sharing saves (two busy cores: 700 tokens a second on one thread, 150 on two).
 */
export const DEFAULT_MODEL_THREADS = 1;

/**
 * The bytes of its GGUF file: the same array each time, not to be changed or transferred. @throws OnebitError
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
