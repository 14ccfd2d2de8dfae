/**
 * How the characters of a text are spelt inside a JSON string.
 *
 * Source: RFC 8259, section 7. A character may be spelt in every way the RFC allows: as itself, by a short escape, or
 * by `\u` and four digits (two such for characters beyond U+FFFF). Names, constants and strings under a pattern or a
 * format are spelt as `JSON.stringify` spells them, so that equal texts are equal strings and patterns have one text to
 * follow. Lone surrogates are never spelt.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";

export type Ranges = readonly (readonly [first: number, last: number])[];

/** The one-letter escapes; a solidus needs none. */
const SHORT: readonly (readonly [code: number, letter: string])[] = [
  [0x08, "b"],
  [0x09, "t"],
  [0x0a, "n"],
  [0x0c, "f"],
  [0x0d, "r"],
  [0x22, '"'],
  [0x5c, "\\"],
];
const SOLIDUS = 0x2f;

const LOWER = "0123456789abcdef";

/** Characters that stand for themselves. */
const PLAIN: Ranges = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0xd7ff],
  [0xe000, 0x10ffff],
];

const ALL: Ranges = [[0, 0x10ffff]];
const SPELLABLE: Ranges = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** How texts are spelt. */
export type Spelling = Pick<JsonSpelling, "anyText" | "text" | "character">;

/** Asks for {@link rawSpelling}. */
export const RAW = "raw";

/** Every text as it is, outside of JSON. */
export function rawSpelling(expressions: Expressions): Spelling {
  return {
    anyText: expressions.anyText,
    text: (text) => expressions.text(text),
    character: (ranges) => expressions.characters(intersected(ranges, SPELLABLE)),
  };
}

export class JsonSpelling {
  readonly #expressions: Expressions;
  readonly #isPlain: boolean;
  readonly #known = new Map<string, Expression>();
  readonly #digits = new Map<string, Expression>();
  #anyText: Expression | undefined;

  /** @param isPlain spell as `JSON.stringify` does, and in no other way */
  constructor(expressions: Expressions, isPlain: boolean) {
    this.#expressions = expressions;
    this.#isPlain = isPlain;
  }

  /** Any text. */
  get anyText(): Expression {
    return (this.#anyText ??= this.#expressions.repeat(this.character(ALL), 0));
  }

  /** This very text, in every way that `character` allows. */
  text(text: string): Expression {
    return [...text].reduceRight((rest, character) => {
      const code = character.codePointAt(0)!;
      return this.#expressions.sequence(this.character([[code, code]]), rest);
    }, this.#expressions.empty);
  }

  /** Any of these characters. */
  character(ranges: Ranges): Expression {
    const key = ranges.join(";");
    let found = this.#known.get(key);
    if (found === undefined) this.#known.set(key, (found = this.#spelt(ranges)));
    return found;
  }

  #spelt(ranges: Ranges): Expression {
    const made = this.#expressions;
    const has = (code: number): boolean => ranges.some(([first, last]) => first <= code && code <= last);
    const escapes = SHORT.filter(([code]) => has(code)).map(([, letter]) => made.text(letter));
    if (this.#isPlain) {
      for (const high of [0, 1]) {
        const codes = Array.from({ length: 16 }, (_, low) => high * 16 + low);
        const controls = codes.filter((code) => has(code) && !SHORT.some(([short]) => short === code));
        const digits = controls.map((code) => LOWER.charCodeAt(code & 15));
        escapes.push(made.sequence(made.text(`u00${high}`), made.characters(digits.map((digit) => [digit, digit]))));
      }
    } else {
      if (has(SOLIDUS)) escapes.push(made.text("/"));
      escapes.push(made.sequence(made.text("u"), this.#unicode(ranges)));
    }
    const escaped = made.sequence(made.text("\\"), made.choice(escapes));
    return made.choice([made.characters(intersected(ranges, PLAIN)), escaped]);
  }

  /** What follows `\u`: four digits, or two times four with `\u` between. */
  #unicode(ranges: Ranges): Expression {
    const made = this.#expressions;
    const low = intersected(ranges, [
      [0, 0xd7ff],
      [0xe000, 0xffff],
    ]);
    const astral = intersected(ranges, [[0x10000, 0x10ffff]]);
    return made.choice([
      ...low.map(([first, last]) => this.#hex(first, last, 4)),
      ...astral.flatMap(([first, last]) => this.#pairs(first - 0x10000, last - 0x10000)),
    ]);
  }

  /** Surrogate pairs of characters from 0x10000 + `first` to 0x10000 + `last`. */
  #pairs(first: number, last: number): Expression[] {
    const made = this.#expressions;
    const pair = (high: number, highLast: number, low: number, lowLast: number): Expression =>
      made.sequence(
        this.#hex(0xd800 + high, 0xd800 + highLast, 4),
        made.text("\\u"),
        this.#hex(0xdc00 + low, 0xdc00 + lowLast, 4),
      );
    let [from, to] = [first >> 10, last >> 10];
    if (from === to) return [pair(from, from, first & 0x3ff, last & 0x3ff)];
    const parts: Expression[] = [];
    if ((first & 0x3ff) > 0) parts.push(pair(from, from, first & 0x3ff, 0x3ff)), from++;
    if ((last & 0x3ff) < 0x3ff) parts.push(pair(to, to, 0, last & 0x3ff)), to--;
    if (from <= to) parts.push(pair(from, to, 0, 0x3ff));
    return parts;
  }

  /** Numbers from `first` to `last` in so many hexadecimal digits of either case. */
  #hex(first: number, last: number, digits: number): Expression {
    const made = this.#expressions;
    if (digits === 0) return made.empty;
    const key = `${first},${last},${digits}`;
    const known = this.#digits.get(key);
    if (known !== undefined) return known;
    const span = 16 ** (digits - 1);
    const byTail = new Map<Expression, number[]>();
    for (let digit = Math.floor(first / span); digit <= Math.floor(last / span); digit++) {
      const from = Math.max(first - digit * span, 0);
      const to = Math.min(last - digit * span, span - 1);
      const tail = this.#hex(from, to, digits - 1);
      const same = byTail.get(tail);
      if (same === undefined) byTail.set(tail, [digit]);
      else same.push(digit);
    }
    const found = made.choice(
      [...byTail].map(([tail, same]) => made.sequence(made.characters(same.flatMap(hexDigit)), tail)),
    );
    this.#digits.set(key, found);
    return found;
  }
}

function hexDigit(digit: number): [number, number][] {
  const lower = LOWER.charCodeAt(digit);
  const upper = LOWER[digit].toUpperCase().charCodeAt(0);
  return lower === upper
    ? [[lower, lower]]
    : [
        [lower, lower],
        [upper, upper],
      ];
}

function intersected(a: Ranges, b: Ranges): [number, number][] {
  return a.flatMap(([first, last]) =>
    b.flatMap(([from, to]): [number, number][] => {
      const start = Math.max(first, from);
      const end = Math.min(last, to);
      return start <= end ? [[start, end]] : [];
    }),
  );
}
