/**
 * Rows of dense tensors as the kernels decode them: the vectors made by ggml, and src/files/dequantize.ts on others.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  LAYOUT_BF16,
  LAYOUT_F16,
  LAYOUT_F32,
  LAYOUT_Q4_0,
  LAYOUT_Q4_K,
  LAYOUT_Q6_K,
  LAYOUT_Q8_0,
  MODULE_RESERVED_BYTES,
} from "../../assembly/abi.ts";
import { dequantize } from "../../src/files/dequantize.ts";
import { quantize } from "../../src/files/quantize.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { createMemory, instantiateKernels } from "../../src/kernels/machine.ts";

const GOLDEN = "../shared/data/golden";
const TYPES: readonly (readonly [type: TensorTypeName, id: number, vector?: string])[] = [
  ["F32", LAYOUT_F32],
  ["F16", LAYOUT_F16, "f16"],
  ["BF16", LAYOUT_BF16, "bf16"],
  ["Q8_0", LAYOUT_Q8_0, "q8_0"],
  ["Q4_0", LAYOUT_Q4_0, "q4_0"],
  ["Q4_K", LAYOUT_Q4_K, "q4_K"],
  ["Q6_K", LAYOUT_Q6_K, "q6_K"],
];

const memory = createMemory(MODULE_RESERVED_BYTES + (1 << 20), false);
const kernels = await instantiateKernels(await WebAssembly.compile(readFileSync("build/kernels.simd.wasm")), memory);
const FROM = MODULE_RESERVED_BYTES,
  TO = FROM + (1 << 19);

/** The bits of the row, so that -0 and NaN count. */
function decode(id: number, bytes: Uint8Array, k: number): Uint32Array {
  new Uint8Array(memory.buffer).set(bytes, FROM);
  kernels.denseRow(id, FROM, k, TO);
  return new Uint32Array(memory.buffer.slice(TO, TO + 4 * k));
}

describe("dense rows", () => {
  for (const [type, id] of TYPES) {
    test(`${type}: the same bits as the file decoder`, () => {
      const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * 12.9898) * 2 ** ((i >> 8) - 10));
      const bytes = quantize(type, values);
      assert.deepEqual(
        decode(id, bytes, values.length),
        new Uint32Array(dequantize(type, bytes, values.length).buffer),
      );
    });
  }
  test("Q8_0 of a row is near the file encoder's: the same scales, bytes one apart at most", () => {
    const values = Float32Array.from({ length: 2560 }, (_, i) => Math.sin(i * 78.233) * (1 + (i >> 5)));
    new Float32Array(memory.buffer, FROM, values.length).set(values);
    kernels.quantizeRowQ8_0(FROM, values.length, TO);
    const got = new Uint8Array(memory.buffer, TO, (values.length / 32) * 34),
      want = quantize("Q8_0", values);
    for (let i = 0; i < got.length; i++) {
      const apart = ((got[i] - want[i]) << 24) >> 24;
      assert.ok(Math.abs(apart) <= (i % 34 < 2 ? 0 : 1), `byte ${i}: ${got[i]}, the encoder's ${want[i]}`);
    }
  });
});

describe("dense rows: vectors made by ggml", { skip: existsSync(GOLDEN) ? false : `no ${GOLDEN}` }, () => {
  for (const [type, id, vector] of TYPES) {
    if (vector === undefined) continue;
    test(type, () => {
      const bytes = new Uint8Array(readFileSync(`${GOLDEN}/vec_${vector}.q`)),
        wanted = new Uint8Array(readFileSync(`${GOLDEN}/vec_${vector}.f32`));
      assert.deepEqual(decode(id, bytes, wanted.length / 4), new Uint32Array(wanted.buffer));
    });
  }
});
