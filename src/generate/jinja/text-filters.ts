/**
 * Text filters that do more than one of Python's methods.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { iterate } from "./iterate.ts";
import { concat, join, MarkedText, templateText } from "./marked-text.ts";
import { toText } from "./print.ts";
import { wantInteger, wantText } from "./text-methods.ts";
import { repeatText, rsplit, splitLines } from "./text-operations.ts";
import { codePointLength, unitOffset } from "./text-search.ts";
import { type CallArguments, Dict, isInteger, isList, isTrue, raise, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** Puts spaces, or a text, before each line; the first only with `first`, empty ones only with `blank`. */
export function indent(value: Value, args: CallArguments, budget: Budget): MarkedText {
  const text = value instanceof MarkedText ? value : raise(`indent: wanted a string, got a ${typeName(value)}`);
  const width = args.get(0, "width") ?? 4;
  const prefix =
    width instanceof MarkedText
      ? width
      : repeatText(
          templateText(" "),
          isInteger(width) ? Number(width) : raise("indent: wanted a number or a string"),
          budget,
        );
  const first = isTrue(args.get(1, "first") ?? false);
  const blank = isTrue(args.get(2, "blank") ?? false);
  // A final line end starts one more, empty line.
  const lines = splitLines(concat([text, templateText("\n")]), false, budget);
  budget.spend(lines.length * (prefix.cost + 1));
  const indented = lines.map((line, i) =>
    (i === 0 ? first : blank || line.length > 0) ? concat([prefix, line]) : line,
  );
  return join(indented, templateText("\n")).asMarkup(text.isMarkup);
}

/** At most `length` characters plus `leeway`, then `end`; cuts after a whole word unless `killwords`. */
export function truncate(value: Value, args: CallArguments, budget: Budget): Value {
  const length = wantInteger(args, 0, "length", 255);
  const killsWords = isTrue(args.get(1, "killwords") ?? false);
  const end = args.has(2, "end") ? wantText(args, 2, "end") : templateText("...");
  const leeway = isInteger(args.get(3, "leeway")) ? wantInteger(args, 3, "leeway") : 5;
  const nEnd = codePointLength(end);
  if (length < nEnd) raise(`truncate: wanted a length of at least ${nEnd}, got ${length}`);
  if (leeway < 0) raise(`truncate: wanted a leeway of at least 0, got ${leeway}`);
  const size =
    value instanceof Undefined ? 0 : value instanceof Dict ? value.size : isList(value) ? value.length : undefined;
  if (size !== undefined && size <= length + leeway) return value;
  const text = value instanceof MarkedText ? value : raise(`truncate: wanted a string, got a ${typeName(value)}`);
  if (codePointLength(text) <= length + leeway) return text;
  const kept = text.slice(0, unitOffset(text, length - nEnd));
  return concat([killsWords ? kept : rsplit(kept, templateText(" "), 1, budget)[0], end]);
}

/** Writes bytes that URLs cannot hold as %XX; joins the pairs of a dict or list as `key=value&…`. */
export function urlEncode(value: Value, _args: CallArguments, budget: Budget): MarkedText {
  if (!(value instanceof Dict) && !isList(value)) return quoteUrl(toText(value, budget), "/", budget);
  const pairs = Array.from(value instanceof Dict ? value.entries() : iterate(value, budget), (pair) => {
    const [key, item, ...more] = isList(pair) ? pair : [];
    if (item === undefined || more.length > 0) return raise("urlencode: wanted pairs of a key and a value");
    return concat([
      quoteUrl(toText(key, budget), "", budget),
      templateText("="),
      quoteUrl(toText(item, budget), "", budget),
    ]);
  });
  return join(pairs, templateText("&"));
}

function quoteUrl(text: MarkedText, safe: string, budget: Budget): MarkedText {
  budget.spend(text.length);
  const isWhole = !/[\ud800-\udfff]/.test(text.text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ""));
  if (!isWhole) return raise("urlencode: the text has a lone surrogate");
  const quoted = encodeURIComponent(text.text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return new MarkedText(safe === "/" ? quoted.replaceAll("%2F", "/") : quoted, text.hasInput ? [0] : []);
}

export function wordCount(text: MarkedText, budget: Budget): number {
  budget.spend(text.length >> 2);
  return (text.text.match(/[\p{L}\p{N}_]+/gu) ?? []).length;
}
