/** Exported models in memory. */
import assert from "node:assert/strict";
import { type GgufExportOptions, exportGguf } from "../../src/train/export-gguf.ts";
import { type SafetensorsExportOptions, safetensorsFolder } from "../../src/train/export-safetensors.ts";
import type { TrainedModel } from "../../src/train/trained-model.ts";

/** The bytes of a GGUF file. */
export async function ggufOf(model: TrainedModel, options?: GgufExportOptions): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const sizeBytes = await exportGguf(model, { write: (bytes) => void pieces.push(bytes.slice()) }, options);
  const bytes = new Uint8Array(Buffer.concat(pieces));
  assert.equal(sizeBytes, bytes.length);
  return bytes;
}

/** The files of a Hugging Face folder, by name. */
export async function folderOf(
  model: TrainedModel,
  options?: SafetensorsExportOptions,
): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const file of safetensorsFolder(model, options)) {
    const pieces: Uint8Array[] = [];
    const sizeBytes = await file.write({ write: (bytes) => void pieces.push(bytes.slice()) });
    files[file.name] = new Uint8Array(Buffer.concat(pieces));
    assert.equal(sizeBytes, files[file.name].length);
  }
  return files;
}
