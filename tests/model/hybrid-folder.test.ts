/** Hugging Face folders of `qwen3_5`: other names, norms stored as w − 1, logarithms, value heads side by side. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { writeSafetensors } from "../../src/files/safetensors-writer.ts";
import { quantize } from "../../src/files/quantize.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import { HYBRID, type HybridShape, hybridChoices, hybridTensors } from "./hybrid-model.ts";
import { logitsOf, relativeError } from "./logits.ts";
import type { TinyTensor } from "./tiny-model.ts";

const NAMES: Readonly<Record<string, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  attn_norm: "input_layernorm",
  post_attention_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  attn_qkv: "linear_attn.in_proj_qkv",
  attn_gate: "linear_attn.in_proj_z",
  ssm_alpha: "linear_attn.in_proj_a",
  ssm_beta: "linear_attn.in_proj_b",
  ssm_conv1d: "linear_attn.conv1d",
  ssm_norm: "linear_attn.norm",
  ssm_out: "linear_attn.out_proj",
};
const BARE: Readonly<Record<string, string>> = { "ssm_dt.bias": "linear_attn.dt_bias", ssm_a: "linear_attn.A_log" };
const ENDS: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

function hfName(name: string): string {
  const [, layer, part = ""] = /^blk\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (layer === undefined) return ENDS[name]!;
  return `model.layers.${layer}.${BARE[part] ?? `${NAMES[part.replace(/\.weight$/, "")]}.weight`}`;
}

/** Where each value head of GGUF stands in the other order. */
function inOrder({ nKeyHeads, nValueHeads }: HybridShape): number[] {
  const repeats = nValueHeads / nKeyHeads;
  return Array.from({ length: nValueHeads }, (_, head) => (head % nKeyHeads) * repeats + Math.floor(head / nKeyHeads));
}

/** Moves runs of `size` numbers behind the first `begin` to the places of their heads. */
function moved(values: Float32Array, shape: HybridShape, begin: number, size: number): Float32Array {
  const out = values.slice();
  inOrder(shape).forEach((to, head) =>
    out.set(values.subarray(begin + head * size, begin + (head + 1) * size), begin + to * size),
  );
  return out;
}

function converted(shape: HybridShape, { name, shape: size, values }: TinyTensor): Float32Array {
  const { nEmbd, nKeyHeads, stateSize, nTaps } = shape,
    role = name.replace(/^blk\.\d+\./, ""),
    keys = 2 * nKeyHeads * stateSize;
  if (role === "ssm_norm.weight") return values;
  if (role.includes("norm")) return values.map((value) => value - 1);
  if (role === "ssm_a")
    return moved(
      values.map((value) => Math.log(-value)),
      shape,
      0,
      1,
    );
  if (role === "ssm_dt.bias") return moved(values, shape, 0, 1);
  if (/^ssm_(alpha|beta)/.test(role)) return moved(values, shape, 0, nEmbd);
  if (role.startsWith("attn_gate")) return moved(values, shape, 0, stateSize * nEmbd);
  if (role.startsWith("attn_qkv")) return moved(values, shape, keys * nEmbd, stateSize * nEmbd);
  if (role.startsWith("ssm_conv1d")) return moved(values, shape, keys * nTaps, stateSize * nTaps);
  if (!role.startsWith("ssm_out")) return values;
  const rows = values.slice(),
    k = size[0]!;
  for (let at = 0; at < rows.length; at += k) rows.set(moved(values.slice(at, at + k), shape, 0, stateSize), at);
  return rows;
}

function configOf(shape: HybridShape): Record<string, unknown> {
  return {
    model_type: "qwen3_5_text",
    hidden_size: shape.nEmbd,
    num_hidden_layers: shape.nLayers,
    num_attention_heads: shape.nHeads,
    num_key_value_heads: shape.nKvHeads,
    head_dim: shape.headDim,
    intermediate_size: shape.nFf,
    vocab_size: shape.nVocab,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    hidden_act: "silu",
    attn_output_gate: true,
    attention_bias: false,
    tie_word_embeddings: false,
    layer_types: shape.isRecurrent.map((is) => (is ? "linear_attention" : "full_attention")),
    linear_num_key_heads: shape.nKeyHeads,
    linear_num_value_heads: shape.nValueHeads,
    linear_key_head_dim: shape.stateSize,
    linear_value_head_dim: shape.stateSize,
    linear_conv_kernel_dim: shape.nTaps,
    mtp_num_hidden_layers: 1,
    rope_parameters: {
      rope_type: "default",
      rope_theta: 10_000,
      partial_rotary_factor: shape.ropeDim / shape.headDim,
      mrope_section: [shape.ropeDim / 2 - 2, 1, 1],
    },
  };
}

async function folderOf(
  shape: HybridShape,
  config: Record<string, unknown>,
  change: (tensors: readonly TinyTensor[]) => readonly TinyTensor[] = (tensors) => tensors,
): Promise<Record<string, Uint8Array>> {
  const pieces: Uint8Array[] = [];
  const tensors = change(hybridTensors(shape)).map((tensor) => {
    const values = converted(shape, tensor),
      isConvolution = tensor.name.includes("ssm_conv1d");
    return {
      name: tensor.name.startsWith("mtp.") ? tensor.name : hfName(tensor.name),
      shape: isConvolution ? [tensor.shape[0]!, 1, tensor.shape[1]!] : tensor.shape,
      type: "F32" as const,
      data: () => [quantize("F32", values)],
    };
  });
  await writeSafetensors({ write: (bytes) => void pieces.push(bytes.slice()) }, tensors);
  return {
    "config.json": new TextEncoder().encode(JSON.stringify(config)),
    "model.safetensors": new Uint8Array(Buffer.concat(pieces)),
  };
}

describe("Hugging Face folders of qwen3_5", () => {
  const gguf = ggufBytes(HYBRID, hybridChoices(HYBRID)).then((bytes) => logitsOf(bytes));
  const same = async (files: Record<string, Uint8Array>): Promise<void> => {
    // Heads in another order are added in another order; logarithms round.
    const error = relativeError(await logitsOf(files, { dense: "keep" }), await gguf);
    assert.ok(error <= 1e-5, `relative error ${error}`);
  };

  test("the same model as its GGUF", async () => same(await folderOf(HYBRID, configOf(HYBRID))));

  test("as the text part of a model that sees, and with layers that guess ahead", async () => {
    const { tie_word_embeddings: tie, ...text } = configOf(HYBRID);
    const config = { model_type: "qwen3_5", tie_word_embeddings: tie, text_config: text };
    const ahead = (tensors: readonly TinyTensor[]) => [...tensors, { ...tensors[0]!, name: "mtp.fc.weight" }];
    await same(await folderOf(HYBRID, config, ahead));
  });

  test("layers by an interval", async () => {
    const shape = { ...HYBRID, isRecurrent: [true, false, true, false] },
      { layer_types: _, ...config } = configOf(shape);
    const files = await folderOf(shape, { ...config, full_attention_interval: 2 });
    const wanted = await logitsOf(await ggufBytes(shape, hybridChoices(shape)));
    assert.ok(relativeError(await logitsOf(files, { dense: "keep" }), wanted) <= 1e-5);
  });

  test("refused: another graph in the text part", async () => {
    const text = { ...configOf(HYBRID), logit_scale: 2 },
      files = await folderOf(HYBRID, { model_type: "qwen3_5", text_config: text });
    await assert.rejects(logitsOf(files), /text_config\.logit_scale/);
  });

  const refused: Readonly<Record<string, readonly [Record<string, unknown>, RegExp]>> = {
    "no gates": [{ attn_output_gate: false }, /attn_output_gate/],
    "other layers": [{ layer_types: ["full_attention", "sliding_attention"] }, /layer_types/],
    "widths that differ": [{ linear_value_head_dim: 32 }, /linear_value_head_dim/],
    "no taps": [{ linear_conv_kernel_dim: undefined }, /linear_conv_kernel_dim/],
    "no key heads": [{ linear_num_key_heads: undefined }, /linear_num_key_heads/],
    "an interval of nothing": [{ layer_types: undefined, full_attention_interval: 0 }, /full_attention_interval/],
    "sections of an image": [{ rope_parameters: { mrope_section: [9, 1, 1] } }, /mrope_section/],
    "layers without end": [{ num_hidden_layers: 1e9 }, /num_hidden_layers/],
  };
  for (const [name, [change, pattern]] of Object.entries(refused))
    test(`refused: ${name}`, async () => {
      const files = await folderOf(HYBRID, { ...configOf(HYBRID), ...change });
      await assert.rejects(logitsOf(files), (error: Error) => pattern.test(error.message));
    });
});
