/** Models whose weights are damaged: each is refused by a typed error that names the tensor and the row. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { load } from "../../src/load.ts";
import { type GgufChoices, ggufBytes } from "../model/gguf-bytes.ts";
import type { TinyTensor } from "../model/tiny-model.ts";
import { LAST, SHAPE, changed, damaged, refused, refusedFolder } from "./refused-model.ts";

/** A value for each place a type keeps a 16-bit float at: bytes from the start of a block, or of a tensor's tail. */
const SCALES: readonly (readonly [type: TensorTypeName, blockBytes: number, offset: number])[] = [
  ["TQ1_0", 54, 52],
  ["TQ2_0", 66, 64],
  ["Q2_0", 18, 0],
  ["PQ2_0", 34, 0],
  ["PTQ1_0", 28, 26],
  ["Q4_0", 18, 0],
  ["Q8_0", 34, 0],
  ["Q4_K", 144, 0],
  ["Q4_K", 144, 2],
  ["Q6_K", 210, 208],
  ["F16", 2, 0],
];
const HALVES = { NaN: 0x7e01, infinity: 0x7c00, "−infinity": 0xfc00 };

describe("a scale that is not finite is refused, with its tensor and row", () => {
  for (const [type, blockBytes, offset] of SCALES) {
    test(`${type}, byte ${offset} of a block`, async () => {
      for (const [what, bits] of Object.entries(HALVES)) {
        // The last block of row 37 of 256.
        const change = (bytes: Uint8Array) => {
          const rowBytes = bytes.length / 256,
            at = 38 * rowBytes - blockBytes + offset;
          bytes[at] = bits & 255;
          bytes[at + 1] = bits >> 8;
        };
        const choices: GgufChoices = { architecture: "bitnet", body: type, damage: damaged(LAST, change) };
        await refused(
          choices,
          "tensor/bad-data",
          /"blk\.1\.ffn_down\.weight": row 37 .* not finite[;:] the file is damaged/,
          what,
        );
      }
    });
  }

  test("Q1_0", async () => {
    const change = (bytes: Uint8Array) => void (bytes[18 * 9 + 1] = 0x7c);
    await refused(
      { architecture: "qwen2", body: "Q1_0", damage: damaged(LAST, change) },
      "tensor/bad-data",
      /row 2 has a scale that is not finite/,
      "infinity",
      { binary: true, subNorms: false },
    );
  });

  for (const [what, wrong] of Object.entries({ NaN, infinity: Infinity })) {
    const float = (at: number) => (bytes: Uint8Array) =>
      new DataView(bytes.buffer, bytes.byteOffset).setFloat32(at < 0 ? bytes.length + at : at, wrong, true);
    test(`I2_S, ${what}`, () =>
      refused(
        { architecture: "bitnet-b1.58", body: "I2_S", damage: damaged(LAST, float(-32)) },
        "tensor/bad-data",
        /its scale is/,
      ));
    test(`F32, ${what}`, () =>
      refused(
        { architecture: "bitnet", damage: damaged(LAST, float(4 * 512 * 5)) },
        "tensor/bad-data",
        /row 5 holds a number that is not finite/,
      ));
    test(`a norm, ${what}`, () =>
      refused(
        { architecture: "bitnet", damage: damaged("blk.0.ffn_norm.weight", float(12)) },
        "tensor/bad-data",
        /"blk\.0\.ffn_norm\.weight": value 3 is not a finite number/,
      ));
    test(`a norm in F16, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          vectors: "F16",
          damage: damaged("blk.0.ffn_norm.weight", (bytes) => bytes.set([0, wrong === Infinity ? 0x7c : 0x7e], 6)),
        },
        "tensor/bad-data",
        /value 3 is not a finite number/,
      ));
    test(`an embedding in BF16, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          tables: "BF16",
          damage: damaged("token_embd.weight", (bytes) =>
            bytes.set([wrong === Infinity ? 0x80 : 0xc0, 0x7f], 2 * 256 * 63 + 4),
          ),
        },
        "tensor/bad-data",
        /"token_embd\.weight": row 63 holds/,
      ));
    test(`an embedding in F16 that becomes Q8_0, ${what}`, async () => {
      const bytes = await ggufBytes(SHAPE, {
        architecture: "bitnet",
        tables: "F16",
        damage: damaged("token_embd.weight", (data) =>
          data.set([0, wrong === Infinity ? 0x7c : 0x7e], 2 * 256 * 63 + 4),
        ),
      });
      await assert.rejects(load(bytes, { threads: 1, dense: "q8" }), {
        code: "tensor/bad-data",
        message: /row 63 holds/,
      });
    });
    test(`a factor on a projection's result, ${what}`, () =>
      refused(
        {
          architecture: "bitnet",
          body: "TQ2_0",
          tensors: (tensors) => [
            ...tensors,
            { name: "blk.1.ffn_down.scale", kind: "vector", shape: [1], values: Float32Array.of(1) },
          ],
          damage: damaged("blk.1.ffn_down.scale", float(0)),
        },
        "tensor/bad-data",
        /"blk\.1\.ffn_down\.scale": its scale is/,
      ));
  }

  test("rotary factors that are 0 or not finite", async () => {
    for (const wrong of [0, NaN, Infinity]) {
      const factors: TinyTensor = {
        name: "rope_freqs.weight",
        kind: "vector",
        shape: [32],
        values: new Float32Array(32).fill(1),
      };
      const damage = damaged("rope_freqs.weight", (bytes) =>
        new DataView(bytes.buffer, bytes.byteOffset).setFloat32(20, wrong, true),
      );
      await refused(
        { architecture: "bitnet", tensors: (tensors) => [...tensors, factors], damage },
        wrong === 0 ? "model/bad-config" : "tensor/bad-data",
        /rope_freqs|rotary factors/,
      );
    }
  });
});

describe("a code that no ternary weight has is refused", () => {
  for (const [type, at] of [
    ["TQ2_0", 3],
    ["I2_S", 3],
    ["Q2_0", 5],
    ["PQ2_0", 5],
  ] as const) {
    test(type, () =>
      refused(
        {
          architecture: "bitnet-b1.58",
          body: type,
          damage: damaged(LAST, (bytes) => void (bytes[at] |= 0x0c)),
        },
        "tensor/bad-data",
        /"blk\.1\.ffn_down\.weight": row 0 holds the code 3/,
      ),
    );
  }

  test("packed by Hugging Face", () =>
    refusedFolder(
      {
        modelType: "bitnet",
        linears: "multiply",
        safetensors: changed("model.layers.1.mlp.down_proj.weight", (bytes) => void (bytes[700] |= 0x30)),
      },
      "tensor/bad-data",
      /"model\.layers\.1\.mlp\.down_proj\.weight": row \d+ holds the code 3/,
    ));
});
