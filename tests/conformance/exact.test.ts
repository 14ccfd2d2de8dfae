/** The exact forward pass against logits made by an independent implementation (and checked against llama.cpp). */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { exactLogits } from "./exact/forward.ts";
import { roundHalfEven } from "./exact/linear.ts";

const GOLDEN = "../shared/data/golden";
const STORIES = "../shared/data/stories260k";

describe("golden logits", { skip: existsSync(GOLDEN) ? false : `${GOLDEN} is not here` }, () => {
  const { ids, vocab } = existsSync(GOLDEN)
    ? JSON.parse(readFileSync(`${GOLDEN}/tiny_ids.json`, "utf8"))
    : { ids: [], vocab: 0 };
  // bitnet-b1.58's oracle had its keys and values in half precision.
  const tolerances = { llama: 1e-5, qwen3: 1e-5, qwen3_yarn: 1e-5, bitnet_silu: 1e-5, "bitnet-b1.58_relu2": 1e-3 };
  for (const [name, tolerance] of Object.entries(tolerances)) {
    test(name, async () => {
      const wanted = floats(`${GOLDEN}/${name}.logits.f32`);
      const found = await exactLogits(`${GOLDEN}/${name}.gguf`, ids);
      assert.equal(found.length * vocab, wanted.length);
      assert.ok(relativeError(found, wanted) <= tolerance, `relative error ${relativeError(found, wanted)}`);
    });
  }
});

describe("a trained model", { skip: existsSync(STORIES) ? false : `${STORIES} is not here` }, () => {
  test("stories260K: 200 greedy tokens of llama.cpp, their logits and their order", async () => {
    const wanted = floats(`${STORIES}/logits_200x512.f32`);
    const ids = [1];
    for (let step = 0; step < 199; step++) ids.push(argmax(wanted.subarray(step * 512, (step + 1) * 512)));
    const found = await exactLogits(`${STORIES}/stories260K-f32.gguf`, ids);
    assert.ok(relativeError(found, wanted) <= 1e-4, `relative error ${relativeError(found, wanted)}`);
    found.slice(0, 199).forEach((row, step) => assert.equal(argmax(row), ids[step + 1], `step ${step}`));
  });
});

test("rounding is to nearest, ties to even", () => {
  const cases = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [126.500001, 127],
    [-127.5, -128],
    [0.49999999999999994, 0],
  ];
  for (const [x, wanted] of cases) assert.equal(roundHalfEven(x) + 0, wanted, `${x}`);
});

function floats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Largest difference over the largest magnitude. */
function relativeError(found: readonly Float64Array[], wanted: Float32Array): number {
  const size = found[0].length;
  let error = 0;
  let magnitude = 0;
  found.forEach((row, t) =>
    row.forEach((value, i) => {
      error = Math.max(error, Math.abs(value - wanted[t * size + i]));
      magnitude = Math.max(magnitude, Math.abs(wanted[t * size + i]));
    }),
  );
  return error / magnitude;
}

function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}
