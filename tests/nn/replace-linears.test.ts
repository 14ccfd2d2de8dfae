/** Float linears become layers of few bits that keep their weights, and the report says what that costs. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { array } from "../../src/nn/nd-array.ts";
import { replaceLinears } from "../../src/nn/replace-linears.ts";
import { assertSameBits, randomArray, relativeError } from "./arrays.ts";
import * as exact from "./exact-ops.ts";

describe("replaceLinears", () => {
  const model = {
    "token_embd.weight": randomArray([9, 16], 1),
    "up.weight": randomArray([12, 16], 2),
    "up.bias": randomArray([12], 3),
    "down.weight": randomArray([16, 12], 4, 0.1),
    "norm.weight": randomArray([16], 5),
  };

  test("keeps weights and biases, and skips what is not a linear", () => {
    const { layers, skipped } = replaceLinears(model);
    assert.deepEqual([...layers.keys()], ["up", "down"]);
    assert.deepEqual(skipped, ["token_embd.weight", "norm.weight"]);
    const up = layers.get("up")!,
      down = layers.get("down")!;
    assert.deepEqual([up.inFeatures, up.outFeatures, down.inFeatures, down.outFeatures], [16, 12, 12, 16]);
    assertSameBits(up.weight.value, model["up.weight"].data, "weights");
    assertSameBits(up.parameters().get("bias")!.value, model["up.bias"].data, "bias");
    assert.ok(!down.parameters().has("bias"));
    assert.equal(up.runtime, down.runtime);
    const { codes, scale } = up.weightCodes(),
      x = randomArray([3, 16], 6);
    const wanted = exact.linear(
      Float64Array.from(x.data),
      Float64Array.from(codes, (code) => code * scale),
      16,
      Float64Array.from(model["up.bias"].data),
    );
    assert.ok(
      relativeError(up.forward(x).data, wanted) < 0.02,
      "no norm: the float model's, but for the rounding of 8 bits",
    );
  });

  for (const weightBits of [1.58, 1] as const) {
    test(`reports the error of ${weightBits} bits`, () => {
      const { layers, report, total } = replaceLinears(model, { weightBits });
      const all = { difference: 0, weights: 0, zeros: 0, count: 0 };
      for (const [name, layer] of layers) {
        const w = layer.weight.value,
          { codes, scale } = layer.weightCodes(),
          found = report.get(name)!,
          q = Float64Array.from(codes, (code) => code * scale);
        const difference = exact.dot(
            q.map((v, i) => v - w[i]),
            q.map((v, i) => v - w[i]),
          ),
          zeros = q.filter((v) => v === 0).length;
        assert.ok(Math.abs(found.relativeRms - Math.sqrt(difference / exact.dot(w, w))) < 1e-12);
        assert.ok(Math.abs(found.cosine - exact.dot(w, q) / Math.sqrt(exact.dot(w, w) * exact.dot(q, q))) < 1e-12);
        assert.equal(found.zeros, zeros / w.length);
        assert.equal(found.count, w.length);
        assert.ok(found.cosine > 0.7 && found.cosine < 1 && found.relativeRms > 0.1 && found.relativeRms < 0.7);
        assert.equal(zeros > 0, weightBits === 1.58);
        (all.difference += difference), (all.weights += exact.dot(w, w)), (all.zeros += zeros), (all.count += w.length);
      }
      assert.ok(Math.abs(total.relativeRms - Math.sqrt(all.difference / all.weights)) < 1e-12);
      assert.deepEqual([total.zeros, total.count], [all.zeros / all.count, all.count]);
    });
  }

  test("ternary weights have no error", () => {
    const { codes } = new BitLinear(32, 8, { seed: 3 }).weightCodes(),
      share = codes.reduce((sum, code) => sum + Math.abs(code), 0) / codes.length;
    // Their absmean is the scale again when non-zeros are scale / share: 0.5 is exact in half precision.
    const w = array(
        Float32Array.from(codes, (code) => code * 0.5),
        [8, 32],
      ),
      { report } = replaceLinears({ "a.weight": w });
    const found = report.get("a")!;
    assert.ok(Math.abs(found.cosine - 1) < 1e-12);
    assert.ok(Math.abs(found.relativeRms - (1 - share)) < 1e-3, "what is lost is the zeros' part of the mean");
  });

  test("takes a layer's parameters, and a choice of which", () => {
    const transformer = new BitNetTransformer({
      numTokens: 9,
      dim: 16,
      depth: 2,
      heads: 2,
      weightBits: 32,
      tied: false,
    });
    const { layers, skipped } = replaceLinears(transformer);
    assert.equal(layers.size, 14);
    assert.deepEqual(
      skipped.filter((name) => !name.includes("norm")),
      ["token_embd.weight", "output.weight"],
    );
    const chosen = replaceLinears(transformer, {
      isLinear: (name) => name.includes("ffn_down"),
      norm: "rms",
      weightBits: 1,
      activationBits: 1,
    });
    assert.deepEqual([...chosen.layers.keys()], ["blk.0.ffn_down", "blk.1.ffn_down"]);
    assert.deepEqual(
      chosen.layers
        .get("blk.0.ffn_down")!
        .pack()
        .forward(randomArray([2, 64], 1)).shape,
      [2, 16],
    );
  });

  test("refuses a model without linears", () => {
    assert.throws(() => replaceLinears({ "norm.weight": randomArray([4], 1) }), {
      code: "model/missing-tensor",
      message: /norm\.weight/,
    });
    assert.throws(() => replaceLinears(new Map([["a.weight", { data: new Float32Array(3), shape: [2, 2] }]])), {
      code: "model/bad-shape",
    });
  });
});
