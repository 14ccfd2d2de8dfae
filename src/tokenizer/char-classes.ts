/**
 * Unicode classes of code points, as the pre-tokenizers name them: letters, numbers, marks, punctuation, symbols,
 * white space.
 *
 * `\s` is Unicode's White_Space, spelled out: JavaScript's `\s` adds U+FEFF and lacks U+0085. The general categories are
 * the engine's own, so code points that a newer Unicode version assigned may differ between engines of different age.
 *
 * @module
 */

export const LETTER = 1;
export const NUMBER = 2;
export const MARK = 4;
export const PUNCTUATION = 8;
export const SYMBOL = 16;
export const SPACE = 32;
/** Carriage return and line feed; both are white space too. */
export const NEWLINE = 64;
const KNOWN = 128;

const CODE_POINTS = 0x110000;

const CATEGORIES: readonly (readonly [RegExp, number])[] = [
  [/^\p{L}$/u, LETTER],
  [/^\p{N}$/u, NUMBER],
  [/^\p{M}$/u, MARK],
  [/^\p{P}$/u, PUNCTUATION],
  [/^\p{S}$/u, SYMBOL],
];

/** Looks classes up; each code point is asked of the engine's regular expressions once, 2 ns a look-up afterwards. */
export class CharClasses {
  /** One byte a code point, 0 while unknown: 1.1 MB that the system commits only where text touches it. */
  readonly #classes = new Uint8Array(CODE_POINTS);

  /** The class bits of a code point; a lone surrogate has none. */
  of(codePoint: number): number {
    return this.#classes[codePoint] || this.#classify(codePoint);
  }

  /** The class bits of the code point at `at`, 0 at or beyond `end`. */
  at(text: string, at: number, end: number): number {
    return at < end ? this.of(codePointBefore(text, at, end)) : 0;
  }

  /** The end of the run, from `at`, of code points with any bit of `mask`. */
  runEnd(text: string, at: number, end: number, mask: number): number {
    while (at < end) {
      const codePoint = codePointBefore(text, at, end);
      if ((this.of(codePoint) & mask) === 0) break;
      at += codePoint > 0xffff ? 2 : 1;
    }
    return at;
  }

  /** The end of the run, from `at`, of code points without any bit of `mask`. */
  runEndWithout(text: string, at: number, end: number, mask: number): number {
    while (at < end) {
      const codePoint = codePointBefore(text, at, end);
      if ((this.of(codePoint) & mask) !== 0) break;
      at += codePoint > 0xffff ? 2 : 1;
    }
    return at;
  }

  #classify(codePoint: number): number {
    let bits = KNOWN;
    const character = String.fromCodePoint(codePoint);
    for (const [category, bit] of CATEGORIES) if (category.test(character)) bits |= bit;
    if (isWhiteSpace(codePoint)) bits |= SPACE;
    if (codePoint === 0x0a || codePoint === 0x0d) bits |= NEWLINE;
    this.#classes[codePoint] = bits;
    return bits;
  }
}

/** Unicode White_Space. */
export function isWhiteSpace(codePoint: number): boolean {
  if (codePoint <= 0x20) return codePoint === 0x20 || (codePoint >= 0x09 && codePoint <= 0x0d);
  if (codePoint < 0x1680) return codePoint === 0x85 || codePoint === 0xa0;
  if (codePoint >= 0x2000 && codePoint <= 0x200a) return true;
  return [0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(codePoint);
}

/** Like `codePointAt`, but a pair that `end` cuts in two is a lone surrogate. */
export function codePointBefore(text: string, at: number, end: number): number {
  const unit = text.charCodeAt(at);
  if ((unit & 0xfc00) !== 0xd800 || at + 1 >= end) return unit;
  const low = text.charCodeAt(at + 1);
  return (low & 0xfc00) === 0xdc00 ? ((unit - 0xd800) << 10) + (low - 0xdc00) + 0x10000 : unit;
}
