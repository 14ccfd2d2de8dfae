/**
 * Jinja's filters, those that chat templates may use (Jinja 3.1 documentation, "List of Builtin Filters").
 *
 * Left out on purpose: `random` (results would not repeat), and what only makes sense for web pages.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { lookUp } from "./lookup.ts";
import { concat, join, MarkedText, templateText } from "./marked-text.ts";
import { capitalize, iterate, joinValues, replace, strip, stringMethod, titleCase, wantText } from "./strings.ts";
import { findTest } from "./tests.ts";
import { toJson } from "./to-json.ts";
import { Dict, Float, compare, integer, isEqual, isList, isNumber, isTrue, orElse, raise, toNumber, toText, typeName, Undefined } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

type Filter = (value: Value, args: CallArguments, budget: Budget) => Value;

const FILTERS: Readonly<Record<string, Filter>> = {
  // any value
  default: (value, args) => (value instanceof Undefined || (isTrue(args.get(1, "boolean") ?? false) && !isTrue(value)) ? orElse(args.get(0, "default_value"), templateText("")) : value),
  string: (value, _args, budget) => toText(value, budget),
  tojson: toJson,
  length: (value, _args, budget) => lengthOf(value, budget),
  list: (value, _args, budget) => [...iterate(value, budget)],
  safe: (value) => value,

  // strings
  trim: (value, args, budget) => strip(text(value, budget), args.has(0, "chars") ? wantText(args, 0, "chars") : undefined, true, true),
  upper: (value, _args, budget) => text(value, budget).map((chars) => chars.toUpperCase()),
  lower: (value, _args, budget) => text(value, budget).map((chars) => chars.toLowerCase()),
  title: (value, _args, budget) => titleCase(text(value, budget)),
  capitalize: (value, _args, budget) => capitalize(text(value, budget)),
  replace: (value, args, budget) => replace(text(value, budget), wantText(args, 0, "old"), wantText(args, 1, "new"), countOf(args.get(2, "count")), budget),
  indent: (value, args, budget) => indent(text(value, budget), args, budget),
  join: (value, args, budget) => joinValues(attributes(value, args.get(1, "attribute"), budget), toText(args.get(0, "d") ?? templateText(""), budget), budget),
  escape: (value, _args, budget) => escapeHtml(text(value, budget), budget),
  wordcount: (value, _args, budget) => (text(value, budget).text.match(/[\p{L}\p{N}_]+/gu) ?? []).length,

  // numbers
  abs: (value) => fromNumber(Math.abs(number(value)), value instanceof Float),
  int: (value, args) => toInteger(value, orElse(args.get(0, "default"), 0)),
  float: (value, args) => toFloat(value, orElse(args.get(0, "default"), new Float(0))),
  round: (value, args) => round(value, args),

  // lists
  first: (value, _args, budget) => orElse(iterate(value, budget)[0], new Undefined("the first item of an empty list")),
  last: (value, _args, budget) => orElse(iterate(value, budget).at(-1), new Undefined("the last item of an empty list")),
  reverse: (value, _args, budget) => reverse(value, budget),
  sort: (value, args, budget) => sort(value, args, budget),
  unique: (value, args, budget) => unique(attributes(value, args.get(1, "attribute"), budget), iterate(value, budget), isTrue(args.get(0, "case_sensitive") ?? false), budget),
  min: (value, args, budget) => extreme(value, args, -1, budget),
  max: (value, args, budget) => extreme(value, args, 1, budget),
  sum: (value, args, budget) => sum(attributes(value, args.get(0, "attribute"), budget), args.get(1, "start") ?? 0),
  map: (value, args, budget) => mapItems(value, args, budget),
  select: (value, args, budget) => iterate(value, budget).filter((item) => passes(item, args, budget)),
  reject: (value, args, budget) => iterate(value, budget).filter((item) => !passes(item, args, budget)),
  selectattr: (value, args, budget) => iterate(value, budget).filter((item) => passes(attribute(item, args.get(0, "attribute"), budget), args.rest(1), budget)),
  rejectattr: (value, args, budget) => iterate(value, budget).filter((item) => !passes(attribute(item, args.get(0, "attribute"), budget), args.rest(1), budget)),
  batch: (value, args, budget) => batch(iterate(value, budget), number(args.get(0, "linecount") ?? 0)),

  // dicts
  items: (value, _args, budget) => (value instanceof Undefined ? [] : entriesOf(value, budget)),
  dictsort: (value, args, budget) => dictSort(value, args, budget),
  attr: (value, args, budget) => lookUp(value, wantText(args, 0, "name"), budget),
};

const ALIASES: Readonly<Record<string, string>> = { d: "default", count: "length", e: "escape" };

/** Applies a filter. @throws OnebitError `template/raised` for a filter that does not exist or cannot take the value */
export function applyFilter(name: string, value: Value, args: CallArguments, budget: Budget): Value {
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (!Object.hasOwn(FILTERS, known)) return applyMethod(name, value, args, budget);
  const result = FILTERS[known](value, args, budget);
  if (result instanceof MarkedText) budget.spend(result.cost);
  else if (isList(result)) budget.spend(result.length >> 2);
  return result;
}

/** Some templates write `text|strip` for `text.strip()`; other renderers accept it, so models have shipped with it. */
function applyMethod(name: string, value: Value, args: CallArguments, budget: Budget): Value {
  const method = value instanceof MarkedText ? stringMethod(value, name, budget) : undefined;
  return method ? method.call(args) : raise(`there is no filter "${name.slice(0, 40)}"`);
}

function text(value: Value, budget: Budget): MarkedText {
  const result = toText(value, budget);
  budget.spend(result.cost);
  return result;
}

function number(value: Value): number {
  return isNumber(value) ? toNumber(value) : raise(`wanted a number, got a ${typeName(value)}`);
}

function fromNumber(value: number, isFloat: boolean): Value {
  return isFloat ? new Float(value) : integer(value);
}

function countOf(value: Value | undefined): number {
  return typeof value === "number" && value >= 0 ? value : Infinity;
}

function lengthOf(value: Value, budget: Budget): number {
  if (value instanceof Undefined) return 0;
  if (value instanceof Dict) return value.size;
  if (isList(value)) return value.length;
  if (!(value instanceof MarkedText)) return raise(`a ${typeName(value)} has no length`);
  budget.spend(value.cost);
  let pairs = 0;
  for (let i = 0; i + 1 < value.length; i++) {
    const isPair = (value.text.charCodeAt(i) & 0xfc00) === 0xd800 && (value.text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) pairs++;
  }
  return value.length - pairs;
}

/** Spaces before every line but the first (`first`) and blank ones (`blank`). */
function indent(value: MarkedText, args: CallArguments, budget: Budget): MarkedText {
  const width = args.get(0, "width") ?? 4;
  const prefix = width instanceof MarkedText ? width : spaces(width, budget);
  const first = isTrue(args.get(1, "first") ?? false);
  const blank = isTrue(args.get(2, "blank") ?? false);
  const newline = templateText("\n");
  const lines = splitAtNewlines(value, budget);
  budget.spend(lines.length * (prefix.cost + 1));
  const indented = lines.map((line, i) => ((i === 0 ? first : blank || line.text.trim() !== "") ? concat([prefix, line]) : line));
  return join(indented, newline);
}

function spaces(width: Value, budget: Budget): MarkedText {
  const n = number(width);
  budget.spend(Math.max(0, n));
  return templateText(" ".repeat(Math.max(0, n)));
}

function splitAtNewlines(value: MarkedText, budget: Budget): MarkedText[] {
  const lines: MarkedText[] = [];
  let begin = 0;
  for (let at = value.text.indexOf("\n"); at >= 0; at = value.text.indexOf("\n", begin)) {
    budget.spend(1 + (value.flips.length >> 2));
    lines.push(value.slice(begin, at));
    begin = at + 1;
  }
  lines.push(value.slice(begin));
  return lines;
}

function escapeHtml(value: MarkedText, budget: Budget): MarkedText {
  const pairs = [["&", "&amp;"], ["<", "&lt;"], [">", "&gt;"], ["'", "&#39;"], ['"', "&#34;"]];
  return pairs.reduce((result, [from, to]) => replace(result, templateText(from), templateText(to), Infinity, budget), value);
}

function toInteger(value: Value, fallback: Value): Value {
  const n = isNumber(value) ? toNumber(value) : value instanceof MarkedText && /^\s*[-+]?\d+\s*$/.test(value.text.slice(0, 400)) ? Number(value.text) : Number.NaN;
  return Number.isFinite(n) ? integer(Math.trunc(n)) : fallback;
}

function toFloat(value: Value, fallback: Value): Value {
  const n = isNumber(value) ? toNumber(value) : value instanceof MarkedText && /^\s*[-+]?(\d|\.\d)/.test(value.text) ? Number(value.text.slice(0, 400)) : Number.NaN;
  return Number.isNaN(n) ? fallback : new Float(n);
}

/** To the nearest, halves to even, as Python rounds; or up, or down. */
function round(value: Value, args: CallArguments): Value {
  const precision = number(args.get(0, "precision") ?? 0);
  const method = args.get(1, "method");
  const scale = 10 ** Math.max(-300, Math.min(300, precision));
  const scaled = number(value) * scale;
  const how = method instanceof MarkedText ? method.text : "common";
  const floor = Math.floor(scaled);
  const half = scaled - floor;
  const nearest = half > 0.5 || (half === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return new Float((how === "ceil" ? Math.ceil(scaled) : how === "floor" ? floor : nearest) / scale);
}

function reverse(value: Value, budget: Budget): Value {
  const items = [...iterate(value, budget)].reverse();
  return value instanceof MarkedText ? joinValues(items, templateText(""), budget) : items;
}

function sort(value: Value, args: CallArguments, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(1, "case_sensitive") ?? false);
  const keys = attributes(value, args.get(2, "attribute"), budget).map((key) => foldCase(key, isCaseSensitive, budget));
  const sign = isTrue(args.get(0, "reverse") ?? false) ? -1 : 1;
  // Equal items keep their order, reversed or not.
  const order = items.map((_, i) => i).sort((a, b) => sign * compare(keys[a], keys[b], budget) || a - b);
  return order.map((i) => items[i]);
}

function foldCase(value: Value, isCaseSensitive: boolean, budget: Budget): Value {
  if (isCaseSensitive || !(value instanceof MarkedText)) return value;
  budget.spend(value.cost);
  return value.map((chars) => chars.toLowerCase());
}

function unique(keys: readonly Value[], items: readonly Value[], isCaseSensitive: boolean, budget: Budget): Value {
  const seen: Value[] = [];
  return items.filter((_, i) => {
    const key = foldCase(keys[i], isCaseSensitive, budget);
    const isNew = !seen.some((other) => isEqual(key, other, budget));
    if (isNew) seen.push(key);
    return isNew;
  });
}

function extreme(value: Value, args: CallArguments, sign: number, budget: Budget): Value {
  const items = iterate(value, budget);
  const isCaseSensitive = isTrue(args.get(0, "case_sensitive") ?? false);
  const keys = attributes(value, args.get(1, "attribute"), budget).map((key) => foldCase(key, isCaseSensitive, budget));
  let best = 0;
  for (let i = 1; i < items.length; i++) if (sign * compare(keys[i], keys[best], budget) > 0) best = i;
  return orElse(items[best], new Undefined("the extreme of an empty list"));
}

function sum(items: readonly Value[], start: Value): Value {
  const all = [start, ...items];
  return fromNumber(all.reduce<number>((total, item) => total + number(item), 0), all.some((item) => item instanceof Float));
}

/** `map("filter", …)` or `map(attribute="a.b", default=…)`. */
function mapItems(value: Value, args: CallArguments, budget: Budget): Value {
  const path = args.named.get("attribute");
  const items = iterate(value, budget);
  if (path === undefined) {
    const name = wantText(args, 0, "filter").text;
    return items.map((item) => (budget.spend(1), applyFilter(name, item, args.rest(1), budget)));
  }
  const fallback = args.named.get("default");
  return items.map((item) => {
    const found = attribute(item, path, budget);
    return found instanceof Undefined && fallback !== undefined ? fallback : found;
  });
}

function passes(value: Value, args: CallArguments, budget: Budget): boolean {
  budget.spend(1);
  const name = args.positional[0];
  if (name === undefined) return isTrue(value);
  return name instanceof MarkedText ? findTest(name.text)(value, args.rest(1), budget) : raise("wanted the name of a test");
}

function attributes(value: Value, path: Value | undefined, budget: Budget): readonly Value[] {
  const items = iterate(value, budget);
  return path === undefined || path === null ? items : items.map((item) => attribute(item, path, budget));
}

/** `a.b.0`: each step an attribute, key or index. */
function attribute(value: Value, path: Value | undefined, budget: Budget): Value {
  budget.spend(1);
  if (typeof path === "number") return lookUp(value, path, budget);
  if (!(path instanceof MarkedText)) return raise("wanted the name of an attribute");
  return path.text.split(".", 64).reduce<Value>((found, step) => lookUp(found, /^\d{1,9}$/.test(step) ? Number(step) : templateText(step), budget), value);
}

function batch(items: readonly Value[], size: number): Value {
  if (!(size >= 1)) raise("batch wants a size of at least 1");
  const batches: Value[] = [];
  for (let i = 0; i < items.length; i += Math.trunc(size)) batches.push(items.slice(i, i + Math.trunc(size)));
  return batches;
}

function entriesOf(value: Value, budget: Budget): Value[] {
  if (!(value instanceof Dict)) return raise(`a ${typeName(value)} has no items`);
  budget.spend(value.size);
  return value.entries();
}

function dictSort(value: Value, args: CallArguments, budget: Budget): Value {
  const isCaseSensitive = isTrue(args.get(0, "case_sensitive") ?? false);
  const by = args.get(1, "by");
  const column = by instanceof MarkedText && by.text === "value" ? 1 : 0;
  const sign = isTrue(args.get(2, "reverse") ?? false) ? -1 : 1;
  const entries = entriesOf(value, budget) as [Value, Value][];
  const keys = entries.map((entry) => foldCase(entry[column], isCaseSensitive, budget));
  const order = entries.map((_, i) => i).sort((a, b) => sign * compare(keys[a], keys[b], budget) || a - b);
  return order.map((i) => entries[i]);
}
