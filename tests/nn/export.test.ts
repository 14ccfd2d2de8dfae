/** A transformer of layers as a GGUF file in the engine: the same logits as its packed form, to rounding. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BitNetTransformer, type BitNetTransformerOptions } from "../../src/nn/bit-net-transformer.ts";
import { ids } from "../../src/nn/nd-array.ts";
import { transformerGguf, trainedModelOf } from "../../src/train/export-layer.ts";
import { logitsOf } from "../model/logits.ts";
import { relativeError } from "./arrays.ts";

const IDS = Array.from({ length: 37 }, (_, i) => (i * 29 + 5) % 256);

describe("transformers as files", () => {
  const MODELS: readonly (readonly [string, Partial<BitNetTransformerOptions>])[] = [
    ["ternary, squared ReLU", { activation: "relu2" }],
    ["binary, SiLU", { weightBits: 1 }],
    ["floats", { weightBits: 32, activationBits: 32 }],
  ];
  for (const [name, options] of MODELS) {
    test(name, async (t) => {
      const model = new BitNetTransformer({
        numTokens: 256,
        dim: 256,
        depth: 2,
        heads: 4,
        kvHeads: 2,
        ffMult: 2,
        seed: 3,
        ...options,
      });
      const bytes = await transformerGguf(model, { embedding: "F32", linears: "F32" }),
        found = await logitsOf(bytes, {}, IDS);
      const wanted = model.eval().forward(ids(IDS)).data,
        error = relativeError(found, wanted);
      t.diagnostic(`largest difference over the largest logit: ${error.toExponential(1)}`);
      // Only attention and the head sum in another order: no activation of these models lies so near a half that it
      // rounds apart.
      assert.ok(error < 1e-5, `error ${error}`);
      if (model.shape.weightBits === 32) return;
      const packed = model.pack().forward(ids(IDS)).data;
      assert.ok(packed.every((v, i) => v === wanted[i]));
    });
  }

  test("a packed transformer has no floats to export", () => {
    const packed = new BitNetTransformer({ numTokens: 256, dim: 64, depth: 1, heads: 2 }).pack();
    assert.throws(() => trainedModelOf(packed).tensor("blk.0.attn_q.weight"), {
      code: "model/missing-tensor",
      message: /export what it was packed from/,
    });
    assert.throws(() => trainedModelOf(packed).quantized("blk.0.attn_q.weight"), { code: "option/invalid" });
  });
});
