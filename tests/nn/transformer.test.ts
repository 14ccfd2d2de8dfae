/**
 * A whole transformer: its logits and every parameter's gradient against double precision and central differences, and
 * its training against the trainer's.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdamW } from "../../src/nn/adam-w.ts";
import { BitNetTransformer, type BitNetTransformerOptions } from "../../src/nn/bit-net-transformer.ts";
import { CrossEntropyLoss } from "../../src/nn/cross-entropy-loss.ts";
import { ids } from "../../src/nn/nd-array.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { TransformerTrainer } from "../../src/train/transformer-trainer.ts";
import { randomArray, relativeError } from "./arrays.ts";
import * as exact from "./exact-ops.ts";

const BATCH = 2,
  LENGTH = 5,
  VOCABULARY = 13;
const IDS = ids([1, 12, 0, 7, 7, 3, 4, 5, 4, 12], [BATCH, LENGTH]),
  TARGETS = ids([12, 0, 7, 7, -1, 4, 5, 4, 12, 2], [BATCH, LENGTH]);

const MODELS: readonly (readonly [string, Partial<BitNetTransformerOptions>])[] = [
  ["gated SiLU, sub-norms, a tied head, grouped queries", { heads: 2, kvHeads: 1 }],
  [
    "squared ReLU without a gate, its own head, no sub-norms",
    { heads: 1, activation: "relu2", glu: false, tied: false, subNorms: false },
  ],
  ["gated GELU", { heads: 2, activation: "gelu", tied: false }],
];

function logits(model: BitNetTransformer, parameters: ReadonlyMap<string, exact.Values>): exact.Values {
  const { shape } = model,
    { dim, headDim, normEps } = shape,
    get = (name: string) => parameters.get(name)!;
  const add = (a: exact.Values, b: exact.Values) => a.map((v, i) => v + b[i]),
    activation = exact.ACTIVATIONS[shape.activation];
  let x = exact.embed(IDS.data, get("token_embd.weight"), dim);
  for (let block = 0; block < shape.depth; block++) {
    const of = (role: string) => get(`blk.${block}.${role}.weight`),
      qWidth = shape.heads * headDim,
      kvWidth = shape.kvHeads * headDim;
    const h = exact.rmsNorm(x, of("attn_norm"), normEps);
    const q = exact.rotate(exact.linear(h, of("attn_q"), dim), qWidth, LENGTH, headDim, shape.ropeTheta);
    const k = exact.rotate(exact.linear(h, of("attn_k"), dim), kvWidth, LENGTH, headDim, shape.ropeTheta);
    const v = exact.linear(h, of("attn_v"), dim);
    const mixed = exact.attention(q, k, v, {
      length: LENGTH,
      nHeads: shape.heads,
      nKvHeads: shape.kvHeads,
      headDim,
      causal: true,
    }).out;
    x = add(
      x,
      exact.linear(
        shape.subNorms ? exact.rmsNorm(mixed, of("attn_sub_norm"), normEps) : mixed,
        of("attn_output"),
        qWidth,
      ),
    );
    const f = exact.rmsNorm(x, of("ffn_norm"), normEps),
      up = exact.linear(f, of("ffn_up"), dim);
    const hidden = shape.glu
      ? exact.linear(f, of("ffn_gate"), dim).map((value, i) => activation(value) * up[i])
      : up.map(activation);
    x = add(
      x,
      exact.linear(
        shape.subNorms ? exact.rmsNorm(hidden, of("ffn_sub_norm"), normEps) : hidden,
        of("ffn_down"),
        shape.ffHidden,
      ),
    );
  }
  return exact.linear(
    exact.rmsNorm(x, get("output_norm.weight"), normEps),
    get(shape.tied ? "token_embd.weight" : "output.weight"),
    dim,
  );
}

describe("float transformers", () => {
  for (const [name, options] of MODELS) {
    test(name, () => {
      const model = new BitNetTransformer({
        numTokens: VOCABULARY,
        dim: 16,
        depth: 2,
        ffMult: 1.5,
        weightBits: 32,
        activationBits: 32,
        ...options,
      });
      const parameters = model.parameters(),
        w64 = new Map<string, exact.Values>();
      let seed = 0;
      for (const [key, parameter] of parameters) {
        // Larger than a model starts with: every path then matters.
        const isGain = parameter.shape.length === 1,
          values = randomArray(parameter.shape, ++seed, isGain ? 0.2 : 0.4).data;
        parameter.set(isGain ? values.map((v) => v + 1) : values);
        w64.set(key, Float64Array.from(parameter.value));
      }
      const found = model.forward(IDS),
        loss = new CrossEntropyLoss().compute(found, TARGETS);
      model.backward(loss.gradient);
      const exactLoss = (changed: ReadonlyMap<string, exact.Values>) =>
        exact.crossEntropy(logits(model, changed), TARGETS.data, VOCABULARY) / 9;
      assert.ok(relativeError(found.data, logits(model, w64)) < 1e-5);
      assert.ok(Math.abs(loss.loss - exactLoss(w64)) < 1e-5);
      for (const [key, parameter] of parameters) {
        const at = Array.from({ length: Math.min(parameter.size, 24) }, (_, i) =>
          Math.floor((i * parameter.size) / Math.min(parameter.size, 24)),
        );
        const wanted = exact.differences(w64.get(key)!, (values) => exactLoss(new Map(w64).set(key, values)), at);
        const gradient = parameter.gradient,
          error = relativeError(
            at.map((i) => gradient[i]),
            wanted,
          );
        assert.ok(error < 1e-4, `gradient of ${key}: error ${error}`);
      }
    });
  }
});

test("layers, loss and optimiser do what the trainer does", () => {
  const shape = {
    vocabSize: VOCABULARY,
    dim: 32,
    depth: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    ffHidden: 64,
    activation: "silu",
    glu: true,
  } as const;
  const rest = {
    ropeTheta: 10_000,
    normEps: 1e-5,
    contextLength: 16,
    weightBits: 1.58,
    activationBits: 8,
    subNorms: true,
    tied: true,
  } as const;
  const runtime = new Runtime(),
    trainer = new TransformerTrainer(runtime, {
      shape: { ...shape, ...rest },
      batch: BATCH,
      seqLength: LENGTH,
      seed: 3,
    });
  const model = new BitNetTransformer({
    ...rest,
    numTokens: VOCABULARY,
    dim: 32,
    depth: 2,
    heads: 4,
    kvHeads: 2,
    ffMult: 2,
    seed: 3,
  });
  const optimizer = AdamW.of(model.parameters().values()),
    loss = new CrossEntropyLoss({ runtime: model.runtime }),
    rates = { learningRate: 0.01, weightDecay: 0.1 };
  const targets = ids(
    [...TARGETS.data].map((id) => Math.max(id, 0)),
    [BATCH, LENGTH],
  );
  for (let step = 1; step <= 4; step++) {
    const wanted = trainer.step(step, rates, (inputs, outputs) => {
      inputs.set(IDS.data);
      outputs.set(targets.data);
    });
    optimizer.zeroGradients();
    const found = loss.compute(model.forward(IDS), targets);
    model.backward(found.gradient);
    const norm = optimizer.step(rates);
    assert.ok(
      Math.abs(found.loss - wanted.loss) < 1e-6 && Math.abs(norm - wanted.gradientNorm) < 1e-6 * norm,
      `step ${step}: loss ${found.loss}, ${wanted.loss}`,
    );
  }
  for (const [name, { value }] of trainer.parameters.byName)
    assert.ok(relativeError(model.parameters().get(name)!.value, value) < 1e-6, name);
});
