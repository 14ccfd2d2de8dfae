/**
 * What can follow `is` in a template.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { MarkedText } from "./marked-text.ts";
import { contains } from "./strings.ts";
import { Callable, compare, Dict, Float, isEqual, isList, isNumber, raise, toNumber, Undefined } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

type Test = (value: Value, args: CallArguments, budget: Budget) => boolean;

const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  true: (value) => value === true,
  false: (value) => value === false,
  integer: (value) => typeof value === "number",
  float: (value) => value instanceof Float,
  // Python's bool is an int, and so a number.
  number: (value) => isNumber(value),
  string: (value) => value instanceof MarkedText,
  mapping: (value) => value instanceof Dict,
  iterable: (value) => isCollection(value),
  sequence: (value) => isCollection(value),
  callable: (value) => value instanceof Callable,
  odd: (value) => modulo(value, 2) === 1,
  even: (value) => modulo(value, 2) === 0,
  divisibleby: (value, args) => modulo(value, args.get(0, "num")) === 0,
  lower: (value) => value instanceof MarkedText && value.text === value.text.toLowerCase(),
  upper: (value) => value instanceof MarkedText && value.text === value.text.toUpperCase(),
  eq: (value, args, budget) => isEqual(value, other(args), budget),
  ne: (value, args, budget) => !isEqual(value, other(args), budget),
  lt: (value, args, budget) => compare(value, other(args), budget) < 0,
  le: (value, args, budget) => compare(value, other(args), budget) <= 0,
  gt: (value, args, budget) => compare(value, other(args), budget) > 0,
  ge: (value, args, budget) => compare(value, other(args), budget) >= 0,
  in: (value, args, budget) => contains(other(args), value, budget),
  sameas: (value, args) => value === other(args),
};

const ALIASES: Readonly<Record<string, string>> = { equalto: "eq", lessthan: "lt", greaterthan: "gt" };

/** @throws OnebitError `template/raised` for a test that does not exist */
export function findTest(name: string): Test {
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  return Object.hasOwn(TESTS, known) ? TESTS[known] : raise(`there is no test "${name.slice(0, 40)}"`);
}

function isCollection(value: Value): boolean {
  return isList(value) || value instanceof MarkedText || value instanceof Dict;
}

function other(args: CallArguments): Value {
  return args.get(0, "other") ?? null;
}

function modulo(value: Value, divisor: Value | undefined): number {
  if (!isNumber(value) || divisor === undefined || !isNumber(divisor)) return raise("this test wants numbers");
  const n = toNumber(divisor);
  return n === 0 ? raise("division by zero") : ((toNumber(value) % n) + n) % n;
}
