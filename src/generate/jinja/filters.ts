/**
 * Jinja's filters, a row each (Jinja 3.1 documentation, "List of Builtin Filters"); `filter-names.ts` lists those left
 * out, and why.
 *
 * @module
 */
import { didYouMean } from "../../core/nearest-name.ts";
import type { Budget } from "./budget.ts";
import { applySign } from "./arithmetic.ts";
import { REFUSED_FILTERS } from "./filter-names.ts";
import { iterate, joinValues } from "./iterate.ts";
import {
  attributes,
  batch,
  dictSort,
  entriesOf,
  extreme,
  firstOf,
  groupBy,
  lastOf,
  mapItems,
  reverse,
  selectItems,
  sliceItems,
  sort,
  sum,
  unique,
} from "./list-filters.ts";
import { findMethod, lookUpAttribute } from "./lookup.ts";
import { MarkedText, templateText } from "./marked-text.ts";
import { fileSize, round, toFloat, toInteger } from "./number-filters.ts";
import { toText } from "./print.ts";
import { indent, truncate, urlEncode, wordCount } from "./text-filters.ts";
import { formatPercent } from "./text-format.ts";
import { wantInteger, wantText } from "./text-methods.ts";
import { capitalize, escapeHtml, lower, pad, replace, strip, titleWords, upper } from "./text-operations.ts";
import { codePointLength } from "./text-search.ts";
import { toJson } from "./to-json.ts";
import {
  Callable,
  charge,
  costOf,
  Dict,
  isInteger,
  isList,
  isNumber,
  isTrue,
  Namespace,
  orElse,
  raise,
  toNumber,
  Tuple,
  typeName,
  Undefined,
} from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

export type Filter = (value: Value, args: CallArguments, budget: Budget) => Value;

const FILTERS: Readonly<Record<string, Filter>> = {
  // any value
  default: (value, args) =>
    value instanceof Undefined || (isTrue(args.get(1, "boolean") ?? false) && !isTrue(value))
      ? orElse(args.get(0, "default_value"), templateText(""))
      : value,
  string: (value, _args, budget) => toText(value, budget),
  tojson: toJson,
  length: (value) => lengthOf(value),
  list: (value, _args, budget) => [...iterate(value, budget)],
  attr: (value, args, budget) => attributeOf(value, wantText(args, 0, "name"), budget),

  // strings
  trim: (value, args, budget) =>
    strip(toText(value, budget), args.has(0, "chars") ? wantText(args, 0, "chars") : undefined, "both", budget),
  upper: (value, _args, budget) => upper(toText(value, budget), budget),
  lower: (value, _args, budget) => lower(toText(value, budget), budget),
  title: (value, _args, budget) => titleWords(toText(value, budget), budget).asMarkup(false),
  capitalize: (value, _args, budget) => capitalize(toText(value, budget), budget),
  center: (value, args, budget) =>
    pad(toText(value, budget), wantInteger(args, 0, "width", 80), templateText(" "), "center", budget),
  replace: (value, args, budget) =>
    replace(
      toText(value, budget),
      argumentText(args, 0, "old", budget),
      argumentText(args, 1, "new", budget),
      countOf(args.get(2, "count")),
      budget,
    ),
  indent,
  truncate,
  join: (value, args, budget) =>
    joinValues(
      attributes(value, args.get(1, "attribute"), budget),
      toText(args.get(0, "d") ?? templateText(""), budget),
      budget,
    ),
  format: (value, args, budget) => formatPercent(toText(value, budget), formatValues(args), budget),
  safe: (value, _args, budget) => toText(value, budget).asMarkup(true),
  escape: (value, _args, budget) => escapeHtml(toText(value, budget), budget),
  forceescape: (value, _args, budget) => escapeHtml(toText(value, budget), budget, true),
  urlencode: urlEncode,
  wordcount: (value, _args, budget) => wordCount(toText(value, budget), budget),

  // numbers
  abs: (value) =>
    isNumber(value)
      ? toNumber(value) < 0 || Object.is(toNumber(value), -0)
        ? applySign("-", value)
        : applySign("+", value)
      : raise(`a ${typeName(value)} has no absolute value`),
  int: toInteger,
  float: toFloat,
  round,
  filesizeformat: fileSize,

  // lists
  first: firstOf,
  last: lastOf,
  reverse,
  sort,
  unique,
  groupby: groupBy,
  min: (value, args, budget) => extreme(value, args, -1, budget),
  max: (value, args, budget) => extreme(value, args, 1, budget),
  sum,
  map: (value, args, budget) => mapItems(value, args, applyFilter, budget),
  select: (value, args, budget) => selectItems(value, args, { isAttribute: false, isWanted: true }, budget),
  reject: (value, args, budget) => selectItems(value, args, { isAttribute: false, isWanted: false }, budget),
  selectattr: (value, args, budget) => selectItems(value, args, { isAttribute: true, isWanted: true }, budget),
  rejectattr: (value, args, budget) => selectItems(value, args, { isAttribute: true, isWanted: false }, budget),
  batch,
  slice: sliceItems,

  // dicts
  items: entriesOf,
  dictsort: dictSort,
};

const ALIASES: Readonly<Record<string, string>> = { d: "default", count: "length", e: "escape" };

/** Applies a filter. @throws OnebitError `template/raised` for a filter that does not exist or cannot take the value */
export function applyFilter(name: string, value: Value, args: CallArguments, budget: Budget): Value {
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (!Object.hasOwn(FILTERS, known)) return applyMethod(name, value, args);
  charge(budget, value, args);
  const result = FILTERS[known](value, args, budget);
  if (result !== value) budget.spend(costOf(result));
  return result;

  /** Some templates write `text|strip` for `text.strip()`: other renderers accept it, so models ship with it. */
  function applyMethod(method: string, object: Value, given: CallArguments): Value {
    const found = object instanceof MarkedText ? findMethod(object, method, budget) : undefined;
    if (found instanceof Callable) return found.call(given);
    const reason = Object.hasOwn(REFUSED_FILTERS, method)
      ? ` here: ${REFUSED_FILTERS[method]}`
      : didYouMean(method, [...Object.keys(FILTERS), ...Object.keys(ALIASES)]);
    return raise(`there is no filter "${method.slice(0, 40)}"${reason}`);
  }
}

function argumentText(args: CallArguments, position: number, name: string, budget: Budget): MarkedText {
  return toText(args.get(position, name) ?? (args.has(position, name) ? null : raise(`${name} is missing`)), budget);
}

function countOf(value: Value | undefined): number {
  return isInteger(value) && Number(value) >= 0 ? Number(value) : Infinity;
}

function lengthOf(value: Value): number {
  if (value instanceof Undefined) return 0;
  if (value instanceof Dict) return value.size;
  if (isList(value)) return value.length;
  return value instanceof MarkedText ? codePointLength(value) : raise(`a ${typeName(value)} has no length`);
}

/** `value|attr("name")` looks up attributes only, never items. */
function attributeOf(value: Value, name: MarkedText, budget: Budget): Value {
  if (value instanceof Undefined) raise(`${value.what} is undefined`);
  if (value instanceof Dict || isList(value) || value instanceof MarkedText)
    return findMethod(value, name.text, budget) ?? new Undefined(`"${name.text.slice(0, 40)}"`);
  return value instanceof Namespace || value instanceof Callable
    ? lookUpAttribute(value, name, budget)
    : new Undefined(`"${name.text.slice(0, 40)}"`);
}

function formatValues(args: CallArguments): Value {
  if (args.named.size === 0) return Tuple.copy(args.positional);
  if (args.positional.length > 0) raise("format takes positional or named arguments, not both");
  const dict = new Dict();
  for (const [name, value] of args.named) dict.set(templateText(name), value);
  return dict;
}
