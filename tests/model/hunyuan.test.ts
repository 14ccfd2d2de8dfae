/**
 * Hunyuan dense and STQ1_0 besides what `tests/conformance` compares with the exact pass: other files of the same
 * weights, all that a file says matters, and what is refused.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refused, refusedFolder, without } from "../hostile/refused-model.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { hfFolder } from "./hf-folder.ts";
import { VARIANTS, assertSameBits, logitsOf } from "./logits.ts";
import { assertEachMatters, tensorPerturbations } from "./perturbations.ts";
import type { TinyShape } from "./tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: 70,
  tied: true,
  qkNorm: true,
  threeOfFour: true,
};
const HUNYUAN: GgufChoices = { architecture: "hunyuan-dense" };
/** What Tencent's folders have. */
const DYNAMIC = { type: "dynamic", alpha: 1000, factor: 1, mscale: 1, mscale_all_dim: 1, beta_fast: 32, beta_slow: 1 };

describe("the same weights, bit for bit", () => {
  for (const variant of VARIANTS) {
    for (const ternaryKernel of ["dot", "tables"] as const) {
      for (const scales of ["one", "blocks"] as const) {
        test(`STQ1_0 as TQ2_0, scales: ${scales}, ${variant}, ${ternaryKernel}`, async () => {
          const shape = { ...SHAPE, scales };
          for (const architecture of ["hunyuan-dense", "bitnet"]) {
            const of = async (body: "STQ1_0" | "TQ2_0") =>
              await logitsOf(
                await ggufBytes(
                  { ...shape, subNorms: architecture === "bitnet", qkNorm: architecture !== "bitnet" },
                  {
                    architecture,
                    body,
                  },
                ),
                { variant, ternaryKernel },
              );
            assertSameBits(await of("STQ1_0"), await of("TQ2_0"), architecture);
          }
        });
      }
    }
  }

  test("STQ1_0 under its old id", async () => {
    const bytes = await ggufBytes(SHAPE, { ...HUNYUAN, body: "STQ1_0" }),
      old = bytes.slice(),
      view = new DataView(old.buffer);
    // A row of the table ends with the type and the offset; only linears have rows of 256 or 512 by so many.
    let n = 0;
    for (let at = 0; at < 20_000; at++) {
      if (view.getUint32(at, true) !== 43 || view.getUint32(at + 8, true) !== 0) continue;
      view.setUint32(at, 42, true);
      n++;
    }
    assert.equal(n, 2 * 7);
    assertSameBits(await logitsOf(old), await logitsOf(bytes), "id 42");
  });

  test("a base that is raised, as a key, as a number, and in a folder", async () => {
    const raised = Math.fround(10_000 * 1000 ** (64 / 62)),
      key = await ggufBytes(SHAPE, { ...HUNYUAN, keys: { "rope.scaling.alpha": value("float32", 1000) } }),
      wanted = await logitsOf(key);
    const number = await ggufBytes(SHAPE, { ...HUNYUAN, keys: { "rope.freq_base": value("float32", raised) } });
    assertSameBits(await logitsOf(number), wanted, "as a number");
    const config = { rope_scaling: DYNAMIC, use_qk_norm: true },
      folder = await hfFolder(SHAPE, { modelType: "hunyuan_v1_dense", config });
    assertSameBits(await logitsOf(folder, { dense: "keep" }), wanted, "in a folder");
  });
});

test("all that a file says matters", async () => {
  await assertEachMatters(SHAPE, HUNYUAN, {
    ...tensorPerturbations(SHAPE),
    "the norm before rotation": { architecture: "qwen3" },
    "rotation of neighbours": {
      architecture: "llama",
      tensors: (tensors) => tensors.filter(({ name }) => !/[qk]_norm/.test(name)),
    },
    "rope.freq_base": { keys: { "rope.freq_base": value("float32", 20_000) } },
    "rope.scaling.alpha": { keys: { "rope.scaling.alpha": value("float32", 1000) } },
    "rope.dimension_count": { keys: { "rope.dimension_count": value("uint32", 32) } },
    "attention.layer_norm_rms_epsilon": { keys: { "attention.layer_norm_rms_epsilon": value("float32", 0.1) } },
    hidden_activation: { keys: { hidden_activation: value("string", "gelu") } },
  });
});

describe("refused by name", () => {
  test("a norm of heads that is missing, in a file and in a folder", async () => {
    for (const name of ["blk.1.attn_q_norm.weight", "blk.0.attn_k_norm.weight"])
      await refused({ ...HUNYUAN, tensors: without(name) }, "model/missing-tensor", new RegExp(name), name, {
        qkNorm: true,
        subNorms: false,
      });
    // The names of other families do not stand in for Hunyuan's.
    await refusedFolder(
      { modelType: "hunyuan_v1_dense", tensors: (tensors) => tensors.filter(({ name }) => !/sub_norm/.test(name)) },
      "model/missing-tensor",
      /self_attn\.query_layernorm/,
    );
  });

  test("an alpha that is no base's, or another model's", async () => {
    const alpha = (of: number) => ({ "rope.scaling.alpha": value("float32", of) });
    const shape = { qkNorm: true, subNorms: false };
    await refused({ architecture: "qwen3", keys: alpha(2) }, "model/bad-config", /rope\.scaling\.alpha/, "", shape);
    await refused({ ...HUNYUAN, keys: alpha(NaN) }, "gguf/bad-value", /rope\.scaling\.alpha/, "NaN", shape);
    for (const wrong of [Infinity, -1000])
      await refused({ ...HUNYUAN, keys: alpha(wrong) }, "model/bad-config", /positive alpha/, `${wrong}`, shape);
    await refused({ ...HUNYUAN, keys: alpha(1e38) }, "model/bad-config", /not finite/, "1e38", shape);
    for (const [change, message] of [
      [{ alpha: undefined }, /rope_scaling\.alpha: wanted a number/],
      [{ alpha: 0 }, /positive alpha/],
      [{ alpha: -3 }, /positive alpha/],
      [{ alpha: "a" }, /rope_scaling\.alpha: wanted a number/],
      [{ factor: 4 }, /rope_scaling\.factor: wanted 1/],
    ] as const) {
      await refusedFolder(
        { modelType: "hunyuan_v1_dense", config: { rope_scaling: { ...DYNAMIC, ...change } } },
        "model/bad-config",
        message,
      );
    }
    await refusedFolder(
      { modelType: "qwen3", config: { rope_scaling: DYNAMIC } },
      "model/bad-config",
      /rope_scaling\.type: wanted default, linear/,
    );
    await refusedFolder(
      { modelType: "hunyuan_v1_dense", config: { use_qk_norm: false } },
      "model/bad-config",
      /use_qk_norm: wanted true/,
    );
  });

  test("a scale of STQ1_0 that is not finite", async () => {
    await refused(
      {
        ...HUNYUAN,
        body: "STQ1_0",
        damage: (name, bytes) => void (name === "blk.1.ffn_down.weight" && (bytes[5 * 84 + 41] = 0x7c)),
      },
      "tensor/bad-data",
      /"blk\.1\.ffn_down\.weight": row 5 has a scale that is not finite/,
      "",
      { qkNorm: true, subNorms: false, threeOfFour: true },
    );
  });
});
