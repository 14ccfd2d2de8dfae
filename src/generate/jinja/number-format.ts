/**
 * Numbers as Python prints and rounds them.
 *
 * @module
 */
import { raise } from "./values.ts";

/** The most places JavaScript's methods take. */
const PLACES_MAX = 100;

/** Python's shortest spelling that reads back as the same double; JavaScript's digits, Python's layout. */
export function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) return pythonExponent(value.toExponential());
  if (Object.is(value, -0)) return "-0.0";
  const digits = String(value);
  return /^-?\d+$/.test(digits) ? `${digits}.0` : digits;
}

/** Decimal places, rounded as in Python: the exact value to the nearest, ties to even. */
export function toFixed(value: number, places: number): string {
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size >= 1e21) return `${sign}${BigInt(size)}${places > 0 ? `.${"0".repeat(places)}` : ""}`;
  const rounded = size.toFixed(places);
  // JavaScript rounds ties up. Only a value of few binary places can be a tie.
  const isTie =
    places < 50 && Number.isInteger(size * 2 ** (places + 1)) && Math.abs((size * 10 ** places) % 1) === 0.5;
  if (!isTie || /[02468]$/.test(rounded)) return sign + rounded;
  return sign + (Math.floor(size * 10 ** places) / 10 ** places).toFixed(places);
}

/** A number format, of `%` and of `format`. */
export interface NumberFormat {
  /** One of d, o, x, X, b, e, E, f, F, g, G, %; undefined for Python's choice. */
  readonly type: string | undefined;
  readonly places: number | undefined;
  /** `#`: adds the prefixes 0x, 0o and 0b; keeps zeros of g. */
  readonly alternate: boolean;
  /** Sign of non-negative numbers: `+`, a space, or nothing. */
  readonly plus: string;
  /** Between thousands: `,`, `_`, or nothing. */
  readonly grouping: string;
}

/** @throws OnebitError `template/raised` for unknown types or too many places */
export function formatNumber(value: number, isFloat: boolean, format: NumberFormat): string {
  const { type, places } = format;
  if ((places ?? 0) > PLACES_MAX) raise(`wanted at most ${PLACES_MAX} places, got ${places}`);
  const isNegative = value < 0 || Object.is(value, -0);
  const digits = digitsOf(Math.abs(value), isFloat, format);
  const grouped =
    format.grouping === ""
      ? digits
      : digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(?:\d{3})+$)/g, format.grouping));
  return (isNegative ? "-" : format.plus) + grouped + (type === "%" ? "%" : "");
}

function digitsOf(size: number, isFloat: boolean, { type, places, alternate }: NumberFormat): string {
  switch (type) {
    case undefined:
      return isFloat ? (places === undefined ? formatFloat(size) : general(size, places, false, true)) : String(size);
    case "d":
    case "n":
      return isFloat ? raise(`a float has no format ${type}`) : String(size);
    case "x":
    case "X":
    case "o":
    case "b":
      return isFloat ? raise(`a float has no format ${type}`) : inBase(size, type, alternate);
    case "f":
    case "F":
      return Number.isFinite(size) ? toFixed(size, places ?? 6) : notFinite(size);
    case "%":
      return toFixed(size * 100, places ?? 6);
    case "e":
    case "E": {
      const text = Number.isFinite(size) ? pythonExponent(size.toExponential(places ?? 6)) : notFinite(size);
      return type === "E" ? text.toUpperCase() : text;
    }
    case "g":
    case "G": {
      const text = general(size, places ?? 6, alternate, false);
      return type === "G" ? text.toUpperCase() : text;
    }
  }
  return raise(`there is no number format ${type}`);
}

function inBase(size: number, type: string, alternate: boolean): string {
  const base = { x: 16, X: 16, o: 8, b: 2 }[type] ?? 10;
  const digits = size.toString(base);
  const text = alternate ? `0${type.toLowerCase()}${digits}` : digits;
  return type === "X" ? text.toUpperCase() : text;
}

/** Format g: `places` significant digits, with an exponent for very small and large numbers. */
function general(size: number, places: number, keepsZeros: boolean, isRepr: boolean): string {
  if (!Number.isFinite(size)) return notFinite(size);
  const digits = Math.max(1, places);
  const exponent = Number(size.toExponential(digits - 1).split("e")[1]);
  const strip = (text: string): string => (keepsZeros || !text.includes(".") ? text : text.replace(/\.?0+$/, ""));
  if (exponent < -4 || exponent >= digits) {
    const [mantissa, power] = size.toExponential(digits - 1).split("e");
    return pythonExponent(`${strip(mantissa)}e${power}`);
  }
  const text = strip(toFixed(size, Math.max(0, digits - 1 - exponent)));
  return isRepr && !text.includes(".") ? `${text}.0` : text;
}

function pythonExponent(text: string): string {
  const [mantissa, exponent] = text.split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function notFinite(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
