/**
 * How work grows with the size of its input: the exponent e of T(n) = O(n^e), fitted over several sizes.
 */
import assert from "node:assert/strict";

/** A quadratic algorithm has 2; sorting over these sizes has 1.07. */
const EXPONENT_MAX = 1.15;
/** A burst of other work can spoil one fit; an algorithm that is not linear spoils them all. */
const FITS_MAX = 4;

/** Slope of log T over log n, by least squares. */
function fittedExponent(points: readonly (readonly [n: number, cost: number])[]): number {
  const logs = points.map(([n, cost]) => [Math.log(n), Math.log(cost)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/** Fails when every one of a few fits has an exponent above the limit. @returns the exponent */
export function assertLinear(sizes: readonly number[], costOf: (n: number) => number, offset = 0): number {
  const fits: string[] = [];
  while (fits.length < FITS_MAX) {
    const points = sizes.map((n) => [n, costOf(n)] as const);
    const exponent = offset + fittedExponent(points);
    if (exponent <= EXPONENT_MAX) return exponent;
    fits.push(`n^${exponent.toFixed(2)} (${points.map(([n, cost]) => `${n}: ${cost.toFixed(2)}`).join(", ")})`);
  }
  return assert.fail(`exponents above ${EXPONENT_MAX}: ${fits.join("; ")}`);
}
