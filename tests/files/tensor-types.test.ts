/** The table of tensor types against the sizes that ggml and its forks state. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TENSOR_TYPES, refuseTensorType, tensorBytes, tensorTypeOfId } from "../../src/files/tensor-types.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";

/** Bytes of 25,600 weights: bits a weight × 3,200. */
const BYTES: Readonly<Partial<Record<TensorTypeName, number>>> = {
  F32: 32 * 3200,
  F16: 16 * 3200,
  BF16: 16 * 3200,
  Q8_0: 8.5 * 3200,
  Q6_K: 6.5625 * 3200,
  Q4_K: 4.5 * 3200,
  Q4_0: 4.5 * 3200,
  Q2_0: 2.25 * 3200,
  Q2_0_G128: 2.125 * 3200,
  PQ2_0: 2.125 * 3200,
  TQ2_0: 2.0625 * 3200,
  PTQ1_0: 1.75 * 3200,
  TQ1_0: 1.6875 * 3200,
  STQ1_0: 1.3125 * 3200,
  Q1_0: 1.125 * 3200,
  I2_S: 2 * 3200 + 32,
};

describe("tensor types", () => {
  test("sizes", () => {
    for (const [name, bytes] of Object.entries(BYTES))
      assert.equal(tensorBytes(TENSOR_TYPES[name as TensorTypeName], 25_600), bytes, name);
  });

  test("every type we compute with, unless packed, has its size checked above", () => {
    const computed = Object.values(TENSOR_TYPES).filter(({ layout }) => layout !== "listed" && layout !== "packed");
    assert.deepEqual(computed.map(({ name }) => name).sort(), Object.keys(BYTES).sort());
  });

  test("no size for broken blocks and for sizes past 2^53", () => {
    assert.equal(tensorBytes(TENSOR_TYPES.TQ2_0, 255), undefined);
    assert.equal(tensorBytes(TENSOR_TYPES.F32, 2 ** 52), undefined);
    assert.equal(tensorBytes(TENSOR_TYPES.F32, 2 ** 50), 2 ** 52);
  });

  test("ids are distinct, except the one with two meanings", () => {
    const ids = Object.values(TENSOR_TYPES).flatMap(({ ggmlId }) => (ggmlId === undefined ? [] : [ggmlId]));
    assert.deepEqual(
      ids.filter((id, i) => ids.indexOf(id) !== i),
      [42],
    );
    for (const id of ids) assert.equal(tensorTypeOfId(id)?.ggmlId, id);
    assert.equal(tensorTypeOfId(42)?.name, "Q2_0");
    assert.equal(tensorTypeOfId(38), undefined);
  });

  test("other types are refused by name, with what to do instead", () => {
    for (const [id, message] of [
      [38, /"w": type TL1 \(id 38\).*convert the model to I2_S or TQ2_0/],
      [7, /Q5_1.*TQ2_0.*Q1_0/],
      [200, /unknown type id 200.*newer/],
    ] as const) {
      assert.throws(() => refuseTensorType("w", id), { name: "OnebitError", code: "tensor/unsupported-type", message });
    }
  });
});
