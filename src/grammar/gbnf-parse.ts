/**
 * GBNF, the notation of llama.cpp, as trees.
 *
 * Source: llama.cpp, `grammars/README.md` and the behaviour of its parser: a rule ends at the end of its line unless a
 * parenthesis is open or `::=` or `|` was the last; names have letters, digits and `-`. Where llama.cpp takes what can
 * only be a mistake (a rule twice, `[]`, a repetition of a repetition that is out of order), this refuses it.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GRAMMAR_CHARS_MAX, GRAMMAR_COUNT_MAX, GRAMMAR_GROUPS_MAX } from "../core/limits.ts";
import { CODE_POINT_MAX, type Range, otherRanges } from "./code-points.ts";

/** A part of a rule. */
export type GbnfPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "characters"; readonly ranges: readonly Range[] }
  | { readonly kind: "rule"; readonly name: string; readonly at: number }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly GbnfPart[] }
  | { readonly kind: "repeat"; readonly part: GbnfPart; readonly min: number; readonly max: number };

/** Rules by name, in their order. */
export type GbnfRules = ReadonlyMap<string, GbnfPart>;

/** @throws OnebitError `grammar/syntax`, `grammar/unsupported`, `grammar/too-large` */
export function parseGbnf(text: string): GbnfRules {
  if (text.length > GRAMMAR_CHARS_MAX) {
    fail("grammar/too-large", `grammar of ${text.length} characters; the limit is ${GRAMMAR_CHARS_MAX}`);
  }
  const rules = new Parser(text).parse();
  for (const { name, at } of rules.references) {
    if (!rules.byName.has(name)) rules.syntax(`${quoted(name)}, a rule that has no definition`, at);
  }
  return rules.byName;
}

const ESCAPES: Readonly<Record<string, number>> = {
  t: 0x09,
  r: 0x0d,
  n: 0x0a,
  "\\": 0x5c,
  '"': 0x22,
  "[": 0x5b,
  "]": 0x5d,
  "-": 0x2d,
};

/** Digits of the escapes that name a code point. */
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

class Parser {
  readonly byName = new Map<string, GbnfPart>();
  readonly references: { name: string; at: number }[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): this {
    this.#space(true);
    while (this.#at < this.#text.length) this.#rule();
    return this;
  }

  syntax(found: string, at = this.#at): never {
    return fail("grammar/syntax", `${this.#where(at)}: found ${found}`);
  }

  #rule(): void {
    const at = this.#at;
    const name = this.#name() ?? this.syntax(`${this.#seen()}; wanted the name of a rule: letters, digits and -`);
    this.#space(false);
    if (!this.#take("::=")) this.syntax(`${this.#seen()}; wanted ::= behind the name ${quoted(name)}`);
    this.#space(true);
    if (this.byName.has(name)) this.syntax(`a second definition of ${quoted(name)}`, at);
    const whole = this.#choice();
    if (this.#at < this.#text.length && !this.#sees("\n") && !this.#sees("\r")) {
      this.syntax(`${this.#seen()}; wanted the end of the line`);
    }
    this.byName.set(name, whole);
    this.#space(true);
  }

  #choice(): GbnfPart {
    const parts = [this.#sequence()];
    while (this.#take("|")) {
      this.#space(true);
      parts.push(this.#sequence());
    }
    return parts.length === 1 ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): GbnfPart {
    const parts: GbnfPart[] = [];
    for (;;) {
      const counts = this.#quantifier();
      if (counts !== undefined) {
        const part = parts.pop() ?? this.syntax("a quantifier with nothing before it to repeat");
        parts.push({ kind: "repeat", part, ...counts });
      } else {
        const part = this.#item();
        if (part === undefined) break;
        parts.push(part);
      }
      this.#space(this.#depth > 0);
    }
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #item(): GbnfPart | undefined {
    const at = this.#at;
    if (this.#take('"')) return this.#literal(at);
    if (this.#take("[")) return this.#class(at);
    if (this.#take(".")) return { kind: "characters", ranges: [[0, CODE_POINT_MAX]] };
    if (this.#take("(")) return this.#group(at);
    if (this.#sees("<") || this.#sees("!")) {
      const found = quoted(/^!?<?[^>\n]*>?/.exec(this.#text.slice(at, at + 64))?.[0] ?? "");
      return fail(
        "grammar/unsupported",
        `${this.#where(at)}: ${found} names a token; tokens in grammars are not supported; write its text in quotes`,
      );
    }
    const name = this.#name();
    if (name === undefined) return undefined;
    this.references.push({ name, at });
    return { kind: "rule", name, at };
  }

  #literal(at: number): GbnfPart {
    const characters: number[] = [];
    while (!this.#take('"')) {
      if (this.#at >= this.#text.length) this.syntax('a text without its closing "', at);
      characters.push(this.#character());
    }
    return { kind: "text", text: characters.map((codePoint) => String.fromCodePoint(codePoint)).join("") };
  }

  #class(at: number): GbnfPart {
    const isNegative = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#text.length) this.syntax("a [ without its ]", at);
      const from = this.#at;
      const first = this.#character();
      const isRange = this.#sees("-") && this.#text[this.#at + 1] !== "]" && this.#at + 1 < this.#text.length;
      if (isRange) this.#at++;
      const last = isRange ? this.#character() : first;
      if (last < first) this.syntax("a range out of order", from);
      ranges.push([first, last]);
    }
    if (ranges.length === 0) this.syntax("a class without characters", at);
    return { kind: "characters", ranges: isNegative ? otherRanges(ranges) : ranges };
  }

  #group(at: number): GbnfPart {
    if (++this.#depth > GRAMMAR_GROUPS_MAX) {
      fail("grammar/too-large", `${this.#where(at)}: groups nest deeper than ${GRAMMAR_GROUPS_MAX} levels`);
    }
    this.#space(true);
    const whole = this.#choice();
    if (!this.#take(")")) {
      if (this.#at >= this.#text.length) this.syntax("a ( without its )", at);
      this.syntax(`${this.#seen()}; wanted )`);
    }
    this.#depth--;
    return whole;
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take("?")) return { min: 0, max: 1 };
    const at = this.#at;
    if (!this.#take("{")) return undefined;
    const min = this.#count() ?? this.syntax(`${this.#seen()}; wanted a number`);
    let max = min;
    if (this.#take(",")) max = this.#count() ?? Number.POSITIVE_INFINITY;
    if (!this.#take("}")) this.syntax(`${this.#seen()}; wanted }`);
    if (min > max) this.syntax("numbers out of order in { }", at);
    return { min, max };
  }

  /** A number among blanks. */
  #count(): number | undefined {
    this.#space(this.#depth > 0);
    const at = this.#at;
    const digits = this.#match(/\d+/y);
    this.#space(this.#depth > 0);
    if (digits === undefined) return undefined;
    const count = Number(digits);
    if (count > GRAMMAR_COUNT_MAX) {
      fail("grammar/too-large", `${this.#where(at)}: a repetition counts further than ${GRAMMAR_COUNT_MAX}`);
    }
    return count;
  }

  /** One character of a text or class. */
  #character(): number {
    const at = this.#at;
    if (!this.#take("\\")) {
      const codePoint = this.#text.codePointAt(at)!;
      this.#at += codePoint > 0xffff ? 2 : 1;
      return this.#scalar(codePoint, at);
    }
    const letter = this.#text[this.#at++];
    if (letter === undefined) return this.syntax("a \\ at the end", at);
    if (Object.hasOwn(ESCAPES, letter)) return ESCAPES[letter];
    if (!Object.hasOwn(HEX_DIGITS, letter)) return this.syntax(`the unknown escape ${quoted(`\\${letter}`)}`, at);
    const count = HEX_DIGITS[letter];
    const digits = this.#text.slice(this.#at, this.#at + count);
    if (digits.length < count || !/^[0-9A-Fa-f]+$/.test(digits)) {
      return this.syntax(`\\${letter} without ${count} hexadecimal digits`, at);
    }
    this.#at += count;
    return this.#scalar(parseInt(digits, 16), at);
  }

  #scalar(codePoint: number, at: number): number {
    const isScalar = codePoint <= CODE_POINT_MAX && (codePoint < 0xd800 || codePoint > 0xdfff);
    return isScalar ? codePoint : this.syntax(`U+${codePoint.toString(16).toUpperCase()}, which no text has`, at);
  }

  #name(): string | undefined {
    return this.#match(/[A-Za-z0-9-]+/y);
  }

  /** Skips blanks and comments, and the ends of lines if `lines`. */
  #space(lines: boolean): void {
    this.#match(lines ? /(?:[ \t\r\n]|#[^\r\n]*)+/y : /(?:[ \t]|#[^\r\n]*)+/y);
  }

  /** Takes what a sticky expression matches here. */
  #match(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  #seen(): string {
    const codePoint = this.#text.codePointAt(this.#at);
    return codePoint === undefined ? "the end" : quoted(String.fromCodePoint(codePoint));
  }

  #where(at: number): string {
    const before = this.#text.slice(0, at).split(/\r\n|\r|\n/);
    return `grammar, line ${before.length}, column ${before[before.length - 1].length + 1}`;
  }
}
