/** Every type decoded bit for bit as in the vectors of `../shared/data/golden` (2,048 values of each). */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { dequantize } from "../../src/files/dequantize.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";

const GOLDEN = "../shared/data/golden";
const VECTORS: readonly (readonly [file: string, type: TensorTypeName])[] = [
  ["bf16", "BF16"],
  ["f16", "F16"],
  ["i2_s", "I2_S"],
  ["prism_q1_0_g128", "Q1_0"],
  ["prism_q2_0_g128", "Q2_0_G128"],
  ["prism_q2_0_g128", "PQ2_0"],
  ["q1_0", "Q1_0"],
  ["q2_0", "Q2_0"],
  ["q4_0", "Q4_0"],
  ["q4_K", "Q4_K"],
  ["q6_K", "Q6_K"],
  ["q8_0", "Q8_0"],
  ["stq1_0", "STQ1_0"],
  ["ptq1_0", "PTQ1_0"],
  ["tq1_0", "TQ1_0"],
  ["tq2_0", "TQ2_0"],
];

describe("dequantize: vectors made by ggml, and by an independent reader of the forks' types", {
  skip: existsSync(GOLDEN) ? false : `no ${GOLDEN}`,
}, () => {
  for (const [file, type] of VECTORS) {
    test(`${type} (${file})`, () => {
      const bytes = new Uint8Array(readFileSync(`${GOLDEN}/vec_${file}.q`));
      const wanted = new Uint8Array(readFileSync(`${GOLDEN}/vec_${file}.f32`));
      const values = dequantize(type, bytes, wanted.length / 4);
      assert.deepEqual(new Uint8Array(values.buffer), wanted);
    });
  }
});
