/**
 * The two choices that trade exactness for memory: an 8-bit KV cache and 8-bit embeddings. How far they may be from the
 * exact choice, and that nothing else changes.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load } from "../../src/load.ts";
import { divergence } from "../conformance/divergence.ts";
import { type GgufChoices, ggufBytes } from "./gguf-bytes.ts";
import { IDS, VARIANTS, assertSameBits, logitsOf, relativeError } from "./logits.ts";
import type { TinyShape } from "./tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 8, nKvHeads: 2, headDim: 32, nFf: 512, nVocab: 96 };

/** Head sizes on both sides of what vectors hold: 4, odd multiples of 4, 256. */
const HEADS: readonly (readonly [headDim: number, nHeads: number, nKvHeads: number])[] = [
  [4, 16, 4],
  [20, 6, 3],
  [44, 4, 1],
  [64, 4, 4],
  [128, 2, 1],
  [256, 1, 1],
];

describe("an 8-bit KV cache", () => {
  for (const [headDim, nHeads, nKvHeads] of HEADS) {
    test(`heads of ${headDim}: logits within 2 % of the largest, KL below 0.01`, async (t) => {
      const bytes = await ggufBytes({ ...SHAPE, headDim, nHeads, nKvHeads }, { architecture: "qwen2" });
      const exact = await logitsOf(bytes),
        found = await logitsOf(bytes, { kvType: "q8" });
      const error = relativeError(found, exact),
        { meanKl } = divergence(rows(exact, 96), rows(found, 96));
      t.diagnostic(`largest error ${error.toExponential(2)}, KL ${meanKl.toExponential(2)}`);
      assert.ok(error > 0, "nothing was rounded");
      assert.ok(error < 0.02 && meanKl < 0.01, `largest error ${error}, KL ${meanKl}`);
    });
  }

  test("takes a quarter of the memory, a scale for each vector and a sum for each key", async () => {
    const bytes = await ggufBytes(SHAPE, { architecture: "qwen2" });
    const [f32, q8] = await Promise.all(
      (["f32", "q8"] as const).map(async (kvType) => {
        const model = await load(bytes, { threads: 1, kvType });
        await model.close();
        return model.memory.kvBytes;
      }),
    );
    assert.equal(f32, 2 * 2 * 2 * 128 * 32 * 4);
    assert.equal(q8, 2 * 2 * 128 * (32 + 8 + 32 + 4));
  });

  test("the same bits from every build", async () => {
    const bytes = await ggufBytes(SHAPE, { architecture: "llama", body: "TQ2_0" });
    const wanted = await logitsOf(bytes, { kvType: "q8", variant: "simd" });
    for (const variant of VARIANTS) assertSameBits(await logitsOf(bytes, { kvType: "q8", variant }), wanted, variant);
  });
});

describe("8-bit embeddings and heads", () => {
  const choices = (tables: GgufChoices["tables"]): GgufChoices => ({ architecture: "llama", body: "TQ2_0", tables });

  for (const tables of ["F32", "F16", "BF16"] as const) {
    for (const tied of [true, false]) {
      test(
        `${tables}, ${tied ? "tied" : "untied"}: within 2 % of the largest, and exactly what the file's own Q8_0 ` +
          "gives",
        async (t) => {
          const shape = { ...SHAPE, tied };
          const bytes = await ggufBytes(shape, choices(tables)),
            kept = await logitsOf(bytes, { dense: "keep" }),
            small = await logitsOf(bytes, { dense: "q8" });
          const error = relativeError(small, kept);
          t.diagnostic(`largest error ${error.toExponential(2)}`);
          assert.ok(error > 0 && error < 0.02, `largest error ${error}`);
          assertSameBits(small, await logitsOf(await ggufBytes(shape, choices("Q8_0"))), "Q8_0 in the file");
        },
      );
    }
  }

  test("small tables are kept by default, other types always", async () => {
    const bytes = await ggufBytes(SHAPE, choices("F16"));
    assertSameBits(await logitsOf(bytes), await logitsOf(bytes, { dense: "keep" }), "auto");
    for (const tables of ["Q8_0", "Q6_K", "Q4_K", "TQ2_0"] as const) {
      const other = await ggufBytes(SHAPE, choices(tables));
      assertSameBits(await logitsOf(other, { dense: "q8" }), await logitsOf(other, { dense: "keep" }), tables);
    }
  });

  test("a width that no block divides is kept", async () => {
    const bytes = await ggufBytes({ ...SHAPE, nEmbd: 84, nFf: 148 }, { architecture: "qwen2" });
    assertSameBits(await logitsOf(bytes, { dense: "q8" }), await logitsOf(bytes, { dense: "keep" }), "84 columns");
  });
});

function rows(all: Float32Array, nVocab: number): Float32Array[] {
  return IDS.map((_, t) => all.subarray(t * nVocab, (t + 1) * nVocab));
}
