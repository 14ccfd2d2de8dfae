/**
 * The alphabet of byte-level vocabularies: every byte has a printable character, so any token is a string.
 *
 * Source: GPT-2 (Radford et al. 2019), `encoder.py`. The 188 printable bytes of Latin-1 are themselves; the other 68
 * are U+0100, U+0101, … in order.
 *
 * @module
 */

/** Maps bytes to the alphabet and back. */
export interface ByteAlphabet {
  /** The character of each byte, as a UTF-16 unit. */
  readonly unitOfByte: Uint16Array;
  /** Bytes of a token written in the alphabet; undefined if a character is not in it. */
  bytesOf(text: string): Uint8Array | undefined;
}

/** All units of the alphabet lie below this. */
const UNITS = 0x144;
const NONE = 0xffff;

export function makeByteAlphabet(): ByteAlphabet {
  const unitOfByte = new Uint16Array(256);
  const byteOfUnit = new Uint16Array(UNITS).fill(NONE);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const unit = isPrintable(byte) ? byte : next++;
    unitOfByte[byte] = unit;
    byteOfUnit[unit] = byte;
  }
  return {
    unitOfByte,
    bytesOf(text) {
      const bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        const byte = unit < UNITS ? byteOfUnit[unit] : NONE;
        if (byte === NONE) return undefined;
        bytes[i] = byte;
      }
      return bytes;
    },
  };
}

/** Printable in Latin-1: neither control nor blank nor soft hyphen. */
function isPrintable(byte: number): boolean {
  return (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
}

/** Writes each byte of a text's UTF-8 as its character. */
export function makeByteWriter(): (text: string) => string {
  const characters = Array.from(makeByteAlphabet().unitOfByte, (unit) => String.fromCharCode(unit));
  const encoder = new TextEncoder();
  return (text) => Array.from(encoder.encode(text), (byte) => characters[byte]).join("");
}
