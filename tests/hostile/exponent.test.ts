/** What is not linear is found: in our own code by its blocks, in the engine's functions by its time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertLinear } from "./exponent.ts";

const SIZES = [256, 1024, 4096];

test("a list searched by a loop for each of its values is refused by its blocks", () => {
  const everyPair = (n: number) => () => {
    let equal = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i === j) equal++;
    return equal;
  };
  assert.throws(() => assertLinear(SIZES, everyPair), /blocks run grow with n\^(1\.9|2\.0)/);
});

test("a list searched by the engine for each of its values is refused by its time", () => {
  const everyPair = (n: number) => {
    const values = Array.from({ length: n * 4 }, (_, i) => i);
    return () => values.map((value) => values.lastIndexOf(-1 - value));
  };
  // So far apart that no noise makes n² look like n^1.5: the shortest try would have to take eight times its time.
  assert.throws(() => assertLinear([64, 512, 4096], everyPair), /milliseconds grow with n\^/);
});

test("a loop over a list is linear", () => {
  const sum = (n: number) => () => {
    let total = 0;
    for (let i = 0; i < n; i++) total += i;
    return total;
  };
  const { blocks } = assertLinear(SIZES, sum);
  assert.ok(Math.abs(blocks - 1) < 0.15, `n^${blocks}`);
});
