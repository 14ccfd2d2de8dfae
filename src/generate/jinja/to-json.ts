/**
 * The `tojson` filter of chat templates: Python's `json.dumps(value, ensure_ascii=False)`, with the arguments
 * `ensure_ascii`, `indent`, `separators` and `sort_keys`.
 *
 * @module
 */
import { TEMPLATE_DEPTH_MAX } from "../../core/limits.ts";
import type { Budget } from "./budget.ts";
import { compare } from "./compare.ts";
import { concat, MarkedText, templateText } from "./marked-text.ts";
import { formatFloat } from "./number-format.ts";
import { type CallArguments, Dict, Float, isInteger, isList, isTrue, raise, Stream, typeName, View } from "./values.ts";
import type { Value } from "./values.ts";

interface Layout {
  /** Indent of each level, or undefined for one line. */
  readonly indent: MarkedText | undefined;
  readonly itemSeparator: MarkedText;
  readonly keySeparator: MarkedText;
  readonly sortKeys: boolean;
  readonly isAscii: boolean;
}

const ARGUMENTS = ["ensure_ascii", "indent", "separators", "sort_keys"];

/** @throws OnebitError `template/raised` for values outside JSON */
export function toJson(value: Value, args: CallArguments, budget: Budget): MarkedText {
  return new JsonWriter(readLayout(args), budget).write(value, 0);
}

class JsonWriter {
  readonly #layout: Layout;
  readonly #budget: Budget;

  constructor(layout: Layout, budget: Budget) {
    this.#layout = layout;
    this.#budget = budget;
  }

  write(value: Value, level: number): MarkedText {
    this.#budget.spend(5);
    if (value instanceof MarkedText) return this.#text(value);
    if (value === null || typeof value === "boolean" || typeof value === "number") return templateText(String(value));
    if (value instanceof Float) return templateText(jsonFloat(value.value));
    if (isList(value) && !(value instanceof View))
      return this.#bracket(
        "[",
        Array.from(value, (item) => [item]),
        "]",
        level,
      );
    if (value instanceof Dict) return this.#bracket("{", this.#sorted(value), "}", level);
    return raise(
      value instanceof Stream || value instanceof View
        ? `tojson: a ${typeName(value)} has no JSON: write |list before |tojson`
        : `tojson: a ${typeName(value)} has no JSON`,
    );
  }

  /** One mark covers a string: its quotes and escapes are no special token. */
  #text(value: MarkedText): MarkedText {
    this.#budget.spend(value.length >> 2);
    // JavaScript escapes lone surrogates, Python does not.
    let json = JSON.stringify(value.text).replace(/\\ud[89ab][0-9a-f]{2}/g, (escaped, at: number, all: string) =>
      isEscaped(all, at) ? escaped : String.fromCharCode(parseInt(escaped.slice(2), 16)),
    );
    if (this.#layout.isAscii) this.#budget.spend(2 * value.length);
    if (this.#layout.isAscii)
      json = json.replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
    return new MarkedText(json, value.hasInput ? [0] : []);
  }

  #sorted(dict: Dict): Value[][] {
    const entries: Value[][] = dict.entries();
    this.#budget.spend(entries.length);
    return this.#layout.sortKeys ? entries.sort((a, b) => compare(a[0], b[0], this.#budget)) : entries;
  }

  /** `items` are lists of one value, or of a key and a value. */
  #bracket(open: string, items: readonly (readonly Value[])[], close: string, level: number): MarkedText {
    const { indent, itemSeparator, keySeparator } = this.#layout;
    if (items.length === 0) return templateText(open + close);
    this.#budget.enter();
    const line = (n: number): MarkedText[] =>
      indent === undefined ? [] : [templateText("\n"), ...new Array<MarkedText>(n).fill(indent)];
    const parts: MarkedText[] = [templateText(open)];
    items.forEach((item, i) => {
      if (i > 0) parts.push(itemSeparator);
      parts.push(...line(level + 1));
      if (item.length > 1) parts.push(this.#key(item[0]), keySeparator);
      parts.push(this.write(item[item.length - 1], level + 1));
    });
    parts.push(...line(level), templateText(close));
    this.#budget.leave();
    this.#budget.spend(parts.reduce((cost, part) => cost + part.cost, 0) >> 1);
    const text = concat(parts);
    this.#budget.spend(text.cost);
    return text;
  }

  /** Numbers, booleans and None become strings as keys, as in Python. */
  #key(key: Value): MarkedText {
    if (key instanceof MarkedText) return this.#text(key);
    if (key === null || isInteger(key) || key instanceof Float) return templateText(`"${this.write(key, 0).text}"`);
    return raise(`tojson: a ${typeName(key)} cannot be a key`);
  }
}

/** Whether the backslash at `at` is itself escaped. */
function isEscaped(text: string, at: number): boolean {
  let n = 0;
  while (text[at - 1 - n] === "\\") n++;
  return n % 2 === 1;
}

function readLayout(args: CallArguments): Layout {
  const unknown = [...args.named.keys()].find((name) => !ARGUMENTS.includes(name));
  if (unknown !== undefined) raise(`tojson: unknown argument ${unknown.slice(0, 40)}: wanted ${ARGUMENTS.join(", ")}`);
  const indent = readIndent(args.get(1, "indent") ?? null);
  const separators = args.get(2, "separators") ?? null;
  const custom =
    separators === null
      ? []
      : isList(separators) && separators.length === 2
        ? separators
        : raise("tojson: separators are two strings");
  const [item, key] = Array.from(custom, (part) =>
    part instanceof MarkedText ? part : raise("tojson: separators are two strings"),
  );
  return {
    indent,
    itemSeparator: item ?? templateText(indent === undefined ? ", " : ","),
    keySeparator: key ?? templateText(": "),
    sortKeys: isTrue(args.get(3, "sort_keys") ?? false),
    isAscii: isTrue(args.get(0, "ensure_ascii") ?? false),
  };
}

function readIndent(indent: Value): MarkedText | undefined {
  if (indent === null) return undefined;
  if (indent instanceof MarkedText) return indent;
  return isInteger(indent)
    ? templateText(" ".repeat(Math.max(0, Math.min(Number(indent), TEMPLATE_DEPTH_MAX))))
    : raise("tojson: wanted a number of spaces or a string as indent");
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return formatFloat(value);
}
