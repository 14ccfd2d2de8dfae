/**
 * Ids back to text, a few at a time. A character whose bytes span several tokens comes out whole, with the token that
 * completes it; bytes that can no longer become one come out as U+FFFD.
 *
 * @module
 */
import { BLANKS_OF_FIRST_TOKEN } from "./token-model.ts";

/** Bytes that a token adds to a text. */
export type PieceOf = (id: number) => Uint8Array;

const BLANK = 0x20;
/** Bytes to gather before decoding them together. */
const CHUNK_BYTES = 16_384;

export class Detokenizer {
  readonly #pieceOf: PieceOf;
  /** Keeps byte order marks: they are text. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Blanks still to be dropped. */
  #blanks: number;

  /** @param leadingBlanks how many blanks to drop from the beginning of the text. */
  constructor(pieceOf: PieceOf, leadingBlanks: number) {
    this.#pieceOf = pieceOf;
    this.#blanks = leadingBlanks;
  }

  /** The text that this token completes; often empty in scripts of several bytes a character. */
  push(id: number): string {
    const bytes = this.#bytesOf(id);
    return bytes.length === 0 ? "" : this.#decoder.decode(bytes, { stream: true });
  }

  /** The rest: U+FFFD when the last character is incomplete. */
  end(): string {
    return this.#decoder.decode();
  }

  /** All of `ids` at once. */
  decodeAll(ids: Iterable<number>): string {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const texts: string[] = [];
    let used = 0;
    for (const id of ids) {
      const bytes = this.#bytesOf(id);
      if (used + bytes.length > CHUNK_BYTES) {
        texts.push(this.#decoder.decode(chunk.subarray(0, used), { stream: true }));
        used = 0;
      }
      if (bytes.length > CHUNK_BYTES) {
        texts.push(this.#decoder.decode(bytes, { stream: true }));
        continue;
      }
      chunk.set(bytes, used);
      used += bytes.length;
    }
    texts.push(this.#decoder.decode(chunk.subarray(0, used)));
    return texts.join("");
  }

  #bytesOf(id: number): Uint8Array {
    const bytes = this.#pieceOf(id);
    if (this.#blanks === 0 || bytes.length === 0) return bytes;
    if (this.#blanks === BLANKS_OF_FIRST_TOKEN) {
      this.#blanks = 0;
      return bytes.filter((byte) => byte !== BLANK);
    }
    let from = 0;
    while (from < this.#blanks && bytes[from] === BLANK) from++;
    this.#blanks = from === bytes.length ? this.#blanks - from : 0;
    return bytes.subarray(from);
  }
}
