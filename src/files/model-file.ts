/**
 * Opens a model from one of its files, in either format; for any other file, says what it is.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { readBytes } from "../core/byte-source.ts";
import { fail } from "../core/errors.ts";
import { packagePart } from "../core/package-part.ts";
import type { GgufFile } from "./gguf.ts";
import { bareName, openGguf } from "./gguf-split.ts";
import type { OpenSibling } from "./gguf-split.ts";
import type { HfModelFiles } from "./hf-folder.ts";
import { SNIFF_BYTES, describeStart, formatOf } from "./model-format.ts";

/** Both kinds have `tensors`, and `sources`: every open file, the given one included. The caller closes those. */
export type ModelFile =
  | ({
      /** Which kind of file it is. */
      readonly format: "gguf";
    } & GgufFile)
  | ({
      /** Which kind of file it is. */
      readonly format: "safetensors";
    } & HfModelFiles);

/** One of several safetensors files; only the folder's index knows where the other tensors are. */
const SHARD_NAME = /-\d{5}-of-\d{5}\.safetensors$/;
/** Files of a Hugging Face folder that stand for the whole. */
const FOLDER_NAME = /^(config|model\.safetensors\.index)\.json$/;

/**
 * Opens a GGUF file (and its other shards), a safetensors file (and its folder), or a Hugging Face folder by its
 * `config.json`.
 *
 * @param openSibling opens a file beside `source` by its bare name, rejecting with `file/not-found` if there is none;
 *   without it, only a whole GGUF file opens
 * @throws OnebitError `file/unknown-format`, and what the format's own reader throws; `source` stays open then
 */
export async function openModelFile(source: ByteSource, openSibling: OpenSibling = noSiblings): Promise<ModelFile> {
  const start = await readBytes(source, 0, Math.min(SNIFF_BYTES, source.sizeBytes));
  const format = formatOf(start),
    name = bareName(source);
  if (format === "gguf") return { format, ...(await openGguf(source, openSibling)) };
  if (format === "safetensors" && !SHARD_NAME.test(name)) return await openModelFolder(openSibling, source);
  if (format === "safetensors" || FOLDER_NAME.test(name)) {
    const folder = await openModelFolder(openSibling);
    return { ...folder, sources: [source, ...folder.sources] };
  }
  return fail("file/unknown-format", `${source.name}: ${describeStart(start)}; wanted a GGUF or safetensors model`);
}

/** {@link openHfFolder}, its code loaded on first use. @throws what it throws */
export async function openModelFolder(openSibling: OpenSibling, weights?: ByteSource): Promise<ModelFile> {
  const { openHfFolder } = await packagePart("the reader of Hugging Face folders", () => import("./hf-folder.ts"));
  return { format: "safetensors", ...(await openHfFolder(openSibling, weights)) };
}

async function noSiblings(name: string): Promise<ByteSource> {
  return fail("file/not-found", `${name}: the model was given as one file, so nothing beside it can be opened`);
}
