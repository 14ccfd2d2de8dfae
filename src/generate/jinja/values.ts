/**
 * The values a chat template computes with: Python's, as far as templates see them.
 *
 * Integers are JavaScript numbers within ±2^53, floats are {@link Float} (so that 2.0 prints as Python prints it),
 * lists and tuples are arrays, strings are {@link MarkedText}. No JavaScript object of the caller is reachable.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Budget } from "./budget.ts";
import { inputText, MarkedText, templateText } from "./marked-text.ts";

export type Value = null | boolean | number | Float | MarkedText | readonly Value[] | Dict | Namespace | Undefined | Callable;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What a missing name or attribute gives: prints as nothing, is false, and fails when looked into. */
export class Undefined {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** A Python dict: insertion order, keys by value. Keys keep their own marks. */
export class Dict {
  readonly #entries = new Map<string, [key: Value, value: Value]>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hash(key))?.[1];
  }

  set(key: Value, value: Value): void {
    this.#entries.set(hash(key), [key, value]);
  }

  has(key: Value): boolean {
    return this.#entries.has(hash(key));
  }

  entries(): [key: Value, value: Value][] {
    return [...this.#entries.values()];
  }
}

/** `namespace()`: the one thing a template can change from inside a loop. */
export class Namespace {
  readonly values = new Map<string, Value>();
}

/** Arguments of a filter, test, method, function or macro. */
export class CallArguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;

  constructor(positional: readonly Value[], named: ReadonlyMap<string, Value>) {
    this.positional = positional;
    this.named = named;
  }

  /** The argument at a position or of a name. */
  get(position: number, name: string): Value | undefined {
    return position < this.positional.length ? this.positional[position] : this.named.get(name);
  }

  has(position: number, name: string): boolean {
    return position < this.positional.length || this.named.has(name);
  }

  rest(from: number): CallArguments {
    return new CallArguments(this.positional.slice(from), this.named);
  }
}

/** A macro, method or global function. */
export class Callable {
  readonly name: string;
  readonly call: (args: CallArguments) => Value;
  constructor(name: string, call: (args: CallArguments) => Value) {
    this.name = name;
    this.call = call;
  }
}

export const NO_ARGUMENTS = new CallArguments([], new Map());

/** `??` for values, of which None (null) is one. */
export function orElse(value: Value | undefined, fallback: Value): Value {
  return value === undefined ? fallback : value;
}

/** @throws OnebitError `template/raised`: the template did something its own language forbids. */
export function raise(message: string): never {
  fail("template/raised", `chat template: ${message}`);
}

/** Values of the caller's data: every string in it is input. Counts values for the budget. */
export function fromData(data: unknown, count: { values: number }, depth = 0): Value {
  count.values++;
  if (depth > 64) fail("option/invalid", "messages, tools and template variables nest at most 64 levels deep");
  if (data === null || data === undefined) return null;
  if (typeof data === "boolean") return data;
  if (typeof data === "bigint") return Number(data);
  if (typeof data === "number") return Number.isSafeInteger(data) ? data : new Float(data);
  if (typeof data === "string") {
    // A long text takes proportionally more to look through.
    count.values += data.length >> 9;
    return inputText(data);
  }
  if (Array.isArray(data)) return data.map((item) => fromData(item, count, depth + 1));
  if (typeof data !== "object") fail("option/invalid", `messages, tools and template variables hold JSON values, got a ${typeof data}`);
  const dict = new Dict();
  for (const [key, value] of Object.entries(data)) {
    // An absent optional field is absent, not null: templates ask "is defined".
    if (value !== undefined) dict.set(inputText(key), fromData(value, count, depth + 1));
  }
  return dict;
}

/** Type names in messages, as Python has them. */
export function typeName(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "int";
  if (value instanceof Float) return "float";
  if (value instanceof MarkedText) return "str";
  if (Array.isArray(value)) return "list";
  if (value instanceof Dict) return "dict";
  return value instanceof Namespace ? "namespace" : value instanceof Undefined ? "undefined" : "function";
}

/** A usable integer. @throws OnebitError `template/limit` beyond ±2^53, where it would silently round */
export function integer(value: number): number {
  if (!Number.isSafeInteger(value)) fail("template/limit", "chat template: an integer is beyond ±2^53");
  // No −0: Python's integers have none.
  return value + 0;
}

export function isNumber(value: Value): value is number | Float | boolean {
  return typeof value === "number" || value instanceof Float || typeof value === "boolean";
}

export function toNumber(value: number | Float | boolean): number {
  return value instanceof Float ? value.value : Number(value);
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (isNumber(value)) return toNumber(value) !== 0;
  if (value instanceof MarkedText) return value.length > 0;
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Dict ? value.size > 0 : true;
}

export function isEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.spend(1);
  if (isNumber(a) && isNumber(b)) return toNumber(a) === toNumber(b);
  if (a instanceof MarkedText && b instanceof MarkedText) {
    budget.spend(a.cost);
    return a.text === b.text;
  }
  if (a instanceof Undefined && b instanceof Undefined) return true;
  budget.enter();
  const equal = isList(a) && isList(b) ? isEqualList(a, b, budget) : a instanceof Dict && b instanceof Dict ? isEqualDict(a, b, budget) : a === b;
  budget.leave();
  return equal;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isEqualList(a: readonly Value[], b: readonly Value[], budget: Budget): boolean {
  return a.length === b.length && a.every((item, i) => isEqual(item, b[i], budget));
}

function isEqualDict(a: Dict, b: Dict, budget: Budget): boolean {
  budget.spend(a.size);
  return a.size === b.size && a.entries().every(([key, value]) => {
    const other = b.get(key);
    return other !== undefined && isEqual(value, other, budget);
  });
}

/** Negative, zero or positive. @throws OnebitError `template/raised` for values without an order */
export function compare(a: Value, b: Value, budget: Budget): number {
  budget.spend(1);
  if (isNumber(a) && isNumber(b)) return toNumber(a) - toNumber(b);
  if (a instanceof MarkedText && b instanceof MarkedText) {
    budget.spend(Math.min(a.cost, b.cost));
    return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
  }
  if (!isList(a) || !isList(b)) raise(`cannot compare ${typeName(a)} with ${typeName(b)}`);
  budget.enter();
  let order = 0;
  for (let i = 0; i < a.length && i < b.length && order === 0; i++) order = compare(a[i], b[i], budget);
  budget.leave();
  return order !== 0 ? order : a.length - b.length;
}

/** What `{{ value }}` prints: Python's `str`. */
export function toText(value: Value, budget: Budget): MarkedText {
  if (value instanceof MarkedText) return value;
  if (value instanceof Undefined) return templateText("");
  return toRepr(value, budget);
}

/** Python's `repr`. One mark for all: the punctuation of a list is nobody's special token. */
function toRepr(value: Value, budget: Budget): MarkedText {
  const found = { input: false };
  const text = writeRepr(value, budget, found);
  budget.spend(text.length >> 4);
  return new MarkedText(text, found.input ? [0] : []);
}

function writeRepr(value: Value, budget: Budget, found: { input: boolean }): string {
  budget.spend(1);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (value instanceof Float) return formatFloat(value.value);
  if (value instanceof MarkedText) {
    budget.spend(value.cost);
    found.input ||= value.hasInput;
    return quote(value.text);
  }
  if (!isList(value) && !(value instanceof Dict)) return value instanceof Undefined ? "Undefined" : `<${typeName(value)}>`;
  budget.enter();
  const write = (item: Value): string => writeRepr(item, budget, found);
  const items = isList(value) ? value.map(write) : value.entries().map(([key, item]) => `${write(key)}: ${write(item)}`);
  budget.leave();
  const inner = items.join(", ");
  budget.spend(inner.length >> 4);
  return isList(value) ? `[${inner}]` : `{${inner}}`;
}

/** Python's shortest spelling that reads back as the same double; JavaScript's digits, Python's layout. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [mantissa, exponent] = value.toExponential().split("e");
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  if (Object.is(value, -0)) return "-0.0";
  const digits = String(value);
  return /^-?\d+$/.test(digits) ? `${digits}.0` : digits;
}

const CONTROL = /[\\\n\r\t\x00-\x1f\x7f]/g;

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(CONTROL, escapeChar);
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function escapeChar(char: string): string {
  const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
  return short ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function hash(key: Value): string {
  if (key instanceof MarkedText) return `s${key.text}`;
  if (isNumber(key)) return `n${toNumber(key)}`;
  if (key === null) return "none";
  return raise(`a ${typeName(key)} cannot be the key of a dict`);
}
