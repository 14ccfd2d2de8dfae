/**
 * The same ternary weights give the same logits, to the last bit, whatever type of tensor and of file holds them:
 * every ternary type of GGUF, and Hugging Face's packed form with both directions of its scale.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import { shapes } from "../synthetic/shapes.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import { decodeLowBit } from "../../src/files/decode-low-bit.ts";
import type { GgufTensorToWrite } from "../../src/files/gguf-writer.ts";
import { packTernary } from "../../src/files/packed-ternary.ts";
import { writeSafetensors } from "../../src/files/safetensors-writer.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { onebitLogits, spreadIds } from "./compare.ts";

const IDS = spreadIds(12, 1024);

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "same-weights-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("one scale a tensor (bitnet-b1.58)", () => {
  const shape: Shape = { ...shapes["bitnet-b1.58-512"], headType: "BF16", nLayers: 2 };
  let wanted = "";
  test("TQ2_0", async () => void (wanted = await hashOf(shape)));
  for (const bodyType of ["TQ1_0", "Q2_0", "Q2_0_G128", "PQ2_0", "PTQ1_0", "I2_S"] as const) {
    test(bodyType, async () => assert.equal(await hashOf({ ...shape, bodyType }), wanted));
  }
  test("Hugging Face, the scale multiplies", async () => {
    const path = join(folder, "autobitlinear");
    await writeHuggingFace(path, shape, "autobitlinear");
    assert.equal(await hashLogits(path), wanted);
  });
  test("Hugging Face, the scale divides: I2_S holds its inverse", async () => {
    const path = join(folder, "bitlinear");
    await writeHuggingFace(path, shape, "bitlinear");
    const { metadata, tensors } = syntheticModel({ ...shape, bodyType: "I2_S" }, 1);
    await writeModelFile(join(folder, "model.gguf"), { metadata, tensors: tensors.map(invertTwice) });
    assert.equal(await hashLogits(path), await hashLogits(join(folder, "model.gguf")));
  });
  test("other weights give other logits", async () => assert.notEqual(await hashOf(shape, 2), wanted));
});

describe("a scale for every 256 weights (qwen3)", () => {
  const shape: Shape = { ...shapes["qwen3-512"], nLayers: 2 };
  let wanted = "";
  test("TQ2_0", async () => void (wanted = await hashOf(shape)));
  for (const bodyType of ["TQ1_0", "Q2_0", "Q2_0_G128", "PQ2_0", "PTQ1_0"] as const) {
    test(bodyType, async () => assert.equal(await hashOf({ ...shape, bodyType }), wanted));
  }
});

async function hashOf(shape: Shape, seed = 1): Promise<string> {
  const path = join(folder, "model.gguf");
  await writeModelFile(path, syntheticModel(shape, seed));
  return hashLogits(path);
}

async function hashLogits(path: string): Promise<string> {
  const hash = createHash("sha256");
  for (const row of await onebitLogits(path, IDS, { threads: 1 }))
    hash.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  return hash.digest("hex");
}

const HF_NAMES: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_sub_norm: "self_attn.attn_sub_norm",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_sub_norm: "mlp.ffn_sub_norm",
  ffn_down: "mlp.down_proj",
};

async function writeHuggingFace(path: string, shape: Shape, linearClass: "autobitlinear" | "bitlinear"): Promise<void> {
  mkdirSync(path);
  const config = {
    model_type: "bitnet",
    hidden_act: "relu2",
    hidden_size: shape.nEmbd,
    num_hidden_layers: shape.nLayers,
    num_attention_heads: shape.nHeads,
    num_key_value_heads: shape.nKvHeads,
    head_dim: shape.headDim,
    intermediate_size: shape.nFf,
    vocab_size: shape.nVocab,
    rms_norm_eps: shape.normEps,
    rope_theta: shape.ropeTheta,
    max_position_embeddings: shape.contextLength,
    tie_word_embeddings: true,
    quantization_config: { quant_method: "bitnet", linear_class: linearClass, quantization_mode: "offline" },
  };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  const tensors = syntheticModel(shape, 1).tensors.flatMap((tensor) => toHuggingFace(tensor, linearClass));
  const file = openSync(join(path, "model.safetensors"), "w");
  await writeSafetensors({ write: (bytes) => void writeSync(file, bytes) }, tensors);
  closeSync(file);
}

function toHuggingFace(tensor: GgufTensorToWrite, linearClass: "autobitlinear" | "bitlinear"): SafetensorToWrite[] {
  const { name, type, shape, data } = tensor;
  if (type === "F32" || type === "BF16") return [{ name: hfName(name), type, shape, data }];
  const [k, rows] = shape;
  assert.equal(type, "TQ2_0");
  const { codes, scales } = decodeLowBit("TQ2_0", Buffer.concat([...(data() as Iterable<Uint8Array>)]), k * rows);
  const scale = linearClass === "bitlinear" ? Math.fround(1 / scales[0]) : scales[0];
  return [
    { name: hfName(name), type: "U8", shape: [k, rows / 4], data: () => [packTernary(codes, rows, k)] },
    {
      name: `${hfName(name)}_scale`,
      type: "F32",
      shape: [1],
      data: () => [new Uint8Array(Float32Array.of(scale).buffer)],
    },
  ];
}

/** An I2_S tensor with the scale s that dividing by f32(1 / s) amounts to. */
function invertTwice(tensor: GgufTensorToWrite): GgufTensorToWrite {
  if (tensor.type !== "I2_S") return tensor;
  const bytes = Buffer.concat([...(tensor.data() as Iterable<Uint8Array>)]);
  const at = bytes.length - 32;
  bytes.writeFloatLE(Math.fround(1 / Math.fround(1 / bytes.readFloatLE(at))), at);
  return { ...tensor, data: () => [bytes] };
}

function hfName(name: string): string {
  const [, layer, role] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  return role === undefined ? HF_NAMES[name] : `model.layers.${layer}.${HF_NAMES[role]}.weight`;
}
