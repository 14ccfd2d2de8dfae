/**
 * Python's operators, on what templates use them for, with results bounded before they are made.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_LIST_ITEMS_MAX } from "../../core/limits.ts";
import type { Budget } from "./budget.ts";
import { concat, MarkedText } from "./marked-text.ts";
import { codePoints, isPlain } from "./strings.ts";
import { Float, integer, isList, isNumber, raise, toNumber, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** @throws OnebitError `template/raised`, `template/limit` */
export function calculate(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) {
    const result = calculateNumbers(operator, toNumber(left), toNumber(right));
    const isFloat = left instanceof Float || right instanceof Float || operator === "/" || !Number.isInteger(result);
    return isFloat ? new Float(result) : integer(result);
  }
  if (operator === "+" && left instanceof MarkedText && right instanceof MarkedText) {
    budget.spend(left.cost + right.cost);
    return concat([left, right]);
  }
  if (operator === "+" && isList(left) && isList(right)) {
    checkItems(left.length + right.length, budget);
    return [...left, ...right];
  }
  if (operator === "*" && typeof right === "number") return repeat(left, right, budget);
  if (operator === "*" && typeof left === "number") return repeat(right, left, budget);
  if (left instanceof Undefined || right instanceof Undefined) {
    raise(`${(left instanceof Undefined ? left : (right as Undefined)).what} is undefined`);
  }
  return raise(`cannot compute ${typeName(left)} ${operator} ${typeName(right)}`);
}

/** Refuses a list too long before it takes memory. @throws OnebitError `template/limit` */
export function checkItems(n: number, budget: Budget): void {
  if (!(n <= TEMPLATE_LIST_ITEMS_MAX)) fail("template/limit", `chat template: a list of ${n} items, at most ${TEMPLATE_LIST_ITEMS_MAX} are allowed`);
  budget.spend(n >> 2);
}

/** `value[start:stop:step]` of a list or string, with Python's rules for what is missing, negative or too large. */
export function slice(value: Value, bounds: readonly (Value | undefined)[], budget: Budget): Value {
  const [start, stop, stepValue] = bounds.map(readBound);
  const step = stepValue ?? 1;
  if (step === 0) raise("a slice's step is zero");
  if (value instanceof Undefined) raise(`${value.what} is undefined`);
  if (value instanceof MarkedText) {
    const n = value.length;
    if (step === 1 && isPlain(value)) {
      budget.spend(value.cost);
      return value.slice(clamp(start ?? 0, n, 0, n), Math.max(clamp(stop ?? n, n, 0, n), clamp(start ?? 0, n, 0, n)));
    }
    return concat(sliceItems(codePoints(value, budget), start, stop, step));
  }
  if (!isList(value)) raise(`cannot slice a ${typeName(value)}`);
  budget.spend(value.length >> 2);
  return sliceItems(value, start, stop, step);
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
  return typeof value === "number" ? value : raise(`a slice's bounds are integers, got a ${typeName(value)}`);
}

function repeat(value: Value, times: number, budget: Budget): Value {
  const n = Math.max(0, times);
  if (value instanceof MarkedText) {
    budget.spend((n * value.length) / 16 + n * value.flips.length);
    if (!value.hasInput) return new MarkedText(value.text.repeat(n));
    budget.spend(n);
    return concat(new Array<MarkedText>(n).fill(value));
  }
  if (!isList(value)) raise(`cannot repeat a ${typeName(value)}`);
  checkItems(n * value.length, budget);
  return new Array<readonly Value[]>(value.length === 0 ? 0 : n).fill(value).flat();
}

function calculateNumbers(operator: string, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "**":
      return a ** b;
  }
  if (b === 0) raise("division by zero");
  if (operator === "/") return a / b;
  // Python rounds the quotient down, and the remainder has the divisor's sign.
  return operator === "//" ? Math.floor(a / b) : a - Math.floor(a / b) * b;
}
