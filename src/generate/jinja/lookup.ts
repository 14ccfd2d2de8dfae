/**
 * `value.name` and `value[key]`: dict entries, list items, characters, and the methods of Python's types.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { MarkedText } from "./marked-text.ts";
import { codePoints, isPlain, stringMethod } from "./strings.ts";
import { Callable, Dict, isEqual, isList, Namespace, orElse, raise, Undefined } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

type DictMethod = (dict: Dict, args: CallArguments) => Value;

const DICT_METHODS: Readonly<Record<string, DictMethod>> = {
  items: (dict) => dict.entries(),
  keys: (dict) => dict.entries().map(([key]) => key),
  values: (dict) => dict.entries().map(([, value]) => value),
  get: (dict, args) => orElse(dict.get(args.get(0, "key") ?? null), args.get(1, "default") ?? null),
  copy: (dict) => dict,
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
  if (value instanceof Dict) return orElse(value.get(key), missing(key));
  if (value instanceof Namespace && key instanceof MarkedText) return orElse(value.values.get(key.text), missing(key));
  if (value instanceof Undefined) raise(`${value.what} is undefined`);
  if (isList(value) && typeof key === "number") return orElse(value[key < 0 ? key + value.length : key], missing(key));
  if (value instanceof MarkedText && typeof key === "number") return charAt(value, key, budget);
  return key instanceof MarkedText ? (findMethod(value, key.text, budget) ?? missing(key)) : missing(key);
}

function findMethod(value: Value, name: string, budget: Budget): Callable | undefined {
  if (value instanceof MarkedText) return stringMethod(value, name, budget);
  if (value instanceof Dict && Object.hasOwn(DICT_METHODS, name)) {
    return new Callable(name, (args) => {
      budget.spend(value.size);
      return DICT_METHODS[name](value, args);
    });
  }
  if (isList(value) && (name === "index" || name === "count")) return listMethod(value, name, budget);
  return undefined;
}

function listMethod(list: readonly Value[], name: "index" | "count", budget: Budget): Callable {
  return new Callable(name, (args) => {
    const wanted = args.get(0, "value") ?? null;
    const isWanted = (item: Value): boolean => isEqual(item, wanted, budget);
    if (name === "count") return list.filter(isWanted).length;
    const at = list.findIndex(isWanted);
    return at < 0 ? raise("index: the list does not have this value") : at;
  });
}

function charAt(text: MarkedText, index: number, budget: Budget): Value {
  budget.spend(text.cost);
  if (!isPlain(text)) return codePoints(text, budget).at(index) ?? missing(index);
  const at = index < 0 ? index + text.length : index;
  return at >= 0 && at < text.length ? text.slice(at, at + 1) : missing(index);
}

function missing(key: Value): Undefined {
  return new Undefined(key instanceof MarkedText ? `"${key.text.slice(0, 40)}"` : typeof key === "number" ? `item ${key}` : "an entry");
}
