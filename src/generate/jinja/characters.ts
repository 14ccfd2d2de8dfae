/**
 * Kinds of characters as Python tells them apart.
 *
 * @module
 */

/** `str.isspace`: unlike JavaScript's white space it has the separators U+001C to U+001F and U+0085, and no U+FEFF. */
export const SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

export function isSpace(code: number): boolean {
  if (code <= 0x20) return (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x20);
  if (code < 0x1680) return code === 0x85 || code === 0xa0;
  return (
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

/** Offset of the first character at or after `from` that is no space. */
export function skipSpaces(text: string, from = 0): number {
  while (from < text.length && isSpace(text.charCodeAt(from))) from++;
  return from;
}

/** Offset after the last character before `end` that is no space. */
export function trimmedEnd(text: string, end = text.length, from = 0): number {
  while (end > from && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

/** A letter with its title case: a capital, of which only the first letter when there are several (ß becomes Ss). */
export function titleCased(char: string): string {
  const [first = "", ...rest] = char.toUpperCase();
  const others = rest.join("");
  return first + (first === first.toLowerCase() ? others : others.toLowerCase());
}

/** Superscripts, subscripts, digits in circles and brackets: digits to Python, of no decimal value. */
const SIGNS_OF_A_DIGIT =
  "\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490" +
  "\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792";

/** The tests of `str` that hold when all characters, and at least one, are of a kind. */
export const KINDS: Readonly<Record<string, RegExp>> = {
  isascii: /^[\x00-\x7f]*$/,
  isalpha: /^\p{L}+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isdigit: new RegExp(`^[\\p{Nd}${SIGNS_OF_A_DIGIT}]+$`, "u"),
  isnumeric: /^\p{N}+$/u,
  isalnum: /^[\p{L}\p{N}]+$/u,
  isspace: new RegExp(`^[${SPACES}]+$`, "u"),
};
