/** What every layer promises: shapes, errors that say what was wanted, modes, named state. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as nn from "../../src/nn.ts";
import { assertSameBits, randomArray } from "./arrays.ts";

const { array, ids } = nn;

describe("shapes", () => {
  const runtime = new nn.Runtime();
  const CASES: readonly (readonly [string, () => nn.ArrayLayer, readonly number[], readonly number[]])[] = [
    ["BitLinear", () => new nn.BitLinear(12, 7, { runtime }), [12], [7]],
    ["BitLinear of matrices", () => new nn.BitLinear(12, 7, { runtime }), [2, 3, 4, 12], [2, 3, 4, 7]],
    ["BitFeedForward", () => new nn.BitFeedForward(12, { runtime }), [5, 12], [5, 12]],
    [
      "BitFeedForward, another width",
      () => new nn.BitFeedForward(12, { dimOut: 5, glu: true, mult: 2, runtime }),
      [2, 5, 12],
      [2, 5, 5],
    ],
    ["BitMGQA", () => new nn.BitMGQA(32, 4, 2, { runtime }), [2, 5, 32], [2, 5, 32]],
    [
      "BitMGQA without positions",
      () => new nn.BitMGQA(32, 2, 1, { ropeTheta: false, outputNorm: "layer", runtime }),
      [1, 1, 32],
      [1, 1, 32],
    ],
    ["RMSNorm", () => new nn.RMSNorm(6, { runtime }), [2, 6], [2, 6]],
    ["LayerNorm", () => new nn.LayerNorm(6, { runtime }), [2, 6], [2, 6]],
    ["Dropout", () => new nn.Dropout(0.5, { runtime }), [2, 3, 4], [2, 3, 4]],
    ["Dropout of nothing", () => new nn.Dropout(0, { runtime }), [2, 3], [2, 3]],
    [
      "Sequential",
      () =>
        new nn.Sequential([
          new nn.BitLinear(12, 7, { runtime }),
          new nn.RMSNorm(7, { runtime }),
          new nn.BitLinear(7, 3, { runtime }),
        ]),
      [4, 12],
      [4, 3],
    ],
  ];
  for (const [name, make, inShape, outShape] of CASES) {
    test(`${name}: (${inShape}) → (${outShape}) and back`, () => {
      const layer = make(),
        y = layer.forward(randomArray(inShape, 1)),
        dx = layer.backward(randomArray(outShape, 2));
      assert.deepEqual([y.shape, dx.shape], [outShape, inShape]);
      assert.deepEqual(
        [y.data.length, dx.data.length],
        [outShape, inShape].map((shape) => shape.reduce((a, b) => a * b)),
      );
      assert.ok(y.data.every(Number.isFinite) && dx.data.some((g) => g !== 0));
      const before = runtime.usedBytes;
      layer.close();
      assert.ok(runtime.usedBytes < before);
    });
  }

  test("Embedding and BitNetTransformer: ids go in", () => {
    const embedding = new nn.Embedding(9, 4, { runtime }),
      y = embedding.forward(ids([8, 0], [1, 2]));
    assert.deepEqual(y.shape, [1, 2, 4]);
    assert.deepEqual(y.data.subarray(0, 4), embedding.parameters().get("weight")!.value.slice(32));
    assert.equal(embedding.backward(randomArray([1, 2, 4], 1)), undefined);
    const transformer = new nn.BitNetTransformer({ numTokens: 11, dim: 16, depth: 1, heads: 2, runtime });
    assert.deepEqual(transformer.forward(ids([1, 2, 3])).shape, [1, 3, 11]);
  });

  test("a layer alone, and the same in a Sequential", () => {
    const layer = new nn.BitLinear(12, 7, { seed: 4 }),
      inSequence = new nn.Sequential([new nn.BitLinear(12, 7, { seed: 4 })]),
      x = randomArray([3, 12], 1),
      dy = randomArray([3, 7], 2);
    assertSameBits(inSequence.forward(x).data, layer.forward(x).data, "output");
    assertSameBits(inSequence.backward(dy).data, layer.backward(dy).data, "gradient");
    assert.deepEqual([...inSequence.parameters().keys()], ["0.bias", "0.weight"].reverse());
  });
});

test("a custom layer computes what it records", () => {
  class Residual extends nn.ArrayLayer {
    readonly inner: nn.BitFeedForward;
    constructor(dim: number, options: nn.LayerOptions = {}) {
      super(options);
      this.inner = this.addChild("inner", new nn.BitFeedForward(dim, { runtime: this.runtime }));
    }
    outputShape(shape: readonly number[]): readonly number[] {
      return this.inner.outputShape(shape);
    }
    record(tape: nn.Tape, x: nn.Tensor): nn.Tensor {
      return nn.ops.add(tape, x, this.inner.record(tape, x));
    }
  }
  const layer = new Residual(16),
    alone = new nn.BitFeedForward(16),
    x = randomArray([3, 16], 1),
    dy = randomArray([3, 16], 2);
  assertSameBits(
    layer.forward(x).data,
    alone.forward(x).data.map((v, i) => v + x.data[i]),
    "output",
  );
  const dx = alone.backward(dy).data;
  assertSameBits(
    layer.backward(dy).data,
    dx.map((v, i) => v + dy.data[i]),
    "gradient",
  );
  assert.ok(layer.parameters().has("inner.up.weight"));
});

describe("errors", () => {
  const bad = (code: string, message: RegExp, run: () => unknown) =>
    assert.throws(run, (error: { code: string; message: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });

  test("of options", () => {
    bad("option/invalid", /inFeatures: wanted an integer from 1 up, got 0/, () => new nn.BitLinear(0, 4));
    bad("option/invalid", /outFeatures.* got 1.5/, () => new nn.BitLinear(4, 1.5));
    bad(
      "option/invalid",
      /weightBits: wanted 1, 1.58 or 32, got 2/,
      () => new nn.BitLinear(4, 4, { weightBits: 2 as 1 }),
    );
    bad(
      "option/invalid",
      /activationBits: wanted 1, 8 or 32, got 4/,
      () => new nn.BitLinear(4, 4, { activationBits: 4 as 8 }),
    );
    bad(
      "option/invalid",
      /norm: wanted "rms" or "none", got "layer"/,
      () => new nn.BitLinear(4, 4, { norm: "layer" as "rms" }),
    );
    bad("option/invalid", /seed.* got -1/, () => new nn.BitLinear(4, 4, { seed: -1 }));
    bad(
      "option/invalid",
      /activation: wanted "gelu", "silu" or "relu2", got "tanh"/,
      () => new nn.BitFeedForward(4, { activation: "tanh" as "gelu" }),
    );
    bad("option/invalid", /dropout: wanted a number from 0 to below 1, got 1/, () => new nn.Dropout(1));
    bad("option/invalid", /eps.* got 0/, () => new nn.RMSNorm(4, { eps: 0 }));
    bad("option/invalid", /heads: wanted a divisor of 30, got 4/, () => new nn.BitMGQA(30, 4, 2));
    bad("option/invalid", /kvHeads: wanted a divisor of the 4 query heads, got 3/, () => new nn.BitMGQA(32, 4, 3));
    bad("option/invalid", /wanted a multiple of 8 columns a head, got 4/, () => new nn.BitMGQA(32, 8, 4));
    bad("option/invalid", /ropeTheta.* got -1/, () => new nn.BitMGQA(32, 4, 2, { ropeTheta: -1 }));
    bad(
      "option/invalid",
      /depth.* got 0/,
      () => new nn.BitNetTransformer({ numTokens: 9, dim: 16, depth: 0, heads: 2 }),
    );
    bad("option/invalid", /layers: wanted at least one/, () => new nn.Sequential([]));
    bad("option/invalid", /layers of one runtime/, () => new nn.Sequential([new nn.RMSNorm(4), new nn.RMSNorm(4)]));
    bad("option/invalid", /optimiser: wanted at least one parameter/, () => nn.AdamW.of([]));
  });

  test("of inputs", () => {
    const layer = new nn.BitLinear(4, 3);
    bad("model/bad-shape", /BitLinear: wanted an input \(…, 4\), got 2 × 5/, () =>
      layer.forward(randomArray([2, 5], 1)),
    );
    bad("model/bad-shape", /wanted 8 numbers for the shape 2 × 4, got 7/, () =>
      layer.forward({ data: new Float32Array(7), shape: [2, 4] }),
    );
    bad("model/bad-shape", /positive whole numbers, got \[0, 4\]/, () => array([], [0, 4]));
    bad("model/bad-shape", /\(batch, length, 32\), got 2 × 32/, () =>
      new nn.BitMGQA(32, 4, 2).forward(randomArray([2, 32], 1)),
    );
    const transformer = new nn.BitNetTransformer({ numTokens: 9, dim: 16, depth: 1, heads: 2, contextLength: 3 });
    bad("model/bad-token", /wanted whole numbers in 0…8, got 9/, () => transformer.forward(ids([1, 9])));
    bad("model/bad-token", /got -1/, () => new nn.Embedding(9, 4).forward(ids([-1])));
    bad("model/bad-shape", /ids \(batch, length\), got 2/, () => transformer.forward(ids([1, 2], [2])));
    bad("model/bad-shape", /at most 3 positions/, () => transformer.forward(ids([1, 2, 3, 4])));
    bad("model/bad-token", /targets: wanted ids in 0…2, or -1 for none, got 3/, () =>
      new nn.CrossEntropyLoss().compute(randomArray([1, 3], 1), ids([3])),
    );
    bad("train/bad-data", /at least one that is not -1/, () =>
      new nn.CrossEntropyLoss().compute(randomArray([1, 3], 1), ids([-1])),
    );
    bad("model/bad-shape", /targets: wanted 1/, () =>
      new nn.CrossEntropyLoss().compute(randomArray([1, 3], 1), ids([1, 1])),
    );
  });

  test("of the order of calls", () => {
    const layer = new nn.BitLinear(4, 3),
      x = randomArray([2, 4], 1),
      dy = randomArray([2, 3], 2);
    bad("train/bad-option", /wanted a forward pass first/, () => layer.backward(dy));
    layer.forward(x);
    bad("model/bad-shape", /wanted the output.s 6 numbers, got 4 × 3/, () => layer.backward(randomArray([4, 3], 2)));
    layer.backward(dy);
    bad("train/bad-option", /call forward before each backward/, () => layer.backward(dy));
    layer.eval().forward(x);
    bad("train/bad-option", /eval mode/, () => layer.backward(dy));
    layer.close();
    bad("model/closed", /closed/, () => layer.forward(x));
    bad("model/closed", /closed/, () => layer.stateDict());
  });

  test("of state", () => {
    const layer = new nn.BitLinear(4, 3),
      state = layer.stateDict();
    bad("model/missing-tensor", /wanted "weight" \(3 × 4\), found bias/, () =>
      layer.loadStateDict({ bias: state["bias"] }),
    );
    bad("model/bad-shape", /"weight": wanted 3 × 4, got 4 × 3/, () =>
      layer.loadStateDict({ ...state, weight: randomArray([4, 3], 1) }),
    );
    bad("model/missing-tensor", /no parameter is named other/, () =>
      layer.loadStateDict({ ...state, other: randomArray([1], 1) }),
    );
    assert.deepEqual(layer.stateDict(), state, "nothing was set");
  });
});

describe("state", () => {
  test("copies from layer to layer, and follows from the seed", () => {
    for (const make of [
      (seed: number) => new nn.BitMGQA(32, 4, 2, { seed }),
      (seed: number) => new nn.BitFeedForward(16, { glu: true, postActNorm: "layer", seed }),
    ]) {
      const a = make(1),
        b = make(2),
        x = randomArray([1, 3, a instanceof nn.BitMGQA ? 32 : 16], 3);
      assert.deepEqual(a.stateDict(), make(1).stateDict());
      assert.notDeepEqual(a.forward(x).data, b.forward(x).data);
      b.loadStateDict(a.stateDict());
      assertSameBits(b.forward(x).data, a.forward(x).data, "after loading");
    }
  });

  test("has the names of the projections", () => {
    assert.deepEqual([...new nn.BitMGQA(32, 4, 2).parameters().keys()].sort(), [
      "k_proj.bias",
      "k_proj.weight",
      "norm.weight",
      "out_proj.bias",
      "out_proj.weight",
      "q_proj.bias",
      "q_proj.weight",
      "v_proj.bias",
      "v_proj.weight",
    ]);
    assert.deepEqual(
      [...new nn.BitFeedForward(16, { glu: true, bias: false, postActNorm: "rms" }).parameters().keys()].sort(),
      ["down.weight", "gate.weight", "post_act_norm.weight", "up.weight"],
    );
    const names = [...new nn.BitNetTransformer({ numTokens: 9, dim: 16, depth: 1, heads: 2 }).parameters().keys()];
    assert.ok(
      names.includes("blk.0.attn_sub_norm.weight") &&
        names.includes("token_embd.weight") &&
        !names.includes("output.weight"),
    );
  });

  test("gradients add up until they are zeroed", () => {
    const layer = new nn.BitLinear(8, 4, { bias: false }),
      x = randomArray([3, 8], 1),
      dy = randomArray([3, 4], 2),
      once = () => (layer.forward(x), layer.backward(dy));
    once();
    const first = layer.weight.gradient.slice();
    once();
    assertSameBits(
      layer.weight.gradient,
      first.map((g) => 2 * g),
      "twice",
    );
    layer.zeroGradients();
    once();
    assertSameBits(layer.weight.gradient, first, "once again");
  });

  test("zeroInitOutput starts as zero, and learns", () => {
    const layer = new nn.BitFeedForward(16, { zeroInitOutput: true });
    assert.ok(layer.forward(randomArray([3, 16], 1)).data.every((v) => v === 0));
    layer.backward(randomArray([3, 16], 2));
    assert.ok(
      layer
        .parameters()
        .get("down.weight")!
        .gradient.some((g) => g !== 0),
    );
  });
});

describe("dropout", () => {
  test("drops at its rate, keeps the mean, and draws a new mask each time", () => {
    const layer = new nn.Dropout(0.3, { seed: 5 }),
      x = array(new Float32Array(20_000).fill(1)),
      first = layer.forward(x).data,
      second = layer.forward(x).data;
    const share = first.filter((v) => v === 0).length / first.length;
    assert.ok(Math.abs(share - 0.3) < 0.015, `dropped ${share}`);
    assert.ok(first.every((v) => v === 0 || v === Math.fround(1 / 0.7)));
    const both = first.filter((v, i) => v === 0 && second[i] === 0).length / first.length;
    assert.ok(Math.abs(both - 0.09) < 0.015, `both times ${both}`);
  });

  test("follows from the seed, and rests in eval mode", () => {
    const make = (seed: number) => new nn.BitFeedForward(16, { dropout: 0.5, seed }),
      x = randomArray([4, 16], 1),
      [a, b] = [make(1), make(1)];
    for (let pass = 0; pass < 3; pass++) assertSameBits(a.forward(x).data, b.forward(x).data, `pass ${pass}`);
    assert.notDeepEqual(a.forward(x).data, a.forward(x).data);
    b.forward(x);
    assertSameBits(a.eval().forward(x).data, a.forward(x).data, "eval mode");
    assertSameBits(
      a.train().forward(x).data,
      (b.forward(x), b.forward(x)).data.map((v) => v),
      "eval passes do not count",
    );
  });
});
