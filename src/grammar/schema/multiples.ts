/**
 * Multiples of a decimal number as digits: the remainder so far is all that counts, so a node stands for a remainder
 * and how many digits may follow.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import type { Decimal } from "./decimals.ts";
import { REMAINDERS_MAX } from "./limits.ts";

/** `JSON.stringify` writes longer numbers with an exponent. */
const WHOLE_DIGITS_MAX = 21;
const ZEROS_MAX = 25;

/** A number written with an exponent of 21 or more has 17 digits at most, so that it is a multiple of 10^5. */
const LARGE_STEP = 100_000n;

/** Whether all numbers from 10^21 are multiples of `of`. */
export function areLargeMultiples(of: Decimal): boolean {
  return of.exponent >= 0
    ? LARGE_STEP % (BigInt(of.digits) * 10n ** BigInt(Math.min(of.exponent, 6))) === 0n
    : (LARGE_STEP * 10n ** BigInt(Math.min(-of.exponent, 400))) % BigInt(of.digits) === 0n;
}

/**
 * Numbers without sign and exponent that are a whole number of times `of`; undefined when that takes more remainders
 * than the limit.
 */
export function multiplesOf(expressions: Expressions, of: Decimal): Expression | undefined {
  const places = Math.max(-of.exponent, 0);
  const step = BigInt(of.digits) * 10n ** BigInt(Math.max(of.exponent, 0));
  if (step > BigInt(REMAINDERS_MAX) || places > ZEROS_MAX) return undefined;
  return new Multiples(expressions, Number(step), places).all();
}

class Multiples {
  readonly #made: Expressions;
  readonly #step: number;
  /** Digits behind the point that count. */
  readonly #places: number;
  readonly #known = new Map<number, Expression>();
  readonly #sets = new Map<number, Expression>();
  readonly #zeros: Expression;

  constructor(expressions: Expressions, step: number, places: number) {
    this.#made = expressions;
    this.#step = step;
    this.#places = places;
    this.#zeros = expressions.repeat(expressions.text("0"), 0, ZEROS_MAX);
  }

  all(): Expression {
    const starts = this.#byTarget(0, 1, (remainder) => this.#whole(remainder, WHOLE_DIGITS_MAX - 1));
    return this.#made.choice([this.#made.sequence(this.#made.text("0"), this.#end(0)), ...starts]);
  }

  /** After some digits of a whole number. */
  #whole(remainder: number, left: number): Expression {
    const key = remainder * (WHOLE_DIGITS_MAX + ZEROS_MAX + 1) + left;
    let found = this.#known.get(key);
    if (found === undefined) {
      const more = left === 0 ? [] : this.#byTarget(remainder, 0, (next) => this.#whole(next, left - 1));
      found = this.#made.choice([this.#end(remainder), ...more]);
      this.#known.set(key, found);
    }
    return found;
  }

  /** After the whole number: nothing more, or a fraction. */
  #end(remainder: number): Expression {
    const made = this.#made;
    const none = this.#fits(remainder, this.#places) ? made.empty : made.nothing;
    return made.choice([none, made.sequence(made.text("."), this.#fraction(remainder, this.#places, false))]);
  }

  /** Digits of a fraction of which `left` count. */
  #fraction(remainder: number, left: number, mayEnd: boolean): Expression {
    const made = this.#made;
    const canEnd = this.#fits(remainder, left);
    if (left === 0) {
      if (!canEnd) return made.nothing;
      return mayEnd ? this.#zeros : made.sequence(made.text("0"), this.#zeros);
    }
    const key = remainder * (WHOLE_DIGITS_MAX + ZEROS_MAX + 1) + WHOLE_DIGITS_MAX + left;
    let more = this.#known.get(key);
    if (more === undefined) {
      more = made.choice(this.#byTarget(remainder, 0, (next) => this.#fraction(next, left - 1, true)));
      this.#known.set(key, more);
    }
    return mayEnd && canEnd ? made.choice([made.empty, more]) : more;
  }

  /** Whether the number is a multiple when only zeros follow. */
  #fits(remainder: number, zeros: number): boolean {
    let left = remainder;
    for (let i = 0; i < zeros; i++) left = (left * 10) % this.#step;
    return left === 0;
  }

  /** A digit from `first` on, then what its remainder needs. */
  #byTarget(remainder: number, first: number, next: (remainder: number) => Expression): Expression[] {
    const byRemainder = new Map<number, number>();
    for (let digit = first; digit <= 9; digit++) {
      const target = (remainder * 10 + digit) % this.#step;
      byRemainder.set(target, (byRemainder.get(target) ?? 0) | (1 << digit));
    }
    return [...byRemainder].map(([target, digits]) => this.#made.sequence(this.#digits(digits), next(target)));
  }

  /** One of these digits, as bits. */
  #digits(set: number): Expression {
    let found = this.#sets.get(set);
    if (found === undefined) {
      const digits = Array.from({ length: 10 }, (_, digit) => digit).filter((digit) => (set >> digit) & 1);
      found = this.#made.characters(digits.map((digit) => [48 + digit, 48 + digit]));
      this.#sets.set(set, found);
    }
    return found;
  }
}
