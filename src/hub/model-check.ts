/**
 * Checks that a file from a plain URL is a model. Nobody tells its hash beforehand, so we look at the bytes before
 * keeping them; else a login page, or half a model, would count as the file from then on.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { readBytes } from "../core/byte-source.ts";
import { OnebitError, fail } from "../core/errors.ts";
import { readGguf } from "../files/gguf.ts";
import { SNIFF_BYTES, describeStart, formatOf } from "../files/model-format.ts";
import { openSafetensors } from "../files/safetensors.ts";

/** @throws OnebitError `file/unknown-format` if a file that begins with `start` is no model */
export function checkStart(start: Uint8Array, where: string): void {
  if (formatOf(start) === undefined)
    fail("file/unknown-format", `${where}: ${describeStart(start)}; wanted a GGUF or safetensors model`);
}

/** The first bytes of a file, enough to tell its format. @throws OnebitError `file/read` */
export async function readStart(source: ByteSource): Promise<Uint8Array> {
  return await readBytes(source, 0, Math.min(SNIFF_BYTES, source.sizeBytes));
}

/** Codes that mean a file ends early. Any other fault is for the model's reader to report, once the file is kept. */
const CUT_SHORT: ReadonlySet<string> = new Set([
  "gguf/truncated",
  "gguf/tensor-outside-file",
  "safetensors/truncated",
  "safetensors/tensor-outside-file",
]);

/**
 * @throws OnebitError `file/unknown-format` when it is no model, `gguf/…` or `safetensors/…` when it is cut short,
 * `file/read`
 */
export async function checkModel(source: ByteSource, where: string): Promise<void> {
  const start = await readStart(source);
  checkStart(start, where);
  try {
    await (formatOf(start) === "gguf" ? readGguf(source) : openSafetensors([source]));
  } catch (error) {
    if (!(error instanceof OnebitError) || error.code === "file/read") throw error;
    if (CUT_SHORT.has(error.code)) throw new OnebitError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}
