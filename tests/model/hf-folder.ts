/** Tiny models as the files of a Hugging Face folder: ternary weights packed, as float masters, or as plain floats. */
import type { JsonObject } from "../../src/files/json.ts";
import { packTernary } from "../../src/files/packed-ternary.ts";
import { quantize } from "../../src/files/quantize.ts";
import { type SafetensorToWrite, writeSafetensors } from "../../src/files/safetensors-writer.ts";
import { type TinyShape, type TinyTensor, tinyTensors } from "./tiny-model.ts";

type FloatType = "F32" | "F16" | "BF16";

export interface HfChoices {
  readonly modelType: string;
  /** How projections are stored. `multiply` and `divide`: packed, with the scale or its inverse. Default "floats". */
  readonly linears?: "floats" | "multiply" | "divide" | "masters";
  /** Of embedding, head, norms and biases. Default "F32". */
  readonly floats?: FloatType;
  /** Of masters, plain projections and the scales of packed ones. Default "F32". */
  readonly weights?: FloatType;
  /** Over the members of config.json; undefined leaves one out. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Changes the tensors before they are renamed. */
  readonly tensors?: (tensors: readonly TinyTensor[]) => readonly TinyTensor[];
  /** Changes what is written. */
  readonly safetensors?: (tensors: readonly SafetensorToWrite[]) => readonly SafetensorToWrite[];
}

/** File name → contents. */
export async function hfFolder(shape: TinyShape, choices: HfChoices): Promise<Record<string, Uint8Array>> {
  const { tensors: change = (tensors) => tensors, safetensors = (tensors) => tensors } = choices;
  const pieces: Uint8Array[] = [];
  const written = change(tinyTensors(shape)).flatMap((tensor) => toWrite(tensor, choices));
  await writeSafetensors({ write: (bytes) => void pieces.push(bytes.slice()) }, safetensors(written));
  return {
    "config.json": new TextEncoder().encode(JSON.stringify(configOf(shape, choices))),
    "model.safetensors": new Uint8Array(Buffer.concat(pieces)),
  };
}

function configOf(shape: TinyShape, { modelType, linears = "floats", config = {} }: HfChoices): JsonObject {
  const quantization = {
    floats: undefined,
    multiply: { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "offline" },
    divide: { quant_method: "bitnet", linear_class: "bitlinear" },
    masters: { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" },
  }[linears];
  const whole = {
    model_type: modelType,
    hidden_size: shape.nEmbd,
    num_hidden_layers: shape.nLayers,
    num_attention_heads: shape.nHeads,
    num_key_value_heads: shape.nKvHeads,
    head_dim: shape.headDim,
    intermediate_size: shape.nFf,
    vocab_size: shape.nVocab,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    ...(modelType === "gemma3_text"
      ? { hidden_activation: "gelu_pytorch_tanh", query_pre_attn_scalar: shape.headDim }
      : { hidden_act: modelType === "bitnet" ? "relu2" : "silu" }),
    tie_word_embeddings: shape.tied ?? false,
    quantization_config: quantization,
    ...config,
  };
  return whole as unknown as JsonObject;
}

const NAMES: Readonly<Record<string, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  attn_sub_norm: "self_attn.attn_sub_norm",
  ffn_sub_norm: "mlp.ffn_sub_norm",
};

/** What a `model_type` calls otherwise. */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gemma3_text: {
    ffn_norm: "pre_feedforward_layernorm",
    post_attention_norm: "post_attention_layernorm",
    post_ffw_norm: "post_feedforward_layernorm",
  },
  hunyuan_v1_dense: { attn_q_norm: "self_attn.query_layernorm", attn_k_norm: "self_attn.key_layernorm" },
};

const ENDS: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

/** The name of a GGUF tensor in a Hugging Face checkpoint. */
function hfName(name: string, modelType: string): string {
  if (Object.hasOwn(ENDS, name)) return ENDS[name];
  const [, layer, role, ending] = /^blk\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const names = { ...NAMES, ...RENAMED[modelType] },
    normed = role?.endsWith("_norm_in") ? `${names[role.slice(0, -"_norm_in".length)]}.rms_norm` : names[role];
  if (normed === undefined) throw new Error(`no Hugging Face name for ${name}`);
  return `model.layers.${layer}.${normed}.${ending}`;
}

function toWrite(
  tensor: TinyTensor,
  { modelType, linears = "floats", floats = "F32", weights = "F32" }: HfChoices,
): SafetensorToWrite[] {
  const name = hfName(tensor.name, modelType),
    [k, rows] = tensor.shape;
  const plain = (type: FloatType, values: Float32Array): SafetensorToWrite[] => [
    { name, shape: tensor.shape, type, data: () => [quantize(type, values)] },
  ];
  // Gemma's files keep what norms are above 1.
  if (modelType === "gemma3_text" && /_norm\.weight$/.test(tensor.name))
    return plain(
      floats,
      tensor.values.map((value) => value - 1),
    );
  if (tensor.kind !== "linear" || tensor.codes === undefined || tensor.scales === undefined)
    return plain(floats, tensor.values);
  const {
    codes,
    scales: [scale],
  } = tensor;
  switch (linears) {
    case "floats":
      return plain(weights, tensor.values);
    case "masters":
      return plain(weights, mastersOf(codes, scale));
    default:
      return [
        { name, shape: [k, rows / 4], type: "U8", data: () => [packTernary(codes, rows, k)] },
        {
          name: `${name}_scale`,
          shape: [1],
          type: weights,
          data: () => [quantize(weights, Float32Array.of(linears === "multiply" ? scale : 1 / scale))],
        },
      ];
  }
}

/** Floats whose mean magnitude is `scale` and which round to `codes`: 1.75 scales for ±1, 0.25 for 0, half of each. */
function mastersOf(codes: Int8Array, scale: number): Float32Array {
  return Float32Array.from(codes, (code, i) => scale * (code === 0 ? (i % 2 === 0 ? 0.25 : -0.25) : 1.75 * code));
}
