/** Tiny models as the bytes of a GGUF file, with any types, and with the mistakes a test asks for. */
import { encodeLowBit } from "../../src/files/encode-low-bit.ts";
import { type GgufEntry, type GgufTensorToWrite, writeGguf } from "../../src/files/gguf-writer.ts";
import { quantize } from "../../src/files/quantize.ts";
import { TENSOR_TYPES, type TensorTypeName, tensorBytes } from "../../src/files/tensor-types.ts";
import { encodeStq } from "./stq.ts";
import { SCALE_GROUP, type TinyShape, type TinyTensor, tinyTensors } from "./tiny-model.ts";

export interface GgufChoices {
  readonly architecture: string;
  /** Of the projections. Default "F32". */
  readonly body?: TensorTypeName;
  /** Of the embedding and the head. Default "F32". */
  readonly tables?: TensorTypeName;
  /** Of norms and biases. Default "F32". */
  readonly vectors?: TensorTypeName;
  /**
   * Entries by key after the architecture's prefix, or whole ("general.…", "tokenizer.…", "prism.…"); undefined leaves
   * one out.
   */
  readonly keys?: Readonly<Record<string, GgufEntry | undefined>>;
  /** Changes the list of tensors: more, fewer, other shapes. */
  readonly tensors?: (tensors: readonly TinyTensor[]) => readonly TinyTensor[];
  /** The type of one tensor, where it is not what the kinds above say. */
  readonly typeOf?: (tensor: TinyTensor) => TensorTypeName | undefined;
  /** Changes the encoded bytes of one tensor in place. */
  readonly damage?: (name: string, bytes: Uint8Array) => void;
}

export async function ggufBytes(shape: TinyShape, choices: GgufChoices): Promise<Uint8Array> {
  const { tensors: change = (tensors) => tensors } = choices;
  const tensors = change(tinyTensors(shape)).map((tensor) => toWrite(tensor, choices));
  const pieces: Uint8Array[] = [];
  await writeGguf(
    { write: (bytes) => void pieces.push(bytes.slice()) },
    { metadata: metadataOf(shape, choices), tensors },
  );
  return new Uint8Array(Buffer.concat(pieces));
}

function metadataOf(shape: TinyShape, { architecture, keys = {} }: GgufChoices): GgufEntry[] {
  const own: readonly GgufEntry[] = [
    ["block_count", "uint32", shape.nLayers],
    ["context_length", "uint32", 128],
    ["embedding_length", "uint32", shape.nEmbd],
    ["feed_forward_length", "uint32", shape.nFf],
    ["attention.head_count", "uint32", shape.nHeads],
    ["attention.head_count_kv", "uint32", shape.nKvHeads],
    ["attention.key_length", "uint32", shape.headDim],
    ["attention.value_length", "uint32", shape.headDim],
    ["attention.layer_norm_rms_epsilon", "float32", 1e-5],
    ["rope.freq_base", "float32", 10_000],
  ];
  const entries = new Map<string, GgufEntry>([
    ["general.architecture", ["general.architecture", "string", architecture]],
  ]);
  for (const [suffix, type, value] of own)
    entries.set(`${architecture}.${suffix}`, [`${architecture}.${suffix}`, type, value]);
  for (const [name, entry] of Object.entries(keys)) {
    const key = /^(?:general|tokenizer|prism)\./.test(name) ? name : `${architecture}.${name}`;
    if (entry === undefined) entries.delete(key);
    else entries.set(key, [key, entry[1], entry[2]]);
  }
  return [...entries.values()];
}

/** An entry for {@link GgufChoices.keys}, which has the key already. */
export function value(type: GgufEntry[1], of: GgufEntry[2]): GgufEntry {
  return ["", type, of];
}

function toWrite(tensor: TinyTensor, choices: GgufChoices): GgufTensorToWrite {
  const { body = "F32", tables = "F32", vectors = "F32" } = choices;
  const type = choices.typeOf?.(tensor) ?? { linear: body, table: tables, vector: vectors }[tensor.kind];
  const data = function* () {
    const bytes = encode(tensor, type);
    choices.damage?.(tensor.name, bytes);
    yield bytes;
  };
  return { name: tensor.name, shape: tensor.shape, type, data };
}

/** Ternary and binary weights from their codes, so that nothing is rounded; the rest from floats. */
function encode({ values, codes, scales }: TinyTensor, type: TensorTypeName): Uint8Array {
  const { layout, blockElements } = TENSOR_TYPES[type];
  if (layout === "listed") return new Uint8Array(tensorBytes(TENSOR_TYPES[type], values.length) ?? 0);
  if (type === "STQ1_0") return encodeStq(values);
  const isLowBit = layout === "ternary" || layout === "binary";
  if (!isLowBit || codes === undefined || scales === undefined) return quantize(type, values);
  const repeat = SCALE_GROUP / blockElements;
  const each =
    scales.length === 1
      ? scales[0]
      : Float32Array.from({ length: scales.length * repeat }, (_, i) => scales[Math.floor(i / repeat)]);
  return encodeLowBit(type as Parameters<typeof encodeLowBit>[0], codes, each);
}
