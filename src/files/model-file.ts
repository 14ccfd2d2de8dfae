/**
 * Opens a model from one file of it, whatever its format; says what a file is that holds no model.
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

/** Both kinds have `tensors`, and `sources`: every file left open, the given one among them. The caller closes those. */
export type ModelFile = ({ readonly format: "gguf" } & GgufFile) | ({ readonly format: "safetensors" } & HfModelFiles);

/** Enough to tell formats apart by their first bytes. */
const SNIFF_BYTES = 64;
/** One of several safetensors files: which tensors are elsewhere, only the index of the folder knows. */
const SHARD_NAME = /-\d{5}-of-\d{5}\.safetensors$/;
/** Files of a Hugging Face folder that stand for the whole. */
const FOLDER_NAME = /^(config|model\.safetensors\.index)\.json$/;

/**
 * Opens a GGUF file (and its other shards), a safetensors file (and its folder), or a Hugging Face folder by its
 * `config.json`.
 *
 * @param openSibling opens a file beside `source` by its bare name, rejecting with `file/not-found` where there is none;
 *   without it, only a GGUF file that is whole can be opened
 * @throws OnebitError `file/unknown-format`, and what the format's own reader throws; `source` stays open then
 */
export async function openModelFile(source: ByteSource, openSibling: OpenSibling = noSiblings): Promise<ModelFile> {
  const start = await readBytes(source, 0, Math.min(SNIFF_BYTES, source.sizeBytes));
  const text = String.fromCharCode(...start);
  if (text.startsWith("GGUF")) return { format: "gguf", ...(await openGguf(source, openSibling)) };
  const name = bareName(source);
  if (isSafetensors(text) && !SHARD_NAME.test(name)) return await openModelFolder(openSibling, source);
  if (isSafetensors(text) || FOLDER_NAME.test(name)) {
    const folder = await openModelFolder(openSibling);
    return { ...folder, sources: [source, ...folder.sources] };
  }
  return fail("file/unknown-format", `${source.name}: ${describe(text)}; wanted a GGUF or safetensors model`);
}

/** Opens a Hugging Face folder, as {@link openHfFolder} does, which is fetched with the first. @throws as it does */
export async function openModelFolder(openSibling: OpenSibling, weights?: ByteSource): Promise<ModelFile> {
  const { openHfFolder } = await packagePart("the reader of Hugging Face folders", () => import("./hf-folder.ts"));
  return { format: "safetensors", ...(await openHfFolder(openSibling, weights)) };
}

async function noSiblings(name: string): Promise<ByteSource> {
  return fail("file/not-found", `${name}: the model was given as one file, nothing beside it can be opened`);
}

/** A length below 2^32, then a JSON object. */
function isSafetensors(text: string): boolean {
  return text.length > 8 && text.slice(4, 8) === "\0\0\0\0" && text[8] === "{";
}

/** What files that are taken for models by mistake begin with. */
const LOOKALIKES: readonly (readonly [start: RegExp, what: string])[] = [
  [/^$/, "is empty; the download did not start"],
  [/^version https:\/\/git-lfs/, "is a Git LFS pointer, not the file it points to; run `git lfs pull` or download the file itself"],
  [/^\s*<(!doctype|html|\?xml)/i, "is a web page; the download needs another address (on Hugging Face: /resolve/ for /blob/) or a login"],
  [/^\s*\{/, "is JSON, perhaps an error message or a config; give the weights or their folder"],
  [/^PK\x03\x04/, "is a zip archive, perhaps a PyTorch checkpoint; convert it to safetensors or GGUF"],
  [/^\x80[\x02-\x05]/, "is a Python pickle, perhaps a PyTorch checkpoint; convert it to safetensors or GGUF"],
  [/^\x1f\x8b/, "is a gzip archive; unpack it first"],
  [/^(ggml|ggjt|ggla|fmgg|lmgg|tjgg)/, "is a GGML file of before August 2023; convert the model again to GGUF"],
  [/^FUGG/, "is a GGUF file with its bytes reversed; convert it to little-endian"],
];

function describe(text: string): string {
  return LOOKALIKES.find(([start]) => start.test(text))?.[1] ?? "is of an unknown format";
}
