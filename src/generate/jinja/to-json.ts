/**
 * The `tojson` filter as chat templates know it: Python's `json.dumps(value, ensure_ascii=False)`.
 *
 * @module
 */
import { TEMPLATE_DEPTH_MAX } from "../../core/limits.ts";
import type { Budget } from "./budget.ts";
import { MarkedText } from "./marked-text.ts";
import { compare, Dict, Float, formatFloat, isList, raise, toText, typeName } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

interface Layout {
  /** Spaces a level, or undefined for one line. */
  readonly indent: string | undefined;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

/** @throws OnebitError `template/raised` for values JSON does not have */
export function toJson(value: Value, args: CallArguments, budget: Budget): MarkedText {
  const layout = readLayout(args);
  const found = { input: false };
  const write = (item: Value, level: number): string => {
    budget.spend(1);
    if (item instanceof MarkedText) {
      budget.spend(item.cost * 2);
      found.input ||= item.hasInput;
      return JSON.stringify(item.text);
    }
    if (item === null || typeof item === "boolean" || typeof item === "number") return String(item);
    if (item instanceof Float) return jsonFloat(item.value);
    if (!isList(item) && !(item instanceof Dict)) return raise(`tojson: a ${typeName(item)} has no JSON`);
    budget.enter();
    const items = isList(item) ? item.map((one) => write(one, level + 1)) : writeEntries(item, level);
    budget.leave();
    const text = isList(item) ? bracket("[", items, "]", level, layout) : bracket("{", items, "}", level, layout);
    budget.spend(text.length >> 4);
    return text;
  };
  const writeEntries = (dict: Dict, level: number): string[] => {
    const entries = dict.entries();
    if (layout.sortKeys) entries.sort((a, b) => compare(a[0], b[0], budget));
    return entries.map(([key, item]) => {
      // Keys that are numbers or None become strings, as in Python.
      const name = key instanceof MarkedText ? write(key, level) : JSON.stringify(key === null ? "null" : toText(key, budget).text);
      return name + layout.keySeparator + write(item, level + 1);
    });
  };
  const text = write(value, 0);
  // The punctuation between two strings of a message is nobody's special token: one mark for all is enough.
  return new MarkedText(text, found.input ? [0] : []);
}

function readLayout(args: CallArguments): Layout {
  const indent = args.get(0, "indent") ?? null;
  const separators = args.named.get("separators");
  const custom = separators !== undefined && isList(separators) ? separators : [];
  const [item, key] = custom.map((part) => (part instanceof MarkedText ? part.text : raise("tojson: separators are two strings")));
  const spaces = typeof indent === "number" ? " ".repeat(Math.max(0, Math.min(indent, TEMPLATE_DEPTH_MAX))) : undefined;
  return {
    indent: spaces,
    itemSeparator: item ?? (spaces === undefined ? ", " : ","),
    keySeparator: key ?? ": ",
    sortKeys: args.named.get("sort_keys") === true,
  };
}

function bracket(open: string, items: readonly string[], close: string, level: number, layout: Layout): string {
  if (items.length === 0 || layout.indent === undefined) return open + items.join(layout.itemSeparator) + close;
  const outer = `\n${layout.indent.repeat(level)}`;
  const inner = outer + layout.indent;
  return open + inner + items.join(layout.itemSeparator + inner) + outer + close;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return formatFloat(value);
}
