/**
 * UTF-8 of part of a string, without copying the part.
 *
 * Source: the WHATWG Encoding Standard, UTF-8 encoder; lone surrogates become U+FFFD, as in `TextEncoder`.
 *
 * @module
 */
import { codePointBefore } from "./char-classes.ts";

/** Bytes per UTF-16 unit at most; a pair of units takes 4. */
export const BYTES_PER_UNIT_MAX = 3;

/** Writes the bytes of `text[from, to)` and returns their number; `into` has room for three a unit. */
export function writeUtf8(text: string, from: number, to: number, into: Uint8Array): number {
  let used = 0;
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) {
      into[used++] = unit;
      continue;
    }
    const codePoint = codePointBefore(text, at, to);
    if (codePoint > 0xffff) at++;
    used = writeCodePoint(codePoint, into, used);
  }
  return used;
}

/** Writes the bytes of one code point at `used` and returns where they end. */
export function writeCodePoint(codePoint: number, into: Uint8Array, used: number): number {
  const code = (codePoint & ~0x7ff) === 0xd800 ? 0xfffd : codePoint;
  if (code < 0x80) {
    into[used++] = code;
  } else if (code < 0x800) {
    into[used++] = 0xc0 | (code >> 6);
    into[used++] = 0x80 | (code & 0x3f);
  } else if (code < 0x10000) {
    into[used++] = 0xe0 | (code >> 12);
    into[used++] = 0x80 | ((code >> 6) & 0x3f);
    into[used++] = 0x80 | (code & 0x3f);
  } else {
    into[used++] = 0xf0 | (code >> 18);
    into[used++] = 0x80 | ((code >> 12) & 0x3f);
    into[used++] = 0x80 | ((code >> 6) & 0x3f);
    into[used++] = 0x80 | (code & 0x3f);
  }
  return used;
}
