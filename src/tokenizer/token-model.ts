/**
 * The interface of a vocabulary: text without special tokens to ids, and ids to bytes.
 *
 * @module
 */
import type { CutToken } from "./special-tokens.ts";

export interface TokenModel {
  /** Prepares a fragment of text before tokens are cut from it: a normal form, blanks as marks, the blank before it. */
  prepare(fragment: string): string;
  /**
   * Appends the ids of a prepared text.
   * @param isFirst whether the whole text begins with it.
   * @throws OnebitError `tokenizer/bad-vocabulary` when part of it has no token.
   */
  encode(prepared: string, isFirst: boolean, into: number[]): void;
  /** The bytes of a token: for a normal one its text, for any other its name. */
  bytesOf(id: number): Uint8Array;
  /** Blanks at the beginning of a text that decoding drops because encoding may have added them. */
  readonly leadingBlanks: number;
  /** Tokens to find in prepared text instead of the text as given. */
  readonly preparedTokens?: readonly CutToken[];
}

/** In {@link TokenModel.leadingBlanks}: all blanks of the first token. */
export const BLANKS_OF_FIRST_TOKEN = -1;
