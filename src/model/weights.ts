/**
 * Finds the tensors a model needs by name and checks their shapes: the bridge from a file's tensor list to the graph.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { type FloatTypeName, TENSOR_TYPES, isFloatType, requireWeightType } from "../files/tensor-types.ts";
import {
  BLOCKS,
  type BlockKind,
  type LinearPart,
  type OptionalVectorPart,
  type Part,
  type PartNames,
  type VectorChange,
  type VectorPart,
  layersOf,
} from "./blocks.ts";
import type { ModelConfig } from "./config.ts";
import { checkRotations } from "./hadamard.ts";
import type { RowOrder } from "./row-order.ts";

/** A part's change, with its size. */
export type LoadedChange =
  | Exclude<VectorChange, { kind: "transpose" }>
  | { readonly kind: "transpose"; readonly columns: number };

/** A vector kept as f32: norm weights, biases, rotary factors. */
export interface VectorTensor {
  readonly tensor: TensorInfo;
  readonly length: number;
  /** How the file orders its numbers, where memory has another order. */
  readonly order?: RowOrder | undefined;
  /** What loading does to its numbers. */
  readonly change?: LoadedChange | undefined;
}

/** One number: a scale. */
export interface ScalarTensor {
  readonly tensor: TensorInfo;
  readonly type: FloatTypeName;
}

/** How a matrix's bytes become weights. */
export type Encoding =
  /** By the tensor's own type. */
  | { readonly kind: "typed" }
  /** Ternary, four rows to a byte row (Hugging Face); one scale per matrix, multiplying or dividing. */
  | { readonly kind: "packed"; readonly scale: ScalarTensor; readonly divide: boolean }
  /** Float master weights that the model rounds to −1, 0, +1 times mean|w| at run time. */
  | { readonly kind: "masters" }
  /** Floats that hold only −s, 0, +s: they become codes and scales, which loses nothing. */
  | ({ readonly kind: "unpacked"; readonly rowScales: VectorTensor | undefined } & Unpacked);

/** What floats hold that are 1-bit weights written out. */
export interface Unpacked {
  /** Binary: no weight is 0. */
  readonly weights: "ternary" | "binary";
  /** Consecutive inputs that share a scale. */
  readonly group: 64 | 128;
}

/** What a file format says of a matrix; its scales by name. */
export type StoredEncoding =
  | Exclude<Encoding, { kind: "packed" | "unpacked" }>
  | { readonly kind: "packed"; readonly scale: string; readonly divide: boolean }
  | ({ readonly kind: "unpacked"; readonly rowScales: string | undefined } & Unpacked);

/** A matrix of `rows` outputs and `k` inputs; y = W x. */
export interface MatrixTensor {
  readonly tensor: TensorInfo;
  readonly rows: number;
  readonly k: number;
  readonly encoding: Encoding;
  /** Its inputs are rotated (hadamard.ts). */
  readonly isRotated?: boolean;
  /** How the file orders its rows, where memory has another order. */
  readonly order?: RowOrder | undefined;
}

export interface LinearTensors {
  readonly matrix: MatrixTensor;
  readonly bias: VectorTensor | undefined;
  /** RMS norm of this projection's own input. */
  readonly normIn: VectorTensor | undefined;
  /** A factor on the result, one number (`<name>.scale`). */
  readonly outputScale: ScalarTensor | undefined;
}

/** The tensors of a block, by the names of its parts. */
type PartsOf<Parts> = {
  readonly [Name in keyof Parts]: Parts[Name] extends LinearPart
    ? LinearTensors
    : Parts[Name] extends VectorPart
      ? VectorTensor
      : VectorTensor | undefined;
};

export type BlockTensors<Kind extends BlockKind = BlockKind> = {
  readonly [Each in Kind]: {
    readonly kind: Each;
    readonly parts: PartsOf<(typeof BLOCKS)[Each]>;
    /** All of them, for loops. */
    readonly vectors: readonly VectorTensor[];
    readonly linears: readonly LinearTensors[];
  };
}[Kind];

/** The blocks of a layer. */
export type LayerTensors = readonly BlockTensors[];

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
  /** Tensors that the model does not need and that are known to be harmless; any other is refused. */
  readonly unused: readonly string[];
}

/** How a file format names the tensors, and what it says about a matrix beyond its type. */
export interface TensorNaming {
  readonly tokenEmbd: string;
  readonly outputNorm: string;
  readonly output: string;
  readonly ropeFactors?: string;
  readonly ropeShort?: string;
  readonly ropeLong?: string;
  /** Names to try, in order. */
  vector(layer: number, names: PartNames, isBare: boolean): readonly string[];
  /** What loading does to a part's numbers. */
  change(part: VectorPart | OptionalVectorPart): VectorChange | undefined;
  /** Of the norm of the output. */
  readonly outputNormChange?: (config: ModelConfig) => VectorChange | undefined;
  /** Without the `.weight` ending. */
  linear(layer: number, names: PartNames): string;
  normIn(linear: string): readonly string[];
  readonly normInRequired: boolean;
  /** Undefined if the model has none. */
  bias(linear: string): string | undefined;
  /** Undefined if the format has none. */
  outputScale(linear: string): string | undefined;
  encoding(matrix: TensorInfo): StoredEncoding;
  /** True if the reference ignores this tensor too, with the same result. */
  isHarmless(name: string, config: ModelConfig): boolean;
}

/**
 * Finds every tensor of the model, and refuses by name any that the graph has no use for.
 * @throws OnebitError `model/missing-tensor` naming the tensor; `model/bad-shape` with wanted and found;
 * `tensor/unsupported-type`; `model/unused-tensor`
 */
export function findTensors(
  config: ModelConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  naming: TensorNaming,
): ModelTensors {
  const find = new Finder(tensors, naming, config);
  const { nEmbd, vocabSize } = config;
  const output =
    config.alwaysTied || !tensors.has(naming.output) ? undefined : find.table(naming.output, vocabSize, nEmbd);
  const found = {
    tokenEmbd: find.table(naming.tokenEmbd, vocabSize, nEmbd),
    outputNorm: find.vector([naming.outputNorm], nEmbd, changeOf(naming.outputNormChange?.(config), config)),
    output,
    ...findRopeFactors(config, find, naming),
    layers: layersOf(config).map((kinds, layer) => kinds.map((kind) => findBlock(config, find, naming, layer, kind))),
  };
  const linears = found.layers.flat().flatMap((block) => block.linears);
  checkRotations(config, { ...found, linears }, (name) => tensors.has(name) && naming.isHarmless(name, config));
  const unused = [...tensors.keys()].filter((name) => !find.used.has(name));
  const strange = unused.filter((name) => !naming.isHarmless(name, config));
  if (strange.length > 0) refuseUnused(strange, config);
  return { ...found, unused };
}

function refuseUnused(names: readonly string[], config: ModelConfig): never {
  const shown = names.slice(0, 3).map(quoted).join(", "),
    more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return fail(
    "model/unused-tensor",
    `model "${config.name}": the graph of ${config.architecture} has no place ` +
      `for ${names.length === 1 ? "tensor" : "tensors"} ${shown}${more}; ` +
      "leaving them out would change the model's output, so it is refused: convert it for an architecture that " +
      "has them",
  );
}

/** Llama 3.1's divisors, or the two sets of LongRoPE, as the scaling requires (llama.cpp, `load_arch_tensors`). */
function findRopeFactors({ ropeScaling, ropeDim }: ModelConfig, find: Finder, naming: TensorNaming) {
  const isLong = ropeScaling.kind === "longrope";
  const factors = (wanted: boolean, name: string | undefined) =>
    wanted && name !== undefined ? find.optional([name], ropeDim / 2) : undefined;
  return {
    ropeFactors: factors(!isLong, naming.ropeFactors),
    ropeShort: factors(isLong, naming.ropeShort),
    ropeLong: factors(isLong, naming.ropeLong),
  };
}

function findBlock(
  config: ModelConfig,
  find: Finder,
  naming: TensorNaming,
  layer: number,
  kind: BlockKind,
): BlockTensors {
  const vectors: VectorTensor[] = [],
    linears: LinearTensors[] = [];
  const findPart = (part: Part): VectorTensor | LinearTensors | undefined => {
    if (part.kind === "linear") {
      const linear = find.linear(naming.linear(layer, part), part.rows(config), part.k(config), orderOf(part, config));
      linears.push(linear);
      return linear;
    }
    if (part.kind === "optional vector" && !part.isWanted(config)) return undefined;
    const isBare = part.kind === "vector" && part.isBare === true,
      change = changeOf(naming.change(part), config);
    const vector = find.vector(naming.vector(layer, part, isBare), part.length(config), change);
    vectors.push(vector);
    return vector;
  };
  const parts = Object.fromEntries(Object.entries<Part>(BLOCKS[kind]).map(([name, part]) => [name, findPart(part)]));
  // A part's kind decides what it is found as, as in the type.
  return { kind, parts, vectors, linears } as unknown as BlockTensors;
}

function changeOf(change: VectorChange | undefined, config: ModelConfig): LoadedChange | undefined {
  return change?.kind === "transpose" ? { kind: change.kind, columns: change.columns(config) } : change;
}

function orderOf(
  { rotates = false, isGated = false }: LinearPart,
  { ropePairs, headDim, ropeDim, nHeads }: ModelConfig,
): RowOrder | undefined {
  if (isGated) return { headDim, nHeads };
  return rotates && ropePairs === "adjacent" ? { headDim, ropeDim } : undefined;
}

/** Looks tensors up by name, checks their shapes and types, and remembers which it gave out. */
class Finder {
  readonly used = new Set<string>();
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  readonly #naming: TensorNaming;
  /** Names of tensors whose inputs are rotated. */
  readonly #rotated: ReadonlySet<string>;

  constructor(tensors: ReadonlyMap<string, TensorInfo>, naming: TensorNaming, { hadamard }: ModelConfig) {
    this.#tensors = tensors;
    this.#naming = naming;
    this.#rotated = new Set(hadamard?.weights);
  }

  optional(names: readonly string[], length: number, change?: LoadedChange): VectorTensor | undefined {
    const tensor = names.map((name) => this.#take(name)).find((found) => found !== undefined);
    if (tensor === undefined) return undefined;
    if (change?.kind === "transpose") checkColumns(tensor, change.columns, length);
    else checkShape(tensor, [length]);
    if (TENSOR_TYPES[tensor.type].layout !== "dense") refuseType(tensor, "numbers (F32, F16, BF16, Q8_0 …)");
    return { tensor, length, ...(change === undefined ? {} : { change }) };
  }

  vector(names: readonly string[], length: number, change?: LoadedChange): VectorTensor {
    return this.optional(names, length, change) ?? missing(names[0]);
  }

  /** An embedding or a head: by its own type, whatever the projections have. */
  table(name: string, rows: number, k: number): MatrixTensor {
    const tensor = this.#take(name) ?? missing(name);
    checkShape(tensor, [k, rows]);
    requireWeightType(tensor);
    return { tensor, rows, k, encoding: { kind: "typed" }, ...this.#rotation(name) };
  }

  /** Absent where there is none: most models have none. */
  #rotation(name: string): { readonly isRotated?: true } {
    return this.#rotated.has(name) ? { isRotated: true } : {};
  }

  linear(name: string, rows: number, k: number, order: RowOrder | undefined): LinearTensors {
    const biasName = this.#naming.bias(name),
      bias = biasName === undefined ? undefined : this.optional([biasName], rows),
      outputScale = this.#naming.outputScale(name);
    return {
      matrix: { ...this.#matrix(`${name}.weight`, rows, k), order },
      bias: bias && { ...bias, order },
      normIn: this.#naming.normInRequired
        ? this.vector(this.#naming.normIn(name), k)
        : this.optional(this.#naming.normIn(name), k),
      outputScale: outputScale === undefined ? undefined : this.#scalar(outputScale),
    };
  }

  #matrix(name: string, rows: number, k: number): MatrixTensor {
    const tensor = this.#take(name) ?? missing(name),
      stored = this.#naming.encoding(tensor);
    checkShape(tensor, stored.kind === "packed" ? [k, rows / 4] : [k, rows]);
    if (stored.kind === "typed") requireWeightType(tensor);
    if (stored.kind === "masters" && !isFloatType(tensor.type))
      refuseType(tensor, "master weights in F32, F16 or BF16");
    return { tensor, rows, k, encoding: this.#encoding(stored, rows), ...this.#rotation(name) };
  }

  #encoding(stored: StoredEncoding, rows: number): Encoding {
    if (stored.kind === "packed") return { ...stored, scale: this.#scalar(stored.scale) ?? missing(stored.scale) };
    if (stored.kind !== "unpacked") return stored;
    const { rowScales } = stored;
    return { ...stored, rowScales: rowScales === undefined ? undefined : this.vector([rowScales], rows) };
  }

  #scalar(name: string): ScalarTensor | undefined {
    const tensor = this.#take(name);
    if (tensor === undefined) return undefined;
    const { type } = tensor;
    if (!isFloatType(type)) return refuseType(tensor, "one number in F32, F16 or BF16");
    checkShape(tensor, [1]);
    return { tensor, type };
  }

  #take(name: string): TensorInfo | undefined {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) this.used.add(name);
    return tensor;
  }
}

function refuseType({ name, type }: TensorInfo, wanted: string): never {
  return fail("tensor/unsupported-type", `tensor ${quoted(name)}: wanted ${wanted}, found ${type}`);
}

function missing(name: string): never {
  return fail("model/missing-tensor", `tensor "${name}": the model needs it, the file does not have it`);
}

function checkShape(tensor: TensorInfo, wanted: readonly number[]): void {
  const found = tensor.shape.filter((n, i) => i < wanted.length || n !== 1);
  if (found.length === wanted.length && found.every((n, i) => n === wanted[i])) return;
  const what = wanted.length === 1 && wanted[0] === 1 ? "one number" : `shape [${wanted.join(", ")}]`;
  fail(
    "model/bad-shape",
    `tensor "${tensor.name}": wanted ${what}, ` +
      `found ${what === "one number" ? "shape " : ""}[${tensor.shape.join(", ")}]`,
  );
}

/** Rows of `columns` numbers, maybe with dimensions of one between. */
function checkColumns(tensor: TensorInfo, columns: number, length: number): void {
  const { name, shape } = tensor;
  if (shape[0] === columns && shape.reduce((all, n) => all * n, 1) === length) return;
  fail(
    "model/bad-shape",
    `tensor "${name}": wanted shape [${columns}, ${length / columns}], found [${shape.join(", ")}]`,
  );
}

/** The tensors of projections that are there with the right shape, and are numbers by their own type. */
export function plainLinears(
  config: ModelConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  naming: TensorNaming,
): TensorInfo[] {
  return layersOf(config).flatMap((kinds, layer) =>
    kinds.flatMap((kind) =>
      Object.values<Part>(BLOCKS[kind]).flatMap((part) => {
        if (part.kind !== "linear") return [];
        const tensor = tensors.get(`${naming.linear(layer, part)}.weight`);
        const isPlain =
          tensor?.shape.length === 2 &&
          tensor.shape[0] === part.k(config) &&
          tensor.shape[1] === part.rows(config) &&
          isFloatType(tensor.type) &&
          naming.encoding(tensor).kind === "typed";
        return isPlain ? [tensor] : [];
      }),
    ),
  );
}

/** A matrix of floats that becomes 1-bit weights when it is loaded. */
export interface UnpackedMatrix extends Unpacked {
  /** Its name in the file. */
  readonly tensor: string;
}

export function unpackedOf(tensors: ModelTensors): UnpackedMatrix[] {
  return allLinears(tensors).flatMap(({ matrix: { tensor, encoding } }) =>
    encoding.kind === "unpacked" ? [{ tensor: tensor.name, weights: encoding.weights, group: encoding.group }] : [],
  );
}

/** Every projection of the layers, once. */
export function allLinears({ layers }: ModelTensors): LinearTensors[] {
  return layers.flat().flatMap(({ linears }) => linears);
}
