/**
 * Python's `'%s' % value` and `'{}'.format(value)`.
 *
 * Source: the Python documentation, "printf-style String Formatting" and "Format String Syntax".
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { concat, MarkedText, templateText } from "./marked-text.ts";
import { formatNumber } from "./number-format.ts";
import { toRepr, toText } from "./print.ts";
import { escapeHtml, pad } from "./text-operations.ts";
import { codePointLength, unitOffset } from "./text-search.ts";
import { Dict, Float, isList, isNumber, raise, toNumber, Tuple, typeName, Undefined } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

/** Looks up the attributes and items of `{0.name[key]}`. */
export type LookUp = (value: Value, key: Value) => Value;

const PERCENT = /%(?:\(([^)]*)\))?([-#0 +]*)(\*|\d{1,9})?(?:\.(\*|\d{0,9}))?[hlL]?([a-zA-Z%])?/g;

/** `format % values`: a tuple holds one value per format, a dict values by name; anything else is the one value. */
export function formatPercent(format: MarkedText, values: Value, budget: Budget): MarkedText {
  budget.spend(format.cost * 2);
  const list = values instanceof Tuple ? values : [values];
  let next = 0;
  const take = (): Value => (next < list.length ? list[next++] : raise("not enough arguments for format string"));
  const parts: MarkedText[] = [];
  let begin = 0;
  for (const match of format.text.matchAll(PERCENT)) {
    const [whole, key, flags, widthText, placesText, type] = match;
    budget.spend(12);
    parts.push(format.slice(begin, match.index));
    begin = match.index + whole.length;
    if (type === undefined) raise("the format string ends inside a format");
    if (type === "%") {
      parts.push(templateText("%"));
      continue;
    }
    const sizeOf = (text: string | undefined): number | undefined =>
      text === undefined ? undefined : text === "*" ? wantSize(take()) : Number(text);
    const width = sizeOf(widthText);
    const places = sizeOf(placesText);
    const value =
      key === undefined ? take() : formatArgument(values, format.slice(match.index + 2, match.index + 2 + key.length));
    const spec = {
      align: flags.includes("-") ? "<" : ">",
      fill: templateText(" "),
      isZeroFilled: flags.includes("0") && !flags.includes("-"),
      width: Math.abs(width ?? 0),
    };
    const text = percentText(value, type, flags, places, format.isMarkup, budget);
    parts.push(fit(text, spec, isNumber(value) && type !== "s" && type !== "r", budget));
  }
  // Python accepts a leftover value it can index.
  const isForgiven =
    values instanceof Dict || values instanceof Undefined || (isList(values) && !(values instanceof Tuple));
  if (next < list.length && !isForgiven) raise("not all arguments converted during string formatting");
  parts.push(format.slice(begin));
  return concat(parts).asMarkup(format.isMarkup);
}

function wantSize(value: Value): number {
  return typeof value === "number" ? value : raise("* wants an integer");
}

function formatArgument(values: Value, key: MarkedText): Value {
  if (!(values instanceof Dict)) return raise("this format wants a dict");
  return (
    values.get(key) ??
    (values.has(key) ? null : raise(`the dict lacks "${key.text.slice(0, 40)}", which the format names`))
  );
}

function percentText(
  value: Value,
  type: string,
  flags: string,
  places: number | undefined,
  escapes: boolean,
  budget: Budget,
): MarkedText {
  if (type === "s" || type === "r" || type === "a") {
    const text = type === "s" ? toText(value, budget) : toRepr(value, budget);
    const shown = escapes && !text.isMarkup ? escapeHtml(text, budget) : text;
    return (places === undefined ? shown : shown.slice(0, unitOffset(shown, places))).asMarkup(false);
  }
  if (type === "c")
    return typeof value === "number"
      ? character(value)
      : value instanceof MarkedText && codePointLength(value) === 1
        ? value
        : raise("%c wants one character");
  if (!isNumber(value))
    return raise(
      value instanceof Undefined ? `${value.what} is undefined` : `%${type} wants a number, got a ${typeName(value)}`,
    );
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const isInteger = "diu".includes(type);
  const n = isInteger ? Math.trunc(toNumber(value)) : toNumber(value);
  const digits = formatNumber(n, !isInteger && (value instanceof Float || "eEfFgG".includes(type)), {
    type: isInteger ? "d" : type,
    places: isInteger ? undefined : places,
    alternate: flags.includes("#"),
    plus,
    grouping: "",
  });
  return templateText(
    isInteger && places !== undefined
      ? digits.replace(/\d+/, (whole) => whole.padStart(Math.min(places, 100), "0"))
      : digits,
  );
}

function character(code: number): MarkedText {
  return code >= 0 && code <= 0x10ffff ? templateText(String.fromCodePoint(code)) : raise("%c: no such character");
}

interface Fit {
  /** `<`, `>`, `^`, or `=`: after the sign. */
  readonly align: string;
  readonly fill: MarkedText;
  readonly isZeroFilled: boolean;
  readonly width: number;
}

function fit(
  text: MarkedText,
  { align, fill, isZeroFilled, width }: Fit,
  isNumeric: boolean,
  budget: Budget,
): MarkedText {
  const isAfterSign = isNumeric && (isZeroFilled || align === "=");
  if (!isAfterSign) {
    const length = codePointLength(text);
    if (align !== "^" || width <= length) return pad(text, width, fill, align === ">" ? "left" : "right", budget);
    const left = pad(text, length + Math.floor((width - length) / 2), fill, "left", budget);
    return pad(left, width, fill, "right", budget);
  }
  const nSign = /^[-+ ]?(?:0[xXob])?/.exec(text.text)?.[0].length ?? 0;
  const digits = pad(text.slice(nSign), width - nSign, isZeroFilled ? templateText("0") : fill, "left", budget);
  return concat([text.slice(0, nSign), digits]);
}

/** `{}`, `{0}`, `{name.attribute[key]!r:>10}`. */
export function formatBraces(format: MarkedText, args: CallArguments, lookUp: LookUp, budget: Budget): MarkedText {
  budget.spend(format.cost * 2);
  const parts: MarkedText[] = [];
  const fields = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]/g;
  let begin = 0;
  let next = 0;
  for (const match of format.text.matchAll(fields)) {
    const [whole, name, conversion, spec] = match;
    budget.spend(12);
    parts.push(format.slice(begin, match.index));
    begin = match.index + whole.length;
    if (whole === "{{" || whole === "}}") parts.push(templateText(whole[0]));
    else if (name === undefined) raise("format: a single brace, or fields inside a field, which are not supported");
    else {
      const value = fieldValue(name, () => next++, args, lookUp);
      const shown =
        conversion === undefined ? value : conversion === "s" ? toText(value, budget) : toRepr(value, budget);
      parts.push(formatField(shown, spec ?? "", budget));
    }
  }
  parts.push(format.slice(begin));
  return concat(parts);
}

function fieldValue(name: string, nextPosition: () => number, args: CallArguments, lookUp: LookUp): Value {
  const [first, ...steps] = name.split(/[.[]/, 64);
  const position = first === "" ? nextPosition() : /^\d{1,9}$/.test(first) ? Number(first) : undefined;
  const value = position === undefined ? args.named.get(first) : args.positional[position];
  if (value === undefined) return raise(`format: there is no argument "${first.slice(0, 40)}"`);
  const key = (step: string): Value =>
    /^\d{1,9}\]$/.test(step) ? Number(step.slice(0, -1)) : templateText(step.replace(/\]$/, ""));
  return steps.reduce<Value>((found, step) => lookUp(found, key(step)), value);
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?z?(#)?(0)?(\d{1,9})?([,_])?(?:\.(\d{1,9}))?([a-zA-Z%])?$/u;

function formatField(value: Value, spec: string, budget: Budget): MarkedText {
  if (spec === "") return toText(value, budget);
  const match = SPEC.exec(spec) ?? raise(`format: no such format: "${spec.slice(0, 40)}"`);
  const [, fill = " ", align, sign, alternate, zero, width = "0", grouping = "", placesText, type] = match;
  const places = placesText === undefined ? undefined : Number(placesText);
  const isNumeric = isNumber(value) && typeof value !== "boolean" && type !== "s";
  const isFloat = value instanceof Float || (type !== undefined && "eEfFgG%".includes(type));
  const whole = isNumeric
    ? templateText(
        formatNumber(toNumber(value), isFloat, {
          type,
          places,
          alternate: alternate !== undefined,
          plus: sign === undefined || sign === "-" ? "" : sign,
          grouping,
        }),
      )
    : toText(
        type === undefined || type === "s" ? value : raise(`format: a ${typeName(value)} has no format ${type}`),
        budget,
      );
  const text = isNumeric || places === undefined ? whole : whole.slice(0, unitOffset(whole, places));
  const how = {
    align: align ?? (isNumeric ? ">" : "<"),
    fill: templateText(fill),
    isZeroFilled: zero !== undefined && align === undefined,
    width: Number(width),
  };
  return fit(text, how, isNumeric, budget);
}
