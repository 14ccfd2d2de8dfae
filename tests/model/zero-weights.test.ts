/** Weights that are all zero are told, by the name of their tensor, in every type; a model with them still runs. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TENSOR_TYPES } from "../../src/files/tensor-types.ts";
import { inspect, load } from "../../src/load.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { hfFolder } from "./hf-folder.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 256,
  nVocab: 64,
  tied: true,
};
const NAMES = ["blk.1.ffn_down.weight", "blk.0.attn_norm.weight"];
const zeroed = (tensors: readonly TinyTensor[]): TinyTensor[] =>
  tensors.map((tensor) =>
    NAMES.includes(tensor.name)
      ? { ...tensor, values: new Float32Array(tensor.values.length), codes: tensor.codes?.map(() => 0) }
      : tensor,
  );

describe("GGUF, every type of projection", () => {
  for (const { name: body, layout, ggmlId } of Object.values(TENSOR_TYPES)) {
    if (ggmlId === undefined || (layout !== "ternary" && layout !== "dense")) continue;
    test(body, async () => {
      for (const [change, wanted] of [
        [zeroed, NAMES],
        [undefined, []],
      ] as const) {
        const bytes = await ggufBytes(SHAPE, { architecture: "llama", body, tensors: change });
        const model = await load(bytes, { threads: 1 });
        const told = model.warnings.map(({ tensor }) => tensor).sort();
        await model.close();
        assert.deepEqual(told, [...wanted].sort());
        assert.deepEqual((await inspect(bytes)).warnings, model.warnings);
        for (const { code, message, tensor } of model.warnings)
          assert.ok(code === "weights/all-zero" && message.includes(`"${tensor}"`));
      }
    });
  }

  test("binary weights have no zero but a scale of zero", async () => {
    const bytes = await ggufBytes(
      { ...SHAPE, binary: true },
      { architecture: "llama", body: "Q1_0", damage: (name, data) => void (name === NAMES[0] && data.fill(0)) },
    );
    assert.deepEqual(
      (await inspect(bytes)).warnings.map(({ tensor }) => tensor),
      [NAMES[0]],
    );
  });

  test("one nonzero weight at the end counts", async () => {
    const last = (name: string, data: Uint8Array) => void (name === NAMES[0] && data.fill(0).fill(0x3f, -4));
    assert.deepEqual((await inspect(await ggufBytes(SHAPE, { architecture: "llama", damage: last }))).warnings, []);
  });
});

describe("a folder", () => {
  for (const linears of ["floats", "masters", "multiply"] as const) {
    test(linears, async () => {
      const platform = memoryPlatform(
        await hfFolder(SHAPE, { modelType: "llama", linears, tensors: linears === "masters" ? undefined : zeroed }),
      );
      const told = (await inspect(FOLDER, { platform })).warnings.map(({ tensor }) => tensor).sort();
      assert.deepEqual(
        told,
        linears === "masters" ? [] : ["model.layers.0.input_layernorm.weight", "model.layers.1.mlp.down_proj.weight"],
      );
    });
  }
});
