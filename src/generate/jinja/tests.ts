/**
 * The tests that follow `is`: all of Jinja's (Jinja 3.1 documentation, "List of Builtin Tests").
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { compare, contains, isEqual } from "./compare.ts";
import { hasFilter } from "./filter-names.ts";
import { isLower, isUpper } from "./letter-case.ts";
import { MarkedText } from "./marked-text.ts";
import { toText } from "./print.ts";
import {
  Callable,
  charge,
  Dict,
  Float,
  isList,
  isNumber,
  Loop,
  raise,
  Stream,
  toNumber,
  typeName,
  Undefined,
  View,
} from "./values.ts";
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
  // Python's bool is an int, so a number.
  number: (value) => isNumber(value),
  string: (value) => value instanceof MarkedText,
  mapping: (value) => value instanceof Dict,
  iterable: (value) =>
    isCollection(value) || value instanceof Stream || value instanceof Loop || value instanceof Undefined,
  sequence: (value) => (isCollection(value) && !(value instanceof View)) || value instanceof Undefined,
  callable: (value) => value instanceof Callable || value instanceof Loop || value instanceof Undefined,
  odd: (value) => modulo(value, 2) === 1,
  even: (value) => modulo(value, 2) === 0,
  divisibleby: (value, args) => modulo(value, args.get(0, "num")) === 0,
  lower: (value, _args, budget) => isLower(scanned(value, budget)),
  upper: (value, _args, budget) => isUpper(scanned(value, budget)),
  escaped: (value) => value instanceof MarkedText && value.isMarkup,
  eq: (value, args, budget) => isEqual(value, other(args), budget),
  ne: (value, args, budget) => !isEqual(value, other(args), budget),
  lt: (value, args, budget) => compare(value, other(args), budget) < 0,
  le: (value, args, budget) => compare(value, other(args), budget) <= 0,
  gt: (value, args, budget) => compare(value, other(args), budget) > 0,
  ge: (value, args, budget) => compare(value, other(args), budget) >= 0,
  in: (value, args, budget) => contains(other(args), value, budget),
  sameas: (value, args) => value === other(args),
  filter: (value) => hasFilter(nameOf(value)),
  test: (value) => hasTest(nameOf(value)),
};

const ALIASES: Readonly<Record<string, string>> = {
  equalto: "eq",
  lessthan: "lt",
  greaterthan: "gt",
  "==": "eq",
  "!=": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
};

function hasTest(name: string): boolean {
  return Object.hasOwn(TESTS, name) || Object.hasOwn(ALIASES, name);
}

/** @throws OnebitError `template/raised` for a test that does not exist or cannot take the value */
export function applyTest(name: string, value: Value, args: CallArguments, budget: Budget): boolean {
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (!Object.hasOwn(TESTS, known)) raise(`there is no test "${name.slice(0, 40)}"`);
  charge(budget, value, args);
  return TESTS[known](value, args, budget);
}

function isCollection(value: Value): boolean {
  return isList(value) || value instanceof MarkedText || value instanceof Dict;
}

function nameOf(value: Value): string {
  if (value instanceof Dict || typeName(value) === "list") raise(`a ${typeName(value)} is not a name`);
  return value instanceof MarkedText ? value.text : "";
}

function scanned(value: Value, budget: Budget): string {
  const { text } = toText(value, budget);
  budget.spend(text.length >> 2);
  return text;
}

function other(args: CallArguments): Value {
  return args.positional.length > 0 ? args.positional[0] : raise("this test wants an argument");
}

function modulo(value: Value, divisor: Value | undefined): number {
  if (!isNumber(value) || divisor === undefined || !isNumber(divisor)) return raise("this test wants numbers");
  const n = toNumber(divisor);
  return n === 0 ? raise("division by zero") : ((toNumber(value) % n) + n) % n;
}
