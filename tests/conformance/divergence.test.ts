/** The measure itself: distributions whose divergence is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { divergence, klDivergence } from "./divergence.ts";

const logits = (...p: number[]) => Float64Array.from(p, Math.log);

test("equal distributions diverge by nothing, whatever constant is added", () => {
  const row = logits(0.5, 0.25, 0.25);
  assert.ok(
    Math.abs(
      klDivergence(
        row,
        row.map((x) => x + 7),
      ),
    ) < 1e-15,
  );
});

test("a textbook case", () => {
  // Σ p ln(p/q) for p = (0.36, 0.48, 0.16), q uniform.
  assert.ok(Math.abs(klDivergence(logits(0.36, 0.48, 0.16), logits(1, 1, 1)) - 0.0852996) < 1e-7);
});

test("NaN is never close", () => assert.ok(Number.isNaN(klDivergence(logits(0.5, 0.5), Float32Array.of(NaN, 0)))));

test("counts other first choices, with the widest gap among them", () => {
  const exact = [Float64Array.of(3, 1, 0), Float64Array.of(2, 1.75, 0)];
  const found = [Float32Array.of(2, 1, 0), Float32Array.of(1, 1.5, 0)];
  const { greedyDiffers, widestGapThatDiffers, relativeError } = divergence(exact, found);
  assert.deepEqual([greedyDiffers, widestGapThatDiffers], [1, 0.25]);
  assert.ok(Math.abs(relativeError - 1 / 3) < 1e-12);
});

test("another number of rows or logits is refused", () => {
  assert.throws(() => divergence([logits(1, 1)], []), /rows/);
  assert.throws(() => klDivergence(logits(1, 1), logits(1)), /logits/);
});
