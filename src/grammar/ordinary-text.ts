/**
 * Ordinary text: what most strings allow, JSON's without an escape among them. Most tokens of a vocabulary consist of
 * it, so that a state that allows it allows them all, without a look at each.
 *
 * @module
 */

/** All characters but controls, the ends of lines and paragraphs, `"` and `\`. */
export const ORDINARY_CHARACTERS: readonly (readonly [first: number, last: number])[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x7e],
  [0xa0, 0x2027],
  [0x202a, 0x10ffff],
];

/** The least ordinary code point of so many bytes. */
const LEAST = [0, 0, 0xa0, 0x800, 0x10000];

/** The number of characters at `from` to `to`, if they are ordinary text in complete UTF-8; 0 if not. */
export function ordinaryLength(bytes: Uint8Array, from: number, to: number): number {
  let nCharacters = 0;
  for (let at = from; at < to; nCharacters++) {
    const length = ordinaryCharacter(bytes, at, to);
    if (length === 0) return 0;
    at += length;
  }
  return nCharacters;
}

/** The bytes of the ordinary character at `at`; 0 if there is none. */
function ordinaryCharacter(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return lead >= 0x20 && lead !== 0x22 && lead !== 0x5c && lead !== 0x7f ? 1 : 0;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  let codePoint = lead & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
    codePoint = (codePoint << 6) | (bytes[at + i] & 0x3f);
  }
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  const isLineEnd = codePoint === 0x2028 || codePoint === 0x2029;
  const isShortest = codePoint >= LEAST[length];
  return isShortest && !isSurrogate && !isLineEnd && codePoint <= 0x10ffff ? length : 0;
}
