/**
 * Bytes that stand for special tokens in an automaton. No text has them: 0xFF never comes in UTF-8.
 *
 * @module
 */

const FIRST = 0xff;
/** Of six bits each, the lowest first: ids are below 2^24. */
const DIGITS = 4;

/** The bytes of a special token. */
export function specialBytes(id: number): Uint8Array {
  const bytes = new Uint8Array(1 + DIGITS).fill(FIRST, 0, 1);
  for (let i = 0; i < DIGITS; i++) bytes[1 + i] = (id >>> (6 * i)) & 63;
  return bytes;
}

/** The bytes of a token that is text: none for one that no valid UTF-8 has, which could spell a special token. */
export function ordinaryBytes(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.includes(FIRST) ? undefined : bytes;
}

export function isSpecialBytes(bytes: Uint8Array): boolean {
  return bytes[0] === FIRST;
}

/** The token whose bytes come first; undefined if there is none. */
export function specialIdOf(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== FIRST || bytes.length <= DIGITS) return undefined;
  let id = 0;
  for (let i = 0; i < DIGITS; i++) id |= bytes[1 + i] << (6 * i);
  return id;
}

/** The bytes before the first special token. */
export function textBytes(bytes: Uint8Array): Uint8Array {
  const at = bytes.indexOf(FIRST);
  return at < 0 ? bytes : bytes.subarray(0, at);
}
