/**
 * Ids back to text, a few at a time: a character whose bytes lie in several tokens comes out whole, with the token that
 * completes it, and bytes that can no longer become one come out as U+FFFD.
 *
 * @module
 */

/** What the decoder must know of a vocabulary. */
export interface TokenPieces {
  /** Bytes that a token adds to a text; `special` asks for the names of control tokens too. */
  pieceOf(id: number, special: boolean): Uint8Array;
  /** Whether encoding puts a blank before text that follows this token. */
  precedesPrefix(id: number): boolean;
  /** Whether decoding leaves the state before the first text as it is. */
  isSpecial(id: number): boolean;
}

/** Bytes gathered before they are decoded together. */
const CHUNK_BYTES = 16_384;

export class Detokenizer {
  readonly #pieces: TokenPieces;
  readonly #special: boolean;
  /** A byte order mark in a text is text. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #dropsBlank: boolean;

  /** @param dropsBlank whether the text begins with a blank that encoding put there. */
  constructor(pieces: TokenPieces, special: boolean, dropsBlank: boolean) {
    this.#pieces = pieces;
    this.#special = special;
    this.#dropsBlank = dropsBlank;
  }

  /** The text that this token completes; often empty in scripts of several bytes a character. */
  push(id: number): string {
    const bytes = this.#bytesOf(id);
    return bytes.length === 0 ? "" : this.#decoder.decode(bytes, { stream: true });
  }

  /** What is left: U+FFFD when the last character is incomplete. */
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
      chunk.set(bytes, used);
      used += bytes.length;
    }
    texts.push(this.#decoder.decode(chunk.subarray(0, used)));
    return texts.join("");
  }

  #bytesOf(id: number): Uint8Array {
    const bytes = this.#pieces.pieceOf(id, this.#special);
    if (this.#pieces.precedesPrefix(id)) {
      this.#dropsBlank = true;
      return bytes;
    }
    if (!this.#dropsBlank || bytes.length === 0 || this.#pieces.isSpecial(id)) return bytes;
    this.#dropsBlank = false;
    return bytes[0] === 0x20 ? bytes.subarray(1) : bytes;
  }
}
