/** A trained model as a Hugging Face folder: the same bits as its GGUF file, and what GGUF cannot say. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransformerShape } from "../../src/nn/shape.ts";
import { safetensorsFolder } from "../../src/train/export-safetensors.ts";
import { assertSameBits, logitsOf, relativeError } from "../model/logits.ts";
import { exactForward } from "./exact-forward.ts";
import { folderOf, ggufOf } from "./exported.ts";
import { IDS, randomModel } from "./random-model.ts";

const F32 = { embedding: "F32", linears: "F32" } as const;
const LLAMA = { subNorms: false } as const;
const FLOAT = { weightBits: 32, activationBits: 32 } as const;

describe("the same bits as the GGUF file", () => {
  const MODELS: readonly (readonly [string, Partial<TransformerShape>])[] = [
    ["bitnet, ternary", {}],
    ["bitnet, ternary, squared ReLU", { activation: "relu2" }],
    ["bitnet, floats", FLOAT],
  ];
  for (const [name, shape] of MODELS) {
    test(name, async () => {
      const model = randomModel(shape);
      assertSameBits(
        await logitsOf(await folderOf(model), {}, IDS),
        await logitsOf(await ggufOf(model, F32), {}, IDS),
        name,
      );
    });
  }

  test("llama, ternary: q and k in another order, activations as trained", async () => {
    const model = randomModel(LLAMA);
    const wanted = await logitsOf(await ggufOf(model, { ...F32, ternary: "I2_S" }), {}, IDS);
    assert.ok(relativeError(await logitsOf(await folderOf(model), {}, IDS), wanted) < 1e-5);
  });

  test("masters, rounded at load", async () => {
    for (const shape of [{}, LLAMA]) {
      const model = randomModel(shape),
        packed = await logitsOf(await folderOf(model), {}, IDS);
      assertSameBits(await logitsOf(await folderOf(model, { weights: "masters" }), {}, IDS), packed, "masters");
    }
  });
});

describe("what GGUF cannot say", () => {
  const MODELS: readonly (readonly [string, Partial<TransformerShape>])[] = [
    ["float activations over ternary weights", { activationBits: 32 }],
    ["float activations over binary weights", { activationBits: 32, weightBits: 1 }],
    ["float activations over ternary weights, without sub-norms", { ...LLAMA, activationBits: 32 }],
    ["GELU", { ...FLOAT, activation: "gelu" }],
    ["squared ReLU without sub-norms", { ...LLAMA, ...FLOAT, activation: "relu2" }],
    ["sub-norms and a head of its own", { ...FLOAT, tied: false }],
  ];
  for (const [name, shape] of MODELS) {
    test(name, async () => {
      const model = randomModel(shape),
        exact = exactForward(model, IDS).flatMap((row) => [...row]);
      // Packed, they would meet 8-bit activations.
      assert.ok(relativeError(await logitsOf(await folderOf(model), { dense: "keep" }, IDS), exact) < 1e-5);
    });
  }

  test("binary weights with 8-bit activations are packed like ternary ones", async () => {
    const model = randomModel({ weightBits: 1 });
    const exact = exactForward(model, IDS.slice(0, 4)).flatMap((row) => [...row]);
    assert.ok(relativeError(await logitsOf(await folderOf(model), {}, IDS.slice(0, 4)), exact) < 1e-5);
  });
});

describe("refused, with the reason", () => {
  const REFUSED: readonly (readonly [string, Partial<TransformerShape>, RegExp])[] = [
    ["no gate", { glu: false }, /no gate/],
    ["1-bit activations", { activationBits: 1 }, /activations have 1 bit/],
    ["8-bit activations of float weights", { weightBits: 32 }, /its weights are floats/],
  ];
  for (const [name, shape, message] of REFUSED) {
    test(name, () =>
      assert.throws(() => safetensorsFolder(randomModel(shape)), { code: "model/unsupported-architecture", message }),
    );
  }
  test("masters of a binary model", () =>
    assert.throws(() => safetensorsFolder(randomModel({ weightBits: 1 }), { weights: "masters" }), {
      code: "option/invalid",
      message: /binary/,
    }));
  test("masters of a model with float activations", () =>
    assert.throws(() => safetensorsFolder(randomModel({ activationBits: 32 }), { weights: "masters" }), {
      code: "option/invalid",
      message: /float activations/,
    }));
  test("rows that do not come in fours", () =>
    assert.throws(() => safetensorsFolder(randomModel({ ffHidden: 450 })), {
      code: "model/bad-shape",
      message: /450 rows/,
    }));
});
