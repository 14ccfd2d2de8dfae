/**
 * Python's string methods over marked text.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { concat, join, MarkedText, templateText } from "./marked-text.ts";
import { CallArguments, Callable, Dict, integer, isEqual, isList, raise, toText, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

type Method = (text: MarkedText, args: CallArguments, budget: Budget) => Value;

const METHODS: Readonly<Record<string, Method>> = {
  strip: (text, args) => strip(text, textOrNone(args, 0, "chars"), true, true),
  lstrip: (text, args) => strip(text, textOrNone(args, 0, "chars"), true, false),
  rstrip: (text, args) => strip(text, textOrNone(args, 0, "chars"), false, true),
  split: (text, args, budget) => split(text, textOrNone(args, 0, "sep"), count(args, 1, "maxsplit"), budget),
  rsplit: (text, args, budget) => rsplit(text, textOrNone(args, 0, "sep"), count(args, 1, "maxsplit"), budget),
  splitlines: (text, _args, budget) => splitLines(text, budget),
  startswith: (text, args, budget) => prefixes(args, "startswith", budget).some((prefix) => text.text.startsWith(prefix)),
  endswith: (text, args, budget) => prefixes(args, "endswith", budget).some((suffix) => text.text.endsWith(suffix)),
  removeprefix: (text, args) => (text.text.startsWith(wantText(args, 0, "prefix").text) ? text.slice(wantText(args, 0, "prefix").length) : text),
  removesuffix: (text, args) => removeSuffix(text, wantText(args, 0, "suffix")),
  replace: (text, args, budget) => replace(text, wantText(args, 0, "old"), wantText(args, 1, "new"), count(args, 2, "count"), budget),
  upper: (text) => text.map((chars) => chars.toUpperCase()),
  lower: (text) => text.map((chars) => chars.toLowerCase()),
  title: (text) => titleCase(text),
  capitalize: (text) => capitalize(text),
  find: (text, args, budget) => search(text, wantText(args, 0, "sub"), budget),
  rfind: (text, args, budget) => (spendSearch(text, wantText(args, 0, "sub"), budget), text.text.lastIndexOf(wantText(args, 0, "sub").text)),
  count: (text, args, budget) => split(text, wantText(args, 0, "sub"), Infinity, budget).length - 1,
  join: (text, args, budget) => joinValues(iterate(args.get(0, "iterable"), budget), text, budget),
  isdigit: (text) => /^\p{Nd}+$/u.test(text.text),
  isalpha: (text) => /^\p{L}+$/u.test(text.text),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text.text),
  isspace: (text) => text.length > 0 && text.text.trim() === "",
  isupper: (text) => text.text !== text.text.toLowerCase() && text.text === text.text.toUpperCase(),
  islower: (text) => text.text !== text.text.toUpperCase() && text.text === text.text.toLowerCase(),
};

/** `text.name` when it is a method, ready to call. */
export function stringMethod(text: MarkedText, name: string, budget: Budget): Callable | undefined {
  if (!Object.hasOwn(METHODS, name)) return undefined;
  return new Callable(name, (args) => {
    budget.spend(text.cost);
    for (const argument of args.positional) if (argument instanceof MarkedText) budget.spend(argument.length >> 1);
    const result = METHODS[name](text, args, budget);
    if (result instanceof MarkedText) budget.spend(result.cost);
    return result;
  });
}

/** Without `chars`: white space. */
export function strip(text: MarkedText, chars: MarkedText | undefined, atStart: boolean, atEnd: boolean): MarkedText {
  const set = chars === undefined ? undefined : new Set(chars.text);
  const goes = (char: string): boolean => (set === undefined ? char.trim() === "" : set.has(char));
  let begin = 0;
  let end = text.length;
  while (atStart && begin < end && goes(text.text[begin])) begin++;
  while (atEnd && end > begin && goes(text.text[end - 1])) end--;
  return text.slice(begin, end);
}

/** @param most splits at most; Infinity for all */
export function split(text: MarkedText, separator: MarkedText | undefined, most: number, budget: Budget): MarkedText[] {
  if (separator === undefined) return splitWords(text, most, budget);
  if (separator.length === 0) raise("split: the separator is empty");
  spendSearch(text, separator, budget);
  const pieces: MarkedText[] = [];
  let begin = 0;
  for (let at = text.text.indexOf(separator.text); at >= 0 && pieces.length < most; at = text.text.indexOf(separator.text, begin)) {
    pieces.push(cut(text, begin, at, budget));
    begin = at + separator.length;
  }
  pieces.push(cut(text, begin, text.length, budget));
  return pieces;
}

/** @param most replacements at most; Infinity for all. An empty `old` matches between characters, as in Python. */
export function replace(text: MarkedText, old: MarkedText, replacement: MarkedText, most: number, budget: Budget): MarkedText {
  if (old.length > 0) {
    const pieces = split(text, old, most, budget);
    budget.spend(pieces.length * replacement.cost);
    return pieces.length === 1 ? text : join(pieces, replacement);
  }
  const chars = Array.from(text.text);
  const n = Math.min(chars.length + 1, most);
  budget.spend(chars.length + n * replacement.cost);
  const parts: MarkedText[] = [];
  let at = 0;
  for (let i = 0; i <= chars.length; i++) {
    if (i < n) parts.push(replacement);
    if (i === chars.length) break;
    parts.push(cut(text, at, at + chars[i].length, budget));
    at += chars[i].length;
  }
  return concat(parts);
}

export function capitalize(text: MarkedText): MarkedText {
  const [first = ""] = text.text;
  return concat([text.slice(0, first.length).map((c) => c.toUpperCase()), text.slice(first.length).map((c) => c.toLowerCase())]);
}

/** Jinja's and Python's rule nearly agree; this is Jinja's: a word begins after a space or one of `-({[<`. */
export function titleCase(text: MarkedText): MarkedText {
  return text.map((chars) => chars.replace(/[^-\s({[<]+/g, (word) => capitalize(templateText(word)).text));
}

/** Items of `values` as text, with `separator` between them. */
export function joinValues(values: readonly Value[], separator: MarkedText, budget: Budget): MarkedText {
  const parts = values.map((value) => toText(value, budget));
  budget.spend(parts.reduce((cost, part) => cost + part.cost + separator.cost, 0));
  return join(parts, separator);
}

/** Characters, counted as Python counts them: code points. */
export function codePoints(text: MarkedText, budget: Budget): MarkedText[] {
  budget.spend(text.length * (1 + (text.flips.length >> 2)) + text.cost);
  let at = 0;
  return Array.from(text.text, (char) => text.slice(at, (at += char.length)));
}

/** Whether UTF-16 offsets and code point offsets are the same thing here. */
export function isPlain(text: MarkedText): boolean {
  return !/[\ud800-\udbff]/.test(text.text);
}

/** The values a loop over `value` sees. */
export function iterate(value: Value | undefined, budget: Budget): readonly Value[] {
  if (value === undefined) return raise("an argument is missing");
  if (isList(value)) {
    budget.spend(value.length >> 2);
    return value;
  }
  if (value instanceof MarkedText) return codePoints(value, budget);
  if (value instanceof Dict) {
    budget.spend(value.size);
    return value.entries().map(([key]) => key);
  }
  // Jinja loops over an undefined name as over nothing.
  return value instanceof Undefined ? [] : raise(`a ${typeName(value)} has no items to loop over`);
}

function search(text: MarkedText, wanted: MarkedText, budget: Budget): number {
  spendSearch(text, wanted, budget);
  return text.text.indexOf(wanted.text);
}

/** Engines search in product time when they are unlucky ("baaa…" in "aaaa…"), so that is the price. */
function spendSearch(text: MarkedText, wanted: MarkedText, budget: Budget): void {
  budget.spend(text.cost + (text.length * wanted.length) / 128);
}

function splitWords(text: MarkedText, most: number, budget: Budget): MarkedText[] {
  const pieces: MarkedText[] = [];
  const words = /\S+/g;
  for (let match = words.exec(text.text); match !== null; match = words.exec(text.text)) {
    if (pieces.length === most) {
      pieces.push(strip(text.slice(match.index), undefined, false, true));
      break;
    }
    pieces.push(cut(text, match.index, match.index + match[0].length, budget));
  }
  return pieces;
}

function rsplit(text: MarkedText, separator: MarkedText | undefined, most: number, budget: Budget): MarkedText[] {
  const all = split(text, separator, Infinity, budget);
  if (all.length - 1 <= most) return all;
  if (separator === undefined) raise("rsplit without a separator takes no maxsplit here");
  const head = all.slice(0, all.length - most);
  budget.spend(head.length);
  return [join(head, separator), ...all.slice(all.length - most)];
}

function splitLines(text: MarkedText, budget: Budget): MarkedText[] {
  const lines: MarkedText[] = [];
  const ends = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;
  let begin = 0;
  for (let match = ends.exec(text.text); match !== null; match = ends.exec(text.text)) {
    lines.push(cut(text, begin, match.index, budget));
    begin = match.index + match[0].length;
  }
  if (begin < text.length) lines.push(cut(text, begin, text.length, budget));
  return lines;
}

function cut(text: MarkedText, begin: number, end: number, budget: Budget): MarkedText {
  // Each cut of a marked text walks its marks.
  budget.spend(1 + ((end - begin) >> 4) + (text.flips.length >> 2));
  return text.slice(begin, end);
}

function removeSuffix(text: MarkedText, suffix: MarkedText): MarkedText {
  return suffix.length > 0 && text.text.endsWith(suffix.text) ? text.slice(0, text.length - suffix.length) : text;
}

function prefixes(args: CallArguments, method: string, budget: Budget): string[] {
  const wanted = args.get(0, "prefix");
  const list = wanted !== undefined && isList(wanted) ? wanted : [wanted];
  budget.spend(list.length);
  return list.map((item) => (item instanceof MarkedText ? item.text : raise(`${method} wants a string or a tuple of strings`)));
}

export function wantText(args: CallArguments, position: number, name: string): MarkedText {
  const value = args.get(position, name);
  return value instanceof MarkedText ? value : raise(`${name}: wanted a string`);
}

function textOrNone(args: CallArguments, position: number, name: string): MarkedText | undefined {
  const value = args.get(position, name);
  return value === undefined || value === null ? undefined : wantText(args, position, name);
}

/** A count that Python spells −1 or None for "no limit". */
function count(args: CallArguments, position: number, name: string): number {
  const value = args.get(position, name);
  if (value === undefined || value === null) return Infinity;
  if (typeof value !== "number") raise(`${name}: wanted an integer`);
  return value < 0 ? Infinity : integer(value);
}

/** `needle in haystack`. */
export function contains(haystack: Value, needle: Value, budget: Budget): boolean {
  if (haystack instanceof MarkedText) {
    return needle instanceof MarkedText ? search(haystack, needle, budget) >= 0 : raise("only a string can be in a string");
  }
  if (isList(haystack)) return haystack.some((item) => isEqual(item, needle, budget));
  if (haystack instanceof Dict) {
    budget.spend(needle instanceof MarkedText ? needle.cost : 1);
    return haystack.has(needle);
  }
  return haystack instanceof Undefined ? false : raise(`nothing can be in a ${typeName(haystack)}`);
}
