/**
 * The decoder of a tokenizer.json: turns each token to bytes by itself, so text decodes as it comes. Each known type is
 * a case; other types are refused by name, as are orders that need all tokens at once.
 *
 * Source: the `tokenizers` library, whose types these are. Unlike it, invalid UTF-8 bytes do not spoil valid characters
 * beside them, and added tokens decode to their names even if these are in the byte alphabet.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { encodeUtf8 } from "../files/utf8.ts";
import { makeByteAlphabet } from "./byte-alphabet.ts";
import { readReplace } from "./hf-normalizers.ts";
import type { StepBudget } from "./hf-step-budget.ts";
import type { JsonReader } from "./json-reader.ts";
import { BLANKS_OF_FIRST_TOKEN } from "./token-model.ts";

const SPACE_MARK = "\u2581";

export interface HfDecoder {
  /** @param isAdded whether it is an added token, whose text is a name */
  bytesOf(text: string, isAdded: boolean): Uint8Array;
  /** See `TokenModel.leadingBlanks`. */
  readonly leadingBlanks: number;
}

/**
 * @param prefixed whether encoding puts a `▁` before a text; a file without a decoder drops it when decoding
 * @param isByteLevel whether encoding writes bytes; a file without a decoder reads tokens as such
 * @throws OnebitError `tokenizer/unsupported`, naming the step; `tokenizer/bad-vocabulary`
 */
export function readDecoder(
  step: JsonReader | undefined,
  budget: StepBudget,
  isByteLevel: boolean,
  prefixed: boolean,
): HfDecoder {
  const builder = new DecoderBuilder(budget);
  if (step !== undefined) builder.add(step);
  else if (isByteLevel) builder.isByteLevel = true;
  else builder.addBlanks(prefixed ? 1 : 0);
  return builder.decoder;
}

class DecoderBuilder {
  isByteLevel = false;
  readonly #budget: StepBudget;
  readonly #replaces: { readonly found: string; readonly replacement: string }[] = [];
  #readsBytes = false;
  #isFused = false;
  #leadingBlanks = 0;

  constructor(budget: StepBudget) {
    this.#budget = budget;
  }

  get decoder(): HfDecoder {
    const alphabet = makeByteAlphabet();
    const replaces = this.#replaces;
    const { isByteLevel } = this;
    const readsBytes = this.#readsBytes;
    return {
      leadingBlanks: this.#leadingBlanks,
      bytesOf(text, isAdded) {
        if (isByteLevel) return (isAdded ? undefined : alphabet.bytesOf(text)) ?? encodeUtf8(text);
        const byte = readsBytes ? /^<0x([0-9A-Fa-f]{2})>$/.exec(text) : null;
        if (byte !== null) return Uint8Array.of(parseInt(byte[1], 16));
        return encodeUtf8(
          replaces.reduce((written, { found, replacement }) => written.replaceAll(found, () => replacement), text),
        );
      },
    };
  }

  /** Turns `▁` to blanks, and reads byte tokens. */
  addBlanks(leadingBlanks: number): void {
    this.#replaces.push({ found: SPACE_MARK, replacement: " " });
    this.#readsBytes = true;
    this.#leadingBlanks = leadingBlanks;
  }

  add(step: JsonReader): void {
    this.#budget.take(step);
    const type = step.string("type") ?? "";
    if (type === "Sequence") for (const child of step.children("decoders")) this.add(child);
    else if (type === "ByteLevel") this.isByteLevel = true;
    else if (type === "ByteFallback") this.#readsBytes = true;
    else if (type === "Fuse") this.#isFused = true;
    else if (type === "Replace") this.#addReplace(step);
    else if (type === "Strip") this.#addStrip(step);
    else if (type === "Metaspace") this.#addMetaspace(step);
    else step.unsupported(`the decoder ${quoted(type)}`);
  }

  #addReplace(step: JsonReader): void {
    const replace = readReplace(step, this.#budget);
    if (this.#isFused && Array.from(replace.found).length > 1)
      step.unsupported("replacing several characters after Fuse");
    this.#replaces.push(replace);
  }

  #addStrip(step: JsonReader): void {
    const start = step.get("start") ?? 0;
    const isKnown = this.#isFused && step.string("content") === " " && (step.get("stop") ?? 0) === 0;
    if (!isKnown || typeof start !== "number" || !Number.isInteger(start) || start < 0) {
      step.unsupported("a Strip, except of leading blanks after Fuse,");
    }
    this.#leadingBlanks = start;
  }

  #addMetaspace(step: JsonReader): void {
    const scheme = step.string("prepend_scheme") ?? (step.boolean("add_prefix_space") === false ? "never" : "always");
    this.#replaces.push({ found: step.string("replacement") ?? SPACE_MARK, replacement: " " });
    if (scheme !== "never") this.#leadingBlanks = BLANKS_OF_FIRST_TOKEN;
  }
}
