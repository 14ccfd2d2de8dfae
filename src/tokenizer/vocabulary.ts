/**
 * The tokens of a model: their texts, their types, and which of them end a turn.
 *
 * Source: the token types of the GGUF specification; end-of-turn texts from llama.cpp.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { TOKEN_UNITS_MAX, VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import { isBlankText } from "./char-classes.ts";

export const TOKEN_NORMAL = 1;
const TOKEN_UNKNOWN = 2;
export const TOKEN_CONTROL = 3;
export const TOKEN_USER_DEFINED = 4;
export const TOKEN_UNUSED = 5;
export const TOKEN_BYTE = 6;

/**
 * Tokens that end a reply, whatever the file calls EOS. Essential for BitNet b1.58 2B4T, whose EOS is `<|end_of_text|>`
 * while its turns end with `<|eot_id|>`.
 */
const END_OF_TURN_TEXTS = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<｜hy_place▁holder▁no▁2｜>",
];

export class Vocabulary {
  /** Texts as in the file: in the byte alphabet for byte-level vocabularies, with `▁` for SentencePiece. */
  readonly texts: readonly string[];
  readonly #types: Uint8Array;
  readonly #ids = new Map<string, number>();

  /**
   * @param types one of the constants above for each text.
   * @throws OnebitError `tokenizer/bad-vocabulary`: no token, too many, too long, or two with the same text.
   */
  constructor(texts: readonly string[], types: Uint8Array) {
    if (texts.length === 0) bad("no tokens; wanted at least one");
    if (texts.length > VOCABULARY_TOKENS_MAX) bad(`${texts.length} tokens; the limit is ${VOCABULARY_TOKENS_MAX}`);
    if (types.length !== texts.length)
      bad(`${types.length} token types; wanted one for each of ${texts.length} tokens`);
    this.texts = texts;
    this.#types = types;
    for (let id = 0; id < texts.length; id++) this.#add(id, texts[id]);
  }

  get size(): number {
    return this.texts.length;
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text);
  }

  /** The token with this text, if plain text may become it. */
  plainIdOf(text: string): number | undefined {
    const id = this.#ids.get(text);
    return id !== undefined && this.isText(id) ? id : undefined;
  }

  /**
   * Whether plain text may become this token: a normal one, or a user-defined one that is white space instead of a
   * name.
   */
  isText(id: number): boolean {
    const type = this.#types[id];
    return type === TOKEN_NORMAL || (type === TOKEN_USER_DEFINED && isBlankText(this.texts[id]));
  }

  typeOf(id: number): number {
    return this.#types[id];
  }

  /** Control tokens and the unknown token: no part of any text. */
  isSpecial(id: number): boolean {
    return this.#types[id] === TOKEN_CONTROL || this.#types[id] === TOKEN_UNKNOWN;
  }

  /** Checks an id from a file; undefined stays undefined. */
  checkedId(where: string, id: number | undefined): number | undefined {
    if (id === undefined || (Number.isInteger(id) && id >= 0 && id < this.size)) return id;
    return bad(`${where}: id ${id} is outside the ${this.size} tokens`);
  }

  /**
   * All tokens that end a turn: those the file names, and the well-known ones, except ordinary tokens of the file.
   * `</s>` is one in Qwen and Gemma: the end of struck-out text in HTML.
   * @param isOrdinary whether the file calls a token normal
   */
  endOfTurn(ids: readonly (number | undefined)[], isOrdinary: (text: string) => boolean): ReadonlySet<number> {
    const found = new Set<number>();
    for (const id of ids) if (id !== undefined) found.add(id);
    for (const text of END_OF_TURN_TEXTS) {
      const id = this.#ids.get(text);
      const type = id === undefined ? TOKEN_NORMAL : this.#types[id];
      const isHtml = text === "</s>" && type === TOKEN_USER_DEFINED;
      if (id !== undefined && !isHtml && !(type === TOKEN_NORMAL && isOrdinary(text))) found.add(id);
    }
    for (const id of found) if (ids.includes(id) || this.#types[id] === TOKEN_NORMAL) this.protect(id);
    return found;
  }

  /**
   * Makes a token that the file names as BOS or as the end of a turn a control token, even if the file calls it normal,
   * so text can never become it. A token without brackets stays text: some models end at a newline.
   */
  protect(id: number): void {
    const isName = /^[<[_].+[>\]]$/su.test(this.texts[id]);
    if (isName && this.#types[id] !== TOKEN_UNKNOWN && this.#types[id] !== TOKEN_BYTE) this.#types[id] = TOKEN_CONTROL;
  }

  #add(id: number, text: string): void {
    const type = this.#types[id];
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE) bad(`token ${id} ${quoted(text)}: has type ${type}; wanted 1 to 6`);
    if (text.length > TOKEN_UNITS_MAX) {
      bad(`token ${id} ${quoted(text)}: has ${text.length} characters; the limit is ${TOKEN_UNITS_MAX}`);
    }
    const first = this.#ids.get(text);
    if (first === undefined) this.#ids.set(text, id);
    else if (type !== TOKEN_UNUSED) bad(`token ${id} ${quoted(text)}: is token ${first} already`);
  }
}

/** Refuses a vocabulary. */
export function bad(message: string): never {
  fail("tokenizer/bad-vocabulary", `tokenizer: ${message}`);
}

/**
 * The byte of a token `<0xHH>`.
 * @throws OnebitError `tokenizer/bad-vocabulary` for any other text: exactly two hexadecimal digits.
 */
export function byteOfToken(id: number, text: string): number {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(text);
  return match === null
    ? bad(`token ${id} ${quoted(text)}: is a byte token; wanted <0x00> to <0xFF>`)
    : parseInt(match[1], 16);
}
