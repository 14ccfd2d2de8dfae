/**
 * Filters of numbers.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { MarkedText, templateText } from "./marked-text.ts";
import { toFixed } from "./number-format.ts";
import { wantInteger } from "./text-methods.ts";
import { Float, integer, isNumber, isTrue, orElse, raise, toNumber, typeName, Undefined } from "./values.ts";
import type { CallArguments, Value } from "./values.ts";

/** Reading takes time quadratic in the length, and no one writes longer numbers. */
const NUMBER_CHARS_MAX = 400;

/** `int(default=0, base=10)`: reads other numbers as floats and truncates. */
export function toInteger(value: Value, args: CallArguments): Value {
  const fallback = orElse(args.get(0, "default"), 0);
  if (value instanceof Undefined) return raise(`${value.what} is undefined`);
  const n =
    value instanceof MarkedText
      ? (readInteger(value, wantInteger(args, 1, "base", 10)) ?? readFloat(value))
      : isNumber(value)
        ? toNumber(value)
        : undefined;
  return n === undefined || !Number.isFinite(n) ? fallback : integer(Math.trunc(n));
}

export function toFloat(value: Value, args: CallArguments): Value {
  const fallback = orElse(args.get(0, "default"), new Float(0));
  if (value instanceof Undefined) return raise(`${value.what} is undefined`);
  const n = value instanceof MarkedText ? readFloat(value) : isNumber(value) ? toNumber(value) : undefined;
  return n === undefined ? fallback : new Float(n);
}

const PREFIXES: Readonly<Record<number, RegExp>> = { 2: /^0b_?/i, 8: /^0o_?/i, 16: /^0x_?/i };

function readInteger(text: MarkedText, base: number): number | undefined {
  const [, sign, digits] = /^\s*([-+]?)(\w+)\s*$/.exec(short(text)) ?? [];
  if (digits === undefined || base < 2 || base > 36) return undefined;
  const bare = digits.replace(PREFIXES[base] ?? /^$/, "");
  if (!/^[0-9a-z]+(?:_[0-9a-z]+)*$/i.test(bare)) return undefined;
  let n = 0;
  for (const char of bare.replaceAll("_", "")) {
    const digit = parseInt(char, 36);
    if (digit >= base) return undefined;
    n = n * base + digit;
  }
  return sign === "-" ? -n : n;
}

function readFloat(text: MarkedText): number | undefined {
  const [, sign, digits] = /^\s*([-+]?)(\S+)\s*$/.exec(short(text)) ?? [];
  if (digits === undefined) return undefined;
  const special = { inf: Infinity, infinity: Infinity, nan: Number.NaN }[digits.toLowerCase()];
  const isDecimal = /^(?:\d+(?:_\d+)*\.?|(?=\.\d))(?:\.?\d+(?:_\d+)*)?(?:e[-+]?\d+(?:_\d+)*)?$/i.test(digits);
  const n = special ?? (isDecimal ? Number(digits.replaceAll("_", "")) : undefined);
  return n === undefined ? undefined : sign === "-" ? -n : n;
}

/** The text, or nothing if it is too long. */
function short(text: MarkedText): string {
  return text.length > NUMBER_CHARS_MAX ? "" : text.text;
}

/** Rounds to the nearest, ties to even, as Python does; or up, or down. */
export function round(value: Value, args: CallArguments): Value {
  const places = wantInteger(args, 0, "precision", 0);
  const method = args.get(1, "method") ?? templateText("common");
  const how = method instanceof MarkedText ? method.text : "";
  if (!isNumber(value))
    return raise(value instanceof Undefined ? `${value.what} is undefined` : `a ${typeName(value)} cannot be rounded`);
  const n = toNumber(value);
  if (how === "common")
    return value instanceof Float ? new Float(roundFloat(n, places)) : integer(places >= 0 ? n : roundFloat(n, places));
  if (how !== "ceil" && how !== "floor") return raise("round: wanted the method common, ceil or floor");
  const scale = 10 ** Math.max(-300, Math.min(300, places));
  // Python goes through an integer, which has no −0.
  return new Float(((how === "ceil" ? Math.ceil(n * scale) : Math.floor(n * scale)) + 0) / scale);
}

function roundFloat(n: number, places: number): number {
  if (!Number.isFinite(n) || places > 100) return n;
  if (places >= 0) return Number(toFixed(n, places));
  const scale = 10 ** Math.min(308, -places);
  const scaled = n / scale;
  const floor = Math.floor(scaled);
  const isUp = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 !== 0);
  return (isUp ? floor + 1 : floor) * scale;
}

const UNITS = [
  ["kB", "KiB"],
  ["MB", "MiB"],
  ["GB", "GiB"],
  ["TB", "TiB"],
  ["PB", "PiB"],
  ["EB", "EiB"],
  ["ZB", "ZiB"],
  ["YB", "YiB"],
];

/** `13 kB`, `4.1 MB`; powers of 1024 when `binary`. */
export function fileSize(value: Value, args: CallArguments, budget: Budget): Value {
  const isBinary = isTrue(args.get(0, "binary") ?? false);
  const base = isBinary ? 1024 : 1000;
  const bytes =
    (isNumber(value) ? toNumber(value) : value instanceof MarkedText ? readFloat(value) : undefined) ??
    raise(`a ${typeName(value)} is not a size`);
  budget.spend(1);
  if (bytes === 1) return templateText("1 Byte");
  if (bytes < base) return templateText(`${Math.trunc(bytes)} Bytes`);
  let unit = base;
  for (const names of UNITS) {
    unit *= base;
    if (bytes < unit || names === UNITS[UNITS.length - 1])
      return templateText(`${toFixed((base * bytes) / unit, 1)} ${names[isBinary ? 1 : 0]}`);
  }
  return raise("the size is too large for any unit");
}
