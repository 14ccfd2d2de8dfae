/**
 * `value.name` and `value[key]`: dict entries, list items, characters, and the methods of Python's types.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { isEqual } from "./compare.ts";
import { MarkedText } from "./marked-text.ts";
import { formatBraces } from "./text-format.ts";
import { callTextMethod, isTextMethod } from "./text-methods.ts";
import { codePointLength, isPlain, unitOffset } from "./text-search.ts";
import {
  Callable,
  charge,
  Dict,
  integer,
  isHashable,
  isList,
  Loop,
  Namespace,
  orElse,
  Parts,
  raise,
  Tuple,
  typeName,
  Undefined,
  View,
} from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

type Method<T> = (value: T, args: CallArguments, budget: Budget) => Value;

const DICT_METHODS: Readonly<Record<string, Method<Dict>>> = {
  items: (dict) => View.of1("dict_items", dict.entries()),
  keys: (dict) => View.of1("dict_keys", dict.keys()),
  values: (dict) =>
    View.of1(
      "dict_values",
      dict.entries().map((entry) => entry[1]),
    ),
  get: (dict, args) => {
    const key = args.get(0, "key") ?? null;
    if (!isHashable(key)) raise(`a ${typeName(key)} cannot be the key of a dict`);
    return orElse(dict.get(key), args.get(1, "default") ?? null);
  },
  copy: (dict) => dict,
};

const LIST_METHODS: Readonly<Record<string, Method<readonly Value[]>>> = {
  index: (list, args, budget) => {
    const at = list.findIndex((item) => isEqual(item, args.get(0, "value") ?? null, budget));
    return at < 0 ? raise("index: the value is not in the list") : at;
  },
  count: (list, args, budget) => list.filter((item) => isEqual(item, args.get(0, "value") ?? null, budget)).length,
  copy: (list) => list,
};

/** Python's methods that change a value: templates may not use them. */
const DICT_CHANGES = new Set(["clear", "pop", "popitem", "setdefault", "update"]);
const LIST_CHANGES = new Set(["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"]);

const LOOP: Readonly<Record<string, (loop: Loop, budget: Budget) => Value>> = {
  index: ({ index0 }) => index0 + 1,
  index0: ({ index0 }) => index0,
  revindex: ({ items, index0 }) => items.length - index0,
  revindex0: ({ items, index0 }) => items.length - index0 - 1,
  first: ({ index0 }) => index0 === 0,
  last: ({ items, index0 }) => index0 === items.length - 1,
  length: ({ items }) => items.length,
  depth: ({ depth0 }) => depth0 + 1,
  depth0: ({ depth0 }) => depth0,
  previtem: ({ items, index0 }) => (index0 > 0 ? items[index0 - 1] : new Undefined("loop.previtem of the first item")),
  nextitem: ({ items, index0 }) =>
    index0 < items.length - 1 ? items[index0 + 1] : new Undefined("loop.nextitem of the last item"),
  cycle: (loop) =>
    new Callable("cycle", ({ positional }) =>
      positional.length > 0
        ? positional[loop.index0 % positional.length]
        : raise("loop.cycle wants at least one value"),
    ),
  changed: (loop, budget) =>
    new Callable("changed", ({ positional }) => {
      const isSame = loop.seen !== undefined && isEqual(loop.seen, positional, budget);
      loop.seen = positional;
      return !isSame;
    }),
};

/** `value.name`: a method first, then an entry. */
export function lookUpAttribute(value: Value, name: MarkedText, budget: Budget): Value {
  return findMethod(value, name.text, budget) ?? lookUp(value, name, budget);
}

/**
 * `value[key]`; a missing entry is {@link Undefined}.
 * @throws OnebitError `template/raised` when `value` is itself undefined, or has nothing to look into
 */
export function lookUp(value: Value, key: Value, budget: Budget): Value {
  budget.spend(key instanceof MarkedText ? key.cost : 1);
  if (value instanceof Undefined) raise(`${value.what} is undefined`);
  if (value instanceof Dict) {
    const found = isHashable(key) ? value.get(key) : undefined;
    if (found !== undefined) return found;
  }
  if (typeof key === "number" || typeof key === "boolean") {
    const index = Number(key);
    if (value instanceof Parts) value.wasRead = true;
    if (isList(value) && !(value instanceof View))
      return orElse(value[index < 0 ? index + value.length : index], missing(key));
    return value instanceof MarkedText ? charAt(value, index, budget) : missing(key);
  }
  if (!(key instanceof MarkedText)) return missing(key);
  const named = lookUpName(value, key.text, budget);
  return named === undefined ? (findMethod(value, key.text, budget) ?? missing(key)) : named;
}

/** Attributes that are not methods: of namespaces, loops, groups and cyclers. */
function lookUpName(value: Value, name: string, budget: Budget): Value | undefined {
  if (value instanceof Namespace) return value.values.get(name);
  if (value instanceof Loop && Object.hasOwn(LOOP, name)) return LOOP[name](value, budget);
  if (value instanceof Tuple && value.names.includes(name)) return value[value.names.indexOf(name)];
  return value instanceof Callable ? value.attributes.get(name)?.() : undefined;
}

/** A method of Python's type, ready to call. */
export function findMethod(value: Value, name: string, budget: Budget): Value | undefined {
  if (value instanceof MarkedText) {
    if (name === "format")
      return new Callable(
        name,
        (args) => (
          charge(budget, value, args), formatBraces(value, args, (object, key) => lookUp(object, key, budget), budget)
        ),
      );
    return isTextMethod(name) ? new Callable(name, (args) => callTextMethod(value, name, args, budget)) : undefined;
  }
  if (value instanceof Dict) return typeMethod(value, name, DICT_METHODS, DICT_CHANGES, budget);
  return isList(value) && !(value instanceof View)
    ? typeMethod(value, name, LIST_METHODS, LIST_CHANGES, budget)
    : undefined;
}

function typeMethod<T extends Value>(
  value: T,
  name: string,
  methods: Readonly<Record<string, Method<T>>>,
  changes: ReadonlySet<string>,
  budget: Budget,
): Value | undefined {
  if (changes.has(name)) return new Undefined(`the method ${name}, which would change a value,`);
  if (!Object.hasOwn(methods, name)) return undefined;
  return new Callable(name, (args) => {
    // Looking up an entry is one step, whatever the dict's size.
    charge(budget, name === "get" ? undefined : value, args);
    return methods[name](value, args, budget);
  });
}

function charAt(text: MarkedText, index: number, budget: Budget): Value {
  budget.spend(text.cost);
  const isSame = isPlain(text);
  const n = isSame ? text.length : codePointLength(text);
  const at = integer(index < 0 ? index + n : index);
  if (at < 0 || at >= n) return missing(index);
  return isSame ? text.slice(at, at + 1) : text.slice(unitOffset(text, at), unitOffset(text, at + 1));
}

function missing(key: Value): Undefined {
  return new Undefined(
    key instanceof MarkedText ? `"${key.text.slice(0, 40)}"` : typeof key === "number" ? `item ${key}` : "an entry",
  );
}
