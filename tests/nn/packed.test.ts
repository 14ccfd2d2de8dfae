/** Packed layers give the bits of the layers they were packed from. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BitFeedForward } from "../../src/nn/bit-feed-forward.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { BitMGQA } from "../../src/nn/bit-mgqa.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import type { Layer } from "../../src/nn/layer.ts";
import { ids } from "../../src/nn/nd-array.ts";
import { Sequential } from "../../src/nn/sequential.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { assertSameBits, randomArray } from "./arrays.ts";

const BITS = [
  { weightBits: 1.58, activationBits: 8, bytesPerWeight: 1 / 4 },
  { weightBits: 1.58, activationBits: 1, bytesPerWeight: 1 / 4 },
  { weightBits: 1, activationBits: 8, bytesPerWeight: 1 / 8 },
  { weightBits: 1, activationBits: 1, bytesPerWeight: 1 / 8 },
] as const;

/** Whole tiles and blocks, neither, and more rows of x than a batch of the engine has. */
const SIZES = [
  [3, 128, 64],
  [10, 512, 400],
  [1, 7, 5],
  [2, 1300, 33],
  [67, 130, 96],
] as const;

/** Parameters that are not what every layer starts with. */
function shake(layer: Layer): void {
  let seed = 100;
  for (const [name, parameter] of layer.parameters()) {
    if (parameter.shape.length > 1) continue;
    const { data } = randomArray([parameter.size], seed++, 0.3);
    parameter.set(data.map((value) => value + (name.includes("norm") ? 1 : 0)));
  }
}

describe("packed = training form in eval mode, bit for bit", () => {
  for (const { bytesPerWeight, ...bits } of BITS) {
    const name = `${bits.weightBits} × ${bits.activationBits} bits`;

    for (const [n, inFeatures, outFeatures] of SIZES) {
      test(`BitLinear(${inFeatures}, ${outFeatures}) of ${n} rows, ${name}`, () => {
        const layer = new BitLinear(inFeatures, outFeatures, { ...bits, gain: true, seed: 3 });
        shake(layer);
        const packed = layer.pack(),
          x = randomArray([n, inFeatures], 5);
        assertSameBits(packed.forward(x).data, layer.eval().forward(x).data, name);
        assert.ok(packed.isPacked && !layer.isPacked);
        const padded = Math.ceil(outFeatures / 32) * 32 * Math.ceil(inFeatures / 128) * 128;
        assert.ok(packed.weightBytes <= padded * bytesPerWeight + Math.ceil(outFeatures / 32) * 128);
        assert.equal(layer.weightBytes, inFeatures * outFeatures * 4);
      });
    }

    test(`BitFeedForward, ${name}`, () => {
      for (const options of [
        { activation: "relu2", glu: true, postActNorm: "rms" },
        { activation: "gelu", postActNorm: "layer", dimOut: 40 },
        { norm: "none", bias: false },
      ] as const) {
        const layer = new BitFeedForward(72, { ...bits, ...options, dropout: 0.5, seed: 4 });
        shake(layer);
        const x = randomArray([2, 5, 72], 6);
        assertSameBits(layer.pack().forward(x).data, layer.eval().forward(x).data, name);
      }
    });

    test(`BitMGQA, ${name}`, () => {
      const layer = new BitMGQA(64, 4, 2, { ...bits, causal: true, seed: 5 });
      shake(layer);
      const packed = layer.pack(),
        x = randomArray([2, 9, 64], 7);
      assertSameBits(packed.forward(x).data, layer.eval().forward(x).data, name);
      assertSameBits(packed.forwardWithWeights(x).weights.data, layer.forwardWithWeights(x).weights.data, "weights");
      const [cache, packedCache] = [layer.createCache(2, 16), packed.createCache(2, 16)];
      assertSameBits(packed.step(x, packedCache).data, layer.step(x, cache).data, "step");
    });

    test(`BitNetTransformer, ${name}`, () => {
      const transformer = new BitNetTransformer({
        numTokens: 50,
        dim: 64,
        depth: 2,
        heads: 4,
        kvHeads: 2,
        ffMult: 2,
        ...bits,
        seed: 6,
      });
      shake(transformer);
      const packed = transformer.pack(),
        x = ids([1, 5, 9, 49, 0, 3, 3, 7], [2, 4]);
      assertSameBits(packed.forward(x).data, transformer.eval().forward(x).data, name);
      assert.deepEqual(packed.generate([1, 2, 3], { maxTokens: 6 }), transformer.generate([1, 2, 3], { maxTokens: 6 }));
      assert.ok(packed.weightBytes < transformer.weightBytes * bytesPerWeight * 0.6);
    });
  }
});

describe("a packed layer", () => {
  test("is a copy: training goes on without it", () => {
    const layer = new BitLinear(16, 8),
      packed = layer.pack(),
      x = randomArray([2, 16], 8),
      before = packed.forward(x);
    layer.weight.value.fill(1);
    layer.parameters().get("bias")!.value.fill(3);
    assertSameBits(packed.forward(x).data, before.data, "after a change of the other");
    assert.notDeepEqual(layer.forward(x).data, before.data);
  });

  test("does not train", () => {
    const packed = new BitLinear(16, 8).pack();
    assert.equal(packed.isTraining, false);
    assert.throws(() => packed.train(), { code: "option/invalid", message: /packed layer has no learned weights/ });
    assert.throws(() => packed.weight, { code: "option/invalid" });
    assert.throws(() => packed.pack(), { code: "option/invalid" });
    packed.forward(randomArray([1, 16], 1));
    assert.throws(() => packed.backward(randomArray([1, 8], 1)), { code: "train/bad-option" });
  });

  test("works only inside layers in eval mode", () => {
    const packed = new BitLinear(16, 8).pack(),
      whole = new Sequential([packed]),
      x = randomArray([2, 16], 1);
    assert.throws(() => whole.forward(x), {
      code: "option/invalid",
      message: /packed layer has no gradients; call eval\(\)/,
    });
    assertSameBits(whole.eval().forward(x).data, packed.forward(x).data, "in eval mode");
  });

  test("takes integer weights and activations only", () => {
    for (const bits of [{ weightBits: 32 }, { activationBits: 32 }] as const) {
      assert.throws(() => new BitLinear(16, 8, bits).pack(), {
        code: "option/invalid",
        message: /only integers have packed kernels/,
      });
      assert.throws(() => new BitNetTransformer({ numTokens: 9, dim: 16, depth: 1, heads: 2, ...bits }).pack(), {
        code: "option/invalid",
      });
    }
  });

  test("frees all it took", () => {
    const runtime = new Runtime(),
      used = () => {
        const layers = [
          new BitLinear(100, 50, { runtime }),
          new BitMGQA(32, 4, 2, { runtime }),
          new BitFeedForward(32, { runtime, glu: true }),
        ];
        for (const layer of layers) {
          const packed = layer.pack();
          packed.close();
          layer.close();
          layer.close();
          assert.throws(() => packed.parameters(), { code: "model/closed" });
        }
        const transformer = new BitNetTransformer({ numTokens: 20, dim: 32, depth: 1, heads: 2, runtime }),
          packed = transformer.pack();
        packed.generate([1], { maxTokens: 2 });
        [packed, transformer].forEach((layer) => layer.close());
        return runtime.usedBytes;
      };
    // What is left is the scratch memory of the threads, which the first time takes.
    const first = used();
    assert.ok(first > 0 && first < 1e6);
    assert.equal(used(), first);
  });
});
