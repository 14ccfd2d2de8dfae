/**
 * A synthetic model: metadata and tensors of a shape, as a GGUF file holds them.
 *
 * Scales are chosen so that the numbers behave as in a trained network: every projection maps inputs of RMS 1 to
 * outputs of RMS about 1, norms are N(1, 0.1), and logits have a standard deviation of 2.5, so that the softmax over
 * the vocabulary is neither flat nor one-hot.
 */
import { syntheticVocabulary } from "./vocabulary.ts";
import { tensorBytes } from "./weights.ts";
import type { HybridSizes, Shape } from "./shapes.ts";
import type { TensorSpec } from "./weights.ts";
import type { GgufEntry, GgufTensorToWrite } from "../../src/files/gguf-writer.ts";

export interface SyntheticModel {
  readonly metadata: GgufEntry[];
  readonly tensors: GgufTensorToWrite[];
}

/** Same shape and seed: same bytes. Same shape, seed and scales, other ternary `bodyType`: same weights. */
export function syntheticModel(shape: Shape, seed: number): SyntheticModel {
  const specs = [...globalTensors(shape), ...layerTensors(shape)];
  const tensors = specs.map((spec) => ({
    name: spec.name,
    type: spec.type,
    shape: spec.shape,
    data: () => tensorBytes(spec, seed),
  }));
  return { metadata: [...modelMetadata(shape), ...vocabularyMetadata(shape, seed)], tensors };
}

/** Of the logits; embeddings of a tied model and head rows are drawn for it. */
const LOGIT_STD = 2.5;

/** MiniCPM's published factors (0.5B): embeddings times 12, branches times 1.4/√24, logits over 4. */
const MINICPM = { embeddingScale: 12, residualScale: 0.2858, logitScale: 4 };

function modelMetadata(shape: Shape): GgufEntry[] {
  const a = shape.architecture;
  const metadata: GgufEntry[] = [
    ["general.architecture", "string", a],
    ["general.name", "string", "synthetic"],
    [`${a}.block_count`, "uint32", shape.nLayers],
    [`${a}.context_length`, "uint32", shape.contextLength],
    [`${a}.embedding_length`, "uint32", shape.nEmbd],
    [`${a}.feed_forward_length`, "uint32", shape.nFf],
    [`${a}.attention.head_count`, "uint32", shape.nHeads],
    [`${a}.attention.head_count_kv`, "uint32", shape.nKvHeads],
    [`${a}.attention.key_length`, "uint32", shape.headDim],
    [`${a}.attention.value_length`, "uint32", shape.headDim],
    [`${a}.attention.layer_norm_rms_epsilon`, "float32", shape.normEps],
    [`${a}.rope.dimension_count`, "uint32", shape.hybrid?.ropeDim ?? shape.headDim],
    [`${a}.rope.freq_base`, "float32", shape.ropeTheta],
    [`${a}.vocab_size`, "uint32", shape.nVocab],
  ];
  if (isBitnet(shape)) metadata.push([`${a}.hidden_activation`, "string", shape.activation ?? "relu2"]);
  if (a === "minicpm") {
    metadata.push(["minicpm.embedding_scale", "float32", MINICPM.embeddingScale]);
    metadata.push(["minicpm.residual_scale", "float32", MINICPM.residualScale]);
    metadata.push(["minicpm.logit_scale", "float32", MINICPM.logitScale]);
  }
  if (shape.window !== undefined) metadata.push([`${a}.attention.sliding_window`, "uint32", shape.window]);
  if (shape.hybrid) metadata.push(...hybridMetadata(a, shape.hybrid));
  if (shape.yarn) {
    metadata.push([`${a}.rope.scaling.type`, "string", "yarn"]);
    metadata.push([`${a}.rope.scaling.factor`, "float32", shape.yarn.factor]);
    metadata.push([`${a}.rope.scaling.original_context_length`, "uint32", shape.yarn.originalContextLength]);
  }
  return metadata;
}

function hybridMetadata(a: string, sizes: HybridSizes): GgufEntry[] {
  const half = sizes.ropeDim / 2,
    third = Math.floor(half / 3);
  return [
    [`${a}.rope.dimension_sections`, "int32[]", [half - 2 * third, third, third, 0]],
    [`${a}.full_attention_interval`, "uint32", 4],
    [`${a}.ssm.conv_kernel`, "uint32", sizes.nTaps],
    [`${a}.ssm.state_size`, "uint32", sizes.stateSize],
    [`${a}.ssm.group_count`, "uint32", sizes.nKeyHeads],
    [`${a}.ssm.time_step_rank`, "uint32", sizes.nValueHeads],
    [`${a}.ssm.inner_size`, "uint32", sizes.nValueHeads * sizes.stateSize],
  ];
}

function vocabularyMetadata(shape: Shape, seed: number): GgufEntry[] {
  const pre = shape.architecture.startsWith("qwen") ? "qwen2" : "llama-bpe";
  const vocabulary = syntheticVocabulary(shape.nVocab, pre, seed);
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", pre],
    ["tokenizer.ggml.tokens", "string[]", vocabulary.tokens],
    ["tokenizer.ggml.token_type", "int32[]", vocabulary.types],
    ["tokenizer.ggml.merges", "string[]", vocabulary.merges],
    ["tokenizer.ggml.bos_token_id", "uint32", vocabulary.bosId],
    ["tokenizer.ggml.eos_token_id", "uint32", vocabulary.eosId],
    ["tokenizer.ggml.eot_token_id", "uint32", vocabulary.eotId],
    ["tokenizer.ggml.add_bos_token", "bool", pre === "llama-bpe"],
    ["tokenizer.chat_template", "string", pre === "llama-bpe" ? BITNET_TEMPLATE : CHATML_TEMPLATE],
  ];
}

const BITNET_TEMPLATE =
  "{{ bos_token }}{% for m in messages %}{{ m.role | capitalize }}: {{ m.content | trim }}<|eot_id|>{% endfor %}" +
  "{% if add_generation_prompt %}Assistant: {% endif %}";
const CHATML_TEMPLATE =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

function globalTensors(shape: Shape): TensorSpec[] {
  const { nEmbd, nVocab, headType } = shape;
  const headStd = (LOGIT_STD * (shape.architecture === "minicpm" ? MINICPM.logitScale : 1)) / Math.sqrt(nEmbd);
  const table = (name: string, std: number): TensorSpec => ({
    name,
    type: headType,
    shape: [nEmbd, nVocab],
    mean: 0,
    std,
    scalePerTensor: false,
  });
  if (!shape.tied)
    return [table("token_embd.weight", 1), norm("output_norm.weight", nEmbd), table("output.weight", headStd)];
  // Gemma multiplies its embeddings by the root of the width.
  const root = shape.architecture === "gemma3" ? Math.sqrt(nEmbd) : 1;
  if (shape.branchShare === undefined && root === 1)
    return [table("token_embd.weight", headStd), norm("output_norm.weight", nEmbd)];
  // The stream stays near the token's own embedding, which is also a row of the head: random signs between the two
  // keep the model from only ever repeating its input.
  const outputNorm = norm("output_norm.weight", nEmbd);
  return [
    table("token_embd.weight", 1 / root),
    { ...outputNorm, mean: headStd * root, std: (headStd * root) / 10, randomSigns: true },
  ];
}

function layerTensors(shape: Shape): TensorSpec[] {
  const tensors: TensorSpec[] = [];
  for (let layer = 0; layer < shape.nLayers; layer++) {
    const prefix = `blk.${layer}.`;
    for (const spec of oneLayer(shape, layer)) tensors.push({ ...spec, name: prefix + spec.name });
  }
  return tensors;
}

function oneLayer(shape: Shape, layer: number): TensorSpec[] {
  const { nEmbd, nFf, headDim } = shape;
  const qDim = shape.nHeads * headDim;
  const kvDim = shape.nKvHeads * headDim;
  const linear = (name: string, k: number, rows: number, gain = 1): TensorSpec => ({
    name: `${name}.weight`,
    type: shape.bodyType,
    shape: [k, rows],
    mean: 0,
    std: gain / Math.sqrt(k),
    scalePerTensor: shape.scalePerTensor,
  });
  const bias = (name: string, rows: number): TensorSpec => ({
    name: `${name}.bias`,
    type: "F32",
    shape: [rows],
    mean: 0,
    std: 0.2,
    scalePerTensor: false,
  });
  const subNorms = isBitnet(shape),
    postNorms = shape.architecture === "gemma3";
  // silu(g)·u of two N(0, 1) has RMS 0.6; with a sub-norm the input of ffn_down has RMS 1 whatever the activation.
  const downGain = subNorms ? 1 : 1 / 0.6;
  // Two branches a layer add up as independent vectors do.
  const branchGain = shape.branchShare === undefined ? 1 : shape.branchShare / Math.sqrt(2 * shape.nLayers);
  const { hybrid } = shape;
  const feedForward = (normName: string): TensorSpec[] => [
    norm(normName, nEmbd),
    linear("ffn_gate", nEmbd, nFf),
    linear("ffn_up", nEmbd, nFf),
    ...(subNorms ? [norm("ffn_sub_norm.weight", nFf)] : []),
    linear("ffn_down", nFf, nEmbd, downGain * branchGain),
    ...(postNorms ? [norm("post_ffw_norm.weight", nEmbd)] : []),
  ];
  if (hybrid !== undefined && (layer + 1) % 4 !== 0)
    return [...deltaNet(shape, hybrid, linear, branchGain), ...feedForward("post_attention_norm.weight")];
  const isGated = hybrid !== undefined;
  return [
    norm("attn_norm.weight", nEmbd),
    linear("attn_q", nEmbd, isGated ? 2 * qDim : qDim),
    linear("attn_k", nEmbd, kvDim),
    linear("attn_v", nEmbd, kvDim),
    ...(shape.architecture === "qwen2" ? [bias("attn_q", qDim), bias("attn_k", kvDim), bias("attn_v", kvDim)] : []),
    ...(["gemma3", "hunyuan-dense", "qwen3"].includes(shape.architecture) || isGated
      ? [norm("attn_q_norm.weight", headDim), norm("attn_k_norm.weight", headDim)]
      : []),
    ...(subNorms ? [norm("attn_sub_norm.weight", qDim)] : []),
    linear("attn_output", qDim, nEmbd, branchGain),
    ...(postNorms ? [norm("post_attention_norm.weight", nEmbd)] : []),
    ...feedForward(isGated ? "post_attention_norm.weight" : "ffn_norm.weight"),
  ];
}

/** Gates near a half, matrices that forget a fifth a token: nothing saturates. */
function deltaNet(
  { nEmbd }: Shape,
  { nKeyHeads, nValueHeads, stateSize, nTaps }: HybridSizes,
  linear: (name: string, k: number, rows: number, gain?: number) => TensorSpec,
  branchGain: number,
): TensorSpec[] {
  const values = nValueHeads * stateSize,
    channels = 2 * nKeyHeads * stateSize + values;
  const floats = (name: string, size: readonly number[], mean: number, std: number): TensorSpec => ({
    name,
    type: "F32",
    shape: size,
    mean,
    std,
    scalePerTensor: false,
  });
  return [
    norm("attn_norm.weight", nEmbd),
    linear("attn_qkv", nEmbd, channels),
    linear("attn_gate", nEmbd, values),
    floats("ssm_alpha.weight", [nEmbd, nValueHeads], 0, 1 / Math.sqrt(nEmbd)),
    floats("ssm_beta.weight", [nEmbd, nValueHeads], 0, 1 / Math.sqrt(nEmbd)),
    floats("ssm_conv1d.weight", [nTaps, channels], 0, 0.5),
    floats("ssm_dt.bias", [nValueHeads], -1, 0.5),
    floats("ssm_a", [nValueHeads], -0.6, 0.1),
    norm("ssm_norm.weight", stateSize),
    linear("ssm_out", values, nEmbd, 2 * branchGain),
  ];
}

function norm(name: string, dim: number): TensorSpec {
  return { name, type: "F32", shape: [dim], mean: 1, std: 0.1, scalePerTensor: false };
}

function isBitnet(shape: Shape): boolean {
  return shape.architecture.startsWith("bitnet");
}
