/**
 * A trained transformer as a Hugging Face folder: config.json, tokenizer files, model.safetensors. `model_type` is
 * `bitnet` with sub-norms, `llama` without.
 *
 * Low-bit linears are written in one of transformers' two ways (`quantization_config`, class `autobitlinear`):
 *
 *     packed    offline   the codes, four to a byte, and `weight_scale`: exactly the trained function
 *     masters   online    f32 weights, rounded at every load: what training goes on from. transformers (and this
 *                         library) then use the scale mean|w| itself, where training rounded it to half precision:
 *                         it differs by up to 1 in 2,048, and weights at the edge of a code may fall on the other side
 *
 * Sources: huggingface/transformers `integrations/bitnet.py`, `models/bitnet`, `models/llama`.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type OptionTable, oneOf } from "../core/options.ts";
import type { ByteSink } from "../files/gguf-writer.ts";
import type { JsonObject } from "../files/json.ts";
import { packTernary } from "../files/packed-ternary.ts";
import { quantize } from "../files/quantize.ts";
import { type SafetensorToWrite, writeSafetensors } from "../files/safetensors-writer.ts";
import type { TransformerShape } from "../nn/shape.ts";
import { type ModelTensor, codesOf, floatsOf, modelTensors, rowPieces } from "./export-tensors.ts";
import type { TrainedModel } from "./trained-model.ts";
import { requireRoom, vocabularyConfigJson, vocabularyJson } from "./vocabulary.ts";

/** Options of {@link Training.safetensors}. */
export interface SafetensorsExportOptions {
  /**
   * Linears of low bits: `packed` are the codes, exactly what was trained; `masters` are the floats behind them, which
   * training can go on from, of ternary models only. Default "packed".
   */
  readonly weights?: "packed" | "masters";
}

export const SAFETENSORS_EXPORT_OPTIONS: OptionTable<SafetensorsExportOptions> = {
  weights: oneOf("packed", "masters"),
};

/** One file of the folder. */
export interface FolderFile {
  readonly name: string;
  /** Writes it and returns its size in bytes. @throws what the sink throws; `model/bad-shape`, `tensor/bad-data` */
  write(sink: ByteSink): Promise<number>;
}

/**
 * The files of the folder, for the caller to write.
 *
 * Floats are F32 master weights. Low-bit models with float activations hold code · scale as F16, exactly. transformers
 * gives attention's sub-norm the model's width, so it reads models with sub-norms only when heads · headDim = dim; this
 * library reads all.
 *
 * @throws OnebitError `model/unsupported-architecture` for a shape that neither computes; `model/bad-shape` when rows
 * of packed matrices do not come in fours; `option/invalid` for masters of a binary model
 */
export function safetensorsFolder(model: TrainedModel, options: SafetensorsExportOptions = {}): readonly FolderFile[] {
  const { shape, vocabulary } = model;
  requireRepresentable(shape);
  requireRoom(vocabulary, shape.vocabSize);
  const storage = storageOf(shape, options);
  const tensors = modelTensors(shape).flatMap((tensor) => toWrite(model, tensor, storage));
  return [
    jsonFile("config.json", configJson(model, storage)),
    jsonFile("generation_config.json", { eos_token_id: vocabulary.eosId }),
    jsonFile("tokenizer.json", vocabularyJson(vocabulary)),
    jsonFile("tokenizer_config.json", { ...vocabularyConfigJson(vocabulary), model_max_length: shape.contextLength }),
    { name: "model.safetensors", write: (sink) => writeSafetensors(sink, tensors, { format: "pt" }) },
  ];
}

/** How linears are stored: as floats, as code · scale in floats, as packed codes, or as masters to round at load. */
type Storage = "floats" | "values" | "packed" | "masters";

function storageOf(
  { weightBits, activationBits }: TransformerShape,
  { weights = "packed" }: SafetensorsExportOptions,
): Storage {
  if (weightBits === 32) return "floats";
  if (weights === "masters" && weightBits === 1)
    fail(
      "option/invalid",
      "weights: wanted packed for a binary model: loading would round its masters to three values",
    );
  // A model declared ternary gets 8-bit activations.
  if (activationBits === 32)
    return weights === "packed"
      ? "values"
      : fail(
          "option/invalid",
          "weights: wanted packed: masters need 8-bit activations, this model has float activations",
        );
  return weights;
}

const REFUSALS: readonly (readonly [(shape: TransformerShape) => boolean, string])[] = [
  [(s) => !s.glu, "its feed-forward has no gate (glu: false); both bitnet and llama have one"],
  [(s) => s.activationBits === 1, "its activations have 1 bit; BitLinear layers round them to 8 bits"],
  [
    (s) => s.activationBits === 8 && s.weightBits === 32,
    "its activations have 8 bits and its weights are floats; BitLinear layers round both or neither",
  ],
];

function requireRepresentable(shape: TransformerShape): void {
  const refusal = REFUSALS.find(([applies]) => applies(shape));
  if (refusal !== undefined)
    fail("model/unsupported-architecture", `a Hugging Face folder cannot hold this model: ${refusal[1]}`);
}

/** Values of `hidden_act`; training's GELU is the tanh form. */
const ACTIVATIONS = { silu: "silu", relu2: "relu2", gelu: "gelu_pytorch_tanh" } as const;

function configJson({ shape, name, vocabulary }: TrainedModel, storage: Storage): JsonObject {
  return {
    architectures: [shape.subNorms ? "BitNetForCausalLM" : "LlamaForCausalLM"],
    model_type: shape.subNorms ? "bitnet" : "llama",
    _name_or_path: name,
    vocab_size: shape.vocabSize,
    hidden_size: shape.dim,
    intermediate_size: shape.ffHidden,
    num_hidden_layers: shape.depth,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    hidden_act: ACTIVATIONS[shape.activation],
    rms_norm_eps: shape.normEps,
    rope_theta: shape.ropeTheta,
    max_position_embeddings: shape.contextLength,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: shape.tied,
    bos_token_id: vocabulary.eosId,
    eos_token_id: vocabulary.eosId,
    torch_dtype: "float32",
    quantization_config: quantizationConfig(shape, storage),
  };
}

const LINEAR_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** A `bitnet` model without a configuration means masters, so one with float linears must except them all. */
function quantizationConfig({ subNorms }: TransformerShape, storage: Storage): JsonObject | undefined {
  const bitnet = { quant_method: "bitnet", linear_class: "autobitlinear" };
  switch (storage) {
    case "packed":
      return { ...bitnet, quantization_mode: "offline" };
    case "masters":
      return { ...bitnet, quantization_mode: "online" };
    default:
      return subNorms
        ? { ...bitnet, quantization_mode: "online", modules_to_not_convert: [...LINEAR_MODULES, "lm_head"] }
        : undefined;
  }
}

function toWrite(model: TrainedModel, tensor: ModelTensor, storage: Storage): SafetensorToWrite[] {
  const { rows, columns, kind } = tensor,
    name = hfName(tensor.name);
  const shape = kind === "vector" ? [columns] : [columns, rows];
  if (kind !== "linear" || storage === "floats" || storage === "masters") {
    const data = function* () {
      for (const piece of rowPieces(floatsOf(model, tensor), tensor)) yield quantize("F32", piece);
    };
    return [{ name, shape, type: "F32", data }];
  }
  if (storage === "values") return [{ name, shape, type: "F16", data: () => valuePieces(model, tensor) }];
  if (rows % 4 !== 0)
    fail(
      "model/bad-shape",
      `tensor "${tensor.name}": it has ${rows} rows, wanted a multiple of 4 to pack four codes to a byte`,
    );
  return [
    {
      name,
      shape: [columns, rows / 4],
      type: "U8",
      data: () => [packTernary(codesOf(model, tensor).codes, rows, columns)],
    },
    {
      name: `${name}_scale`,
      shape: [1],
      type: "F32",
      data: () => [quantize("F32", Float32Array.of(codesOf(model, tensor).scale))],
    },
  ];
}

/** code · scale; half precision holds it exactly because it holds the scale. */
function* valuePieces(model: TrainedModel, tensor: ModelTensor): Iterable<Uint8Array> {
  const { codes, scale } = codesOf(model, tensor);
  for (const piece of rowPieces(codes, tensor))
    yield quantize(
      "F16",
      Float32Array.from(piece, (code) => code * scale),
    );
}

const NAMES: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

const LAYER_NAMES: Readonly<Record<string, string>> = {
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

function hfName(name: string): string {
  if (Object.hasOwn(NAMES, name)) return NAMES[name];
  const [, layer, role] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name)!;
  return `model.layers.${layer}.${LAYER_NAMES[role]}.weight`;
}

function jsonFile(name: string, value: JsonObject): FolderFile {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`);
  return {
    name,
    async write(sink) {
      await sink.write(bytes);
      return bytes.length;
    },
  };
}
