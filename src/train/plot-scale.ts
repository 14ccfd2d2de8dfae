/**
 * Curves, their ranges, and round tick values.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type Kind, OBJECT, TEXT, kind, list } from "../core/options.ts";

/** A line of a plot. */
export interface Curve {
  /** For the legend. */
  readonly name: string;
  /** (x, y), x rising: steps and losses. Where a number is not finite, or beyond ±10^15, the line has a gap. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axis {
  readonly min: number;
  readonly max: number;
  /** Within [min, max], rising. */
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

const POINT = kind<readonly [number, number]>(
  "a pair of numbers",
  (point) => Array.isArray(point) && point.length === 2 && point.every((each) => typeof each === "number"),
);
const CURVE: Kind<Curve> = (value, name, code) => {
  const { name: title, points } = OBJECT(value, name, code);
  return {
    name: TEXT(title, `${name}.name`, code),
    points: list("a list of points", POINT)(points, `${name}.points`, code),
  };
};
export const CURVES = list("a list of curves", CURVE);

/** Beyond this, doubles hardly separate neighbouring ticks, and no real loss lies there. */
const MAGNITUDE_MAX = 1e15;
/** A range narrower than this fraction of its values is drawn flat. */
const FLAT = 1e-9;
/** Ticks are multiples of these times a power of ten. */
const ROUND = [1, 2, 5, 10];

export function isDrawable([x, y]: readonly [number, number]): boolean {
  return Math.abs(x) <= MAGNITUDE_MAX && Math.abs(y) <= MAGNITUDE_MAX;
}

/** Axes that hold every drawable point; 0 to 1 when there is none. */
export function axesOf(
  curves: readonly Curve[],
  nTicks: { readonly x: number; readonly y: number },
): { x: Axis; y: Axis } {
  const points = curves.flatMap(({ points }) => points.filter(isDrawable));
  return {
    x: axisOf(
      points.map(([x]) => x),
      nTicks.x,
    ),
    y: axisOf(
      points.map(([, y]) => y),
      nTicks.y,
    ),
  };
}

/**
 * At most `n` + 1 round numbers in [min, max] and their labels: "5000", "10k", "0.25".
 * @param n 2 or more
 */
export function roundTicks(min: number, max: number, n: number): { value: number; label: string }[] {
  if (!(max > min) || !Number.isFinite(max - min))
    fail("train/bad-option", `axis: wanted finite numbers, the first below the second, found ${min} to ${max}`);
  const roughStep = (max - min) / n;
  let exponent = 0,
    power = 1;
  for (; power * 10 <= roughStep; exponent++) power *= 10;
  // Keep the inverse of powers below one: 10^k is exact, 10^-k is not.
  let inverse = 1;
  for (; roughStep * inverse < 1 && exponent <= 0; exponent--) inverse *= 10;
  const multiple = ROUND.find((factor) => (factor * power) / inverse >= roughStep * (1 - FLAT)) ?? 10;
  const at = (i: number): number => (i * multiple * power) / inverse;
  const values: number[] = [];
  for (let i = Math.ceil((min / (multiple * power)) * inverse); at(i) <= max; i++) {
    if (at(i) >= min) values.push(at(i));
  }
  const unit = unitOf(multiple * power, Math.max(Math.abs(min), Math.abs(max)));
  const decimals = multiple === 10 ? -exponent - 1 : -exponent;
  return values.map((value) => ({ value, label: labelOf(value, decimals, unit) }));
}

function axisOf(values: readonly number[], nTicks: number): Axis {
  let min = Infinity,
    max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) return { min: 0, max: 1, ticks: roundTicks(0, 1, nTicks) };
  const size = Math.max(Math.abs(min), Math.abs(max));
  if (max - min <= size * FLAT || max - min < 1e-12) {
    const pad = size < 1e-6 ? 0.5 : size * 0.05;
    min -= pad;
    max += pad;
  }
  return { min, max, ticks: roundTicks(min, max, nTicks) };
}

interface Unit {
  readonly size: number;
  readonly name: string;
  /** Used when the axis reaches this value: 5000 reads better than 5k. */
  readonly from: number;
}

const UNITS: readonly Unit[] = [
  { size: 1e6, name: "M", from: 1e6 },
  { size: 1e3, name: "k", from: 1e4 },
];

/** The unit of an axis's labels: its tenths must separate the ticks. */
function unitOf(step: number, size: number): Unit | undefined {
  return UNITS.find((unit) => size >= unit.from && step >= unit.size / 10);
}

function labelOf(value: number, decimals: number, unit: Unit | undefined): string {
  if (unit && value !== 0) return `${value / unit.size}${unit.name}`;
  return value.toFixed(Math.max(0, decimals));
}
