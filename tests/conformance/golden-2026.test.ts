/**
 * Golden models of hunyuan-dense and Gemma 3, made and computed by an independent program in double precision (checked
 * against llama.cpp), in ../shared: skipped without it. `architectures.test.ts` has the same graphs without data.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VARIANTS } from "../model/logits.ts";
import { onebitLogits } from "./compare.ts";
import { exactLogits } from "./exact/forward.ts";
import { golden, goldenError, leastCosine, noGolden } from "./golden-2026.ts";

/** Of the largest logit. */
const EXACT_ERROR_MAX = 1e-5,
  FLOAT_ERROR_MAX = 1e-4;
/** 8-bit activations in blocks lie up to 3e-2 away from exact ones. */
const COSINE_MIN = 0.999;

describe("golden logits", { skip: noGolden }, () => {
  for (const name of ["hunyuan_dense"]) {
    test(name, async () => {
      const wanted = golden(name),
        { path, ids } = wanted;
      assert.ok(goldenError(await exactLogits(path, ids), wanted) <= EXACT_ERROR_MAX);
      for (const variant of VARIANTS) {
        const error = goldenError(await onebitLogits(path, ids, { threads: 1, variant }), wanted);
        assert.ok(error <= FLOAT_ERROR_MAX, `${variant}: relative error ${error}`);
      }
    });
  }

  test("hunyuan_dense_stq: ternary weights of STQ1_0", async () => {
    const wanted = golden("hunyuan_dense_stq"),
      { path, ids } = wanted;
    assert.ok(goldenError(await exactLogits(path, ids), wanted) <= EXACT_ERROR_MAX);
    for (const variant of VARIANTS) {
      const cosine = leastCosine(await onebitLogits(path, ids, { threads: 1, variant }), wanted);
      assert.ok(cosine >= COSINE_MIN, `${variant}: cosine ${cosine}`);
    }
  });
});
