/**
 * Python's string methods, a row each.
 *
 * Refused by name: `encode` (there are no bytes here), and `maketrans`, `translate`, `format_map`, `isidentifier`,
 * `isprintable` and `expandtabs`, which no chat template uses.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { KINDS } from "./characters.ts";
import { iterate } from "./iterate.ts";
import { isLower, isTitle, isUpper } from "./letter-case.ts";
import { join, MarkedText, templateText } from "./marked-text.ts";
import {
  capitalize,
  caseFold,
  countOf,
  escapeHtml,
  lower,
  pad,
  partition,
  replace,
  rsplit,
  split,
  splitLines,
  strip,
  swapCase,
  titleLetters,
  upper,
} from "./text-operations.ts";
import { codePointLength, search, spendSearchBackwards, unitOffset } from "./text-search.ts";
import { CallArguments, charge, integer, isInteger, isList, isTrue, raise, Tuple, typeName } from "./values.ts";
import type { Value } from "./values.ts";

type Method = (text: MarkedText, args: CallArguments, budget: Budget) => Value;

const METHODS: Readonly<Record<string, Method>> = {
  strip: (text, args, budget) => strip(text, textOrNone(args, 0, "chars"), "both", budget),
  lstrip: (text, args, budget) => strip(text, textOrNone(args, 0, "chars"), "start", budget),
  rstrip: (text, args, budget) => strip(text, textOrNone(args, 0, "chars"), "end", budget),
  split: (text, args, budget) => split(text, textOrNone(args, 0, "sep"), count(args, 1, "maxsplit"), budget),
  rsplit: (text, args, budget) => rsplit(text, textOrNone(args, 0, "sep"), count(args, 1, "maxsplit"), budget),
  splitlines: (text, args, budget) => splitLines(text, isTrue(args.get(0, "keepends") ?? false), budget),
  partition: (text, args, budget) => partition(text, wantText(args, 0, "sep"), false, budget),
  rpartition: (text, args, budget) => partition(text, wantText(args, 0, "sep"), true, budget),
  startswith: (text, args, budget) =>
    affixes(args, "startswith", budget).some((prefix) => span(text, args).text.startsWith(prefix)),
  endswith: (text, args, budget) =>
    affixes(args, "endswith", budget).some((suffix) => span(text, args).text.endsWith(suffix)),
  removeprefix: (text, args) =>
    text.text.startsWith(wantText(args, 0, "prefix").text) ? text.slice(wantText(args, 0, "prefix").length) : text,
  removesuffix: (text, args) => removeSuffix(text, wantText(args, 0, "suffix")),
  replace: (text, args, budget) =>
    replace(text, wantText(args, 0, "old"), wantText(args, 1, "new"), count(args, 2, "count"), budget),
  upper: (text, _args, budget) => upper(text, budget),
  lower: (text, _args, budget) => lower(text, budget),
  casefold: (text, _args, budget) => caseFold(text, budget),
  swapcase: (text, _args, budget) => swapCase(text, budget),
  title: (text, _args, budget) => titleLetters(text, budget),
  capitalize: (text, _args, budget) => capitalize(text, budget),
  find: (text, args, budget) => find(text, args, budget, false),
  rfind: (text, args, budget) => find(text, args, budget, true),
  index: (text, args, budget) => found(find(text, args, budget, false)),
  rindex: (text, args, budget) => found(find(text, args, budget, true)),
  count: (text, args, budget) => countOf(span(text, args), wantText(args, 0, "sub"), budget),
  join: joinMethod,
  center: (text, args, budget) => pad(text, wantInteger(args, 0, "width"), fillOf(args), "center", budget),
  ljust: (text, args, budget) => pad(text, wantInteger(args, 0, "width"), fillOf(args), "right", budget),
  rjust: (text, args, budget) => pad(text, wantInteger(args, 0, "width"), fillOf(args), "left", budget),
  zfill: (text, args, budget) => zeroFill(text, wantInteger(args, 0, "width"), budget),
  isupper: (text, _args, budget) => (budget.spend(text.length >> 2), isUpper(text.text)),
  islower: (text, _args, budget) => (budget.spend(text.length >> 2), isLower(text.text)),
  istitle: (text, _args, budget) => (budget.spend(text.length >> 2), isTitle(text.text)),
};

const REFUSED_METHODS: ReadonlySet<string> = new Set([
  "encode",
  "maketrans",
  "translate",
  "format_map",
  "isidentifier",
  "isprintable",
  "expandtabs",
]);

/** Methods whose text arguments markup escapes, as markupsafe does. */
const ESCAPING = new Set([
  "replace",
  "center",
  "ljust",
  "rjust",
  "strip",
  "lstrip",
  "rstrip",
  "removeprefix",
  "removesuffix",
  "join",
]);

export function isTextMethod(name: string): boolean {
  return Object.hasOwn(METHODS, name) || Object.hasOwn(KINDS, name) || REFUSED_METHODS.has(name);
}

/** @throws OnebitError `template/raised` */
export function callTextMethod(text: MarkedText, name: string, args: CallArguments, budget: Budget): Value {
  charge(budget, text, args);
  if (REFUSED_METHODS.has(name)) raise(`the method ${name} of strings is not supported`);
  // Looking up a character in Unicode's tables takes longer than copying it.
  if (Object.hasOwn(KINDS, name)) return (budget.spend(text.length >> 3), KINDS[name].test(text.text));
  const result = METHODS[name](
    text,
    text.isMarkup && ESCAPING.has(name) ? escapeArguments(args, budget) : args,
    budget,
  );
  if (result instanceof MarkedText) {
    budget.spend(result.cost);
    return result.asMarkup(text.isMarkup);
  }
  if (!text.isMarkup || !isList(result)) return result;
  const items = result.map((item) => (item instanceof MarkedText ? item.asMarkup(true) : item));
  return result instanceof Tuple ? Tuple.copy(items) : items;
}

function escapeArguments({ positional, named }: CallArguments, budget: Budget): CallArguments {
  const escapeValue = (value: Value): Value => (value instanceof MarkedText ? escapeHtml(value, budget) : value);
  return new CallArguments(
    positional.map(escapeValue),
    new Map([...named].map(([name, value]) => [name, escapeValue(value)])),
  );
}

function joinMethod(text: MarkedText, args: CallArguments, budget: Budget): MarkedText {
  const items = iterate(args.get(0, "iterable"), budget);
  const parts = Array.from(items, (item, i) => {
    if (!(item instanceof MarkedText)) return raise(`join: item ${i} is a ${typeName(item)}, not a str`);
    return text.isMarkup ? escapeHtml(item, budget) : item;
  });
  budget.spend(parts.reduce((cost, part) => cost + part.cost + text.cost, 0));
  return join(parts, text);
}

function removeSuffix(text: MarkedText, suffix: MarkedText): MarkedText {
  return suffix.length > 0 && text.text.endsWith(suffix.text) ? text.slice(0, text.length - suffix.length) : text;
}

function zeroFill(text: MarkedText, width: number, budget: Budget): MarkedText {
  const nSign = /^[-+]/.test(text.text) ? 1 : 0;
  const digits = pad(text.slice(nSign), width - nSign, templateText("0"), "left", budget);
  return nSign === 0 ? digits : join([text.slice(0, 1), digits], templateText(""));
}

/** The part of the text between `start` and `end`, the second and third arguments. */
function span(text: MarkedText, args: CallArguments): MarkedText {
  const bounds = spanOf(text, args);
  return bounds === undefined ? text : text.slice(...bounds);
}

function spanOf(text: MarkedText, args: CallArguments): [begin: number, end: number] | undefined {
  const [, start, stop] = args.positional;
  if (start === undefined) return undefined;
  const n = codePointLength(text);
  const bound = (value: Value | undefined, otherwise: number): number => {
    if (value === undefined || value === null) return otherwise;
    const offset = isInteger(value) ? Number(value) : raise("wanted integers as start and end");
    return Math.min(Math.max(offset < 0 ? offset + n : offset, 0), n);
  };
  const begin = unitOffset(text, bound(start, 0));
  return [begin, Math.max(begin, unitOffset(text, bound(stop, n)))];
}

function find(text: MarkedText, args: CallArguments, budget: Budget, fromEnd: boolean): number {
  const wanted = wantText(args, 0, "sub");
  const [begin, end] = spanOf(text, args) ?? [0, text.length];
  const inside = text.slice(begin, end);
  if (fromEnd) spendSearchBackwards(inside, wanted, budget);
  const at = fromEnd ? inside.text.lastIndexOf(wanted.text) : search(inside, wanted, budget);
  return at < 0 ? -1 : codePointLength(text, begin + at);
}

function found(at: number): number {
  return at < 0 ? raise("index: the text was not found") : at;
}

function affixes(args: CallArguments, method: string, budget: Budget): string[] {
  const [wanted] = args.positional;
  const list = wanted !== undefined && isList(wanted) ? wanted : [wanted];
  return Array.from(list, (item) => {
    if (!(item instanceof MarkedText)) return raise(`${method} wants a string or a tuple of strings`);
    budget.spend(item.cost);
    return item.text;
  });
}

function fillOf(args: CallArguments): MarkedText {
  return args.has(1, "fillchar") ? wantText(args, 1, "fillchar") : templateText(" ");
}

export function wantText(args: CallArguments, position: number, name: string): MarkedText {
  const value = args.get(position, name);
  return value instanceof MarkedText
    ? value
    : raise(`${name}: wanted a string${value === undefined ? "" : `, got a ${typeName(value)}`}`);
}

export function wantInteger(args: CallArguments, position: number, name: string, fallback?: number): number {
  const value = args.get(position, name) ?? fallback;
  return isInteger(value) ? Number(value) : raise(`${name}: wanted an integer`);
}

function textOrNone(args: CallArguments, position: number, name: string): MarkedText | undefined {
  const value = args.get(position, name);
  return value === undefined || value === null ? undefined : wantText(args, position, name);
}

/** A count that Python spells −1 or None for "no limit". */
function count(args: CallArguments, position: number, name: string): number {
  const value = args.get(position, name);
  if (value === undefined || value === null) return Infinity;
  if (!isInteger(value)) return raise(`${name}: wanted an integer`);
  return Number(value) < 0 ? Infinity : integer(Number(value));
}
