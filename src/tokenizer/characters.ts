/**
 * The characters of a vocabulary that merges characters: which are tokens, which stand side by side in a token, and the
 * byte tokens for the others.
 *
 * @module
 */
import { codePointBefore } from "./char-classes.ts";
import { TOKEN_BYTE, type Vocabulary, byteOfToken } from "./vocabulary.ts";

/** Before the first character of a text. */
export const NO_CHARACTER = -1;
/** Size of the filter of neighbours: 2 MiBit keep false positives of 262,144 tokens below 10 %. */
const FILTER_BITS = 21;

/** The id of each byte's token, −1 without one. */
export function byteIds(vocabulary: Vocabulary): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  for (let id = 0; id < vocabulary.size; id++) {
    if (vocabulary.typeOf(id) === TOKEN_BYTE) ids[byteOfToken(id, vocabulary.texts[id])] = id;
  }
  return ids;
}

/** The id of each character that is a token. */
export function characterIds(vocabulary: Vocabulary): ReadonlyMap<number, number> {
  const ids = new Map<number, number>();
  for (let id = 0; id < vocabulary.size; id++) {
    const text = vocabulary.texts[id];
    if (text === "" || !vocabulary.isText(id)) continue;
    const character = codePointBefore(text, 0, text.length);
    if (text.length === (character > 0xffff ? 2 : 1)) ids.set(character, id);
  }
  return ids;
}

export function nCharacters(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    if (codePointBefore(text, at, text.length) > 0xffff) at++;
    count += 1;
  }
  return count;
}

/** Which characters stand side by side in some token; says yes for a few that do not (one hash, one bit). */
export class NeighbourFilter {
  readonly #bits = new Uint32Array(1 << (FILTER_BITS - 5));

  constructor(vocabulary: Vocabulary) {
    for (let id = 0; id < vocabulary.size; id++) if (vocabulary.isText(id)) this.#addText(vocabulary.texts[id]);
  }

  mayHave(left: number, right: number): boolean {
    const bit = hashOf(left, right);
    return (this.#bits[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  #addText(text: string): void {
    let last = NO_CHARACTER;
    for (let at = 0; at < text.length; at++) {
      const character = codePointBefore(text, at, text.length);
      if (character > 0xffff) at++;
      const bit = hashOf(last, character);
      if (last !== NO_CHARACTER) this.#bits[bit >>> 5] |= 1 << (bit & 31);
      last = character;
    }
  }
}

function hashOf(left: number, right: number): number {
  return (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> (32 - FILTER_BITS);
}
