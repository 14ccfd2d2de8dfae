/**
 * Strings that fit assertions, with every spelling of a character or one (see json-spelling.ts).
 *
 * @module
 */
import { Analysis } from "../analysis.ts";
import { edgesOf } from "../edges.ts";
import type { Expression, Expressions } from "../expression.ts";
import { regexExpression } from "../regex.ts";
import type { Assertion, Origin } from "./assertions.ts";
import { formatOf } from "./formats.ts";
import type { Branch } from "./formula.ts";
import { JsonSpelling, RAW, type Ranges, rawSpelling, type Spelling } from "./json-spelling.ts";
import { unsupported } from "./keyword-rule.ts";

const ANY_CHARACTER: Ranges = [[0, 0x10ffff]];

/** Assertions about a string, taken together. */
interface Demand {
  min: number;
  max: number;
  readonly languages: Extract<Assertion, { kind: "pattern" | "format" }>[];
  /** The only ones, when given. */
  values: readonly string[] | undefined;
  readonly excluded: string[];
}

/** Strings without their quotes. */
export class Strings {
  readonly #made: Expressions;
  readonly #analysis: Analysis;
  readonly #spelling: Spelling;
  readonly #isRaw: boolean;
  readonly #patterns = new Map<string, Expression>();

  /** @param isPlain spell as `JSON.stringify` does, and in no other way; or as the text itself */
  constructor(expressions: Expressions, isPlain: boolean | typeof RAW) {
    this.#made = expressions;
    this.#analysis = new Analysis(expressions);
    this.#isRaw = isPlain === RAW;
    this.#spelling = isPlain === RAW ? rawSpelling(expressions) : new JsonSpelling(expressions, isPlain);
  }

  /** Any string. */
  get anyText(): Expression {
    return this.#spelling.anyText;
  }

  /** The spelling of one string that texts get. */
  constant(text: string): Expression {
    return this.#made.text(this.#spelt(text));
  }

  /** Whether any string fits. */
  isEmpty(expression: Expression): boolean {
    return this.#analysis.isEmpty(expression);
  }

  /** The strings that fit all assertions. */
  expression(branch: Branch): Expression {
    const values = this.values(branch);
    if (values !== undefined) return this.#made.choice(values.map((value) => this.constant(value)));
    const { min, max, languages, excluded } = demandOf(branch);
    const parts: Expression[] = [];
    for (const part of languages) {
      const { expression, charactersMax } = this.#language(part);
      if (charactersMax !== undefined) parts.push(this.#between(0, charactersMax));
      parts.push(part.holds ? expression : this.#made.complement(expression));
    }
    // Most patterns rule out the empty string by themselves, and each part of an intersection costs.
    const isImplied = min <= 1 && max === Number.POSITIVE_INFINITY && parts.some((part) => !part.isNullable);
    if (!isImplied && (min > 0 || max < Number.POSITIVE_INFINITY)) parts.push(this.#between(min, max));
    if (excluded.length > 0) {
      parts.push(this.#made.complement(this.#made.choice(excluded.map((text) => this.#spelling.text(text)))));
    }
    const isSpelt = (min > 0 && !isImplied) || max < Number.POSITIVE_INFINITY || languages.some(({ holds }) => holds);
    return this.#made.both(isSpelt ? parts : [this.anyText, ...parts]);
  }

  /** The only strings that fit all assertions, or undefined when constants are not among them. */
  values(branch: Branch): string[] | undefined {
    const { values, min, max, languages, excluded } = demandOf(branch);
    if (values === undefined) return undefined;
    return values.filter((value) => {
      const length = [...value].length;
      if (length < min || length > max || excluded.includes(value)) return false;
      return languages.every((part) => {
        const { expression, charactersMax = Number.POSITIVE_INFINITY } = this.#language(part);
        return (this.matches(expression, value) && length <= charactersMax) === part.holds;
      });
    });
  }

  /** Strings in which a pattern matches somewhere. */
  pattern(pattern: string, origin: Origin): Expression {
    return this.#regex(pattern, false, origin);
  }

  /** Whether a string is among those of an expression of this class. */
  matches(expression: Expression, text: string): boolean {
    let rest = expression;
    for (const byte of new TextEncoder().encode(this.#spelt(text))) {
      if (rest === this.#made.nothing) return false;
      const { classes, targets } = edgesOf(this.#made, rest);
      rest = targets[classes[byte]];
    }
    return rest.isNullable;
  }

  #spelt(text: string): string {
    return this.#isRaw ? text : JSON.stringify(text).slice(1, -1);
  }

  #between(min: number, max: number): Expression {
    if (min > max) return this.#made.nothing;
    return this.#made.repeat(this.#spelling.character(ANY_CHARACTER), min, max);
  }

  #language(part: Demand["languages"][number]): { expression: Expression; charactersMax?: number } {
    if (part.kind === "pattern") return { expression: this.pattern(part.pattern, part.origin) };
    const format = formatOf(part.format);
    if (format === undefined) return unsupported(part.origin, "is unknown");
    if (!part.holds && format.isNarrower) {
      return unsupported(part.origin, `${JSON.stringify(part.format)} cannot be negated: it is not decided exactly`);
    }
    return { expression: this.#regex(format.pattern, true, part.origin), charactersMax: format.charactersMax };
  }

  #regex(pattern: string, anchored: boolean, origin: Origin): Expression {
    const key = `${anchored ? "=" : "~"}${pattern}`;
    let found = this.#patterns.get(key);
    if (found === undefined) {
      const character = (ranges: Ranges): Expression => this.#spelling.character(ranges);
      try {
        found = regexExpression(this.#made, pattern, { anchored, character });
      } catch (error) {
        if (error instanceof Error) unsupported(origin, `cannot be followed: ${error.message}`);
        throw error;
      }
      this.#patterns.set(key, found);
    }
    return found;
  }
}

function demandOf(branch: Branch): Demand {
  const demand: Demand = { min: 0, max: Number.POSITIVE_INFINITY, languages: [], values: undefined, excluded: [] };
  for (const part of branch) {
    if (part.kind === "characters") {
      demand.min = Math.max(demand.min, part.min);
      demand.max = Math.min(demand.max, part.max);
    } else if (part.kind === "pattern" || part.kind === "format") demand.languages.push(part);
    else if (part.kind === "strings") {
      if (!part.holds) for (const value of part.values) demand.excluded.push(value);
      else demand.values = demand.values?.filter((value) => part.values.includes(value)) ?? [...new Set(part.values)];
    }
  }
  return demand;
}
