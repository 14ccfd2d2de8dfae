/** One thread and two: the same bits, forward, backward, packed, step by step and in the optimiser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AdamW } from "../../src/nn/adam-w.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { CrossEntropyLoss } from "../../src/nn/cross-entropy-loss.ts";
import { ids } from "../../src/nn/nd-array.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { assertSameBits } from "./arrays.ts";

const X = ids([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7], [2, 7]);

/** Three steps of training, then what the trained model says. */
function train(
  runtime: Runtime,
  bits: { weightBits: 1 | 1.58 | 32; activationBits: 1 | 8 | 32 },
): Map<string, Float32Array> {
  const model = new BitNetTransformer({
    numTokens: 37,
    dim: 48,
    depth: 2,
    heads: 6,
    kvHeads: 3,
    ffMult: 2.5,
    tied: false,
    dropout: 0.1,
    runtime,
    seed: 1,
    ...bits,
  });
  const optimizer = AdamW.of(model.parameters().values()),
    loss = new CrossEntropyLoss({ runtime }),
    found = new Map<string, Float32Array>();
  for (let step = 0; step < 3; step++) {
    optimizer.zeroGradients();
    const logits = model.forward(X),
      { gradient } = loss.compute(logits, X);
    model.backward(gradient);
    found.set(`logits of step ${step}`, logits.data);
    found.set(`norm of step ${step}`, Float32Array.of(optimizer.step({ learningRate: 0.01, weightDecay: 0.1 })));
  }
  for (const [name, parameter] of model.parameters()) found.set(name, parameter.value.slice());
  found.set("eval", model.eval().forward(X).data);
  if (bits.weightBits === 32) return found;
  const packed = model.pack(),
    cache = packed.createCache(2, 9);
  found.set("packed", packed.forward(X).data);
  found.set("first step", packed.step(X, cache).data);
  found.set("second step", packed.step(ids([1, 2, 3, 4], [2, 2]), cache).data);
  found.set("generated", Float32Array.from(packed.generate([1, 2], { maxTokens: 5, temperature: 1, seed: 3 })));
  return found;
}

for (const bits of [
  { weightBits: 1.58, activationBits: 8 },
  { weightBits: 1, activationBits: 1 },
  { weightBits: 32, activationBits: 32 },
] as const) {
  const { weightBits, activationBits } = bits;
  test(`weights of ${weightBits} bits, activations of ${activationBits}: two threads give one's bits`, async () => {
    const two = await Runtime.open({ threads: 2, platform: nodePlatform() });
    try {
      const wanted = train(new Runtime(), bits),
        found = train(two, bits);
      assert.equal(two.threads, 2);
      assert.deepEqual([...found.keys()], [...wanted.keys()]);
      for (const [name, values] of wanted) {
        if (values.length > 8) assertSameBits(found.get(name)!, values, name);
        else assert.deepEqual(found.get(name), values, name);
      }
      if (bits.weightBits !== 32) assertSameBits(wanted.get("packed")!, wanted.get("eval")!, "packed and not");
    } finally {
      await two.close();
    }
  });
}

test("threads need a platform and a number", async () => {
  await assert.rejects(Runtime.open({ threads: 2 }), { code: "option/invalid", message: /wanted the option platform/ });
  await assert.rejects(Runtime.open({ threads: 0 }), { code: "option/invalid" });
});
