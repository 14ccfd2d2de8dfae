/**
 * Values as Python prints them: `str` and `repr`.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { MarkedText, templateText } from "./marked-text.ts";
import { formatFloat } from "./number-format.ts";
import { Dict, Float, isList, Namespace, Tuple, typeName, Undefined, View } from "./values.ts";
import type { Value } from "./values.ts";

/** The text `{{ value }}` prints: Python's `str`. */
export function toText(value: Value, budget: Budget): MarkedText {
  if (value instanceof MarkedText) return value;
  if (value instanceof Undefined) return templateText("");
  return toRepr(value, budget);
}

/** Python's `repr`. One mark covers it all: a list's punctuation is no special token. */
export function toRepr(value: Value, budget: Budget): MarkedText {
  const found = { input: false };
  const text = writeRepr(value, budget, found);
  budget.spend(text.length >> 5);
  return new MarkedText(text, found.input ? [0] : []);
}

function writeRepr(value: Value, budget: Budget, found: { input: boolean }): string {
  budget.spend(4);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (value instanceof Float) return formatFloat(value.value);
  if (value instanceof MarkedText) {
    // Each character is looked up in tables and may become ten.
    budget.spend(value.length >> 2);
    found.input ||= value.hasInput;
    const text = quote(value.text);
    return value.isMarkup ? `Markup(${text})` : text;
  }
  if (value instanceof Namespace)
    return `<Namespace ${writeDict(
      [...value.values].map(([name, item]) => [templateText(name), item]),
      budget,
      found,
    )}>`;
  if (!isList(value) && !(value instanceof Dict))
    return value instanceof Undefined ? "Undefined" : `<${typeName(value)}>`;
  if (value instanceof Dict) return writeDict(value.entries(), budget, found);
  budget.enter();
  const items = Array.from(value, (item) => writeRepr(item, budget, found));
  budget.leave();
  const inner = items.join(", ");
  budget.spend(inner.length >> 5);
  if (value instanceof View) return `${value.name}([${inner}])`;
  return value instanceof Tuple ? `(${inner}${items.length === 1 ? "," : ""})` : `[${inner}]`;
}

function writeDict(entries: readonly (readonly Value[])[], budget: Budget, found: { input: boolean }): string {
  budget.enter();
  const items = entries.map(([key, item]) => `${writeRepr(key, budget, found)}: ${writeRepr(item, budget, found)}`);
  budget.leave();
  const inner = items.join(", ");
  budget.spend(inner.length >> 5);
  return `{${inner}}`;
}

/** Backslashes, and characters Python escapes: control, format, separators except the space, surrogates. */
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(UNPRINTABLE, escapeChar);
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function escapeChar(char: string): string {
  const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
  if (short !== undefined) return short;
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code < 0x100
    ? `\\x${hex.padStart(2, "0")}`
    : code < 0x10000
      ? `\\u${hex.padStart(4, "0")}`
      : `\\U${hex.padStart(8, "0")}`;
}
