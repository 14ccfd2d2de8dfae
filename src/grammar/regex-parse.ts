/**
 * Patterns as trees.
 *
 * Source: ECMA-262, "Patterns", with the `u` flag; and, as in its Annex B, what is no syntax stands for itself: `{`
 * without a number, `]`, `\-`. A backslash before a letter without a meaning is refused: it means something elsewhere.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GRAMMAR_COUNT_MAX, GRAMMAR_GROUPS_MAX, PATTERN_CHARS_MAX, PATTERN_PROPERTIES_MAX } from "../core/limits.ts";
import { CODE_POINT_MAX, type Range, otherRanges } from "./code-points.ts";
import { CLASSES, CONTROLS, DOT, propertyRanges } from "./regex-classes.ts";

/** A part of a pattern. `at`: where it begins, in UTF-16 units. */
export type Pattern =
  | { readonly kind: "characters"; readonly ranges: readonly Range[] }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly part: Pattern; readonly min: number; readonly max: number; readonly at: number }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "boundary"; readonly isNegative: boolean }
  | { readonly kind: "lookahead"; readonly part: Pattern; readonly isNegative: boolean };

/** @throws OnebitError `grammar/syntax`, `grammar/unsupported`, `grammar/too-large` */
export function parsePattern(pattern: string): Pattern {
  if (pattern.length > PATTERN_CHARS_MAX) {
    fail("grammar/too-large", `pattern of ${pattern.length} characters; the limit is ${PATTERN_CHARS_MAX}`);
  }
  return new Parser(pattern).parse();
}

class Parser {
  readonly #text: string;
  readonly #properties = new Map<string, Range[]>();
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Pattern {
    const whole = this.#choice();
    return this.#at < this.#text.length ? this.#syntax("an unmatched )") : whole;
  }

  #choice(): Pattern {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    while (this.#at < this.#text.length && !this.#sees("|") && !this.#sees(")")) parts.push(this.#term());
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #term(): Pattern {
    const at = this.#at;
    const part = this.#atom();
    const counts = this.#quantifier();
    if (counts === undefined) return part;
    const isAssertion = ["start", "end", "boundary", "lookahead"].includes(part.kind);
    if (isAssertion) return this.#syntax("a quantifier behind an assertion", at);
    if (this.#quantifier() !== undefined) return this.#syntax("a quantifier behind a quantifier", at);
    return { kind: "repeat", part, ...counts, at };
  }

  #atom(): Pattern {
    const character = this.#next();
    switch (character) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "characters", ranges: DOT };
      case "(":
        return this.#group();
      case "[":
        return { kind: "characters", ranges: this.#class() };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        return this.#syntax(`${character} with nothing before it to repeat`, this.#at - 1);
      case "{":
        this.#at--;
        if (this.#quantifier() !== undefined) return this.#syntax("a quantifier with nothing before it to repeat");
        this.#at++;
        return one(0x7b);
      default:
        return one(character.codePointAt(0)!);
    }
  }

  /** Counts and whether it is lazy, which changes no language. */
  #quantifier(): { min: number; max: number } | undefined {
    const rest = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (rest === null) return undefined;
    const [whole, low, comma, high] = rest;
    const at = this.#at;
    this.#at += whole.length;
    if (whole[0] === "*") return { min: 0, max: Number.POSITIVE_INFINITY };
    if (whole[0] === "+") return { min: 1, max: Number.POSITIVE_INFINITY };
    if (whole[0] === "?") return { min: 0, max: 1 };
    const min = Number(low);
    const max = comma === undefined ? min : high === "" ? Number.POSITIVE_INFINITY : Number(high);
    if (min > max) this.#syntax(`${quoted(whole)}: its numbers are out of order`, at);
    if (min > GRAMMAR_COUNT_MAX || (max > GRAMMAR_COUNT_MAX && max < Number.POSITIVE_INFINITY)) {
      fail("grammar/too-large", `${this.#where(at)}: ${quoted(whole)} counts further than ${GRAMMAR_COUNT_MAX}`);
    }
    return { min, max };
  }

  #group(): Pattern {
    const at = this.#at - 1;
    const opening = /^\?(?:[:=!]|<[=!]|<([^>]*)>)?/.exec(this.#text.slice(this.#at, this.#at + 256));
    const kind = opening?.[0] ?? "";
    if (kind === "?") this.#unsupported("a group with flags or of an unknown kind", at);
    if (kind === "?<=" || kind === "?<!") this.#unsupported("a lookbehind", at);
    if (opening?.[1] !== undefined && !/^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(opening[1])) {
      this.#syntax(`${quoted(opening[1])} as the name of a group`, at);
    }
    this.#at += kind.length;
    if (++this.#depth > GRAMMAR_GROUPS_MAX) {
      fail("grammar/too-large", `${this.#where(at)}: groups nest deeper than ${GRAMMAR_GROUPS_MAX} levels`);
    }
    const part = this.#choice();
    this.#depth--;
    if (!this.#take(")")) return this.#syntax("a ( without its )", at);
    if (kind === "?=" || kind === "?!") return { kind: "lookahead", part, isNegative: kind === "?!" };
    return { kind: "sequence", parts: [part] };
  }

  /** A backslash was read, outside a class. */
  #escape(): Pattern {
    const at = this.#at - 1;
    if (this.#take("b")) return { kind: "boundary", isNegative: false };
    if (this.#take("B")) return { kind: "boundary", isNegative: true };
    if (this.#sees("k")) return this.#unsupported("a reference to a group", at);
    if (/[1-9]/.test(this.#text[this.#at] ?? "")) return this.#unsupported("a reference to a group", at);
    return { kind: "characters", ranges: this.#escapedRanges(at) };
  }

  /** What an escape matches, in a class or not. */
  #escapedRanges(at: number): readonly Range[] {
    const letter = this.#text[this.#at];
    if (letter === undefined) return this.#syntax("a \\ at the end", at);
    const known = Object.hasOwn(CLASSES, letter) ? CLASSES[letter] : undefined;
    if (known !== undefined) {
      this.#at++;
      return known;
    }
    if (letter === "p" || letter === "P") return this.#property(at);
    const codePoint = this.#escapedCharacter(at);
    return codePoint === undefined ? [] : [[codePoint, codePoint]];
  }

  /** @returns undefined for half of a pair, which no text has */
  #escapedCharacter(at: number): number | undefined {
    const letter = this.#next();
    if (Object.hasOwn(CONTROLS, letter)) return CONTROLS[letter];
    if (letter === "0" && !/[0-9]/.test(this.#text[this.#at] ?? "")) return 0;
    if (letter === "c") {
      const control = this.#match(/^[A-Za-z]/, 1) ?? this.#syntax("\\c without a letter", at);
      return control.charCodeAt(0) & 0x1f;
    }
    if (letter === "x") {
      return parseInt(this.#match(/^[0-9A-Fa-f]{2}/, 2) ?? this.#syntax("\\x without two hexadecimal digits", at), 16);
    }
    if (letter === "u") return this.#unicodeEscape(at);
    if (/[A-Za-z0-9]/.test(letter)) return this.#syntax(`the unknown escape \\${letter}`, at);
    return letter.codePointAt(0)!;
  }

  #unicodeEscape(at: number): number | undefined {
    const braced = this.#match(/^\{[0-9A-Fa-f]{1,16}\}/, 20);
    if (braced !== undefined) {
      const codePoint = parseInt(braced.slice(1, -1), 16);
      return codePoint > CODE_POINT_MAX
        ? this.#syntax(`${quoted(braced)}, which is no code point`, at)
        : scalar(codePoint);
    }
    const unit = this.#match(/^[0-9A-Fa-f]{4}/, 4);
    if (unit === undefined) return this.#syntax("\\u without four hexadecimal digits", at);
    const high = parseInt(unit, 16);
    if (high < 0xd800 || high > 0xdbff) return scalar(high);
    const low = this.#match(/^\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}/, 6);
    return low === undefined ? undefined : 0x10000 + ((high - 0xd800) << 10) + (parseInt(low.slice(2), 16) - 0xdc00);
  }

  #property(at: number): readonly Range[] {
    const isNegative = this.#next() === "P";
    const braced = this.#match(/^\{[A-Za-z0-9_]+(=[A-Za-z0-9_]+)?\}/, 128);
    if (braced === undefined) return this.#syntax("\\p without the name of a property in braces", at);
    const name = braced.slice(1, -1);
    let ranges = this.#properties.get(name);
    if (ranges === undefined) {
      if (this.#properties.size === PATTERN_PROPERTIES_MAX) {
        fail("grammar/too-large", `${this.#where(at)}: more than ${PATTERN_PROPERTIES_MAX} properties`);
      }
      ranges = propertyRanges(name) ?? this.#unsupported(`the property ${quoted(name)}, which is unknown here,`, at);
      this.#properties.set(name, ranges);
    }
    return isNegative ? otherRanges(ranges) : ranges;
  }

  /** A [ was read. */
  #class(): readonly Range[] {
    const at = this.#at - 1;
    const isNegative = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#text.length) return this.#syntax("a [ without its ]", at);
      const from = this.#at;
      const first = this.#classMember();
      if (!this.#sees("-") || this.#text[this.#at + 1] === "]" || this.#at + 1 >= this.#text.length) {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      const last = this.#classMember();
      const isRange = isOne(first) && isOne(last);
      // `[\w-x]` and `[a-\w]`: the dash stands for itself. Half a pair matches nothing, so its range is unknown.
      if (!isRange) ranges.push(...first, [0x2d, 0x2d], ...last);
      else if (first[0][0] > last[0][0]) this.#syntax("a range out of order", from);
      else ranges.push([first[0][0], last[0][0]]);
    }
    return isNegative ? otherRanges(ranges) : ranges;
  }

  #classMember(): readonly Range[] {
    const at = this.#at;
    const character = this.#next();
    if (character !== "\\") return [[character.codePointAt(0)!, character.codePointAt(0)!]];
    if (this.#take("b")) return [[0x08, 0x08]];
    return this.#escapedRanges(at);
  }

  /** The next character, of one or two units. */
  #next(): string {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    this.#at += character.length;
    return character;
  }

  #sees(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  #take(character: string): boolean {
    if (!this.#sees(character)) return false;
    this.#at++;
    return true;
  }

  /** Takes what matches here, of at most so many units. */
  #match(expression: RegExp, most: number): string | undefined {
    const found = expression.exec(this.#text.slice(this.#at, this.#at + most))?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #where(at: number): string {
    return `pattern ${quoted(this.#text)}, character ${at + 1}`;
  }

  #syntax(found: string, at = this.#at): never {
    return fail("grammar/syntax", `${this.#where(at)}: found ${found}`);
  }

  #unsupported(found: string, at: number): never {
    return fail("grammar/unsupported", `${this.#where(at)}: ${found} is not supported; write the pattern without it`);
  }
}

function one(codePoint: number): Pattern {
  return { kind: "characters", ranges: [[codePoint, codePoint]] };
}

function isOne(ranges: readonly Range[]): boolean {
  return ranges.length === 1 && ranges[0][0] === ranges[0][1];
}

/** Undefined for half of a pair. */
function scalar(codePoint: number): number | undefined {
  return codePoint >= 0xd800 && codePoint <= 0xdfff ? undefined : codePoint;
}
