/** AdamW over any parameters, against its definition in double precision. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdamW } from "../../src/nn/adam-w.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { Parameter } from "../../src/nn/parameter.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { createParameters, parameterRanges } from "../../src/nn/transformer-parameters.ts";
import { randomArray, relativeError } from "./arrays.ts";

describe("AdamW", () => {
  test("follows the paper: decays matrices only, clips by the norm of all gradients", () => {
    const runtime = new Runtime(),
      shapes = [[70, 90], [5], [3, 7]];
    const parameters = shapes.map((shape, i) => {
      const parameter = new Parameter(runtime, `p${i}`, shape);
      parameter.set(randomArray(shape, i + 1).data);
      return parameter;
    });
    const optimizer = AdamW.of(parameters, { clipNorm: 0.5, beta2: 0.9 }),
      rates = { learningRate: 0.01, weightDecay: 0.2 };
    const exact = parameters.map(({ value }) => ({
      w: Float64Array.from(value),
      m: new Float64Array(value.length),
      v: new Float64Array(value.length),
    }));
    for (let step = 1; step <= 4; step++) {
      const gradients = shapes.map((shape, i) => randomArray(shape, 10 * step + i, step === 1 ? 1e-4 : 1).data);
      optimizer.zeroGradients();
      assert.ok(parameters.every(({ gradient }) => gradient.every((g) => g === 0)));
      parameters.forEach((parameter, i) => parameter.gradient.set(gradients[i]));
      const norm = Math.sqrt(
        gradients.reduce((sum, g) => sum + g.reduce((total, value) => total + value * value, 0), 0),
      );
      assert.ok(Math.abs(optimizer.step(rates) - norm) < 1e-4 * norm);
      const factor = Math.min(1, 0.5 / norm);
      assert.equal(factor === 1, step === 1, "the first step is not clipped, the others are");
      exact.forEach(({ w, m, v }, i) => {
        const decay = shapes[i].length > 1 ? rates.weightDecay : 0;
        for (let j = 0; j < w.length; j++) {
          const g = gradients[i][j] * factor;
          m[j] = 0.9 * m[j] + 0.1 * g;
          v[j] = 0.9 * v[j] + 0.1 * g * g;
          const update = m[j] / (1 - 0.9 ** step) / (Math.sqrt(v[j] / (1 - 0.9 ** step)) + 1e-8);
          w[j] -= rates.learningRate * (update + decay * w[j]);
        }
        assert.ok(relativeError(parameters[i].value, w) < 1e-5, `parameter ${i}, step ${step}`);
      });
    }
    const used = runtime.usedBytes;
    optimizer.close();
    assert.ok(runtime.usedBytes < used);
  });

  test("gives the same over a transformer's two ranges as over its parameters", () => {
    const shape = {
      vocabSize: 19,
      dim: 16,
      depth: 1,
      heads: 2,
      kvHeads: 1,
      headDim: 8,
      ffHidden: 24,
      activation: "silu",
      glu: true,
      ropeTheta: 1e4,
      normEps: 1e-5,
      contextLength: 8,
      weightBits: 1.58,
      activationBits: 8,
      subNorms: true,
      tied: true,
    } as const;
    const [a, b] = [0, 1].map(() => {
      const runtime = new Runtime(),
        all = createParameters(runtime, shape, 3);
      let seed = 1;
      for (const parameter of all.byName.values()) parameter.gradient.set(randomArray([parameter.size], seed++).data);
      return { runtime, all };
    });
    const flat = new AdamW(a.runtime, parameterRanges(a.all)),
      each = AdamW.of(b.all.byName.values()),
      rates = { learningRate: 0.01, weightDecay: 0.1 };
    assert.ok(Math.abs(flat.step(rates) - each.step(rates)) < 1e-6);
    for (const [name, { value }] of a.all.byName)
      assert.ok(relativeError(b.all.byName.get(name)!.value, value) < 1e-6, name);
  });

  test("learns: a layer of ternary weights fits another's outputs", () => {
    const teacher = new BitLinear(24, 6, { seed: 1, norm: "none" }),
      layer = new BitLinear(24, 6, { seed: 2, norm: "none", runtime: teacher.runtime });
    const optimizer = AdamW.of(layer.parameters().values()),
      x = randomArray([64, 24], 3),
      wanted = teacher.forward(x).data;
    const errors = Array.from({ length: 150 }, () => {
      optimizer.zeroGradients();
      const { data, shape } = layer.forward(x),
        difference = data.map((y, i) => y - wanted[i]);
      layer.backward({ data: difference.map((d) => d / 64), shape });
      optimizer.step({ learningRate: 0.02, weightDecay: 0 });
      return difference.reduce((sum, d) => sum + d * d, 0);
    });
    assert.ok(errors[149] < 0.2 * errors[0], `squared error ${errors[0]} → ${errors[149]}`);
  });

  test("refuses bad options, parameters of two runtimes, and NaN gradients", () => {
    const layer = new BitLinear(4, 3),
      parameters = [...layer.parameters().values()];
    for (const options of [{ beta1: 1 }, { beta2: -0.1 }, { epsilon: 0 }, { clipNorm: -1 }])
      assert.throws(() => AdamW.of(parameters, options), { code: "train/bad-option" });
    assert.throws(() => AdamW.of([...parameters, ...new BitLinear(4, 3).parameters().values()]), {
      code: "option/invalid",
      message: /one runtime/,
    });
    assert.throws(() => new AdamW(layer.runtime, []), { code: "train/bad-option" });
    const optimizer = AdamW.of(parameters),
      before = layer.weight.value.slice();
    layer.weight.gradient.fill(NaN);
    assert.throws(() => optimizer.step({ learningRate: 1, weightDecay: 0 }), { code: "train/not-finite" });
    assert.deepEqual(layer.weight.value.slice(), before);
  });
});
