/**
 * Multiples of a decimal number as digits: the remainder so far is all that counts, so a node stands for a remainder
 * and how many digits may follow.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import type { Decimal } from "./decimals.ts";
import { REMAINDERS_MAX } from "./limits.ts";

/** Digits that a float keeps, whatever they are: beyond them, what a program reads may be no multiple any more. */
const EXACT_DIGITS = 15;
const ZEROS_MAX = 25;
/** Places before and behind the point. */
const NODES_PER_REMAINDER = 2 * EXACT_DIGITS + 2;

/** A number written with an exponent of 21 or more has 17 digits at most, so that it is a multiple of 10^5. */
const LARGE_STEP = 100_000n;

/** Whether all numbers from 10^21 are multiples of `of`. */
export function areLargeMultiples(of: Decimal): boolean {
  return of.exponent >= 0
    ? LARGE_STEP % (BigInt(of.digits) * 10n ** BigInt(Math.min(of.exponent, 6))) === 0n
    : (LARGE_STEP * 10n ** BigInt(Math.min(-of.exponent, 400))) % BigInt(of.digits) === 0n;
}

/** A number, and whether others must be its multiples or must not. */
export interface Multiple {
  readonly of: Decimal;
  readonly holds: boolean;
}

/**
 * Numbers without sign and exponent that are multiples of all that hold, and of none that does not; undefined when that
 * takes more remainders than the limit.
 */
export function multiplesOf(expressions: Expressions, multiples: readonly Multiple[]): Expression | undefined {
  const places = Math.max(0, ...multiples.map(({ of }) => -of.exponent));
  if (places >= EXACT_DIGITS || multiples.some(({ of }) => of.digits.length + of.exponent > ZEROS_MAX))
    return undefined;
  const steps = multiples.map(({ of, holds }) => ({ step: scaled(of, places), holds }));
  const common = steps.reduce((product, { step }) => leastCommon(product, step), 1n);
  if (common > BigInt(REMAINDERS_MAX)) return undefined;
  const fits = (remainder: number): boolean =>
    steps.every(({ step, holds }) => (BigInt(remainder) % step === 0n) === holds);
  const fitting = Array.from({ length: Number(common) }, (_, remainder) => fits(remainder));
  return new Multiples(expressions, Number(common), places, fitting, !multiples.some(({ holds }) => holds)).all();
}

/** The least number that is a multiple of two. */
export function leastCommon(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** `value` × 10^`places`, which is whole. */
export function scaled({ digits, exponent }: Decimal, places: number): bigint {
  return digits === "" ? 0n : BigInt(digits) * 10n ** BigInt(exponent + places);
}

class Multiples {
  readonly #made: Expressions;
  readonly #step: number;
  /** Digits behind the point that count. */
  readonly #places: number;
  /** By remainder: whether the number is one of those that are wanted. */
  readonly #fitting: readonly boolean[];
  readonly #known = new Map<number, Expression>();
  readonly #sets = new Map<number, Expression>();
  readonly #zeros: Expression;
  /** Digits behind the places that count, not all 0: no multiple of any. */
  readonly #others: Expression;

  constructor(
    expressions: Expressions,
    step: number,
    places: number,
    fitting: readonly boolean[],
    areOthersWanted: boolean,
  ) {
    this.#made = expressions;
    this.#step = step;
    this.#places = places;
    this.#fitting = fitting;
    this.#zeros = expressions.repeat(expressions.text("0"), 0, ZEROS_MAX);
    const digit = (first: number): Expression => expressions.characters([[48 + first, 57]]);
    this.#others = areOthersWanted
      ? expressions.sequence(this.#zeros, digit(1), expressions.repeat(digit(0), 0, ZEROS_MAX))
      : expressions.nothing;
  }

  all(): Expression {
    // Whole numbers below 9 × 10^15 are exact with 16 digits too.
    return this.#made.choice([
      this.#made.sequence(this.#made.text("0"), this.#end(0, EXACT_DIGITS)),
      ...this.#byTarget(0, [1, 8], (remainder) => this.#whole(remainder, EXACT_DIGITS)),
      ...this.#byTarget(0, [9, 9], (remainder) => this.#whole(remainder, EXACT_DIGITS - 1)),
    ]);
  }

  /** After some digits of a whole number, of which `left` more may come. */
  #whole(remainder: number, left: number): Expression {
    const key = remainder * NODES_PER_REMAINDER + left;
    let found = this.#known.get(key);
    if (found === undefined) {
      const more = left === 0 ? [] : this.#byTarget(remainder, [0, 9], (next) => this.#whole(next, left - 1));
      found = this.#made.choice([this.#end(remainder, left), ...more]);
      this.#known.set(key, found);
    }
    return found;
  }

  /** After the whole number: nothing more, or a fraction where digits are left for its places. */
  #end(remainder: number, left: number): Expression {
    const made = this.#made;
    const none = this.#fits(remainder, this.#places) ? made.empty : made.nothing;
    if (left <= this.#places && this.#places > 0) return none;
    return made.choice([none, made.sequence(made.text("."), this.#fraction(remainder, this.#places, false))]);
  }

  /** Digits of a fraction of which `left` count. */
  #fraction(remainder: number, left: number, mayEnd: boolean): Expression {
    const made = this.#made;
    const canEnd = this.#fits(remainder, left);
    if (left === 0) {
      const none = mayEnd ? this.#zeros : made.sequence(made.text("0"), this.#zeros);
      return made.choice([canEnd ? none : made.nothing, this.#others]);
    }
    const key = remainder * NODES_PER_REMAINDER + EXACT_DIGITS + 1 + left;
    let more = this.#known.get(key);
    if (more === undefined) {
      more = made.choice(this.#byTarget(remainder, [0, 9], (next) => this.#fraction(next, left - 1, true)));
      this.#known.set(key, more);
    }
    return mayEnd && canEnd ? made.choice([made.empty, more]) : more;
  }

  /** Whether the number is wanted when only zeros follow. */
  #fits(remainder: number, zeros: number): boolean {
    let left = remainder;
    for (let i = 0; i < zeros; i++) left = (left * 10) % this.#step;
    return this.#fitting[left];
  }

  /** A digit from `first` to `last`, then what its remainder needs. */
  #byTarget(
    remainder: number,
    [first, last]: readonly [number, number],
    next: (remainder: number) => Expression,
  ): Expression[] {
    const byRemainder = new Map<number, number>();
    for (let digit = first; digit <= last; digit++) {
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
