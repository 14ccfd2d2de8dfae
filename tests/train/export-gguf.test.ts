/** A trained model as a GGUF file computes what was trained, to rounding; every type of tensor gives the same bits. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { readGguf } from "../../src/files/gguf.ts";
import type { TransformerShape } from "../../src/nn/shape.ts";
import { type GgufExportOptions, ggufArchitectureOf } from "../../src/train/export-gguf.ts";
import type { TrainedModel } from "../../src/train/trained-model.ts";
import { divergence } from "../conformance/divergence.ts";
import { assertSameBits, logitsOf } from "../model/logits.ts";
import { exactForward } from "./exact-forward.ts";
import { ggufOf } from "./exported.ts";
import { IDS, randomModel } from "./random-model.ts";

const F16: GgufExportOptions = { embedding: "F16" };
const LLAMA = { subNorms: false } as const;
const FLOAT = { weightBits: 32, activationBits: 32 } as const;

/**
 * Error of a position's logits that all of float arithmetic explains; these are about 10, the error about 1e-6. Where
 * f32 and f64 round an activation of 8 bits apart, this and later positions move by hundredths: a quarter of them must
 * have none.
 */
const ERROR_MAX = 1e-5;

const MODELS: readonly (readonly [string, Partial<TransformerShape>, GgufExportOptions])[] = [
  ["bitnet, ternary", {}, F16],
  ["bitnet-b1.58, ternary", { activation: "relu2" }, F16],
  ["bitnet, binary", { weightBits: 1 }, F16],
  ["bitnet, floats", FLOAT, { ...F16, linears: "F32" }],
  ["bitnet, heads wider than the model", { ...FLOAT, heads: 8 }, F16],
  ["llama, floats", { ...LLAMA, ...FLOAT }, F16],
  ["llama, floats, its own head", { ...LLAMA, ...FLOAT, tied: false }, F16],
  ["llama, I2_S: activations as trained", LLAMA, { ...F16, ternary: "I2_S" }],
];

async function rowsOf(model: TrainedModel, options: GgufExportOptions): Promise<Float32Array[]> {
  const all = await logitsOf(await ggufOf(model, options), {}, IDS),
    { vocabSize } = model.shape;
  return IDS.map((_, t) => all.subarray(t * vocabSize, (t + 1) * vocabSize));
}

/** Largest error of each position, smallest first. */
function errorsOf(exact: readonly Float64Array[], found: readonly (Float32Array | Float64Array)[]): number[] {
  const errors = exact.map((row, t) =>
    row.reduce((error, value, i) => Math.max(error, Math.abs(value - found[t][i])), 0),
  );
  assert.ok(errors.every(Number.isFinite));
  return errors.sort((a, b) => a - b);
}

describe("exported files compute the trained function", () => {
  for (const [name, shape, options] of MODELS) {
    test(name, async () => {
      const model = randomModel(shape),
        exact = exactForward(model, IDS),
        found = await rowsOf(model, options);
      const errors = errorsOf(exact, found),
        isRounded = model.shape.activationBits === 8;
      const judged = errors[isRounded ? errors.length >> 2 : errors.length - 1];
      assert.ok(judged < ERROR_MAX, `errors of positions ${errors}`);
      assert.ok(divergence(exact, found).meanKl < 1e-3);
      // The bound tells the trained rounding of activations from none.
      if (isRounded) assert.ok(errorsOf(exact, exactForward(model, IDS, 32))[0] > 100 * ERROR_MAX);
    });
  }

  // What these round is not part of the model: 8-bit activations in blocks, 8-bit weights.
  const ROUNDED: readonly (readonly [string, Partial<TransformerShape>, GgufExportOptions])[] = [
    ["llama, ternary, float activations", { ...LLAMA, activationBits: 32 }, F16],
    ["llama, binary, float activations", { ...LLAMA, weightBits: 1, activationBits: 32 }, F16],
    ["llama, Q8_0", { ...LLAMA, ...FLOAT }, { embedding: "Q8_0", linears: "Q8_0" }],
    ["bitnet, the default embedding", {}, {}],
  ];
  for (const [name, shape, options] of ROUNDED) {
    test(name, async (t) => {
      const model = randomModel(shape);
      const { meanKl } = divergence(exactForward(model, IDS), await rowsOf(model, options));
      t.diagnostic(`KL ${meanKl.toExponential(2)}`);
      assert.ok(meanKl < 1e-3, `mean KL ${meanKl}`);
    });
  }
});

describe("the same weights give the same bits", () => {
  test("as TQ2_0, TQ1_0, Q2_0 and I2_S", async () => {
    const model = randomModel();
    const wanted = await logitsOf(await ggufOf(model), {}, IDS);
    for (const ternary of ["TQ2_0", "TQ1_0", "Q2_0", "I2_S"] as const) {
      const found = await logitsOf(await ggufOf(model, { ternary }), {}, IDS);
      assertSameBits(found, wanted, ternary);
    }
  });

  test("binary rows that do not divide into 128s become Q2_0", async () => {
    const model = randomModel({ weightBits: 1, ffHidden: 448 });
    const { tensors } = await readGguf(bytesSource(await ggufOf(model)));
    assert.equal(tensors.get("blk.0.ffn_down.weight")?.type, "Q2_0");
    assert.equal(tensors.get("blk.0.ffn_up.weight")?.type, "Q1_0");
    assert.ok(errorsOf(exactForward(model, IDS), await rowsOf(model, F16))[IDS.length >> 2] < ERROR_MAX);
  });

  test("ternary rows that do not divide into 256s become Q2_0", async () => {
    const model = randomModel({ ffHidden: 448 });
    const { tensors } = await readGguf(bytesSource(await ggufOf(model)));
    assert.equal(tensors.get("blk.1.ffn_down.weight")?.type, "Q2_0");
    assert.equal(tensors.get("blk.1.ffn_gate.weight")?.type, "TQ2_0");
    assert.ok(errorsOf(exactForward(model, IDS), await rowsOf(model, F16))[IDS.length >> 2] < ERROR_MAX);
  });
});

describe("the header", () => {
  test("says the architecture and all sizes", async () => {
    const { metadata } = await readGguf(
      bytesSource(await ggufOf(randomModel({ activation: "relu2", ropeTheta: 500_000 }))),
    );
    assert.equal(metadata.get("general.architecture"), "bitnet-b1.58");
    const found = Object.fromEntries(
      [
        "context_length",
        "embedding_length",
        "block_count",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "rope.freq_base",
        "rope.dimension_count",
        "vocab_size",
        "hidden_activation",
      ].map((key) => [key, metadata.get(`bitnet-b1.58.${key}`)]),
    );
    assert.deepEqual(found, {
      context_length: 128,
      embedding_length: 256,
      block_count: 2,
      feed_forward_length: 512,
      "attention.head_count": 4,
      "attention.head_count_kv": 2,
      "rope.freq_base": 500_000,
      "rope.dimension_count": 64,
      vocab_size: 256,
      hidden_activation: "relu2",
    });
    assert.equal(metadata.get("bitnet-b1.58.attention.layer_norm_rms_epsilon"), Math.fround(1e-5));
  });
});

describe("refused, with the reason", () => {
  const REFUSED: readonly (readonly [string, Partial<TransformerShape>, RegExp])[] = [
    ["no gate", { glu: false }, /no gate/],
    ["GELU", { activation: "gelu" }, /GELU/],
    ["1-bit activations", { activationBits: 1 }, /activations have 1 bit/],
    ["8-bit activations of float weights", { weightBits: 32 }, /its weights are floats/],
    ["squared ReLU without sub-norms", { ...LLAMA, activation: "relu2" }, /squared ReLU without sub-norms/],
    ["a BitNet with its own head", { tied: false }, /its own head/],
    ["a BitNet with float activations", { activationBits: 32 }, /float activations/],
  ];
  for (const [name, shape, message] of REFUSED) {
    test(name, () => assert.rejects(ggufOf(randomModel(shape)), { code: "model/unsupported-architecture", message }));
  }

  test("a shape with a member of another kind", () => {
    const { shape } = randomModel({});
    assert.throws(() => ggufArchitectureOf({ ...shape, subNorms: 1 as never }), {
      code: "option/invalid",
      message: /subNorms: wanted true or false, got 1/,
    });
    assert.throws(() => ggufArchitectureOf({ ...shape, subNorm: true } as never), { code: "option/unknown" });
  });

  test("rows that no exact type divides", () =>
    assert.rejects(ggufOf(randomModel({ ffHidden: 480 })), {
      code: "model/bad-shape",
      message: /ffn_down.*480.*256 \(TQ2_0\) or 64 \(Q2_0\)/,
    }));
  test("the chosen type does not divide the rows", () =>
    assert.rejects(ggufOf(randomModel({ ffHidden: 448 }), { ternary: "TQ1_0" }), {
      code: "model/bad-shape",
      message: /448.*256 \(TQ1_0\)/,
    }));
  test("an embedding that Q8_0 does not divide", () =>
    assert.rejects(ggufOf(randomModel({ ...FLOAT, dim: 260 })), {
      code: "model/bad-shape",
      message: /token_embd.*260.*choose F16/,
    }));
  test("a tensor of another size", () => {
    const model = randomModel();
    const tensor = (name: string) => (name === "output_norm.weight" ? new Float32Array(255) : model.tensor(name));
    return assert.rejects(ggufOf({ ...model, tensor }), { code: "model/bad-shape", message: /output_norm/ });
  });
  test("codes of another size", () => {
    const model = randomModel();
    return assert.rejects(ggufOf({ ...model, quantized: () => ({ codes: new Int8Array(256), scale: 1 }) }), {
      code: "model/bad-shape",
    });
  });
  test("a scale that half precision does not hold", () => {
    const model = randomModel();
    const quantized = (name: string) => ({ ...model.quantized(name), scale: 0.1 });
    return assert.rejects(ggufOf({ ...model, quantized }), { code: "tensor/bad-data", message: /found 0\.1/ });
  });
  test("a zero among binary codes", () => {
    const model = randomModel({ weightBits: 1 });
    const quantized = (name: string) => ({
      ...model.quantized(name),
      codes: model.quantized(name).codes.map((code, i) => (i === 7 ? 0 : code)),
    });
    return assert.rejects(ggufOf({ ...model, quantized }), { code: "tensor/bad-data" });
  });
});
