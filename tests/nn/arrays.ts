/** Random arrays for the layers, and what tests compare of arrays. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../synthetic/random.ts";
import { type NdArray, array } from "../../src/nn/nd-array.ts";

/** Sums of four uniform numbers, of deviation `scale`: no grid, no ties. */
function normals(random: Random, n: number, scale = 1): Float32Array {
  const uniform = () => random.u32() / 2 ** 32 - 0.5;
  return Float32Array.from({ length: n }, () => (uniform() + uniform() + uniform() + uniform()) * Math.sqrt(3) * scale);
}

export function randomArray(shape: readonly number[], seed: number, scale = 1): NdArray {
  return array(
    normals(
      seededRandom(seed),
      shape.reduce((a, b) => a * b),
      scale,
    ),
    shape,
  );
}

/** Bit for bit, and that they are numbers worth comparing. */
export function assertSameBits(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  assert.equal(found.length, wanted.length, what);
  let different = 0,
    first = -1;
  for (let i = 0; i < wanted.length; i++) {
    assert.ok(Number.isFinite(wanted[i]), `${what}: wanted number ${i} is ${wanted[i]}`);
    if (Object.is(found[i], wanted[i])) continue;
    if (different++ === 0) first = i;
  }
  assert.equal(
    different,
    0,
    `${what}: ${different} of ${wanted.length} differ, the first is ${first}: found ${found[first]}, ` +
      `wanted ${wanted[first]}`,
  );
  assert.ok(new Set(Array.from(wanted)).size > Math.min(8, wanted.length / 4), `${what}: nearly all numbers are alike`);
}

/** Largest difference over the largest magnitude. */
export function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(found.length, wanted.length);
  let error = 0,
    magnitude = 0;
  for (let i = 0; i < wanted.length; i++) {
    assert.ok(Number.isFinite(found[i]) && Number.isFinite(wanted[i]), `number ${i}: ${found[i]}, wanted ${wanted[i]}`);
    error = Math.max(error, Math.abs(found[i] - wanted[i]));
    magnitude = Math.max(magnitude, Math.abs(wanted[i]));
  }
  assert.ok(magnitude > 0, "every wanted number is zero");
  return error / magnitude;
}
