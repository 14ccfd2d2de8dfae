/**
 * Folders whose matrices are 1-bit weights written out as floats: packed while they load, with the logits of a GGUF
 * file that holds the same weights packed, bit for bit; floats as soon as one weight is not.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { quantize } from "../../src/files/quantize.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { inspect } from "../../src/load.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { type HfChoices, hfFolder } from "./hf-folder.ts";
import { VARIANTS, assertSameBits, logitsOf } from "./logits.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";
import { type TinyShape, type TinyTensor, tinyTensors } from "./tiny-model.ts";

/** Widths that groups of 128 divide, and some that they do not. */
const EVEN: TinyShape = { nEmbd: 128, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 32, nFf: 256, nVocab: 70 };
const ODD: TinyShape = { nEmbd: 64, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 16, nFf: 192, nVocab: 70 };
/** Scales of 256 weights, which are rows of 256 or two of 128. */
const GROUPED: TinyShape = { ...EVEN, nEmbd: 256, headDim: 64, scales: "blocks" };

type Change = (tensor: TinyTensor) => TinyTensor;
const change =
  (one: Change) =>
  (tensors: readonly TinyTensor[]): readonly TinyTensor[] =>
    tensors.map((tensor) => (tensor.kind === "linear" ? one(tensor) : tensor));

const plain: HfChoices = { modelType: "qwen3", weights: "BF16" };

async function inspected(folder: Record<string, Uint8Array>, weights = true) {
  return await inspect(FOLDER, { platform: memoryPlatform(folder), weights });
}

describe("floats that are 1-bit weights", () => {
  const shapes: readonly (readonly [name: string, shape: TinyShape, packed: "PQ2_0" | "Q2_0" | "Q1_0"])[] = [
    ["ternary, groups of 128", { ...EVEN, qkNorm: true }, "PQ2_0"],
    ["ternary, a scale for 256", { ...GROUPED, qkNorm: true }, "PQ2_0"],
    ["ternary, groups of 64", { ...ODD, qkNorm: true }, "Q2_0"],
    ["binary", { ...EVEN, qkNorm: true, binary: true }, "Q1_0"],
    ["binary, a scale for 256", { ...GROUPED, qkNorm: true, binary: true }, "Q1_0"],
  ];
  for (const [name, shape, body] of shapes) {
    for (const weights of ["F32", "F16", "BF16"] as const) {
      test(`${name}, ${weights}: the logits of ${body}`, async () => {
        const folder = await hfFolder(shape, { modelType: "qwen3", weights }),
          gguf = await ggufBytes(shape, { architecture: "qwen3", body });
        const isOne = weights !== "BF16";
        for (const variant of isOne ? (["simd"] as const) : VARIANTS)
          for (const ternaryKernel of isOne ? (["tables"] as const) : (["dot", "tables"] as const))
            for (const activationMode of isOne ? (["block"] as const) : (["block", "token"] as const)) {
              const options = { variant, ternaryKernel, activationMode };
              assertSameBits(await logitsOf(folder, options), await logitsOf(gguf, options), JSON.stringify(options));
            }
        const { unpacked, memory } = await inspected(folder),
          packed = await inspect(gguf);
        assert.equal(unpacked.length, 14);
        const wanted = { weights: shape.binary ? "binary" : "ternary", group: body === "Q2_0" ? 64 : 128 };
        for (const { tensor: _, ...found } of unpacked) assert.deepEqual(found, wanted);
        assert.equal(memory.weightBytes, packed.memory.weightBytes);
      });
    }
  }

  test("one weight off, last or first, and the matrix stays as it is; the others are packed", async () => {
    for (const isLast of [true, false]) {
      const isChanged = (name: string) => name === "blk.1.ffn_up.weight" || name === "blk.0.attn_q.weight",
        tensors = change((tensor) => {
          if (!isChanged(tensor.name)) return tensor;
          const values = tensor.values.slice(),
            at = isLast ? values.length - 1 : 0;
          // A power of two that is neither a scale nor zero.
          values[at] = 2 ** -10;
          return { ...tensor, values };
        });
      const folder = await hfFolder(EVEN, { modelType: "llama", weights: "BF16", tensors }),
        gguf = await ggufBytes(EVEN, {
          architecture: "qwen2",
          body: "PQ2_0",
          tensors,
          typeOf: ({ name }) => (isChanged(name) ? "BF16" : undefined),
        });
      assertSameBits(await logitsOf(folder), await logitsOf(gguf), `last: ${isLast}`);
      // Inspecting reads beginnings.
      assert.equal((await inspected(folder)).unpacked.length, isLast ? 14 : 12);
      assert.equal((await inspected(folder, false)).unpacked.length, 0);
    }
  });

  test("a beginning without zeros may belong to a ternary matrix, or to floats", async () => {
    const signs = (tensor: TinyTensor): TinyTensor => {
      const [k] = tensor.shape,
        codes = tensor.codes!.map((code, i) => (i < 8 * k && code === 0 ? 1 : code)),
        [scale] = tensor.scales!;
      return { ...tensor, codes, values: Float32Array.from(codes, (code) => code * scale) };
    };
    const ternary = await hfFolder(EVEN, { ...plain, modelType: "llama", tensors: change(signs) });
    assert.ok((await inspected(ternary)).unpacked.every(({ weights }) => weights === "binary"));
    const packed = await ggufBytes(EVEN, { architecture: "qwen2", body: "PQ2_0", tensors: change(signs) });
    assertSameBits(await logitsOf(ternary), await logitsOf(packed), "ternary");
    const off = (tensor: TinyTensor): TinyTensor => {
      const { values, ...others } = signs(tensor);
      return { ...others, values: values.map((weight, i) => (i === values.length - 3 ? 2 ** -9 : weight)) };
    };
    const floats = await hfFolder(EVEN, { ...plain, modelType: "llama", tensors: change(off) });
    const kept = await ggufBytes(EVEN, { architecture: "qwen2", body: "BF16", tensors: change(off) });
    assertSameBits(await logitsOf(floats), await logitsOf(kept), "floats");
  });

  test("scales that 16 bits cannot hold: the matrix stays as it is", async () => {
    const third = (tensor: TinyTensor): TinyTensor => ({
      ...tensor,
      codes: undefined,
      values: tensor.values.map((weight) => Math.fround(weight / 3)),
    });
    const folder = await hfFolder(EVEN, { modelType: "llama", tensors: change(third) }),
      gguf = await ggufBytes(EVEN, { architecture: "qwen2", body: "F32", tensors: change(third) });
    assertSameBits(await logitsOf(folder), await logitsOf(gguf), "a third");
  });

  test("a matrix of zeros stays as it is, and is warned of; numbers that are none are refused", async () => {
    const empty = await hfFolder(EVEN, {
      ...plain,
      tensors: change((tensor) =>
        tensor.name === "blk.0.ffn_up.weight" ? { ...tensor, values: tensor.values.map(() => 0) } : tensor,
      ),
      modelType: "llama",
    });
    const { unpacked, warnings } = await inspected(empty);
    assert.deepEqual([unpacked.length, warnings.length], [13, 1]);
    const upProjection = tinyTensors(EVEN).find(({ name }) => name === "blk.1.ffn_up.weight")!.values;
    const damage = (tensors: readonly SafetensorToWrite[]): SafetensorToWrite[] =>
      tensors.map((tensor) => {
        if (!tensor.name.endsWith("1.mlp.up_proj.weight")) return tensor;
        const bytes = quantize("BF16", upProjection);
        // Row 100, in BF16.
        new DataView(bytes.buffer).setUint16(100 * 128 * 2, 0x7fc0, true);
        return { ...tensor, data: () => [bytes] };
      });
    const nan = await hfFolder(EVEN, { ...plain, modelType: "llama", safetensors: damage });
    await assert.rejects(logitsOf(nan), { code: "tensor/bad-data", message: /up_proj.*row 100.*not finite/ });
  });
});

describe("scales of rows beside the matrix (X.scales)", () => {
  const SCALES = Float32Array.from({ length: 512 }, (_, row) => 2 ** -((row % 5) + 2));

  /** Weights −1, 0, 1 with `.scales`, and what they mean. */
  const codesOnly = change((tensor) => ({ ...tensor, values: Float32Array.from(tensor.codes!) }));
  const scaled = change((tensor) => {
    const [k, rows] = tensor.shape,
      groups = Math.ceil(k / 64);
    const scales = Float32Array.from({ length: rows * groups }, (_, i) => SCALES[Math.floor(i / groups)]);
    return {
      ...tensor,
      scales,
      values: Float32Array.from(tensor.codes!, (code, i) => code * SCALES[Math.floor(i / k)]),
    };
  });
  const withScales = (tensors: readonly SafetensorToWrite[]): SafetensorToWrite[] =>
    tensors.flatMap((tensor) => {
      if (!/_proj\.weight$/.test(tensor.name)) return [tensor];
      const rows = tensor.shape[1];
      return [
        tensor,
        {
          name: tensor.name.replace(/\.weight$/, ".scales"),
          shape: [rows],
          type: "BF16" as const,
          data: () => [quantize("BF16", SCALES.slice(0, rows))],
        },
      ];
    });

  test("multiply the rows: the logits of floats that have them", async () => {
    for (const shape of [EVEN, ODD]) {
      const beside = await hfFolder(shape, {
          ...plain,
          modelType: "llama",
          tensors: codesOnly,
          safetensors: withScales,
        }),
        within = await hfFolder(shape, { ...plain, modelType: "llama", tensors: scaled });
      assertSameBits(await logitsOf(beside), await logitsOf(within), `${shape.nEmbd}`);
      assert.equal((await inspected(beside)).unpacked.length, 14);
    }
  });

  test("beside other floats they are refused, wherever these are", async () => {
    for (const row of [0, 60]) {
      const off = (tensors: readonly TinyTensor[]): readonly TinyTensor[] =>
        codesOnly(tensors).map((tensor) =>
          tensor.name === "blk.1.attn_v.weight"
            ? { ...tensor, values: tensor.values.map((weight, i) => (i === 128 * row ? 0.25 : weight)) }
            : tensor,
        );
      const folder = await hfFolder(EVEN, { ...plain, modelType: "llama", tensors: off, safetensors: withScales });
      await assert.rejects(
        logitsOf(folder),
        (error) =>
          error instanceof OnebitError &&
          error.code === "tensor/bad-data" &&
          /layers\.1\.self_attn\.v_proj\.weight.*v_proj\.scales/s.test(error.message),
      );
    }
  });

  test("of another length, or without a matrix, they are refused", async () => {
    const short = (tensors: readonly SafetensorToWrite[]): SafetensorToWrite[] =>
      withScales(tensors).map((tensor) =>
        tensor.name.endsWith("1.mlp.up_proj.scales")
          ? { ...tensor, shape: [2], data: () => [quantize("BF16", SCALES.slice(0, 2))] }
          : tensor,
      );
    const cut = await hfFolder(EVEN, { ...plain, modelType: "llama", tensors: codesOnly, safetensors: short });
    await assert.rejects(logitsOf(cut), { code: "model/bad-shape", message: /up_proj\.scales/ });
    const lost = (tensors: readonly SafetensorToWrite[]): SafetensorToWrite[] =>
      withScales(tensors).map((tensor) => ({
        ...tensor,
        name: tensor.name.replace("up_proj.scales", "upp_proj.scales"),
      }));
    const folder = await hfFolder(EVEN, { ...plain, modelType: "llama", tensors: codesOnly, safetensors: lost });
    await assert.rejects(logitsOf(folder), { code: "model/unused-tensor", message: /upp_proj\.scales/ });
  });
});
