/**
 * The same weights in another file are the same model: the logits agree to the last bit, whatever type holds the
 * ternary weights, in GGUF or in a Hugging Face folder, on every build of the kernels.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { type HfChoices, hfFolder } from "./hf-folder.ts";
import { VARIANTS, assertSameBits, logitsOf } from "./logits.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const BITNET: TinyShape = {
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 72,
  tied: true,
  subNorms: true,
};
const LLAMA: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 8, nKvHeads: 2, headDim: 32, nFf: 768, nVocab: 72 };

/** Ternary types by the widths they can hold: multiples of 64, 128, 256. */
const TYPES: Readonly<Record<64 | 128 | 256, readonly TensorTypeName[]>> = {
  64: ["Q2_0"],
  128: ["Q2_0", "PQ2_0", "PTQ1_0", "I2_S"],
  256: ["Q2_0", "PQ2_0", "PTQ1_0", "I2_S", "TQ1_0", "TQ2_0"],
};

/** Ways a Hugging Face folder holds ternary weights with one scale a matrix. */
const FOLDERS: Readonly<Record<string, Partial<HfChoices>>> = {
  "packed, scale multiplies, F32": { linears: "multiply" },
  "packed, scale multiplies, BF16": { linears: "multiply", floats: "BF16", weights: "BF16" },
  "packed, scale divides, F32": { linears: "divide" },
  "packed, scale divides, BF16": { linears: "divide", floats: "BF16", weights: "BF16" },
  "masters, F32": { linears: "masters" },
  "masters, BF16": { linears: "masters", floats: "BF16", weights: "BF16" },
  "masters, F16": { linears: "masters", floats: "F16", weights: "F16" },
};

test("this engine runs the kernels its version should", () => {
  const [major] = process.versions.node.split(".").map(Number);
  assert.deepEqual([...VARIANTS], major >= 22 ? ["simd", "relaxed"] : ["simd"]);
});

for (const variant of VARIANTS) {
  describe(`bitnet-b1.58, one scale a matrix, ${variant}`, () => {
    const shapes: readonly (readonly [64 | 128 | 256, TinyShape])[] = [
      [256, BITNET],
      // 384: three blocks of 128, so that rows end inside a block of 256 where there is one.
      [128, { ...BITNET, nEmbd: 128, headDim: 32, nFf: 384 }],
      // 16 rows of keys, fewer than a tile.
      [64, { ...BITNET, nEmbd: 64, nHeads: 16, nKvHeads: 4, headDim: 4, nFf: 192 }],
    ];
    for (const [multiple, shape] of shapes) {
      test(`width ${shape.nEmbd}: ${TYPES[multiple].join(", ")} and Hugging Face`, async () => {
        const wanted = await logitsOf(
          await ggufBytes(shape, { architecture: "bitnet-b1.58", body: TYPES[multiple][0] }),
          { variant },
        );
        for (const body of TYPES[multiple].slice(1)) {
          assertSameBits(
            await logitsOf(await ggufBytes(shape, { architecture: "bitnet-b1.58", body }), { variant }),
            wanted,
            body,
          );
        }
        for (const [name, choices] of Object.entries(FOLDERS)) {
          assertSameBits(
            await logitsOf(await hfFolder(shape, { modelType: "bitnet", ...choices }), { variant }),
            wanted,
            name,
          );
        }
        const last = await ggufBytes(shape, { architecture: "bitnet-b1.58", body: TYPES[multiple].at(-1) });
        for (const dots of ["fused", "pairs"] as const)
          assertSameBits(await logitsOf(last, { variant, ternaryKernel: "dot", dots }), wanted, `${dots} dot products`);
      });
    }

    test("Hugging Face sizes that no tile, block or vector divides", async () => {
      // 84 columns; 84, 28 and 148 rows, whose quarters are 21, 7 and 37.
      const shape: TinyShape = { ...BITNET, nEmbd: 84, nHeads: 3, nKvHeads: 1, headDim: 28, nFf: 148 };
      const [first, ...others] = Object.entries(FOLDERS);
      const wanted = await logitsOf(await hfFolder(shape, { modelType: "bitnet", ...first[1] }), { variant });
      for (const [name, choices] of others) {
        assertSameBits(
          await logitsOf(await hfFolder(shape, { modelType: "bitnet", ...choices }), { variant }),
          wanted,
          name,
        );
      }
      assertSameBits(
        await logitsOf(await hfFolder(shape, { modelType: "bitnet", ...first[1] }), { variant, ternaryKernel: "dot" }),
        wanted,
        "dot products",
      );
    });
  });

  for (const scales of ["one", "blocks"] as const) {
    describe(`${scales === "one" ? "one scale a matrix" : "a scale for 256 weights"}, ${variant}`, () => {
      // I2_S has no block scales, and makes any model one of 8-bit activations.
      const types = TYPES[256].filter((type) => type !== "I2_S");
      for (const [architecture, base] of [
        ["llama", LLAMA],
        ["qwen3", { ...LLAMA, qkNorm: true }],
        ["bitnet", BITNET],
      ] as const) {
        test(`${architecture}: ${types.join(", ")}`, async () => {
          const shape = { ...base, scales };
          const wanted = await logitsOf(await ggufBytes(shape, { architecture, body: types[0] }), { variant });
          for (const body of types.slice(1)) {
            assertSameBits(await logitsOf(await ggufBytes(shape, { architecture, body }), { variant }), wanted, body);
          }
        });
      }
    });
  }

  test(`ternary embeddings and heads: every type that holds the same codes, ${variant}`, async () => {
    const shape: TinyShape = { ...LLAMA, tied: true };
    // A table of codes: the embedding rows are those of a projection.
    const choices = (tables: TensorTypeName) => ({
      architecture: "llama",
      body: "TQ2_0" as const,
      tables,
      tensors: (tensors: readonly TinyTensor[]) =>
        tensors.map((tensor) => {
          if (tensor.kind !== "table") return tensor;
          const codes = Int8Array.from(tensor.values, (value) => (value > 0.33 ? 1 : value < -0.33 ? -1 : 0)),
            scales = Float32Array.of(0.125);
          return { ...tensor, codes, scales, values: Float32Array.from(codes, (code) => code * 0.125) };
        }),
    });
    const wanted = await logitsOf(await ggufBytes(shape, choices("TQ2_0")), { variant });
    for (const tables of ["TQ1_0", "Q2_0", "PQ2_0", "PTQ1_0"] as const) {
      assertSameBits(await logitsOf(await ggufBytes(shape, choices(tables)), { variant }), wanted, tables);
    }
  });
}
