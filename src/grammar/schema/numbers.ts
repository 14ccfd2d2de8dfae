/**
 * Numbers that fit assertions. Limits and multiples are decided on the decimal text exactly.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import type { Assertion, Origin } from "./assertions.ts";
import { compared, type Decimal, decimalOf, isMultiple, isWhole, magnitudeOf, negated, pointed } from "./decimals.ts";
import type { Branch } from "./formula.ts";
import { unsupported } from "./keyword-rule.ts";
import { REMAINDERS_MAX } from "./limits.ts";
import { areLargeMultiples, leastCommon, multiplesOf, scaled } from "./multiples.ts";
import { NumberRanges, ZERO } from "./number-ranges.ts";

interface Limit {
  readonly value: Decimal;
  readonly isExclusive: boolean;
}

/** Assertions about a number, taken together. */
interface Demand {
  least: Limit | undefined;
  most: Limit | undefined;
  isWhole: boolean;
  isFractional: boolean;
  readonly multiples: { of: Decimal; holds: boolean; origin: Origin }[];
  /** The only ones, when given. */
  values: readonly number[] | undefined;
  readonly excluded: number[];
}

/** Multiples within limits that are written out, rather than followed digit by digit. */
const COUNTED_MAX = 1000;

/** Digits that a float keeps, whatever they are. */
const EXACT_DIGITS = 15;

const DIGITS_AND_POINT = [
  [0x2e, 0x2e],
  [0x30, 0x39],
] as const;

/** Digits before and behind the point up to which a float is exact. */
const PLACES_MAX = 15;

const WHOLE_LARGEST = "9".repeat(21);

export class Numbers {
  readonly #made: Expressions;
  readonly #ranges: NumberRanges;
  readonly #multiples = new Map<string, Expression>();

  constructor(expressions: Expressions) {
    this.#made = expressions;
    this.#ranges = new NumberRanges(expressions);
  }

  /** The only numbers that fit all assertions, or undefined when they are not constants and more than `max`. */
  values(branch: Branch, max: number): number[] | undefined {
    const demand = demandOf(branch);
    return (demand.values ?? counted(demand, max))?.filter((value) => fits(value, demand));
  }

  /** The texts of numbers that fit all assertions. */
  expression(branch: Branch): Expression {
    const made = this.#made;
    const demand = demandOf(branch);
    const values = this.values(branch, demand.multiples.length > 0 ? COUNTED_MAX : 0);
    if (values !== undefined) return made.choice(values.map((value) => made.text(JSON.stringify(value))));
    const parts: Expression[] = [];
    if (demand.isWhole) parts.push(this.#whole(demand));
    else if (demand.least !== undefined || demand.most !== undefined) parts.push(this.#range(demand));
    if (demand.isFractional) parts.push(made.not(this.#signed(this.#ranges.wholeValues)));
    if (demand.isFractional || demand.multiples.some(({ holds }) => !holds)) {
      // With more digits than a float keeps, a program may read a whole number after all.
      const short = made.repeat(made.characters(DIGITS_AND_POINT), 0, EXACT_DIGITS + 1);
      parts.push(made.sequence(made.repeat(made.text("-"), 0, 1), short));
    }
    for (const group of groupsOf(demand.multiples)) parts.push(this.#multiple(group));
    for (const value of demand.excluded) {
      const decimal = decimalOf(value);
      const magnitude = this.#ranges.exactly({ ...decimal, isNegative: false });
      parts.push(made.not(decimal.isNegative ? made.sequence(made.text("-"), magnitude) : magnitude));
    }
    const isRestricted = demand.isWhole || demand.least !== undefined || demand.most !== undefined;
    return made.both(isRestricted || demand.multiples.length > 0 ? parts : [this.#ranges.all, ...parts]);
  }

  #signed(magnitudes: Expression): Expression {
    return this.#ranges.signed(magnitudes, this.#made.both([magnitudes, this.#ranges.atLeast(ZERO, true)]));
  }

  /** Numbers between the limits. */
  #range({ least, most }: Demand): Expression {
    return this.#ranges.signed(this.#between(least, most, false), this.#between(opposite(most), opposite(least), true));
  }

  /** Magnitudes between limits, of which those below 0 are no limits to them; without 0 for negative numbers. */
  #between(least: Limit | undefined, most: Limit | undefined, isNegative: boolean): Expression {
    const made = this.#made;
    if (most?.value.isNegative) return made.nothing;
    const isFree = least === undefined || least.value.isNegative;
    const zero = { value: ZERO, isExclusive: true };
    const from = isFree ? (isNegative ? zero : undefined) : isNegative && least.value.digits === "" ? zero : least;
    const parts: Expression[] = [];
    if (from !== undefined) parts.push(this.#ranges.atLeast(from.value, from.isExclusive));
    if (most !== undefined) parts.push(this.#ranges.atMost(most.value, most.isExclusive));
    return parts.length > 0 ? made.both(parts) : made.choice([this.#ranges.plain, this.#ranges.atLeast(ZERO, false)]);
  }

  /** Whole numbers between the limits: digit by digit, without an intersection. */
  #whole({ least, most }: Demand): Expression {
    const [from, to] = [least && wholeLimit(least, true), most && wholeLimit(most, false)];
    return this.#ranges.signed(this.#wholeBetween(from, to, 0n), this.#wholeBetween(to && -to, from && -from, 1n));
  }

  #wholeBetween(from: bigint | undefined, to: bigint | undefined, least: bigint): Expression {
    const first = from === undefined || from < least ? least : from;
    if (to !== undefined && to < first) return this.#made.nothing;
    const last = to === undefined ? WHOLE_LARGEST : String(to);
    const small = this.#ranges.wholeBetween(String(first), last);
    if (to !== undefined && last.length <= WHOLE_LARGEST.length) return small;
    const large = [this.#ranges.largeWhole];
    if (String(first).length > WHOLE_LARGEST.length) large.push(this.#ranges.atLeast(decimalFrom(first), false));
    if (to !== undefined) large.push(this.#ranges.atMost(decimalFrom(to), false));
    return this.#made.choice([small, this.#made.both(large)]);
  }

  #multiple(multiples: Demand["multiples"]): Expression {
    const key = multiples.map(({ of, holds }) => `${of.digits}e${of.exponent}${holds}`).join();
    let found = this.#multiples.get(key);
    if (found === undefined) {
      const magnitudes = this.#isWholeOnly(multiples) ? this.#ranges.wholeValues : multiplesOf(this.#made, multiples);
      if (magnitudes === undefined) {
        const why = `takes more than ${REMAINDERS_MAX} remainders; use smaller or rounder numbers, or narrower limits`;
        return unsupported(multiples[0].origin, why);
      }
      // Others with an exponent are left out: whether they are multiples is not decided.
      const areAll = multiples.every(({ of, holds }) => holds && areLargeMultiples(of));
      const large = areAll ? this.#ranges.largeWhole : this.#made.nothing;
      this.#multiples.set(key, (found = this.#signed(this.#made.choice([magnitudes, large]))));
    }
    return found;
  }

  #isWholeOnly(multiples: Demand["multiples"]): boolean {
    return multiples.every(({ of, holds }) => holds && of.digits === "1" && of.exponent === 0);
  }
}

/** Multiples in groups that few remainders tell apart: one group is one automaton, several are intersected. */
function groupsOf(multiples: Demand["multiples"]): Demand["multiples"][] {
  const groups: { members: Demand["multiples"]; common: bigint }[] = [];
  for (const multiple of multiples) {
    // Remainders of 0.5 and 4 are counted in halves; the places do not matter to how many there are by much.
    const step = scaled(multiple.of, Math.max(-multiple.of.exponent, 0));
    const group = groups.find(({ common }) => leastCommon(common, step) <= BigInt(REMAINDERS_MAX));
    if (group === undefined) groups.push({ members: [multiple], common: step });
    else {
      group.members.push(multiple);
      group.common = leastCommon(group.common, step);
    }
  }
  return groups.map(({ members }) => members);
}

/** All numbers between the limits that are whole or multiples, when they are at most `max`. */
function counted({ least, most, isWhole: isWholeOnly, multiples }: Demand, max: number): number[] | undefined {
  if (least === undefined || most === undefined) return undefined;
  const steps = multiples.filter(({ holds }) => holds).map(({ of }) => of);
  if (isWholeOnly) steps.push(decimalOf(1));
  const all = [least.value, most.value, ...steps];
  const places = Math.max(0, ...all.map(({ exponent }) => -exponent));
  if (steps.length === 0 || places > PLACES_MAX || all.some((value) => magnitudeOf(value) > PLACES_MAX))
    return undefined;
  const step = steps.map((each) => scaled(each, places)).reduce(leastCommon);
  const signed = (value: Decimal): bigint => (value.isNegative ? -scaled(value, places) : scaled(value, places));
  const [from, to] = [signed(least.value), signed(most.value)];
  const first = from / step - 1n;
  if (to / step - first > BigInt(max)) return undefined;
  // One more at either end: limits are checked with all else.
  const found: number[] = [];
  for (let count = first; count <= to / step + 1n; count++) found.push(Number(`${count * step}e-${places}`));
  return found.map((value) => value + 0);
}

function demandOf(branch: Branch): Demand {
  const demand: Demand = {
    least: undefined,
    most: undefined,
    isWhole: false,
    isFractional: false,
    multiples: [],
    values: undefined,
    excluded: [],
  };
  for (const part of branch) add(demand, part);
  return demand;
}

function add(demand: Demand, part: Assertion): void {
  if (part.kind === "integer") {
    if (part.holds) demand.isWhole = true;
    else demand.isFractional = true;
  } else if (part.kind === "multiple") {
    demand.multiples.push({ of: decimalOf(part.of), holds: part.holds, origin: part.origin });
  } else if (part.kind === "numbers") {
    if (!part.holds) for (const value of part.values) demand.excluded.push(value);
    else demand.values = demand.values?.filter((value) => part.values.includes(value)) ?? [...new Set(part.values)];
  } else if (part.kind === "at-least") {
    const limit = { value: decimalOf(part.value), isExclusive: part.isExclusive };
    if (demand.least === undefined || isNarrower(limit, demand.least, 1)) demand.least = limit;
  } else if (part.kind === "at-most") {
    const limit = { value: decimalOf(part.value), isExclusive: part.isExclusive };
    if (demand.most === undefined || isNarrower(limit, demand.most, -1)) demand.most = limit;
  }
}

function isNarrower(limit: Limit, than: Limit, sign: number): boolean {
  const difference = sign * compared(limit.value, than.value);
  return difference > 0 || (difference === 0 && limit.isExclusive);
}

function fits(value: number, { least, most, multiples, excluded, ...demand }: Demand): boolean {
  const decimal = decimalOf(value);
  const isWithin = (limit: Limit | undefined, sign: number): boolean => {
    const difference = limit === undefined ? 1 : sign * compared(decimal, limit.value);
    return difference > 0 || (difference === 0 && !limit!.isExclusive);
  };
  return (
    isWithin(least, 1) &&
    isWithin(most, -1) &&
    !(demand.isWhole && !isWhole(decimal)) &&
    !(demand.isFractional && isWhole(decimal)) &&
    multiples.every(({ of, holds }) => isMultiple(decimal, of) === holds) &&
    !excluded.includes(value)
  );
}

function opposite(limit: Limit | undefined): Limit | undefined {
  return limit && { value: negated(limit.value), isExclusive: limit.isExclusive };
}

/** The first whole number at or above a limit, or the last at or below it. */
function wholeLimit({ value, isExclusive }: Limit, isLeast: boolean): bigint {
  const { whole, fraction } = pointed(value);
  const magnitude = BigInt(whole);
  const towardZero = value.isNegative ? -magnitude : magnitude;
  if (fraction === "") return isExclusive ? (isLeast ? towardZero + 1n : towardZero - 1n) : towardZero;
  if (isLeast) return value.isNegative ? towardZero : towardZero + 1n;
  return value.isNegative ? towardZero - 1n : towardZero;
}

function decimalFrom(value: bigint): Decimal {
  const text = String(value < 0n ? -value : value);
  const digits = text.replace(/0+$/, "");
  return { isNegative: value < 0n, digits, exponent: text.length - digits.length };
}
