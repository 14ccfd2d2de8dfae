/** Rows of q and k that a file has in pairs: each goes to one place, and types that keep their blocks go with it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { closedRows, fileRow, memoryRow } from "../../src/model/row-order.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { assertSameBits, logitsOf } from "./logits.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 1, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 256, nVocab: 70 };

test("a row's place in memory is the place it is taken from; rows that do not rotate stay", () => {
  for (const order of [
    { headDim: 8, ropeDim: 8 },
    { headDim: 80, ropeDim: 64 },
    { headDim: 6, ropeDim: 2 },
  ]) {
    for (let row = 0; row < 5 * order.headDim; row++) {
      assert.equal(memoryRow(order, fileRow(order, row)), row);
      assert.equal(fileRow(order, memoryRow(order, row)), row);
      assert.equal(Math.floor(memoryRow(order, row) / order.headDim), Math.floor(row / order.headDim));
      if (row % order.headDim >= order.ropeDim) assert.equal(memoryRow(order, row), row);
    }
  }
  assert.deepEqual(
    Array.from({ length: 8 }, (_, row) => memoryRow({ headDim: 8, ropeDim: 6 }, row)),
    [0, 3, 1, 4, 2, 5, 6, 7],
  );
  assert.deepEqual([memoryRow(undefined, 9), fileRow(undefined, 9)], [9, 9]);
});

test("rows are read until as many as change places among themselves are there", () => {
  assert.equal(closedRows(undefined, 32), 32);
  assert.equal(closedRows({ headDim: 64, ropeDim: 64 }, 32), 64);
  assert.equal(closedRows({ headDim: 80, ropeDim: 80 }, 32), 160);
  assert.equal(closedRows({ headDim: 10, ropeDim: 10 }, 32), 160);
});

describe("the same weights in both orders", () => {
  /** qwen2 has the order that memory has; its rows in pairs are llama's. */
  const paired = (tensors: readonly TinyTensor[]): readonly TinyTensor[] =>
    tensors.map((tensor) => {
      if (!/attn_[qk]\.weight$/.test(tensor.name)) return tensor;
      const [k, rows] = tensor.shape,
        values = new Float32Array(tensor.values.length),
        codes = new Int8Array(tensor.values.length);
      for (let row = 0; row < rows; row++) {
        const from = memoryRow({ headDim: 64, ropeDim: 64 }, row) * k;
        values.set(tensor.values.subarray(from, from + k), row * k);
        codes.set(tensor.codes!.subarray(from, from + k), row * k);
      }
      return { ...tensor, values, codes };
    });

  for (const body of ["TQ1_0", "TQ2_0", "I2_S", "Q2_0", "Q8_0", "Q4_0", "Q4_K", "Q6_K", "F16"] as const) {
    test(body, async () => {
      const inPairs = await ggufBytes(SHAPE, { architecture: "llama", body, tensors: paired }),
        inHalves = await ggufBytes(SHAPE, { architecture: "qwen2", body }),
        // llama may be of BitNet training, which the file's type tells.
        activationMode = "block" as const;
      assertSameBits(await logitsOf(inPairs, { activationMode }), await logitsOf(inHalves, { activationMode }), body);
    });
  }
});
