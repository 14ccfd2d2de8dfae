/**
 * Filters of lists and dicts.
 *
 * @module
 */
import { calculate, checkItems } from "./arithmetic.ts";
import type { Budget } from "./budget.ts";
import { compare, isEqual } from "./compare.ts";
import { iterate } from "./iterate.ts";
import { lookUp } from "./lookup.ts";
import { concat, MarkedText, templateText } from "./marked-text.ts";
import { lower } from "./text-operations.ts";
import { codePoints } from "./text-search.ts";
import { wantInteger, wantText } from "./text-methods.ts";
import { applyTest } from "./tests.ts";
import {
  CallArguments,
  Dict,
  isHashable,
  isTrue,
  orElse,
  raise,
  Stream,
  Tuple,
  typeName,
  Undefined,
} from "./values.ts";
import type { Value } from "./values.ts";

type ApplyFilter = (name: string, value: Value, args: CallArguments, budget: Budget) => Value;

export function firstOf(value: Value, _args: CallArguments, budget: Budget): Value {
  const item =
    value instanceof Stream
      ? value.next()
      : value instanceof MarkedText
        ? value.slice(0, (value.text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1)
        : iterate(value, budget)[0];
  const isEmpty = item === undefined || (value instanceof MarkedText && value.length === 0);
  return isEmpty ? new Undefined("the first item of an empty list") : item;
}

export function lastOf(value: Value, _args: CallArguments, budget: Budget): Value {
  if (value instanceof Stream) raise("a generator has no last item: write |list before |last");
  return orElse(iterate(value, budget).at(-1), new Undefined("the last item of an empty list"));
}

export function reverse(value: Value, _args: CallArguments, budget: Budget): Value {
  if (value instanceof MarkedText) return concat(codePoints(value, budget).reverse());
  const items = [...iterate(value, budget)].reverse();
  return value instanceof Stream ? items : new Stream(items);
}

export function sort(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(1, "case_sensitive") ?? false);
  const path = args.get(2, "attribute");
  const isSeveral = path instanceof MarkedText && path.text.includes(",");
  const fold = (key: Value): Value => foldCase(key, isCaseSensitive, budget);
  const keys = attributes(items, path, budget).map((key) =>
    isSeveral && key instanceof Tuple ? Tuple.copy(key.map(fold)) : fold(key),
  );
  // As one-item lists: missing attributes compare equal there, although they have no order.
  return inOrder(
    keys.map((key) => [key]),
    isTrue(args.get(0, "reverse") ?? false),
    budget,
  ).map((i) => items[i]);
}

/** Positions of `keys` in ascending order, or descending. Equal keys keep their order, reversed or not. */
function inOrder(keys: readonly Value[], isDescending: boolean, budget: Budget): number[] {
  const sign = isDescending ? -1 : 1;
  return Array.from(keys, (_, i) => i).sort((a, b) => sign * compare(keys[a], keys[b], budget) || a - b);
}

function foldCase(value: Value, isCaseSensitive: boolean, budget: Budget): Value {
  if (isCaseSensitive || !(value instanceof MarkedText)) return value;
  budget.spend(value.cost);
  return lower(value, budget);
}

export function unique(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(0, "case_sensitive") ?? false);
  const seen = new Dict();
  return new Stream(
    attributes(items, args.get(1, "attribute"), budget).flatMap((key, i) => {
      const folded = foldCase(key, isCaseSensitive, budget);
      budget.spend(folded instanceof MarkedText ? folded.cost + 1 : 2);
      const known = folded instanceof Tuple ? raise("unique: tuples are not supported") : folded;
      if (!isHashable(known)) raise(`unique: cannot compare a ${typeName(known)}`);
      if (seen.has(known)) return [];
      seen.set(known, true);
      return [items[i]];
    }),
  );
}

/** Groups items by the value of an attribute, as (grouper, list). */
export function groupBy(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(2, "case_sensitive") ?? false);
  const path = args.get(0, "attribute") ?? raise("groupby wants an attribute");
  const found = attributes(items, path, budget, args.get(1, "default"));
  const keys = found.map((key) => foldCase(key, isCaseSensitive, budget));
  const groups: Tuple[] = [];
  let last: Value | undefined;
  for (const i of inOrder(keys, false, budget)) {
    if (last === undefined || !isEqual(last, keys[i], budget)) {
      last = keys[i];
      const group = Tuple.of2(found[i], []);
      group.names = ["grouper", "list"];
      groups.push(group);
    }
    (groups[groups.length - 1][1] as Value[]).push(items[i]);
  }
  return groups;
}

export function extreme(value: Value, args: CallArguments, sign: number, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(0, "case_sensitive") ?? false);
  const keys = attributes(items, args.get(1, "attribute"), budget).map((key) => foldCase(key, isCaseSensitive, budget));
  let best = 0;
  for (let i = 1; i < items.length; i++) if (sign * compare(keys[i], keys[best], budget) > 0) best = i;
  return orElse(items[best], new Undefined("the extreme of an empty list"));
}

export function sum(value: Value, args: CallArguments, budget: Budget): Value {
  const start = args.get(1, "start") ?? 0;
  if (start instanceof MarkedText) raise("sum cannot sum strings: use join");
  return attributes(value, args.get(0, "attribute"), budget).reduce<Value>(
    (total, item) => calculate("+", total, item, budget),
    start,
  );
}

/** `map("filter", …)` or `map(attribute="a.b", default=…)`. */
export function mapItems(value: Value, args: CallArguments, apply: ApplyFilter, budget: Budget): Value {
  if (!isSome(value)) return new Stream([]);
  const items = iterate(value, budget);
  const path = args.named.get("attribute");
  if (args.positional.length === 0 && path !== undefined)
    return new Stream(attributes(items, path, budget, args.named.get("default")));
  const name = wantText(args, 0, "filter").text;
  const rest = args.rest(1);
  return new Stream(items.map((item) => (budget.spend(1), apply(name, item, rest, budget))));
}

export function selectItems(
  value: Value,
  args: CallArguments,
  how: { isAttribute: boolean; isWanted: boolean },
  budget: Budget,
): Value {
  if (!isSome(value)) return new Stream([]);
  const path = how.isAttribute ? (args.get(0, "attribute") ?? raise("wanted the name of an attribute")) : undefined;
  const [test, ...rest] = args.positional.slice(how.isAttribute ? 1 : 0);
  const testArgs = new CallArguments(rest, args.named);
  const passes = (item: Value): boolean => {
    budget.spend(1);
    const tested = path === undefined ? item : attribute(item, path, budget);
    if (test === undefined) return isTrue(tested);
    return test instanceof MarkedText
      ? applyTest(test.text, tested, testArgs, budget)
      : raise("wanted the name of a test");
  };
  return new Stream(iterate(value, budget).filter((item) => passes(item) === how.isWanted));
}

/** Jinja treats every false value as empty: none and undefined too. */
function isSome(value: Value): boolean {
  return value instanceof Stream || isTrue(value);
}

export function attributes(value: Value, path: Value | undefined, budget: Budget, fallback?: Value): readonly Value[] {
  const items = iterate(value, budget);
  if (path === undefined || path === null) return items;
  return items.map((item) => {
    const found = attribute(item, path, budget);
    return found instanceof Undefined && fallback !== undefined ? fallback : found;
  });
}

/** `a.b.0`: each step is an attribute, key or index. Several paths, separated by commas, give a list. */
function attribute(value: Value, path: Value, budget: Budget): Value {
  budget.spend(4);
  if (typeof path === "number") return lookUp(value, path, budget);
  if (!(path instanceof MarkedText)) return raise("wanted the name of an attribute");
  budget.spend(path.cost);
  const paths = path.text.split(",", 64);
  const found = paths.map((one) =>
    one
      .split(".", 64)
      .reduce<Value>(
        (object, step) => lookUp(object, /^\d{1,9}$/.test(step) ? Number(step) : templateText(step), budget),
        value,
      ),
  );
  return found.length === 1 ? found[0] : Tuple.copy(found);
}

/** Lists of `linecount` items; `fill_with` fills the last. */
export function batch(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const size = wantInteger(args, 0, "linecount");
  if (size < 1) raise("batch wants a size of at least 1");
  const batches: Value[] = [];
  for (let i = 0; i < items.length; i += size) {
    budget.spend(2);
    const one = items.slice(i, i + size);
    batches.push(one.length < size ? filled(one, size - one.length, args.get(1, "fill_with"), budget) : one);
  }
  return new Stream(batches);
}

/** A given number of lists of about equal length; `fill_with` fills the shorter ones. */
export function sliceItems(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const n = wantInteger(args, 0, "slices");
  if (n < 1) raise("slice wants at least 1 slice");
  checkItems(n, budget);
  budget.spend(n);
  const [size, nLonger] = [Math.floor(items.length / n), items.length % n];
  return new Stream(
    Array.from({ length: n }, (_, i) => {
      const begin = i * size + Math.min(i, nLonger);
      const one = items.slice(begin, begin + size + (i < nLonger ? 1 : 0));
      return i >= nLonger ? filled(one, 1, args.get(1, "fill_with"), budget) : one;
    }),
  );
}

function filled(items: readonly Value[], n: number, fill: Value | undefined, budget: Budget): readonly Value[] {
  if (fill === undefined || fill === null) return items;
  checkItems(n, budget);
  return [...items, ...new Array<Value>(n).fill(fill)];
}

export function entriesOf(value: Value): Value {
  if (value instanceof Undefined) return new Stream([]);
  return value instanceof Dict ? new Stream(value.entries()) : raise(`a ${typeName(value)} has no items`);
}

export function dictSort(value: Value, args: CallArguments, budget: Budget): Value {
  const isCaseSensitive = isTrue(args.get(0, "case_sensitive") ?? false);
  const by = args.get(1, "by");
  const column =
    by === undefined || (by instanceof MarkedText && by.text === "key")
      ? 0
      : by instanceof MarkedText && by.text === "value"
        ? 1
        : raise('dictsort sorts by "key" or "value"');
  const entries = value instanceof Dict ? value.entries() : raise(`a ${typeName(value)} has no items`);
  const keys = entries.map((entry) => foldCase(entry[column], isCaseSensitive, budget));
  return inOrder(keys, isTrue(args.get(2, "reverse") ?? false), budget).map((i) => entries[i]);
}
