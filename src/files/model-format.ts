/**
 * Tells file formats by their first bytes.
 *
 * @module
 */
export type ModelFormat = "gguf" | "safetensors";

/** Enough first bytes to tell the formats apart. */
export const SNIFF_BYTES = 64;

/** The format of a file that begins with `start`; undefined if it is no model. */
export function formatOf(start: Uint8Array): ModelFormat | undefined {
  const text = textOf(start);
  if (text.startsWith("GGUF")) return "gguf";
  // A length below 2^32, then a JSON object.
  return text.length > 8 && text.slice(4, 8) === "\0\0\0\0" && text[8] === "{" ? "safetensors" : undefined;
}

const WEB_PAGE = /^(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|html|head|body|meta|title|script|\?xml)/i;
/** How files begin that people mistake for models. */
const LOOKALIKES: readonly (readonly [start: RegExp, what: string])[] = [
  [/^$/, "is empty; the download did not start"],
  [
    /^version https:\/\/git-lfs/,
    "is a Git LFS pointer, not the file it points to; run `git lfs pull` or download the file itself",
  ],
  [WEB_PAGE, "is a web page; the download needs another address (on Hugging Face: /resolve/ for /blob/) or a login"],
  [/^(?:\xef\xbb\xbf)?\s*[{[]/, "is JSON, perhaps an error message or a config; give the weights or their folder"],
  [/^PK\x03\x04/, "is a zip archive, perhaps a PyTorch checkpoint; convert it to safetensors or GGUF"],
  [/^\x80[\x02-\x05]/, "is a Python pickle, perhaps a PyTorch checkpoint; convert it to safetensors or GGUF"],
  [/^\x1f\x8b/, "is a gzip archive; unpack it first"],
  [/^(ggml|ggjt|ggla|fmgg|lmgg|tjgg)/, "is a GGML file from before August 2023; convert the model again to GGUF"],
  [/^FUGG/, "is a GGUF file with its bytes reversed; convert it to little-endian"],
];

/** What a file that is no model looks like, and what to do; ends a sentence. */
export function describeStart(start: Uint8Array): string {
  const text = textOf(start);
  return LOOKALIKES.find(([looksLike]) => looksLike.test(text))?.[1] ?? "is of an unknown format";
}

export function isWebPage(start: Uint8Array): boolean {
  return WEB_PAGE.test(textOf(start));
}

/** One character a byte. */
function textOf(start: Uint8Array): string {
  return String.fromCharCode(...start.subarray(0, SNIFF_BYTES));
}
