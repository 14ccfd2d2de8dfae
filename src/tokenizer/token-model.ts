/**
 * What a kind of vocabulary must do for a tokenizer: turn text without special tokens into ids, and ids into bytes.
 *
 * @module
 */
import type { CutToken } from "./special-tokens.ts";

export interface TokenModel {
  /**
   * What a fragment of text becomes before any token is cut from it: a normal form, blanks as marks, the blank before
   * it.
   */
  prepare(fragment: string): string;
  /**
   * Appends the ids of a prepared text.
   * @param isFirst whether the whole text begins with it.
   * @throws OnebitError `tokenizer/bad-vocabulary` when part of it has no token.
   */
  encode(prepared: string, isFirst: boolean, into: number[]): void;
  /** The bytes of a token: what a normal one adds to a text, the name of any other. */
  bytesOf(id: number): Uint8Array;
  /** Blanks at the beginning of a text that decoding drops, because encoding may have put them there. */
  readonly leadingBlanks: number;
  /** Tokens that are looked for in prepared text, instead of in the text as it is given. */
  readonly preparedTokens?: readonly CutToken[];
}

/** In {@link TokenModel.leadingBlanks}: all blanks of the first token. */
export const BLANKS_OF_FIRST_TOKEN = -1;
