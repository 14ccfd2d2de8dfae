/**
 * Character classes as Python defines them.
 *
 * Letters, numbers and decimal digits follow the engine's Unicode: 15.0 in Node 20.16, 17.0 in 20.20.
 *
 * @module
 */

/** `str.isspace`: JavaScript's white space plus the separators U+001C to U+001F and U+0085, less U+FEFF. */
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

/** Offset of the first non-space at or after `from`. */
export function skipSpaces(text: string, from = 0): number {
  while (from < text.length && isSpace(text.charCodeAt(from))) from++;
  return from;
}

/** Offset after the last non-space before `end`. */
export function trimmedEnd(text: string, end = text.length, from = 0): number {
  while (end > from && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

/** The code point that begins at `at`. */
export function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

/** The code point that ends before `end`. */
export function characterBefore(text: string, end: number): string {
  const two = text.slice(Math.max(end - 2, 0), end);
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(two) ? two : two.slice(-1);
}

/** Digits that are not decimal: superscript, circled, and those of scripts without a zero. */
const OTHER_DIGITS =
  "\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c" +
  "\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}" +
  "\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}";
/** Letters that are numbers: Chinese ones, plain and financial, as of Unicode 14. */
const NUMBER_LETTERS =
  "㐅㒃㠪㭍一七万三九二五亖亿-什仟仨伍佰億兆兩八六十千-卅卌叁-叄四壱壹幺廾-廿弌-弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零" +
  "\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd\u{20001}\u{20064}\u{200e2}\u{20121}\u{2092a}\u{20983}\u{2098c}" +
  "\u{2099c}\u{20aea}\u{20afd}\u{20b19}\u{22390}\u{22998}\u{23b1b}\u{2626d}\u{2f890}";

/** The tests of `str` that hold when the text is not empty and all its characters are of one class. */
export const KINDS: Readonly<Record<string, RegExp>> = {
  isascii: /^[\x00-\x7f]*$/,
  isalpha: /^\p{L}+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isdigit: new RegExp(`^[\\p{Nd}${OTHER_DIGITS}]+$`, "u"),
  isnumeric: new RegExp(`^[\\p{N}${NUMBER_LETTERS}]+$`, "u"),
  isalnum: /^[\p{L}\p{N}]+$/u,
  isspace: new RegExp(`^[${SPACES}]+$`, "u"),
};
