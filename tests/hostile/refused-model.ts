/** Small models with one thing wrong, and what loading them must do: a typed error, and nothing stays open. */
import assert from "node:assert/strict";
import { type ErrorCode, OnebitError } from "../../src/core/errors.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { load } from "../../src/load.ts";
import { type GgufChoices, ggufBytes } from "../model/gguf-bytes.ts";
import { type HfChoices, hfFolder } from "../model/hf-folder.ts";
import { FOLDER, memoryPlatform } from "../model/memory-platform.ts";
import type { TinyShape, TinyTensor } from "../model/tiny-model.ts";

export const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 64,
  subNorms: true,
};
export const LAST = "blk.1.ffn_down.weight";

export const without = (name: string) => (tensors: readonly TinyTensor[]) =>
  tensors.filter((tensor) => tensor.name !== name);
/** Changes the bytes of one tensor of a GGUF file. */
export const damaged = (name: string, change: (bytes: Uint8Array) => void) => (found: string, bytes: Uint8Array) =>
  void (found === name && change(bytes));

/** Changes the bytes of one tensor of a safetensors file. */
export function changed(
  name: string,
  change: (bytes: Uint8Array) => void,
): (tensors: readonly SafetensorToWrite[]) => readonly SafetensorToWrite[] {
  return (tensors) =>
    tensors.map((tensor) =>
      tensor.name === name
        ? { ...tensor, data: () => [...(tensor.data() as Iterable<Uint8Array>)].map((bytes) => (change(bytes), bytes)) }
        : tensor,
    );
}

export async function refused(
  choices: GgufChoices,
  code: ErrorCode,
  message: RegExp,
  what = "",
  shape: Partial<TinyShape> = {},
): Promise<void> {
  await refusedFile(
    { "model.gguf": await ggufBytes({ ...SHAPE, ...shape }, choices) },
    "model.gguf",
    code,
    message,
    what,
  );
}

export async function refusedFolder(choices: HfChoices, code: ErrorCode, message: RegExp): Promise<void> {
  await refusedFile(await hfFolder(SHAPE, choices), FOLDER, code, message, "");
}

export async function refusedFile(
  files: Readonly<Record<string, Uint8Array>>,
  path: string,
  code: ErrorCode,
  message: RegExp,
  what: string,
): Promise<void> {
  const platform = memoryPlatform(files);
  const loading = load(path, { platform, threads: 1 });
  await assert.rejects(loading, (error) => {
    assert.ok(error instanceof OnebitError, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.match(error.message, message, what);
    return true;
  });
  assert.ok(platform.nOpened() > 0);
  assert.equal(platform.nOpen(), 0, "files stay open");
}
