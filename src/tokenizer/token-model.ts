/**
 * What a kind of vocabulary must do for a tokenizer: turn text without special tokens into ids, and ids into bytes.
 *
 * @module
 */

/** Before which fragments of text a blank goes: none, the one at the start, or every one that follows a special token. */
export type SpacePrefix = "never" | "first" | "always";

export interface TokenModel {
  readonly spacePrefix: SpacePrefix;
  /**
   * Appends the ids of `text`.
   * @param prefixed whether a blank goes before it.
   * @throws OnebitError `tokenizer/bad-vocabulary` when a byte of it has no token.
   */
  encode(text: string, prefixed: boolean, into: number[]): void;
  /** The bytes of a normal or byte token. */
  bytesOf(id: number): Uint8Array;
}

/** Unicode normal forms, applied to text before anything else. */
export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";
