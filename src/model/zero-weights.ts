/**
 * Finds weights that are all zero. Some published files have such layers; the model runs, but worse than it could.
 *
 * @module
 */
import type { TensorInfo } from "../files/gguf.ts";
import { readBytes } from "../core/byte-source.ts";
import { type BlockParts, TENSOR_TYPES } from "../files/tensor-types.ts";
import type { ModelWarning } from "./engine-interface.ts";
import { type LinearTensors, type ModelTensors, type VectorTensor, allLinears } from "./weights.ts";

/** Bytes read of a tensor at a time; nearly every tensor shows a weight in its first piece. */
const PIECE_BYTES = 16_384;

/**
 * For those who do not load the weights: reads every projection and norm up to its first nonzero block.
 * @throws OnebitError `file/read`
 */
export async function findZeroWeights(tensors: ModelTensors): Promise<ModelWarning[]> {
  const warnings: ModelWarning[] = [];
  for (const tensor of weightsOf(tensors)) if (await isAllZero(tensor)) warnings.push(warningOf(tensor));
  return warnings;
}

/** Finds them among the bytes that loading reads anyway: reading again would fetch the file twice over a network. */
export class ZeroWatch {
  readonly #tensors: readonly TensorInfo[];
  /** Tensors that showed nothing but zeros so far. */
  readonly #allZero: Set<TensorInfo>;

  constructor(tensors: ModelTensors) {
    this.#tensors = weightsOf(tensors);
    this.#allZero = new Set(this.#tensors);
  }

  /** @param bytes whole blocks of `tensor` */
  see(tensor: TensorInfo, bytes: Uint8Array): void {
    if (this.#allZero.has(tensor) && !hasOnlyZeros(tensor, bytes)) this.#allZero.delete(tensor);
  }

  /** In the model's order. @param hasZeroScale whether a tensor's one scale is zero, and so every weight */
  warnings(hasZeroScale: (tensor: TensorInfo) => boolean): ModelWarning[] {
    return this.#tensors.filter((tensor) => this.#allZero.has(tensor) || hasZeroScale(tensor)).map(warningOf);
  }
}

function warningOf({ name }: TensorInfo): ModelWarning {
  const what = `tensor "${name}": all its weights are zero`;
  return {
    code: "weights/all-zero",
    tensor: name,
    message: `${what}; the file was made so or is damaged, and the model answers as if that part of it were missing`,
  };
}

function weightsOf(tensors: ModelTensors): TensorInfo[] {
  const { tokenEmbd, output, outputNorm, layers } = tensors;
  // A norm that is stored as w − 1 may hold zeros.
  const hasWeights = ({ change }: VectorTensor) => change?.kind !== "add one",
    vectors = [outputNorm, ...layers.flat().flatMap((block) => block.vectors)].filter(hasWeights),
    ofLinear = ({ matrix, normIn }: LinearTensors) => [matrix, normIn];
  const all = [tokenEmbd, output, ...vectors, ...allLinears(tensors).flatMap(ofLinear)];
  return all.filter((part) => part !== undefined).map(({ tensor }) => tensor);
}

/** Stops after the piece with the first nonzero block. */
async function isAllZero(tensor: TensorInfo): Promise<boolean> {
  const { source, position, sizeBytes } = tensor,
    { blockBytes } = TENSOR_TYPES[tensor.type];
  const codeBytes = tensor.type === "I2_S" ? sizeBytes - TENSOR_TYPES.I2_S.tailBytes : sizeBytes;
  if (tensor.type === "I2_S" && isZeroFloat(await readBytes(source, position + codeBytes, 4), 2)) return true;
  const most = Math.floor(PIECE_BYTES / blockBytes) * blockBytes;
  for (let begin = 0; begin < codeBytes; begin += most) {
    if (!hasOnlyZeros(tensor, await readBytes(source, position + begin, Math.min(most, codeBytes - begin))))
      return false;
  }
  return true;
}

function hasOnlyZeros({ type }: TensorInfo, bytes: Uint8Array): boolean {
  const { blockBytes, parts } = TENSOR_TYPES[type];
  for (let at = 0; at < bytes.length; at += blockBytes) if (!isZeroBlock(bytes, at, blockBytes, parts)) return false;
  return true;
}

function isZeroBlock(bytes: Uint8Array, at: number, blockBytes: number, { scales, zeros }: BlockParts): boolean {
  if (scales.length > 0 && scales.every((offset) => isZeroFloat(bytes, at + offset))) return true;
  return (
    zeros.length > 0 &&
    zeros.every(([from, to, byte]) =>
      bytes.subarray(at + from, at + Math.min(to, blockBytes)).every((each) => each === byte),
    )
  );
}

/** The two bytes of a float, or the upper two of an f32, without its sign. */
function isZeroFloat(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && (bytes[at + 1]! & 0x7f) === 0;
}
