/**
 * UTF-8 to strings and back without losing a byte.
 *
 * Vocabularies may hold strings that are not UTF-8. A byte that is part of no valid sequence becomes the lone surrogate
 * U+DC00 + byte (the "surrogateescape" of Python's PEP 383); {@link encodeUtf8} turns it back. Valid text never
 * contains a lone surrogate, so the mapping has an exact inverse. The decoder follows table 3-7 of the Unicode
 * Standard.
 *
 * @module
 */

/** Up to this length our own loop decodes: a call of TextDecoder costs more. */
const SHORT_BYTES = 48;

/** Decodes byte ranges; one decoder keeps its scratch memory for many strings. */
export class Utf8Decoder {
  readonly #units = new Uint16Array(SHORT_BYTES);
  readonly #strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  decode(bytes: Uint8Array, begin: number, end: number): string {
    const lengthBytes = end - begin;
    if (lengthBytes <= SHORT_BYTES) {
      const units = decodeUnits(bytes, begin, end, this.#units);
      return String.fromCharCode.apply(null, this.#units.subarray(0, units) as unknown as number[]);
    }
    const view = bytes.subarray(begin, end);
    try {
      return this.#strict.decode(view);
    } catch {
      return decodeEscaped(bytes, begin, end);
    }
  }
}

/** The bytes of a string that {@link Utf8Decoder} made: its inverse. */
export function encodeUtf8(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (!hasEscapes(text)) return encoder.encode(text);
  const bytes = new Uint8Array(text.length * 3);
  let used = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) bytes[used++] = code - 0xdc00;
    else used += encoder.encodeInto(character, bytes.subarray(used)).written;
  }
  return bytes.slice(0, used);
}

function hasEscapes(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit >= 0xdc00) return true;
    const next = text.charCodeAt(++i);
    if (!(next >= 0xdc00 && next <= 0xdfff)) return true;
  }
  return false;
}

function decodeEscaped(bytes: Uint8Array, begin: number, end: number): string {
  const units = new Uint16Array(end - begin);
  return joinUnits(units, decodeUnits(bytes, begin, end, units));
}

/** In pieces, because the arguments of one call live on the stack. */
function joinUnits(units: Uint16Array, used: number): string {
  let text = "";
  for (let at = 0; at < used; at += 4096) {
    text += String.fromCharCode.apply(null, units.subarray(at, Math.min(used, at + 4096)) as unknown as number[]);
  }
  return text;
}

/** Writes UTF-16 units to `units` (room for one a byte) and returns how many. */
function decodeUnits(bytes: Uint8Array, begin: number, end: number, units: Uint16Array): number {
  let used = 0;
  let at = begin;
  while (at < end) {
    const first = bytes[at]!;
    if (first < 0x80) {
      units[used++] = first;
      at += 1;
      continue;
    }
    const code = sequenceAt(bytes, at, end);
    if (code < 0) {
      units[used++] = 0xdc00 + first;
      at += 1;
    } else if (code < 0x10000) {
      units[used++] = code;
      at += code < 0x800 ? 2 : 3;
    } else {
      units[used++] = 0xd7c0 + (code >> 10);
      units[used++] = 0xdc00 + (code & 0x3ff);
      at += 4;
    }
  }
  return used;
}

/** The code point of the valid 2, 3 or 4-byte sequence at `at`, or −1. */
function sequenceAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const lengthBytes = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (lengthBytes === 0 || at + lengthBytes > end) return -1;
  let code = first & (0xff >> (lengthBytes + 1));
  for (let i = 1; i < lengthBytes; i++) {
    const next = bytes[at + i]!;
    if ((next & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (next & 0x3f);
  }
  if (lengthBytes === 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return -1;
  if (lengthBytes === 4 && (code < 0x10000 || code > 0x10ffff)) return -1;
  return code;
}
