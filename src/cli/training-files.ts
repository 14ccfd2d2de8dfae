/**
 * Writes a trained model to files.
 *
 * @module
 */
import { fileStoreOf } from "../core/platform.ts";
import type { Platform } from "../core/platform.ts";
import type { GgufExportOptions, Training } from "../train.ts";

export interface ModelOutput {
  readonly hasGguf: boolean;
  /** Path of the GGUF file; undefined for `model.gguf` in the training's folder. */
  readonly gguf: string | undefined;
  readonly ternary: GgufExportOptions["ternary"];
  /** A folder for the model in Hugging Face's form; undefined for none. */
  readonly safetensors: string | undefined;
}

/**
 * Writes each file whole or not at all, and removes leftovers of killed writes. @throws OnebitError `file/write`,
 * `file/read`, `train/not-enough-memory`
 */
export async function writeModel(
  platform: Platform,
  training: Training,
  folder: string,
  { hasGguf, gguf, ternary, safetensors }: ModelOutput,
): Promise<{ path: string; sizeBytes: number }[]> {
  const store = fileStoreOf(platform),
    written: { path: string; sizeBytes: number }[] = [];
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    await store.removeLeftovers(path);
    await store.writeFileAtomically(path, [bytes]);
    written.push({ path, sizeBytes: bytes.length });
  };
  if (hasGguf) await write(gguf ?? platform.inFolder(folder, "model.gguf"), await training.gguf({ ternary }));
  if (safetensors !== undefined) {
    await store.makeFolder(safetensors);
    for (const { name, bytes } of await training.safetensors())
      await write(platform.inFolder(safetensors, name), bytes);
  }
  return written;
}
