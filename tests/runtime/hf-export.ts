/** Writes a ternary BitNet model in GGUF form again as a Hugging Face folder: packed weights, or float masters. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesSource, readBytes } from "../../src/core/byte-source.ts";
import { decodeLowBit, isLowBit } from "../../src/files/decode-low-bit.ts";
import { dequantize } from "../../src/files/dequantize.ts";
import type { TensorInfo } from "../../src/files/gguf.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { packTernary } from "../../src/files/packed-ternary.ts";
import { type SafetensorToWrite, writeSafetensors } from "../../src/files/safetensors-writer.ts";

/**
 * How linears are stored: packed, with a scale that multiplies (`autobitlinear`) or divides (`bitlinear`); or as floats
 * that the model rounds to −1, 0, +1 times their mean magnitude.
 */
export type HfForm = "multiply" | "divide" | "masters";

const HF_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^token_embd/, "model.embed_tokens"],
  [/^output_norm/, "model.norm"],
  [/^blk\.(\d+)\./, "model.layers.$1."],
  [/attn_norm/, "input_layernorm"],
  [/attn_sub_norm/, "self_attn.attn_sub_norm"],
  [/attn_([qkv])\b/, "self_attn.$1_proj"],
  [/attn_output/, "self_attn.o_proj"],
  [/ffn_norm/, "post_attention_layernorm"],
  [/ffn_sub_norm/, "mlp.ffn_sub_norm"],
  [/ffn_(gate|up|down)/, "mlp.$1_proj"],
];

const hfName = (name: string): string => HF_NAMES.reduce((result, [from, to]) => result.replace(from, to), name);

export async function writeHfFolder(folder: string, gguf: Uint8Array, form: HfForm): Promise<void> {
  const file = await openModelFile(bytesSource(gguf));
  if (file.format !== "gguf") throw new Error("wanted a GGUF file");
  const tensors: SafetensorToWrite[] = [];
  for (const tensor of file.tensors.values()) tensors.push(...(await convert(tensor, form)));
  mkdirSync(folder, { recursive: true });
  const pieces: Uint8Array[] = [];
  await writeSafetensors({ write: (bytes) => void pieces.push(bytes.slice()) }, tensors);
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat(pieces));
  const meta = (key: string): unknown => file.metadata.get(`bitnet-b1.58.${key}`);
  const config = {
    model_type: "bitnet",
    architectures: ["BitNetForCausalLM"],
    hidden_act: "relu2",
    hidden_size: meta("embedding_length"),
    intermediate_size: meta("feed_forward_length"),
    num_hidden_layers: meta("block_count"),
    num_attention_heads: meta("attention.head_count"),
    num_key_value_heads: meta("attention.head_count_kv"),
    max_position_embeddings: meta("context_length"),
    rms_norm_eps: meta("attention.layer_norm_rms_epsilon"),
    rope_theta: meta("rope.freq_base"),
    tie_word_embeddings: true,
    vocab_size: file.tensors.get("token_embd.weight")?.shape[1],
    ...(form === "masters"
      ? {}
      : { quantization_config: { quant_method: "bitnet", linear_class: form === "multiply" ? "autobitlinear" : "bitlinear" } }),
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
}

async function convert(tensor: TensorInfo, form: HfForm): Promise<SafetensorToWrite[]> {
  const name = hfName(tensor.name);
  const bytes = await readBytes(tensor.source, tensor.position, tensor.sizeBytes);
  const elements = tensor.shape.reduce((product, n) => product * n, 1);
  const floats = (values: Float32Array): Uint8Array[] => [new Uint8Array(values.buffer.slice(0))];
  if (!isLowBit(tensor.type)) {
    return [{ name, shape: tensor.shape, type: "F32", data: () => floats(dequantize(tensor.type, bytes, elements)) }];
  }
  const { codes, scales } = decodeLowBit(tensor.type, bytes, elements);
  const [k, rows] = tensor.shape;
  if (form === "masters") return [{ name, shape: tensor.shape, type: "F32", data: () => floats(mastersOf(codes, scales[0])) }];
  const scale = Float32Array.of(form === "multiply" ? scales[0] : 1 / scales[0]);
  return [
    { name, shape: [k, rows / 4], type: "U8", data: () => [packTernary(codes, rows, k)] },
    { name: `${name}_scale`, shape: [1], type: "F32", data: () => floats(scale) },
  ];
}

/** Floats whose mean magnitude is `scale` and whose signs are the codes, as far as f32 can hold them. */
function mastersOf(codes: Int8Array, scale: number): Float32Array {
  const nonZero = codes.reduce((count, code) => count + Math.abs(code), 0);
  return Float32Array.from(codes, (code) => (code * scale * codes.length) / nonZero);
}
