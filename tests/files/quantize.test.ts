/** Encoders: exact where the type can hold the values, close where it cannot, and inverse to the decoders. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { decodeLowBit } from "../../src/files/decode-low-bit.ts";
import { dequantize } from "../../src/files/dequantize.ts";
import { type WritableLowBitType, encodeLowBit } from "../../src/files/encode-low-bit.ts";
import { quantize } from "../../src/files/quantize.ts";
import { TENSOR_TYPES } from "../../src/files/tensor-types.ts";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { seededRandom } from "../hostile/mutate.ts";

const LOW_BIT: readonly WritableLowBitType[] = [
  "TQ1_0",
  "TQ2_0",
  "Q1_0",
  "Q2_0",
  "Q2_0_G128",
  "PQ2_0",
  "PTQ1_0",
  "I2_S",
];
const ELEMENTS = 4096;

/** Codes that the type can hold, and a scale a block that half precision holds. */
function randomLowBit(type: WritableLowBitType, seed: number): { codes: Int8Array; scales: Float32Array } {
  const random = seededRandom(seed);
  const binary = TENSOR_TYPES[type].layout === "binary";
  const codes = Int8Array.from({ length: ELEMENTS }, () =>
    binary ? 2 * Math.floor(random() * 2) - 1 : Math.floor(random() * 3) - 1,
  );
  const nScales = type === "I2_S" ? 1 : ELEMENTS / TENSOR_TYPES[type].blockElements;
  const scales = Float32Array.from({ length: nScales }, () => (1 + Math.floor(random() * 1000)) / 1024);
  return { codes, scales };
}

describe("low-bit types", () => {
  for (const type of LOW_BIT) {
    test(`${type}: codes and scales come back`, () => {
      const { codes, scales } = randomLowBit(type, 3);
      const bytes = encodeLowBit(type, codes, scales);
      const decoded = decodeLowBit(type, bytes, ELEMENTS);
      assert.deepEqual(decoded.codes, codes);
      assert.deepEqual(decoded.scales, scales);
      const into = new Uint8Array(bytes.length).fill(0xa5);
      assert.deepEqual(encodeLowBit(type, codes, scales, into), bytes, "every byte of the room given is written");
    });

    test(`${type}: one scale for all, floats and codes agree`, () => {
      const { codes } = randomLowBit(type, 4);
      const bytes = encodeLowBit(type, codes, 0.375);
      const values = dequantize(type, bytes, ELEMENTS);
      assert.deepEqual(
        values,
        Float32Array.from(codes, (code) => code * 0.375),
      );
      assert.deepEqual(quantize(type, values), bytes, "values that the type can hold are kept");
    });
  }

  test("the same ternary weights have the same values in every ternary type", () => {
    const { codes } = randomLowBit("TQ1_0", 5);
    const values = LOW_BIT.filter((type) => type !== "Q1_0").map((type) =>
      dequantize(type, encodeLowBit(type, codes, 0.25), ELEMENTS),
    );
    for (const other of values) assert.deepEqual(other, values[0]);
  });

  test("all zeros stay zeros", () => {
    for (const type of LOW_BIT.filter((name) => name !== "Q1_0")) {
      const zeros = new Float32Array(ELEMENTS);
      assert.deepEqual(dequantize(type, quantize(type, zeros), ELEMENTS), zeros, type);
    }
  });

  test("ternary rounds to the nearest level, binary keeps signs and the mean magnitude", () => {
    const values = new Float32Array(256);
    values.set([1, 0.51, 0.49, -0.49, -0.51, -1]);
    assert.deepEqual([...dequantize("TQ2_0", quantize("TQ2_0", values), 256).subarray(0, 6)], [1, 1, 0, 0, -1, -1]);
    const signs = Float32Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? 0.25 : -0.75));
    assert.deepEqual([...dequantize("Q1_0", quantize("Q1_0", signs), 128).subarray(0, 2)], [0.5, -0.5]);
  });

  test("wrong codes, counts and sizes are refused", () => {
    const refused = { name: "OnebitError", code: "tensor/bad-data" };
    assert.throws(() => encodeLowBit("TQ2_0", new Int8Array(255), 1), refused);
    assert.throws(() => encodeLowBit("TQ2_0", new Int8Array(256).fill(2), 1), refused);
    assert.throws(() => encodeLowBit("TQ2_0", new Int8Array(256).fill(-2), 1), refused);
    assert.throws(() => encodeLowBit("Q1_0", new Int8Array(128), 1), refused, "binary has no zero");
    assert.throws(() => encodeLowBit("TQ2_0", new Int8Array(256), new Float32Array(2)), refused);
    assert.throws(() => encodeLowBit("I2_S", new Int8Array(256), new Float32Array(2)), refused);
    assert.throws(() => encodeLowBit("TQ2_0", new Int8Array(256), 1, new Uint8Array(65)), refused);
    assert.throws(() => decodeLowBit("TQ2_0", new Uint8Array(65), 256), refused);
    assert.throws(() => decodeLowBit("TQ2_0", new Uint8Array(66), 255), refused);
    assert.throws(() => dequantize("Q8_0", new Uint8Array(33), 32), refused);
    assert.throws(() => quantize("Q8_0", new Float32Array(31)), refused);
    for (const wrong of [NaN, Infinity, -Infinity]) {
      assert.throws(() => quantize("TQ2_0", new Float32Array(256).fill(wrong, 9, 10)), {
        ...refused,
        message: /value 9 is/,
      });
    }
  });

  test("I2_S with a code 3 was written in another layout", () => {
    const bytes = encodeLowBit("I2_S", new Int8Array(256), 1);
    bytes[40] = 0xff;
    assert.throws(() => decodeLowBit("I2_S", bytes, 256), {
      code: "tensor/bad-data",
      message: /code 3.*another layout/,
    });
  });

  test("types without values of their own are refused by name", () => {
    assert.throws(() => dequantize("U8", new Uint8Array(4), 4), { code: "tensor/unsupported-type", message: /U8/ });
    assert.throws(() => dequantize("I64", new Uint8Array(8), 1), { code: "tensor/unsupported-type", message: /I64/ });
    assert.throws(() => quantize("BOOL", new Float32Array(1)), { code: "tensor/unsupported-type", message: /BOOL/ });
  });
});

/** Largest root mean square error of normal weights, relative to their RMS: a tenth above what was measured. */
const ERROR_MAX: readonly (readonly [type: TensorTypeName, error: number])[] = [
  ["F32", 0],
  ["F16", 0.00025],
  ["BF16", 0.002],
  ["Q8_0", 0.006],
  ["Q6_K", 0.02],
  ["Q4_K", 0.085],
  ["Q4_0", 0.1],
];

describe("dense types", () => {
  const random = seededRandom(7);
  const normal = (): number => random() + random() + random() + random() + random() + random() - 3;
  const values = Float32Array.from({ length: 65_536 }, normal);

  for (const [type, error] of ERROR_MAX) {
    test(`${type}: error of normal weights is at most ${error}`, () => {
      const decoded = dequantize(type, quantize(type, values), values.length);
      assert.ok(relativeError(values, decoded) <= error, `${relativeError(values, decoded)}`);
    });

    test(`${type}: zeros stay zeros, and one large value does not spread`, () => {
      const zeros = new Float32Array(512);
      assert.ok(dequantize(type, quantize(type, zeros), 512).every((value) => value === 0));
      zeros[300] = -8;
      const decoded = dequantize(type, quantize(type, zeros), 512);
      assert.ok(Math.abs(decoded[300]! + 8) < 0.1, `${decoded[300]}`);
      // Q4_K stores the offset that zeros get as the product of two rounded numbers.
      const rest = type === "Q4_K" ? 0.01 : 0;
      assert.ok(decoded.every((value, i) => i === 300 || Math.abs(value) <= rest));
    });
  }

  test("all values equal, all positive, all negative", () => {
    for (const type of ["Q8_0", "Q6_K", "Q4_K", "Q4_0"] as const) {
      for (const make of [() => 0.5, () => -0.5, (i: number) => 1 + i / 256, (i: number) => -1 - i / 256]) {
        const block = Float32Array.from({ length: 256 }, (_, i) => make(i));
        const decoded = dequantize(type, quantize(type, block), 256);
        assert.ok(relativeError(block, decoded) < 0.07, `${type}: ${relativeError(block, decoded)}`);
      }
    }
  });
});

describe("vectors made by ggml", {
  skip: existsSync("../shared/data/golden") ? false : "no ../shared/data/golden",
}, () => {
  const FILES: readonly (readonly [file: string, type: TensorTypeName])[] = [
    ["f16", "F16"],
    ["bf16", "BF16"],
    ["i2_s", "I2_S"],
    ["prism_q2_0_g128", "PQ2_0"],
    ["q1_0", "Q1_0"],
    ["q2_0", "Q2_0"],
    ["q4_0", "Q4_0"],
    ["q8_0", "Q8_0"],
    ["tq1_0", "TQ1_0"],
    ["tq2_0", "TQ2_0"],
  ];
  for (const [file, type] of FILES) {
    test(`${type}: decoded and encoded again, the same bytes`, () => {
      const bytes = new Uint8Array(readFileSync(`../shared/data/golden/vec_${file}.q`));
      assert.deepEqual(quantize(type, dequantize(type, bytes, 2048)), bytes);
    });
  }
});

function relativeError(wanted: Float32Array, found: Float32Array): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < wanted.length; i++) {
    error += (wanted[i]! - found[i]!) ** 2;
    power += wanted[i]! ** 2;
  }
  return Math.sqrt(error / power);
}
