/**
 * Exact decimal numbers: what the text of a JSON number says, whatever a float makes of it.
 *
 * @module
 */

/** `digits` × 10^`exponent`, negative or not; 0 has no digits, and no number ends with a digit of 0. */
export interface Decimal {
  readonly isNegative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

/** The shortest decimal that reads back as this float: what `JSON.stringify` writes. */
export function decimalOf(value: number): Decimal {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))!;
  const all = (whole + fraction).replace(/^0+/, "");
  const digits = all.replace(/0+$/, "");
  if (digits === "") return { isNegative: false, digits, exponent: 0 };
  return {
    isNegative: sign === "-",
    digits,
    exponent: Number(exponent) - fraction.length + (all.length - digits.length),
  };
}

/** The digits before and behind the point, without zeros at either end; "0" for none before it. */
export function pointed({ digits, exponent }: Decimal): { whole: string; fraction: string } {
  if (exponent >= 0) return { whole: digits === "" ? "0" : digits + "0".repeat(exponent), fraction: "" };
  const padded = digits.padStart(1 - exponent, "0");
  return { whole: padded.slice(0, exponent), fraction: padded.slice(exponent) };
}

/** Where the first digit stands: 3 for 1234, -1 for 0.12. */
export function magnitudeOf({ digits, exponent }: Decimal): number {
  return digits.length - 1 + exponent;
}

/** Negative, 0 or positive, as a - b is. */
export function compared(a: Decimal, b: Decimal): number {
  if (a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
  const sign = a.isNegative ? -1 : 1;
  if (a.digits === "" || b.digits === "") return sign * (a.digits.length - b.digits.length);
  const byMagnitude = magnitudeOf(a) - magnitudeOf(b);
  if (byMagnitude !== 0) return sign * byMagnitude;
  const length = Math.max(a.digits.length, b.digits.length);
  const [left, right] = [a.digits.padEnd(length, "0"), b.digits.padEnd(length, "0")];
  return left === right ? 0 : left < right ? -sign : sign;
}

export function isWhole({ exponent }: Decimal): boolean {
  return exponent >= 0;
}

/** Whether `value` is a whole number of times `of`. */
export function isMultiple(value: Decimal, of: Decimal): boolean {
  if (value.digits === "") return true;
  const least = Math.min(value.exponent, of.exponent);
  const scaled = ({ digits, exponent }: Decimal): bigint => BigInt(digits) * 10n ** BigInt(exponent - least);
  return scaled(value) % scaled(of) === 0n;
}

export function negated(value: Decimal): Decimal {
  return value.digits === "" ? value : { ...value, isNegative: !value.isNegative };
}
