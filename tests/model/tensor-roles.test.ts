/**
 * Every role a tensor has in a model × every type a file may give it: it loads and means the same, or it is refused by
 * its name before a byte of it is read. Nothing else.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { SAFETENSORS_TYPES, type SafetensorsTypeName } from "../../src/files/safetensors.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { TENSOR_TYPES, type TensorTypeName, isFloatType } from "../../src/files/tensor-types.ts";
import { load } from "../../src/load.ts";
import { quantize } from "../../src/files/quantize.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { type HfChoices, hfFolder } from "./hf-folder.ts";
import { assertSameBits, logitsOf } from "./logits.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";
import type { TinyShape, TinyTensor } from "./tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 256,
  nVocab: 64,
  biases: true,
};
const BINARY: TinyShape = { ...SHAPE, binary: true };
const SCALE: TinyTensor = { name: "blk.0.attn_q.scale", kind: "vector", shape: [1], values: Float32Array.of(2) };

/** What a role can be made of. */
const ROLES = {
  "token_embd.weight": ["ternary", "binary", "dense"],
  "output.weight": ["ternary", "binary", "dense"],
  "blk.0.ffn_up.weight": ["ternary", "binary", "dense"],
  "blk.0.attn_norm.weight": ["dense"],
  "blk.0.attn_q.bias": ["dense"],
  [SCALE.name]: ["dense"],
} as const;

describe("GGUF: every role × every type", () => {
  for (const [name, layouts] of Object.entries(ROLES)) {
    test(name, async (t) => {
      const outcomes: string[] = [];
      for (const type of Object.values(TENSOR_TYPES)) {
        const isOneNumber = name === SCALE.name;
        if (type.ggmlId === undefined || (isOneNumber && type.blockElements > 1)) continue;
        const bytes = await ggufBytes(BINARY, {
          architecture: "llama",
          tensors: (tensors) => [...tensors, SCALE],
          typeOf: (tensor) => (tensor.name === name ? type.name : undefined),
        });
        const isUsable = (layouts as readonly string[]).includes(type.layout);
        await expect(bytes, isUsable, name, type.name);
        outcomes.push(`${type.name} ${isUsable ? "loads" : "refused"}`);
      }
      t.diagnostic(outcomes.join(", "));
    });
  }
});

/** A tensor of a folder, how the folder keeps its projections, and which types it can have. */
const HF_ROLES: readonly (readonly [
  role: string,
  name: string,
  linears: HfChoices["linears"],
  usable: (type: SafetensorsTypeName) => boolean,
])[] = [
  ["embedding", "model.embed_tokens.weight", "floats", isFloatType],
  ["head", "lm_head.weight", "floats", isFloatType],
  ["embedding beside packed weights", "model.embed_tokens.weight", "multiply", isFloatType],
  ["head beside packed weights", "lm_head.weight", "divide", isFloatType],
  ["norm", "model.layers.0.input_layernorm.weight", "floats", isFloatType],
  ["bias", "model.layers.0.self_attn.q_proj.bias", "floats", isFloatType],
  ["projection", "model.layers.0.mlp.up_proj.weight", "floats", isFloatType],
  ["masters", "model.layers.0.mlp.up_proj.weight", "masters", isFloatType],
  ["scale to multiply by", "model.layers.0.mlp.up_proj.weight_scale", "multiply", isFloatType],
  ["scale to divide by", "model.layers.0.mlp.up_proj.weight_scale", "divide", isFloatType],
  ["packed weights", "model.layers.0.mlp.up_proj.weight", "divide", (type) => type === "U8"],
];

describe("safetensors: every role × every dtype", () => {
  for (const [role, name, linears, usable] of HF_ROLES) {
    test(role, async () => {
      const folder = (type: SafetensorsTypeName) =>
        hfFolder(SHAPE, { modelType: "llama", linears, safetensors: retyped(name, type) });
      const wanted = await logitsOf(await folder(role === "packed weights" ? "U8" : "F32"));
      for (const type of SAFETENSORS_TYPES) {
        await expect(await folder(type), usable(type), name, type);
        if (usable(type)) assertSameBits(await logitsOf(await folder(type)), wanted, `${role} in ${type}`);
      }
    });
  }
});

/** Float types hold the same numbers, others bytes of the right count. */
function retyped(name: string, type: SafetensorsTypeName): HfChoices["safetensors"] {
  return (tensors) =>
    tensors.map((tensor): SafetensorToWrite => {
      if (tensor.name !== name || tensor.type === type) return tensor;
      const elements = tensor.shape.reduce((product, n) => product * n, 1);
      const data = () => [
        tensor.type !== "U8" && isFloatType(type)
          ? quantize(type, floatsOf(tensor))
          : new Uint8Array(elements * TENSOR_TYPES[type].blockBytes).fill(0x3c),
      ];
      return { ...tensor, type, data };
    });
}

function floatsOf(tensor: SafetensorToWrite): Float32Array {
  assert.equal(tensor.type, "F32");
  return new Float32Array(new Uint8Array(Buffer.concat([...(tensor.data() as Iterable<Uint8Array>)])).buffer);
}

async function expect(
  files: Uint8Array | Record<string, Uint8Array>,
  isUsable: boolean,
  name: string,
  type: TensorTypeName,
): Promise<void> {
  if (isUsable)
    return assert.ok((await logitsOf(files)).every(Number.isFinite), `${name} in ${type}: its logits are not finite`);
  const platform = memoryPlatform(files instanceof Uint8Array ? { model: files } : files);
  await assert.rejects(load(files instanceof Uint8Array ? "model" : FOLDER, { platform, threads: 1 }), (error) => {
    assert.ok(
      error instanceof OnebitError,
      `${name} in ${type}: ${error instanceof Error ? error.stack : String(error)}`,
    );
    assert.match(
      error.code,
      /^(tensor\/unsupported-type|model\/bad-shape|model\/unused-tensor)$/,
      `${name} in ${type}: ${error.message}`,
    );
    assert.ok(error.message.includes(name), error.message);
    return true;
  });
  assert.equal(platform.nOpen(), 0);
}
