/**
 * Upper, lower and title case as in Python's `str`.
 *
 * JavaScript has full upper and lower case, Unicode's rule for a word's final sigma, and letter properties. Title case
 * is built from these and the few letters with a title form.
 *
 * The tables are the engine's: letters newer than Unicode 15.0 (Node 20.16) may have no case.
 *
 * @module
 */

const CAPITAL = "[\\p{Uppercase}\\p{Lt}]";
const CASED = /\p{Cased}/u;
const NO_TITLE = new RegExp(`(?<=\\p{Cased})${CAPITAL}|(?<!\\p{Cased})(?!${CAPITAL})\\p{Lowercase}`, "u");
/** A case-ignorable letter, like ʰ, neither begins nor continues a word. */
const LETTER = "(?!\\p{Case_Ignorable})\\p{Cased}";
const LAST_SIGMA = `(?<=${LETTER}\\p{Case_Ignorable}*)Σ(?!\\p{Case_Ignorable}*${LETTER})`;
const CHEROKEE = /[\u13a0-\u13f5\u13f8-\u13fd\uab70-\uabbf]/;

/** True if some letter has a case, and all such letters are lower case. */
export function isLower(text: string): boolean {
  return /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
}

/** True if some letter has a case, and all such letters are upper case. */
export function isUpper(text: string): boolean {
  return /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
}

/** True if the first letter of each word is a capital, and no other. */
export function isTitle(text: string): boolean {
  return CASED.test(text) && !NO_TITLE.test(text);
}

/** A word begins after a character without case. */
export function titleOf(text: string): string {
  return text.replace(
    /(\p{Cased})(\p{Cased}*)/gu,
    (_, first: string, rest: string, at: number) => titleCased(first) + lowerWithin(text, rest, at + first.length),
  );
}

/** The first character in title case, the rest in lower case. */
export function capitalized(text: string): string {
  const [first = ""] = text;
  return titleCased(first) + lowerWithin(text, text.slice(first.length), first.length);
}

/** Swaps upper and lower case. */
export function swapped(text: string): string {
  return text.replace(/(\p{Uppercase})|\p{Lowercase}/gu, (char, upper: string | undefined, at: number) =>
    upper === undefined ? char.toUpperCase() : lowerWithin(text, char, at),
  );
}

/** Unicode's full case folding, for comparisons that ignore case; it folds Cherokee to capitals. */
export function folded(text: string): string {
  return text.replace(/[^ı]+/g, (part) => {
    if (!CHEROKEE.test(part)) return foldedPlain(part);
    return part.replace(/[\u13a0-\u13f5\u13f8-\u13fd\uab70-\uabbf]+|[\s\S]/gu, (chars) =>
      CHEROKEE.test(chars) ? chars.toUpperCase() : foldedPlain(chars),
    );
  });
}

function foldedPlain(text: string): string {
  return text.replaceAll("ẞ", "ß").toUpperCase().toLowerCase().replaceAll("ς", "σ");
}

/** `part`, found at `at` in the text, in lower case. */
function lowerWithin(text: string, part: string, at: number): string {
  if (!part.includes("Σ")) return part.toLowerCase();
  const lastSigma = new RegExp(LAST_SIGMA, "uy");
  const sigmas = part.replaceAll("Σ", (_, offset: number) => {
    lastSigma.lastIndex = at + offset;
    return lastSigma.test(text) ? "ς" : "σ";
  });
  return sigmas.toLowerCase();
}

/**
 * The title case of a character. Of a capital of several letters only the first stays upper (ß becomes Ss). Digraphs
 * have a third form (ǆ: ǅ), Georgian has no title case, and Greek keeps its iota subscript.
 */
function titleCased(char: string): string {
  const capital = char.toUpperCase();
  const [first = "", ...rest] = capital;
  const others = rest.join("");
  if (/^[ǄǇǊǱ]$/.test(capital)) return String.fromCharCode(capital.charCodeAt(0) + 1);
  if (char >= "ა" && char <= "ჿ") return char;
  if (char >= "ᾀ" && others.endsWith("Ι")) return withIotaBelow(char, first + others.slice(0, -1));
  return first + (first === first.toLowerCase() ? others : others.toLowerCase());
}

function withIotaBelow(char: string, capital: string): string {
  const code = char.charCodeAt(0);
  // U+1F80 to U+1FAF: eight small letters, then the same eight as capitals.
  if (code <= 0x1faf) return String.fromCharCode(code | 8);
  // ᾳ, ῃ and ῳ at 3 of their rows, ᾼ, ῌ and ῼ at 12.
  const place = code & 15;
  return place === 3 || place === 12 ? String.fromCharCode((code & ~15) | 12) : `${capital}\u0345`;
}
