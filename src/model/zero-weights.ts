/**
 * Weights that are all zero: some published files have such layers, and a model with one runs, but says less than it could.
 *
 * @module
 */
import type { TensorInfo } from "../files/gguf.ts";
import { readBytes } from "../core/byte-source.ts";
import { dequantize } from "../files/dequantize.ts";
import { TENSOR_TYPES, type TensorTypeName } from "../files/tensor-types.ts";
import { type LinearTensors, type ModelTensors, allLinears } from "./weights.ts";

/** Something about a model that its user should know. */
export interface ModelWarning {
  readonly code: "weights/all-zero";
  /** The tensor it is about, by its name in the file. */
  readonly tensor: string;
  readonly message: string;
}

/** Read of a tensor at a time; nearly every tensor shows a weight in its first piece. */
const PIECE_BYTES = 16_384;

/** Reads the weights of every projection and norm until one is not zero. @throws OnebitError `file/read` */
export async function findZeroWeights(tensors: ModelTensors): Promise<ModelWarning[]> {
  const warnings: ModelWarning[] = [];
  for (const tensor of weightsOf(tensors)) {
    if (!(await isAllZero(tensor))) continue;
    warnings.push({
      code: "weights/all-zero", tensor: tensor.name,
      message: `tensor "${tensor.name}": all its weights are zero; the file was made so or is damaged, and the model answers as if that part of it were missing`,
    });
  }
  return warnings;
}

function weightsOf({ tokenEmbd, output, outputNorm, layers }: ModelTensors): TensorInfo[] {
  const vectors = layers.flatMap((layer) => [layer.attnNorm, layer.attnQNorm, layer.attnKNorm, layer.attnSubNorm, layer.ffnNorm, layer.ffnSubNorm]);
  const ofLinear = ({ matrix, normIn }: LinearTensors) => [matrix, normIn];
  const all = [tokenEmbd, output, outputNorm, ...vectors, ...layers.flatMap(allLinears).flatMap(ofLinear)];
  return all.filter((part) => part !== undefined).map(({ tensor }) => tensor);
}

async function isAllZero(tensor: TensorInfo): Promise<boolean> {
  // Codes of Hugging Face's packing and of I2_S have no scale beside them; I2_S ends with one.
  if (tensor.type === "U8") return await everyPiece(tensor, tensor.sizeBytes, 1, isZeroCodes);
  if (tensor.type === "I2_S") {
    const { tailBytes } = TENSOR_TYPES.I2_S, codeBytes = tensor.sizeBytes - tailBytes;
    const scale = await readBytes(tensor.source, tensor.position + codeBytes, 4);
    return isZero("F32", scale) || (await everyPiece(tensor, codeBytes, 1, isZeroCodes));
  }
  return await everyPiece(tensor, tensor.sizeBytes, TENSOR_TYPES[tensor.type].blockBytes, (bytes) => isZero(tensor.type, bytes));
}

/** True if all pieces of whole blocks are as wanted; reads no further than the first that is not. */
async function everyPiece({ source, position }: TensorInfo, sizeBytes: number, blockBytes: number, isWanted: (bytes: Uint8Array) => boolean): Promise<boolean> {
  const most = Math.floor(PIECE_BYTES / blockBytes) * blockBytes;
  for (let at = 0; at < sizeBytes; at += most) {
    if (!isWanted(await readBytes(source, position + at, Math.min(most, sizeBytes - at)))) return false;
  }
  return true;
}

function isZero(type: TensorTypeName, bytes: Uint8Array): boolean {
  const { blockElements, blockBytes } = TENSOR_TYPES[type];
  return dequantize(type, bytes, (bytes.length / blockBytes) * blockElements).every((value) => value === 0);
}

/** Four codes of 1, which is what stands for 0. */
const ZERO_CODES = 0x55;

function isZeroCodes(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === ZERO_CODES);
}
