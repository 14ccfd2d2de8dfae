/**
 * The numbers that a model may write, and those of them above or below a limit.
 *
 * Numbers are spelt as `JSON.stringify` spells them, plus zeros at the end of a fraction: from 10^-6 to 10^21 without
 * an exponent, and beyond with one digit before the point. So every float has a spelling, none overflows, and a limit
 * is decided digit by digit. No number is -0.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import { type Decimal, magnitudeOf, pointed } from "./decimals.ts";

/** `JSON.stringify` writes numbers from 10^21 with an exponent. */
const WHOLE_DIGITS_MAX = 21;
/** Its longest fraction has 5 zeros and 17 digits; behind a limit's own digits, as many more. */
const FRACTION_DIGITS_MAX = 25;
/** A float has 17 digits at most. */
const MANTISSA_DIGITS_MAX = 17;
/** Floats end below 1.8 × 10^308, and above 4.9 × 10^-324. */
const EXPONENT_MAX = 308;
const EXPONENT_MIN = -324;
const LARGEST_DIGITS = "17976931348623157";

const PLAIN_EXPONENT_MIN = -6;

/** Builds ranges of numbers without a sign. */
export class NumberRanges {
  readonly #made: Expressions;
  readonly #digits = new Map<string, Expression>();
  readonly #single: Expression[] = [];
  #all: Expression | undefined;
  /** Whole numbers below 10^21. */
  readonly smallWhole: Expression;
  constructor(expressions: Expressions) {
    this.#made = expressions;
    const whole = this.#sequence(this.digit(1, 9), this.digits(0, WHOLE_DIGITS_MAX - 1));
    this.smallWhole = expressions.choice([expressions.text("0"), whole]);
  }

  /** Any number. */
  get all(): Expression {
    return (this.#all ??= this.signed(this.atLeast(ZERO, false), this.atLeast(ZERO, true)));
  }

  /** One digit of a range. */
  digit(first: number, last: number): Expression {
    if (first > last) return this.#made.nothing;
    return (this.#single[first * 10 + last] ??= this.#made.characters([[48 + first, 48 + last]]));
  }

  /** From `min` to `max` digits. */
  digits(min: number, max: number): Expression {
    return this.#made.repeat(this.digit(0, 9), min, max);
  }

  /** A number above or at 0, or the negative of one above 0. */
  signed(positive: Expression, negative: Expression): Expression {
    return this.#made.choice([positive, this.#sequence(this.#made.text("-"), negative)]);
  }

  /** From 10^21, with an exponent: whole, as the mantissa has fewer digits than that. */
  get largeWhole(): Expression {
    return this.#exponential(WHOLE_DIGITS_MAX, EXPONENT_MAX);
  }

  /** Whole numbers however they are spelt: with a fraction of zeros too. */
  get wholeValues(): Expression {
    const zeros = this.#made.repeat(this.digit(0, 0), 1, FRACTION_DIGITS_MAX);
    return this.#made.choice([this.#sequence(this.smallWhole, this.#optional(this.#fraction(zeros))), this.largeWhole]);
  }

  /** Numbers without an exponent. */
  get plain(): Expression {
    return this.#sequence(this.smallWhole, this.#anyFraction());
  }

  /** All spellings of one number, without its sign. */
  exactly(value: Decimal): Expression {
    const made = this.#made;
    const zeros = made.repeat(made.text("0"), 0, FRACTION_DIGITS_MAX);
    const { whole, fraction } = pointed(value);
    const parts: Expression[] = [];
    if (whole.length <= WHOLE_DIGITS_MAX) {
      const some = fraction === "" ? made.text("0") : made.text(fraction);
      const tail = this.#fraction(this.#sequence(some, zeros));
      parts.push(this.#sequence(made.text(whole), fraction === "" ? this.#optional(tail) : tail));
    }
    const magnitude = value.digits === "" ? 0 : magnitudeOf(value);
    if (isExponential(magnitude)) {
      const rest = value.digits.slice(1);
      const tail = this.#fraction(this.#sequence(made.text(rest === "" ? "0" : rest), zeros));
      const mantissa = this.#sequence(made.text(value.digits[0]), rest === "" ? this.#optional(tail) : tail);
      parts.push(this.#withExponent(mantissa, magnitude));
    }
    return made.choice(parts);
  }

  /** Numbers at or above a limit, or only above it. */
  atLeast(limit: Decimal, isExclusive: boolean): Expression {
    const { whole, fraction } = pointed(limit);
    const made = this.#made;
    const parts: Expression[] = [];
    if (whole.length <= WHOLE_DIGITS_MAX) parts.push(this.#plainAtLeast(whole, fraction, isExclusive));
    const magnitude = limit.digits === "" ? Number.NEGATIVE_INFINITY : magnitudeOf(limit);
    parts.push(this.#exponential(Math.max(magnitude + 1, EXPONENT_MIN), EXPONENT_MAX));
    if (isExponential(magnitude)) {
      const [first, rest] = [limit.digits[0], limit.digits.slice(1)];
      parts.push(this.#withExponent(this.#mantissa(first, rest, isExclusive, true), magnitude));
    }
    return made.choice(parts);
  }

  /** Numbers from 0 at or below a limit, or only below it. */
  atMost(limit: Decimal, isExclusive: boolean): Expression {
    const { whole, fraction } = pointed(limit);
    const made = this.#made;
    if (limit.digits === "") return isExclusive ? made.nothing : this.#zero();
    const parts: Expression[] = [];
    if (whole.length > WHOLE_DIGITS_MAX) {
      parts.push(this.plain);
    } else parts.push(this.#plainAtMost(whole, fraction, isExclusive));
    const magnitude = magnitudeOf(limit);
    parts.push(this.#exponential(EXPONENT_MIN, Math.min(magnitude - 1, EXPONENT_MAX)));
    if (isExponential(magnitude)) {
      const [first, rest] = [limit.digits[0], limit.digits.slice(1)];
      parts.push(this.#withExponent(this.#mantissa(first, rest, isExclusive, false), magnitude));
    }
    return made.choice(parts);
  }

  /** Whole numbers without an exponent from `first` to `last`, digit by digit. */
  wholeBetween(first: string, last: string): Expression {
    const parts: Expression[] = [];
    for (let length = first.length; length <= Math.min(last.length, WHOLE_DIGITS_MAX); length++) {
      const from = length === first.length ? first : `1${"0".repeat(length - 1)}`;
      const to = length === last.length ? last : "9".repeat(length);
      if (from <= to) parts.push(this.#between(from, to));
    }
    return this.#made.choice(parts);
  }

  /** Strings of digits of one length, from one to another. */
  #between(first: string, last: string): Expression {
    if (first === "") return this.#made.empty;
    const key = `${first}-${last}`;
    const known = this.#digits.get(key);
    if (known !== undefined) return known;
    const [low, high, rest] = [Number(first[0]), Number(last[0]), first.length - 1];
    const [zeros, nines] = ["0".repeat(rest), "9".repeat(rest)];
    const step = (digit: number, from: string, to: string): Expression =>
      this.#sequence(this.digit(digit, digit), this.#between(from, to));
    let found: Expression;
    if (low === high) found = step(low, first.slice(1), last.slice(1));
    else {
      const parts: Expression[] = [];
      let [from, to] = [low, high];
      if (first.slice(1) !== zeros) parts.push(step(low, first.slice(1), nines)), from++;
      if (last.slice(1) !== nines) parts.push(step(high, zeros, last.slice(1))), to--;
      parts.push(this.#sequence(this.digit(from, to), this.digits(rest, rest)));
      found = this.#made.choice(parts);
    }
    this.#digits.set(key, found);
    return found;
  }

  #plainAtLeast(whole: string, fraction: string, isExclusive: boolean): Expression {
    const least = whole === "0" ? 0 : whole.length;
    const longer =
      least >= WHOLE_DIGITS_MAX
        ? this.#made.nothing
        : this.#sequence(this.digit(1, 9), this.digits(least, WHOLE_DIGITS_MAX - 1), this.#anyFraction());
    const end = this.#fractionAtLeast(fraction, isExclusive);
    return this.#made.choice([longer, this.#along(whole, end, (digit) => [digit + 1, 9])]);
  }

  #plainAtMost(whole: string, fraction: string, isExclusive: boolean): Expression {
    const made = this.#made;
    const shorter =
      whole.length === 1 ? made.nothing : this.#sequence(this.#wholeUpTo(whole.length - 1), this.#anyFraction());
    const end = this.#fractionAtMost(fraction, isExclusive);
    return made.choice([
      shorter,
      this.#along(whole, end, (digit, i) => [i === 0 && whole.length > 1 ? 1 : 0, digit - 1]),
    ]);
  }

  /** Whole numbers of so many digits that leave the limit's at some digit for others, or follow it to `end`. */
  #along(whole: string, end: Expression, others: (digit: number, i: number) => [number, number]): Expression {
    let found = end;
    for (let i = whole.length - 1; i >= 0; i--) {
      const digit = Number(whole[i]);
      const rest = whole.length - 1 - i;
      // 0 begins no longer number.
      found = this.#made.choice([
        this.#sequence(this.digit(digit, digit), found),
        this.#sequence(this.digit(...others(digit, i)), this.digits(rest, rest), this.#anyFraction()),
      ]);
    }
    return found;
  }

  #wholeUpTo(digits: number): Expression {
    return this.#made.choice([this.#made.text("0"), this.#sequence(this.digit(1, 9), this.digits(0, digits - 1))]);
  }

  /** What may follow the limit's whole number, with the point, for a number above the limit or at it. */
  #fractionAtLeast(fraction: string, isExclusive: boolean): Expression {
    const made = this.#made;
    const zeros = made.repeat(this.digit(0, 0), 0, FRACTION_DIGITS_MAX);
    const above = this.#sequence(zeros, this.digit(1, 9), this.digits(0, FRACTION_DIGITS_MAX));
    let found = isExclusive ? above : this.digits(0, FRACTION_DIGITS_MAX);
    for (let j = fraction.length - 1; j >= 0; j--) {
      const digit = Number(fraction[j]);
      found = made.choice([
        this.#sequence(this.digit(digit, digit), found),
        this.#sequence(this.digit(digit + 1, 9), this.digits(0, FRACTION_DIGITS_MAX)),
      ]);
    }
    const nonEmpty = fraction === "" && !isExclusive ? this.digits(1, FRACTION_DIGITS_MAX) : found;
    const some = this.#fraction(nonEmpty);
    return fraction === "" && !isExclusive ? this.#optional(some) : some;
  }

  #fractionAtMost(fraction: string, isExclusive: boolean): Expression {
    const made = this.#made;
    const zeros = (min: number): Expression => made.repeat(this.digit(0, 0), min, FRACTION_DIGITS_MAX);
    if (fraction === "") return isExclusive ? made.nothing : this.#optional(this.#fraction(zeros(1)));
    let found = isExclusive ? made.nothing : zeros(0);
    for (let j = fraction.length - 1; j >= 0; j--) {
      const digit = Number(fraction[j]);
      const parts = [
        this.#sequence(this.digit(digit, digit), found),
        this.#sequence(this.digit(0, digit - 1), this.digits(0, FRACTION_DIGITS_MAX)),
      ];
      // Fewer digits than the limit has make a smaller number.
      if (j > 0) parts.push(made.empty);
      found = made.choice(parts);
    }
    return this.#optional(this.#fraction(found));
  }

  #zero(): Expression {
    const zeros = this.#made.repeat(this.digit(0, 0), 1, FRACTION_DIGITS_MAX);
    return this.#sequence(this.#made.text("0"), this.#optional(this.#fraction(zeros)));
  }

  /** Mantissas above (or below) one with these digits, or at it. */
  #mantissa(first: string, rest: string, isExclusive: boolean, isAbove: boolean): Expression {
    const made = this.#made;
    const digit = Number(first);
    const others = isAbove ? this.digit(digit + 1, 9) : this.digit(1, digit - 1);
    const end = isAbove ? this.#fractionAtLeast(rest, isExclusive) : this.#fractionAtMost(rest, isExclusive);
    return made.choice([
      this.#sequence(this.digit(digit, digit), end),
      this.#sequence(others, this.#optional(this.#fraction(this.digits(1, MANTISSA_DIGITS_MAX)))),
    ]);
  }

  /** Numbers written with an exponent, from one exponent to another; none between -7 and 21. */
  #exponential(first: number, last: number): Expression {
    const made = this.#made;
    const mantissa = this.#sequence(
      this.digit(1, 9),
      this.#optional(this.#fraction(this.digits(1, MANTISSA_DIGITS_MAX))),
    );
    const parts: Expression[] = [];
    const large = [Math.max(first, WHOLE_DIGITS_MAX), Math.min(last, EXPONENT_MAX - 1)];
    if (large[0] <= large[1]) {
      parts.push(this.#sequence(mantissa, this.#positive(), this.wholeBetween(String(large[0]), String(large[1]))));
    }
    if (last >= EXPONENT_MAX && first <= EXPONENT_MAX) parts.push(this.#withExponent(this.#largest(), EXPONENT_MAX));
    // Below 5 × 10^-324 a float is 0.
    if (first <= EXPONENT_MIN && last >= EXPONENT_MIN) {
      parts.push(this.#sequence(this.digit(5, 9), this.#negative(), made.text(String(-EXPONENT_MIN))));
    }
    const small = [Math.max(first, EXPONENT_MIN + 1), Math.min(last, PLAIN_EXPONENT_MIN - 1)];
    if (small[0] <= small[1]) {
      parts.push(this.#sequence(mantissa, this.#negative(), this.wholeBetween(String(-small[1]), String(-small[0]))));
    }
    return made.choice(parts);
  }

  /** Mantissas that 10^308 does not take beyond the largest float. */
  #largest(): Expression {
    return this.#mantissa(LARGEST_DIGITS[0], LARGEST_DIGITS.slice(1), false, false);
  }

  #withExponent(mantissa: Expression, exponent: number): Expression {
    const sign = exponent < 0 ? this.#negative() : this.#positive();
    const cut = exponent === EXPONENT_MAX ? this.#made.both([mantissa, this.#largest()]) : mantissa;
    return this.#sequence(cut, sign, this.#made.text(String(Math.abs(exponent))));
  }

  #positive(): Expression {
    return this.#sequence(
      this.#made.characters([
        [0x45, 0x45],
        [0x65, 0x65],
      ]),
      this.#optional(this.#made.text("+")),
    );
  }

  #negative(): Expression {
    return this.#sequence(
      this.#made.characters([
        [0x45, 0x45],
        [0x65, 0x65],
      ]),
      this.#made.text("-"),
    );
  }

  #anyFraction(): Expression {
    return this.#optional(this.#fraction(this.digits(1, FRACTION_DIGITS_MAX)));
  }

  #fraction(digits: Expression): Expression {
    return this.#sequence(this.#made.text("."), digits);
  }

  #optional(part: Expression): Expression {
    return this.#made.choice([this.#made.empty, part]);
  }

  #sequence(...parts: Expression[]): Expression {
    return this.#made.sequence(...parts);
  }
}

export const ZERO: Decimal = { isNegative: false, digits: "", exponent: 0 };

function isExponential(magnitude: number): boolean {
  const isLarge = magnitude >= WHOLE_DIGITS_MAX && magnitude <= EXPONENT_MAX;
  return isLarge || (magnitude < PLAIN_EXPONENT_MIN && magnitude >= EXPONENT_MIN);
}
