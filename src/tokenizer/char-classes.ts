/**
 * Unicode classes of code points by which pre-tokenizers split: letters, numbers, marks, punctuation, symbols, white
 * space.
 *
 * All follow Unicode 16.0, whatever version the engine knows: two releases of Node 20 differ on 9,988 code points. `\s`
 * is Unicode's White_Space, spelled out: JavaScript's `\s` adds U+FEFF and lacks U+0085.
 *
 * @module
 */
import { CLASS_RUNS } from "./unicode-data.ts";

export const LETTER = 1;
export const NUMBER = 2;
export const MARK = 4;
export const PUNCTUATION = 8;
export const SYMBOL = 16;
export const SPACE = 32;
/** Letters that are upper or title case; both are letters too. */
export const UPPER = 64;
/** Letters that are lower case. */
export const LOWER = 128;

const BITS: Readonly<Record<string, number>> = {
  u: LETTER | UPPER,
  l: LETTER | LOWER,
  o: LETTER,
  n: NUMBER,
  m: MARK,
  p: PUNCTUATION,
  s: SYMBOL,
  a: 0,
};

const CODE_POINTS = 0x110000;
const PAGE = 256;

/** Looks classes up in pages of 256 code points; 287 pages differ: 73 kB, which fit the second-level cache. */
export class CharClasses {
  readonly #pageOf = new Uint16Array(CODE_POINTS / PAGE);
  readonly #pages: Uint8Array;

  constructor() {
    const classes = allClasses();
    const pages: Uint8Array[] = [];
    const known = new Map<string, number>();
    for (let i = 0; i < this.#pageOf.length; i++) {
      const page = classes.subarray(i * PAGE, (i + 1) * PAGE);
      const key = String.fromCharCode.apply(null, page as unknown as number[]);
      let number = known.get(key);
      if (number === undefined) known.set(key, (number = pages.push(page) - 1));
      this.#pageOf[i] = number;
    }
    this.#pages = new Uint8Array(pages.length * PAGE);
    pages.forEach((page, number) => this.#pages.set(page, number * PAGE));
  }

  /** The class bits of a code point; a lone surrogate has none. */
  of(codePoint: number): number {
    return this.#pages[(this.#pageOf[codePoint >> 8] << 8) | (codePoint & 0xff)];
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
}

/** The class bits of every code point. */
function allClasses(): Uint8Array {
  const classes = new Uint8Array(CODE_POINTS);
  let at = 0;
  for (const [, kind, length] of CLASS_RUNS.matchAll(/([a-z])([0-9A-Z]*)/g)) {
    const end = at + (length === "" ? 1 : parseInt(length, 36));
    classes.fill(BITS[kind], at, end);
    at = end;
  }
  for (let codePoint = 0; codePoint <= 0x3000; codePoint++) if (isWhiteSpace(codePoint)) classes[codePoint] |= SPACE;
  return classes;
}

/** Unicode White_Space. */
export function isWhiteSpace(codePoint: number): boolean {
  if (codePoint <= 0x20) return codePoint === 0x20 || (codePoint >= 0x09 && codePoint <= 0x0d);
  if (codePoint < 0x1680) return codePoint === 0x85 || codePoint === 0xa0;
  if (codePoint >= 0x2000 && codePoint <= 0x200a) return true;
  return [0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(codePoint);
}

/** True for text of nothing but white space, as it is or as `▁`. */
export function isBlankText(text: string): boolean {
  for (let at = 0; at < text.length; at++)
    if (!isWhiteSpace(text.charCodeAt(at)) && text.charCodeAt(at) !== 0x2581) return false;
  return text !== "";
}

/** Carriage return or line feed. */
export function isNewline(codePoint: number): boolean {
  return codePoint === 0x0a || codePoint === 0x0d;
}

/** Like `codePointAt`, but a pair cut by `end` is a lone surrogate. */
export function codePointBefore(text: string, at: number, end: number): number {
  const unit = text.charCodeAt(at);
  if ((unit & 0xfc00) !== 0xd800 || at + 1 >= end) return unit;
  const low = text.charCodeAt(at + 1);
  return (low & 0xfc00) === 0xdc00 ? ((unit - 0xd800) << 10) + (low - 0xdc00) + 0x10000 : unit;
}

/** The text with each lone surrogate as U+FFFD, as UTF-8 encoders write it. */
export function wellFormed(text: string): string {
  return /[\ud800-\udfff]/u.test(text) ? text.replace(/[\ud800-\udfff]/gu, "\ufffd") : text;
}
