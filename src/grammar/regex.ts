/**
 * Regular expressions of ECMA-262 as expressions over bytes. What they match is the language alone: greedy or lazy,
 * capturing or not is the same.
 *
 * Assertions look at the whole rest of the text, so a pattern is built from its end: each part gets what may come
 * behind it up to the end of the text, and gives what may come from its beginning. `(?=x)` then is an intersection.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { PATTERN_COPIES_MAX } from "../core/limits.ts";
import { CODE_POINT_MAX, type Range, commonRanges, otherRanges } from "./code-points.ts";
import type { Expressions } from "./expression.ts";
import type { Expression } from "./node.ts";
import { WORD } from "./regex-classes.ts";
import { type Pattern, parsePattern } from "./regex-parse.ts";

export interface RegexOptions {
  /** The pattern matches the whole text; off by default: it matches anywhere within, as JavaScript's `test` has it. */
  anchored?: boolean;
  /**
   * One character of a set; by default its UTF-8. With another, the expression matches the text as that spells it: in
   * a JSON string with its escapes.
   */
  character?: (ranges: readonly Range[]) => Expression;
}

/**
 * The texts that a pattern matches.
 * @throws OnebitError `grammar/syntax`, `grammar/unsupported` (references, lookbehind, assertions in some loops),
 *   `grammar/too-large`
 */
export function regexExpression(expressions: Expressions, pattern: string, options: RegexOptions = {}): Expression {
  return new RegexBuilder(expressions, pattern, options).build(options.anchored ?? false);
}

/** What comes before a place in the text: nothing, a character of a word, another. */
const START = 0;
const IN_WORD = 1;
const NO_WORD = 2;
const CONTEXTS = [START, IN_WORD, NO_WORD];

/** All that may come from a place to the end of the text. */
interface Rest {
  /** It is the same in all contexts. */
  readonly isFree: boolean;
  /** By what comes before the place. */
  readonly at: (context: number) => Expression;
}

class RegexBuilder {
  readonly #expressions: Expressions;
  readonly #pattern: string;
  readonly #character: (ranges: readonly Range[]) => Expression;
  readonly #hasAssertion = new Map<Pattern, boolean>();
  readonly #plain = new Map<Pattern, Expression>();

  constructor(expressions: Expressions, pattern: string, options: RegexOptions) {
    this.#expressions = expressions;
    this.#pattern = pattern;
    this.#character = options.character ?? ((ranges) => expressions.characters(ranges));
  }

  build(anchored: boolean): Expression {
    const made = this.#expressions;
    const tree = parsePattern(this.#pattern);
    if (anchored) return this.#before(tree, free(made.empty)).at(START);
    const anyText = this.#anyText();
    const found = this.#before(tree, free(anyText));
    if (found.isFree) return made.sequence(anyText, found.at(START));
    return made.choice([
      found.at(START),
      made.sequence(anyText, this.#character(WORD), found.at(IN_WORD)),
      made.sequence(anyText, this.#character(otherRanges(WORD)), found.at(NO_WORD)),
    ]);
  }

  /** Any text. */
  #anyText(): Expression {
    return this.#expressions.repeat(this.#character([[0, CODE_POINT_MAX]]), 0);
  }

  /** What a part and the rest behind it match. */
  #before(part: Pattern, rest: Rest): Rest {
    if (!this.#asserts(part)) return this.#plainBefore(this.#plainOf(part), rest);
    switch (part.kind) {
      case "start":
        return bound((context) => (context === START ? rest.at(START) : this.#expressions.nothing));
      case "end":
        return this.#derived(rest, (at) => (at.isNullable ? this.#expressions.empty : this.#expressions.nothing));
      case "boundary":
        return bound((context) => this.#boundary(part.isNegative, context, rest));
      case "lookahead": {
        const ahead = this.#before(part.part, free(this.#anyText()));
        const both = (context: number): Expression => this.#ahead(rest.at(context), ahead.at(context), part.isNegative);
        return rest.isFree && ahead.isFree ? free(both(START)) : bound(both);
      }
      case "sequence":
        return part.parts.reduceRight((behind, inner) => this.#before(inner, behind), rest);
      case "choice": {
        const all = part.parts.map((inner) => this.#before(inner, rest));
        const choice = (context: number): Expression => this.#choice(all.map((one) => one.at(context)));
        return all.every((one) => one.isFree) ? free(choice(START)) : bound(choice);
      }
      case "repeat":
        return this.#repeated(part, rest);
      default:
        return rest;
    }
  }

  #ahead(rest: Expression, seen: Expression, isNegative: boolean): Expression {
    const made = this.#expressions;
    if (seen === this.#anyText()) return isNegative ? made.nothing : rest;
    return made.both([rest, isNegative ? made.complement(seen) : seen]);
  }

  /** A part without assertions: only where the rest asks what comes before it does its last character matter. */
  #plainBefore(part: Expression, rest: Rest): Rest {
    const made = this.#expressions;
    if (rest.isFree) return free(made.sequence(part, rest.at(START)));
    const anyText = this.#anyText();
    const word = made.both([part, made.sequence(anyText, this.#character(WORD))]);
    const other = made.both([part, made.sequence(anyText, this.#character(otherRanges(WORD)))]);
    const consumed = made.choice([made.sequence(word, rest.at(IN_WORD)), made.sequence(other, rest.at(NO_WORD))]);
    if (!part.isNullable) return free(consumed);
    return bound((context) => this.#choice([consumed, rest.at(context)]));
  }

  /** Where one of them is any text, it is all of them. */
  #choice(parts: readonly Expression[]): Expression {
    const anyText = this.#anyText();
    return parts.includes(anyText) ? anyText : this.#expressions.choice(parts);
  }

  /** `\b`: what comes before and what comes next are not both of a word, nor both not. */
  #boundary(isNegative: boolean, context: number, rest: Rest): Expression {
    const made = this.#expressions;
    const wantsWord = (context === IN_WORD) === isNegative;
    const next = made.sequence(this.#character(wantsWord ? WORD : otherRanges(WORD)), this.#anyText());
    return made.both([rest.at(context), wantsWord ? next : made.choice([next, made.empty])]);
  }

  /** A loop over something with an assertion in it: as copies, or without end where each turn takes one character. */
  #repeated(part: Extract<Pattern, { kind: "repeat" }>, rest: Rest): Rest {
    const { min, max } = part;
    if (Math.min(min, max) > PATTERN_COPIES_MAX || (max < Number.POSITIVE_INFINITY && max > PATTERN_COPIES_MAX)) {
      return this.#refuse(part.at);
    }
    let from = rest;
    if (max === Number.POSITIVE_INFINITY) from = this.#endless(part.part, rest, part.at);
    else for (let count = min; count < max; count++) from = this.#either(this.#before(part.part, from), rest);
    for (let count = 0; count < min; count++) from = this.#before(part.part, from);
    return from;
  }

  #either(left: Rest, right: Rest): Rest {
    const choice = (context: number): Expression => this.#choice([left.at(context), right.at(context)]);
    return left.isFree && right.isFree ? free(choice(START)) : bound(choice);
  }

  /**
   * `(?:(?!x).)*` before nothing or before anything. All turns take one character, so that each place of the text is
   * the beginning of a turn, and the text is none in which the assertion fails at some place.
   */
  #endless(turn: Pattern, rest: Rest, at: number): Rest {
    const made = this.#expressions;
    const anyText = this.#anyText();
    if (rest.isFree && rest.at(START) === anyText) return rest;
    const [character, ...ahead] = flat(turn).reverse();
    const areAssertions = ahead.every((part) => part.kind === "lookahead" && !this.#hasContext(part.part));
    if (!(rest.isFree && rest.at(START) === made.empty && character?.kind === "characters" && areAssertions)) {
      return this.#refuse(at);
    }
    const holds = ahead.reduce<Rest>((behind, part) => this.#before(part, behind), free(anyText)).at(START);
    const failing = made.both([made.repeat(this.#character([[0, CODE_POINT_MAX]]), 1), made.complement(holds)]);
    return free(
      made.both([made.repeat(this.#plainOf(character), 0), made.complement(made.sequence(anyText, failing))]),
    );
  }

  #refuse(at: number): never {
    return fail(
      "grammar/unsupported",
      `pattern ${quoted(this.#pattern)}, character ${at + 1}: a repetition of an assertion (^, $, \\b, (?=, (?!) is ` +
        "supported up to 16 times, or of one character before the end of the text; write the pattern otherwise",
    );
  }

  #derived(rest: Rest, from: (at: Expression) => Expression): Rest {
    return rest.isFree ? free(from(rest.at(START))) : bound((context) => from(rest.at(context)));
  }

  /** A part without assertions. */
  #plainOf(part: Pattern): Expression {
    let found = this.#plain.get(part);
    if (found === undefined) this.#plain.set(part, (found = this.#madePlain(part)));
    return found;
  }

  #madePlain(part: Pattern): Expression {
    const made = this.#expressions;
    switch (part.kind) {
      case "characters":
        return this.#character(commonRanges(part.ranges, [[0, CODE_POINT_MAX]]));
      case "sequence":
        return made.sequence(...part.parts.map((inner) => this.#plainOf(inner)));
      case "choice":
        return made.choice(part.parts.map((inner) => this.#plainOf(inner)));
      case "repeat":
        return made.repeat(this.#plainOf(part.part), part.min, part.max);
      default:
        return made.empty;
    }
  }

  #asserts(part: Pattern): boolean {
    let known = this.#hasAssertion.get(part);
    if (known === undefined) {
      known =
        inner(part).some((each) => this.#asserts(each)) ||
        !["characters", "sequence", "choice", "repeat"].includes(part.kind);
      this.#hasAssertion.set(part, known);
    }
    return known;
  }

  /** Asks what comes before it. */
  #hasContext(part: Pattern): boolean {
    return part.kind === "start" || part.kind === "boundary" || inner(part).some((each) => this.#hasContext(each));
  }
}

/** The parts of a sequence, without the sequences in it. */
function flat(part: Pattern): Pattern[] {
  return part.kind === "sequence" ? part.parts.flatMap(flat) : [part];
}

function inner(part: Pattern): readonly Pattern[] {
  if ("parts" in part) return part.parts;
  return "part" in part ? [part.part] : [];
}

function free(expression: Expression): Rest {
  return { isFree: true, at: () => expression };
}

/** Computed once for each context that is asked for. */
function bound(at: (context: number) => Expression): Rest {
  const known = new Array<Expression | undefined>(CONTEXTS.length);
  return { isFree: false, at: (context) => (known[context] ??= at(context)) };
}
