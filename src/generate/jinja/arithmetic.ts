/**
 * Python's operators, as far as templates use them; sizes of results are checked before memory is taken.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_LIST_ITEMS_MAX } from "../../core/limits.ts";
import type { Budget } from "./budget.ts";
import { concat, MarkedText } from "./marked-text.ts";
import { formatPercent } from "./text-format.ts";
import { escapeHtml, repeatText } from "./text-operations.ts";
import { codePointLength, codePoints, isPlain, unitOffset } from "./text-search.ts";
import {
  costOf,
  Float,
  integer,
  isInteger,
  isList,
  isNumber,
  raise,
  toNumber,
  Tuple,
  typeName,
  Undefined,
  View,
} from "./values.ts";
import type { Value } from "./values.ts";

/** @throws OnebitError `template/raised`, `template/limit` */
export function calculate(operator: string, left: Value, right: Value, budget: Budget): Value {
  budget.spend(costOf(left) + costOf(right));
  if (isNumber(left) && isNumber(right)) return calculateNumbers(operator, left, right);
  if (operator === "%" && left instanceof MarkedText) return formatPercent(left, right, budget);
  if (left instanceof Undefined || right instanceof Undefined) {
    raise(`${(left instanceof Undefined ? left : (right as Undefined)).what} is undefined`);
  }
  if (operator === "+" && left instanceof MarkedText && right instanceof MarkedText) return add(left, right, budget);
  if (operator === "+" && isList(left) && isList(right) && typeName(left) === typeName(right)) {
    checkItems(left.length + right.length, budget);
    const items = left.concat(right);
    return left instanceof Tuple ? Tuple.copy(items) : items;
  }
  if (operator === "*" && isInteger(right)) return repeat(left, Number(right), budget);
  if (operator === "*" && isInteger(left)) return repeat(right, Number(left), budget);
  return raise(`cannot compute ${typeName(left)} ${operator} ${typeName(right)}`);
}

/** Markup escapes the text added to it. */
function add(left: MarkedText, right: MarkedText, budget: Budget): MarkedText {
  if (!left.isMarkup && !right.isMarkup) return concat([left, right]);
  return concat([escapeHtml(left, budget), escapeHtml(right, budget)]).asMarkup(true);
}

/** `-value`, `+value`. */
export function applySign(operator: "+" | "-", value: Value): Value {
  if (!isNumber(value))
    return raise(value instanceof Undefined ? `${value.what} is undefined` : `a ${typeName(value)} has no sign`);
  const n = operator === "-" ? -toNumber(value) : toNumber(value);
  return value instanceof Float ? new Float(n) : integer(n);
}

/** Refuses a list that is too long before it takes memory. @throws OnebitError `template/limit` */
export function checkItems(n: number, budget: Budget): void {
  if (!(n <= TEMPLATE_LIST_ITEMS_MAX))
    fail("template/limit", `chat template: wanted lists of at most ${TEMPLATE_LIST_ITEMS_MAX} items, got ${n}`);
  budget.spend(n >> 1);
}

/** `value[start:stop:step]` of a list or string; bounds may be missing, negative or too large, as in Python. */
export function slice(value: Value, bounds: readonly (Value | undefined)[], budget: Budget): Value {
  budget.spend(costOf(value));
  const [start, stop, stepValue] = bounds.map(readBound);
  const step = stepValue ?? 1;
  if (step === 0) raise("a slice's step must not be zero");
  if (value instanceof Undefined) raise(`${value.what} is undefined`);
  if (value instanceof MarkedText)
    return step === 1
      ? sliceText(value, start, stop)
      : concat(sliceItems(codePoints(value, budget), start, stop, step)).asMarkup(value.isMarkup);
  if (!isList(value) || value instanceof View) return raise(`cannot slice a ${typeName(value)}`);
  const items = sliceItems(value, start, stop, step);
  return value instanceof Tuple ? Tuple.copy(items) : items;
}

function sliceText(text: MarkedText, start: number | undefined, stop: number | undefined): MarkedText {
  const isSame = isPlain(text);
  const n = isSame ? text.length : codePointLength(text);
  const begin = clamp(start ?? 0, n, 0, n);
  const end = Math.max(begin, clamp(stop ?? n, n, 0, n));
  return isSame ? text.slice(begin, end) : text.slice(unitOffset(text, begin), unitOffset(text, end));
}

function sliceItems<T>(items: readonly T[], start: number | undefined, stop: number | undefined, step: number): T[] {
  const n = items.length;
  const [low, high] = step > 0 ? [0, n] : [-1, n - 1];
  const begin = clamp(start ?? (step > 0 ? 0 : n - 1), n, low, high);
  const end = stop === undefined ? (step > 0 ? n : -1) : clamp(stop, n, low, high);
  const result: T[] = [];
  for (let i = begin; step > 0 ? i < end : i > end; i += step) result.push(items[i]);
  return result;
}

/** Counts a negative offset from the end, then keeps it within [low, high]. */
function clamp(offset: number, n: number, low: number, high: number): number {
  return Math.min(Math.max(offset < 0 ? offset + n : offset, low), high);
}

function readBound(value: Value | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  return isInteger(value) ? Number(value) : raise(`wanted integers as a slice's bounds, got a ${typeName(value)}`);
}

function repeat(value: Value, times: number, budget: Budget): Value {
  if (value instanceof MarkedText) return repeatText(value, times, budget).asMarkup(value.isMarkup);
  if (!isList(value)) return raise(`cannot repeat a ${typeName(value)}`);
  const n = Math.max(0, times);
  checkItems(n * value.length, budget);
  const items: Value[] = [];
  if (value.length > 0) for (let i = 0; i < n; i++) for (const item of value) items.push(item);
  return value instanceof Tuple ? Tuple.copy(items) : items;
}

function calculateNumbers(operator: string, left: number | Float | boolean, right: number | Float | boolean): Value {
  const isFloat = left instanceof Float || right instanceof Float;
  const [a, b] = [toNumber(left), toNumber(right)];
  const result = (value: number): Value => (isFloat ? new Float(value) : integer(value));
  switch (operator) {
    case "+":
      return result(a + b);
    case "-":
      return result(a - b);
    case "*":
      return result(a * b);
    case "**":
      return power(a, b, isFloat);
  }
  if (b === 0) raise("division by zero");
  if (operator === "/") return new Float(a / b);
  // Python rounds the quotient down and gives the remainder the divisor's sign.
  const remainder = a % b;
  const modulo =
    remainder !== 0 && remainder < 0 !== b < 0
      ? remainder + b
      : remainder === 0 && isFloat
        ? b < 0
          ? -0
          : 0
        : remainder;
  return result(operator === "//" ? floorDivide(a, b, modulo) : modulo);
}

function floorDivide(a: number, b: number, modulo: number): number {
  const quotient = (a - modulo) / b;
  if (quotient === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

function power(a: number, b: number, isFloat: boolean): Value {
  if (a === 0 && b < 0) raise("0 cannot be raised to a negative power");
  if (a < 0 && !Number.isInteger(b)) raise("a negative number cannot be raised to a fractional power");
  const value = a ** b;
  if (!isFloat && b >= 0) return integer(value);
  return !Number.isFinite(value) && Number.isFinite(a) && Number.isFinite(b)
    ? raise("the power is too large")
    : new Float(value);
}
