/**
 * The value of one argument where arguments are no JSON object: a string as it is, or JSON; what is no JSON is a
 * string.
 *
 * @module
 */
import { isJson } from "../../core/is-json.ts";
import type { ParameterFormat } from "../../grammar/call-format.ts";

/** How often what looks like JSON is tried again behind a closing tag that may stand in one of its strings. */
const TRIES_MAX = 16;
const SPACES = " \t\n\r";

/** Takes one character at each `yield`. */
export type Reading<T> = Generator<undefined, T, string>;

interface ParameterHooks {
  next(): Reading<string>;
  /** Takes the JSON text of the value, in one or several parts. */
  emit(json: string): void;
}

/** Reads up to what closes the value. */
export function* readParameter(format: ParameterFormat, isString: boolean, hooks: ParameterHooks): Reading<void> {
  const { nameEnd, close, quote } = format,
    line = (text: string): boolean => text.startsWith("\n"),
    end = close.trim();
  let begin = yield* hooks.next();
  if (nameEnd.endsWith("\n") && line(begin)) begin = yield* hooks.next();
  let held = begin;
  if (quote !== undefined) while (held !== quote.begin && quote.begin.startsWith(held)) held += yield* hooks.next();
  if (quote !== undefined && held === quote.begin) {
    yield* readString(quote.end, "", yield* hooks.next(), hooks);
    yield* skipTo(end, hooks);
  } else if (isString) yield* readString(end, line(close) ? "\n" : "", held, hooks);
  else yield* readValue(end, held, hooks);
}

/** A string as it comes. @param before belongs to the end where it stands before it */
function* readString(end: string, before: string, begin: string, hooks: ParameterHooks): Reading<void> {
  hooks.emit('"');
  let held = begin;
  for (;;) {
    if (held.endsWith(end)) {
      const text = held.slice(0, -end.length);
      const value = before !== "" && text.endsWith(before) ? text.slice(0, -before.length) : text;
      return hooks.emit(`${escaped(value)}"`);
    }
    const keep = keptLength(held, end, before);
    if (keep < held.length) hooks.emit(escaped(held.slice(0, held.length - keep)));
    held = held.slice(held.length - keep) + (yield* hooks.next());
  }
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** How much of a text's end may belong to the end of the value, or is half a character. */
function keptLength(text: string, end: string, before: string): number {
  let most = /[\uD800-\uDBFF]$/.test(text) ? 1 : 0;
  for (const whole of [end, before + end])
    for (let length = Math.min(whole.length, text.length); length > most; length--)
      if (text.endsWith(whole.slice(0, length))) most = length;
  return most;
}

function* readValue(end: string, begin: string, hooks: ParameterHooks): Reading<void> {
  let text = begin,
    tail = begin.slice(-end.length);
  for (let tries = 1; ; ) {
    if (tail === end) {
      const value = text.slice(0, -end.length),
        trimmed = trimmedJson(value);
      if (isJson(trimmed)) return hooks.emit(trimmed);
      // It may go on within a string of JSON.
      if (!/^[[{"]/.test(trimmed) || tries++ >= TRIES_MAX) return hooks.emit(JSON.stringify(value.replace(/\n$/, "")));
    }
    const unit = yield* hooks.next();
    text += unit;
    tail = (tail + unit).slice(-end.length);
  }
}

/** Without the white space that JSON may have around it. */
function trimmedJson(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && SPACES.includes(text[from])) from++;
  while (to > from && SPACES.includes(text[to - 1])) to--;
  return text.slice(from, to);
}

function* skipTo(end: string, hooks: ParameterHooks): Reading<void> {
  for (let text = ""; !text.endsWith(end); ) text = (text + (yield* hooks.next())).slice(-end.length);
}
