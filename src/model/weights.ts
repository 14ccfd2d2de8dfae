/**
 * Which tensors a model needs, found by name and checked by shape: the bridge from a file's tensor list to the graph.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import type { ModelConfig } from "./config.ts";

/** A vector kept as f32: norm weights, biases, rotary factors. */
export interface VectorTensor {
  readonly tensor: TensorInfo;
  readonly length: number;
}

/** How a matrix's bytes become weights. */
export type Encoding =
  /** By the tensor's own type. */
  | { readonly kind: "typed" }
  /** Ternary, four rows to a byte row (Hugging Face); one scale a matrix, multiplying or dividing. */
  | { readonly kind: "packed"; readonly scale: TensorInfo; readonly divide: boolean }
  /** Float master weights that the model rounds to −1, 0, +1 times mean|w| at run time. */
  | { readonly kind: "masters" };

/** A matrix of `rows` outputs and `k` inputs; y = W x. */
export interface MatrixTensor {
  readonly tensor: TensorInfo;
  readonly rows: number;
  readonly k: number;
  readonly encoding: Encoding;
}

export interface LinearTensors {
  readonly matrix: MatrixTensor;
  readonly bias: VectorTensor | undefined;
  /** RMS norm of this projection's own input. */
  readonly normIn: VectorTensor | undefined;
  /** A factor on the result, one number (`<name>.scale`). */
  readonly outputScale: TensorInfo | undefined;
}

export interface LayerTensors {
  readonly attnNorm: VectorTensor;
  readonly attnQ: LinearTensors;
  readonly attnK: LinearTensors;
  readonly attnV: LinearTensors;
  readonly attnQNorm: VectorTensor | undefined;
  readonly attnKNorm: VectorTensor | undefined;
  readonly attnSubNorm: VectorTensor | undefined;
  readonly attnOutput: LinearTensors;
  readonly ffnNorm: VectorTensor;
  readonly ffnGate: LinearTensors;
  readonly ffnUp: LinearTensors;
  readonly ffnSubNorm: VectorTensor | undefined;
  readonly ffnDown: LinearTensors;
}

export interface ModelTensors {
  readonly tokenEmbd: MatrixTensor;
  readonly layers: readonly LayerTensors[];
  readonly outputNorm: VectorTensor;
  /** Undefined when the head is the embedding table. */
  readonly output: MatrixTensor | undefined;
  /** Divisors of the rotary frequencies (Llama 3.1), and the two sets of LongRoPE. */
  readonly ropeFactors: VectorTensor | undefined;
  readonly ropeShort: VectorTensor | undefined;
  readonly ropeLong: VectorTensor | undefined;
}

export type LinearRole = "attnQ" | "attnK" | "attnV" | "attnOutput" | "ffnGate" | "ffnUp" | "ffnDown";
export type VectorRole = "attnNorm" | "attnQNorm" | "attnKNorm" | "attnSubNorm" | "ffnNorm" | "ffnSubNorm";

/** How a file format names the tensors, and what it says about a matrix beyond its type. */
export interface TensorNaming {
  readonly tokenEmbd: string;
  readonly outputNorm: string;
  readonly output: string;
  readonly ropeFactors?: string;
  readonly ropeShort?: string;
  readonly ropeLong?: string;
  /** Names to try, in order. */
  vector(layer: number, role: VectorRole): readonly string[];
  /** Without the `.weight` ending. */
  linear(layer: number, role: LinearRole): string;
  normIn(linear: string): readonly string[];
  encoding(matrix: TensorInfo, tensors: ReadonlyMap<string, TensorInfo>): Encoding;
}

/**
 * Finds every tensor of the model.
 * @throws OnebitError `model/missing-tensor` naming the tensor; `model/bad-shape` with wanted and found.
 */
export function findTensors(config: ModelConfig, tensors: ReadonlyMap<string, TensorInfo>, naming: TensorNaming): ModelTensors {
  const find = finder(tensors, naming);
  const { nEmbd, vocabSize, headDim, ropeDim } = config;
  const output = config.alwaysTied || !tensors.has(naming.output) ? undefined : find.matrix(naming.output, vocabSize, nEmbd);
  const rope = (name: string | undefined) => (name === undefined ? undefined : find.optional([name], ropeDim / 2));
  return {
    tokenEmbd: find.matrix(naming.tokenEmbd, vocabSize, nEmbd),
    outputNorm: find.vector([naming.outputNorm], nEmbd),
    output,
    ropeFactors: rope(naming.ropeFactors),
    ropeShort: rope(naming.ropeShort),
    ropeLong: rope(naming.ropeLong),
    layers: Array.from({ length: config.nLayers }, (_, layer) => {
      const vector = (role: VectorRole, length: number) => find.vector(naming.vector(layer, role), length);
      const when = (wanted: boolean, role: VectorRole, length: number) => (wanted ? vector(role, length) : undefined);
      const linear = (role: LinearRole, rows: number, k: number) => find.linear(naming.linear(layer, role), rows, k);
      const qWidth = config.nHeads * headDim, kvWidth = config.nKvHeads * headDim;
      return {
        attnNorm: vector("attnNorm", nEmbd),
        attnQ: linear("attnQ", qWidth, nEmbd),
        attnK: linear("attnK", kvWidth, nEmbd),
        attnV: linear("attnV", kvWidth, nEmbd),
        attnQNorm: when(config.qkNorm, "attnQNorm", headDim),
        attnKNorm: when(config.qkNorm, "attnKNorm", headDim),
        attnSubNorm: when(config.subNorms, "attnSubNorm", qWidth),
        attnOutput: linear("attnOutput", nEmbd, qWidth),
        ffnNorm: vector("ffnNorm", nEmbd),
        ffnGate: linear("ffnGate", config.nFf, nEmbd),
        ffnUp: linear("ffnUp", config.nFf, nEmbd),
        ffnSubNorm: when(config.subNorms, "ffnSubNorm", config.nFf),
        ffnDown: linear("ffnDown", nEmbd, config.nFf),
      };
    }),
  };
}

function finder(tensors: ReadonlyMap<string, TensorInfo>, naming: TensorNaming) {
  const optional = (names: readonly string[], length: number): VectorTensor | undefined => {
    const name = names.find((candidate) => tensors.has(candidate));
    if (name === undefined) return undefined;
    const tensor = tensors.get(name) as TensorInfo;
    checkShape(tensor, [length]);
    return { tensor, length };
  };
  const matrix = (name: string, rows: number, k: number): MatrixTensor => {
    const tensor = tensors.get(name) ?? missing(name);
    const encoding = naming.encoding(tensor, tensors);
    checkShape(tensor, encoding.kind === "packed" ? [k, rows / 4] : [k, rows]);
    return { tensor, rows, k, encoding };
  };
  return {
    optional,
    matrix,
    vector: (names: readonly string[], length: number) => optional(names, length) ?? missing(names[0]),
    linear(name: string, rows: number, k: number): LinearTensors {
      return {
        matrix: matrix(`${name}.weight`, rows, k),
        bias: optional([`${name}.bias`], rows),
        normIn: optional(naming.normIn(name), k),
        outputScale: tensors.get(`${name}.scale`),
      };
    },
  };
}

function missing(name: string): never {
  return fail("model/missing-tensor", `tensor "${name}": the model needs it, the file does not have it`);
}

function checkShape(tensor: TensorInfo, wanted: readonly number[]): void {
  const found = tensor.shape.filter((n, i) => i < wanted.length || n !== 1);
  if (found.length === wanted.length && found.every((n, i) => n === wanted[i])) return;
  fail("model/bad-shape", `tensor "${tensor.name}": wanted shape [${wanted.join(", ")}], found [${tensor.shape.join(", ")}]`);
}

/** Every matrix of the model once, with the name of its tensor. */
export function allLinears(layer: LayerTensors): LinearTensors[] {
  return [layer.attnQ, layer.attnK, layer.attnV, layer.attnOutput, layer.ffnGate, layer.ffnUp, layer.ffnDown];
}
