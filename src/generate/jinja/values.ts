/**
 * The values a chat template computes with: Python's, as far as templates use them.
 *
 * Integers are JavaScript numbers within ±2^53, floats are {@link Float} (so that 2.0 prints as Python prints it),
 * lists are arrays, strings are {@link MarkedText}. No JavaScript object of the caller is reachable.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Budget } from "./budget.ts";
import { inputText, MarkedText } from "./marked-text.ts";

export type Value =
  | null
  | boolean
  | number
  | Float
  | MarkedText
  | readonly Value[]
  | Dict
  | Namespace
  | Stream
  | Loop
  | Undefined
  | Callable;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A missing name or attribute: prints as nothing, is false, and fails when looked into. */
export class Undefined {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** A tuple is a list that prints in round brackets and equals no list. `groupby` names the items of its tuples. */
export class Tuple extends Array<Value> {
  names: readonly string[] = [];

  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static of2(first: Value, second: Value): Tuple {
    const tuple = new Tuple();
    tuple.push(first, second);
    return tuple;
  }

  static copy(items: readonly Value[]): Tuple {
    const tuple = new Tuple();
    for (const item of items) tuple.push(item);
    return tuple;
  }
}

/** `keys()`, `values()` and `items()` of a dict: Python's views can be iterated and counted, not indexed. */
export class View extends Array<Value> {
  name = "";

  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static of1(name: string, items: readonly Value[]): View {
    const view = new View();
    view.name = name;
    for (const item of items) view.push(item);
    return view;
  }
}

/** A Python dict: insertion order, keys by value. Keys keep their own marks. */
export class Dict {
  readonly #entries = new Map<string, Tuple>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hash(key))?.[1];
  }

  set(key: Value, value: Value): void {
    const hashed = hash(key);
    // An existing key stays, as in Python.
    this.#entries.set(hashed, Tuple.of2(this.#entries.get(hashed)?.[0] ?? key, value));
  }

  has(key: Value): boolean {
    return this.#entries.has(hash(key));
  }

  /** Tuples of a key and its value. */
  entries(): Tuple[] {
    return [...this.#entries.values()];
  }

  keys(): Value[] {
    return Array.from(this.#entries.values(), (entry) => entry[0]);
  }
}

/** `namespace()`: the one thing a template can change from inside a loop. */
export class Namespace {
  readonly values = new Map<string, Value>();
}

/** A Python generator: true, without length, used up by the first loop over it. */
export class Stream {
  #items: readonly Value[];
  #at = 0;

  constructor(items: readonly Value[]) {
    this.#items = items;
  }

  /** How many items are left. */
  get size(): number {
    return this.#items.length - this.#at;
  }

  next(): Value | undefined {
    return this.#at < this.#items.length ? this.#items[this.#at++] : undefined;
  }

  rest(): readonly Value[] {
    const rest = this.#at === 0 ? this.#items : this.#items.slice(this.#at);
    this.#items = [];
    this.#at = 0;
    return rest;
  }
}

/** `loop`: where a `{% for %}` stands. */
export class Loop {
  readonly items: readonly Value[];
  /** Depth within a recursive loop. */
  readonly depth0: number;
  index0 = 0;
  /** The last arguments of `loop.changed`. */
  seen: readonly Value[] | undefined;
  /** Runs the same body over other items: `loop(children)` of a recursive loop. */
  readonly recurse: ((items: Value) => Value) | undefined;

  constructor(items: readonly Value[], depth0: number, recurse?: (items: Value) => Value) {
    this.items = items;
    this.depth0 = depth0;
    this.recurse = recurse;
  }
}

/**
 * The parts of a message's content. They record whether the template read them: for one that ignores parts, the caller
 * joins them to a text.
 */
export class Parts extends Array<Value> {
  wasRead = false;

  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** Arguments of a filter, test, method, function or macro. */
export class CallArguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;

  constructor(positional: readonly Value[], named: ReadonlyMap<string, Value>) {
    this.positional = positional;
    this.named = named;
  }

  /** The argument by position or name. */
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
  /** Attributes, as of a `cycler`. */
  readonly attributes: ReadonlyMap<string, () => Value>;
  constructor(
    name: string,
    call: (args: CallArguments) => Value,
    attributes: ReadonlyMap<string, () => Value> = new Map(),
  ) {
    this.name = name;
    this.call = call;
    this.attributes = attributes;
  }
}

export const NO_ARGUMENTS = new CallArguments([], new Map());

/** `??` for values: None (null) is a value. */
export function orElse(value: Value | undefined, fallback: Value): Value {
  return value === undefined ? fallback : value;
}

/** @throws OnebitError `template/raised`: the template did something its own language forbids. */
export function raise(message: string): never {
  fail("template/raised", `chat template: ${message}`);
}

/** Converts the caller's data: every string in it is input. Counts values for the budget. */
export function fromData(data: unknown, count: { values: number }, depth = 0): Value {
  count.values++;
  if (depth > 64)
    fail("option/invalid", "messages, tools and template variables: wanted at most 64 nested levels, got more");
  if (data === null || data === undefined) return null;
  if (typeof data === "boolean") return data;
  if (typeof data === "bigint") return integer(Number(data));
  if (typeof data === "number") return Number.isSafeInteger(data) ? integer(data) : new Float(data);
  if (typeof data === "string") {
    // A long text costs in proportion to its length.
    count.values += data.length >> 9;
    return inputText(data);
  }
  if (Array.isArray(data)) return data.map((item) => fromData(item, count, depth + 1));
  if (typeof data !== "object")
    fail("option/invalid", `messages, tools and template variables: wanted JSON values, got a ${typeof data}`);
  const dict = new Dict();
  for (const [key, value] of Object.entries(data)) {
    // An absent optional field stays absent, not null: templates test "is defined".
    if (value !== undefined) dict.set(inputText(key), fromData(value, count, depth + 1));
  }
  return dict;
}

/** Python's type names, for messages. */
export function typeName(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "int";
  if (value instanceof Float) return "float";
  if (value instanceof MarkedText) return "str";
  if (isList(value)) return value instanceof View ? value.name : value instanceof Tuple ? "tuple" : "list";
  if (value instanceof Dict) return "dict";
  if (value instanceof Stream) return "generator";
  if (value instanceof Undefined) return "undefined";
  return value instanceof Namespace ? "namespace" : value instanceof Loop ? "loop" : "function";
}

/** Checks an integer. @throws OnebitError `template/limit` beyond ±2^53, where it would silently round */
export function integer(value: number): number {
  if (!Number.isSafeInteger(value)) fail("template/limit", "chat template: an integer is beyond ±2^53");
  // Python's integers have no −0.
  return value + 0;
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isNumber(value: Value): value is number | Float | boolean {
  return typeof value === "number" || value instanceof Float || typeof value === "boolean";
}

/** Python's bool is an int: True counts as 1. */
export function isInteger(value: Value | undefined): value is number | boolean {
  return typeof value === "number" || typeof value === "boolean";
}

export function toNumber(value: number | Float | boolean): number {
  return value instanceof Float ? value.value : Number(value);
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (isNumber(value)) return toNumber(value) !== 0;
  if (value instanceof MarkedText) return value.length > 0;
  if (isList(value)) return value.length > 0;
  return value instanceof Dict ? value.size > 0 : true;
}

/** Cost to read it once, for the budget: four items of a list cost about as much as evaluating one node. */
export function costOf(value: Value | undefined): number {
  if (value instanceof MarkedText) return value.cost;
  if (isList(value)) return 1 + (value.length >> 2);
  if (value instanceof Dict || value instanceof Stream) return 1 + (value.size >> 1);
  return 1;
}

/**
 * Charges every call of a filter, test, method, operator or function for reading its arguments once. Whatever takes
 * longer, or makes something larger, charges for that itself.
 */
export function charge(budget: Budget, value: Value | undefined, args: CallArguments): void {
  let cost = costOf(value);
  for (const argument of args.positional) cost += costOf(argument);
  for (const argument of args.named.values()) cost += costOf(argument);
  budget.spend(cost);
}

/** Python hashes tuples too, but hashing one of long texts would take uncounted time. */
export function isHashable(key: Value): boolean {
  return !isList(key) && !(key instanceof Dict) && !(key instanceof Stream);
}

function hash(key: Value): string {
  if (key instanceof MarkedText) return `s${key.text}`;
  if (isNumber(key)) return `n${toNumber(key)}`;
  if (key === null) return "none";
  if (key instanceof Undefined) return "undefined";
  return raise(`a ${typeName(key)} cannot be the key of a dict`);
}
