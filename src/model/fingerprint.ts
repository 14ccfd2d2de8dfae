/**
 * Tells models apart whose keys, values or logits differ: a hash of the weights, as the file has them, and of all else
 * that these numbers depend on. Kernels, threads and layouts are no part of it, as they give the same bits.
 *
 * @module
 */
import type { TensorInfo } from "../files/gguf.ts";
import { encodeUtf8 } from "../files/utf8.ts";
import { type HashPart, addWords } from "../kernels/hash.ts";
import { Q8_0 } from "../kernels/layouts.ts";
import type { ModelConfig } from "./config.ts";
import type { MemoryPlan } from "./plan.ts";
import { type MatrixTensor, type ModelTensors, allLinears } from "./weights.ts";

/** Goes up when the same weights and ids come to give other bits. */
const NUMBERS_VERSION = 2;

/** Hashes tensors as their bytes come by. */
export class WeightHashes {
  readonly #hash: HashPart;
  readonly #seen = new Map<TensorInfo, { sum: bigint; bytes: number }>();

  constructor(hash: HashPart) {
    this.#hash = hash;
  }

  /** @param offset of `bytes` in the tensor; bytes come in turn, and again where a tensor is read twice */
  see(tensor: TensorInfo, bytes: Uint8Array, offset: number): void {
    const seen = this.#seen.get(tensor) ?? { sum: 0n, bytes: 0 };
    if (offset !== seen.bytes) return;
    seen.sum = addWords(seen.sum, this.#hash(bytes, offset));
    seen.bytes += bytes.length;
    this.#seen.set(tensor, seen);
  }

  /** A line each, by name. */
  get lines(): string[] {
    return [...this.#seen].map(([{ name, type }, { sum, bytes }]) => `${name} ${type} ${bytes} ${sum}`).sort();
  }
}

/** What a fingerprint covers. */
export interface FingerprintParts {
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly plan: MemoryPlan;
  readonly weights: {
    readonly hash: HashPart;
    readonly hashes: WeightHashes;
    /** Scales that are no part of a matrix's own bytes. */
    readonly scalars: ReadonlyMap<TensorInfo, number>;
  };
  /** The rotary frequencies, and the factor on cos and sin: they hold all of the rotary scaling. */
  readonly rope: { readonly frequencies: Uint8Array; readonly magnitude: number };
}

export function fingerprintOf({ config, tensors, plan, weights, rope }: FingerprintParts): bigint {
  const { hash, hashes, scalars } = weights;
  const { name: _name, contextLengthTrained: _trained, ...rest } = config,
    { ropeScaling: _scaling, ropeTheta: _theta, ropeAlpha: _alpha, ...numbers } = rest;
  const matrices = allLinears(tensors).map(({ matrix }) => `${matrix.tensor.name} ${encodingOf(matrix)}`);
  const text = [
    `numbers ${NUMBERS_VERSION}`,
    JSON.stringify(Object.entries({ ...numbers, activationMode: plan.options.activationMode }).sort()),
    `rope ${rope.magnitude} ${hash(rope.frequencies, 0)}`,
    ...[tensors.tokenEmbd, tensors.output].map((table) => `table ${table && tableOf(table, plan)}`),
    ...matrices.sort(),
    ...[...scalars].map(([{ name }, value]) => `${name} ${value}`).sort(),
    ...hashes.lines,
  ].join("\n");
  return hash(encodeUtf8(text), 0);
}

/** How a matrix's bytes become weights. */
function encodingOf({ encoding }: MatrixTensor): string {
  if (encoding.kind === "packed") return `packed, ${encoding.divide ? "divided" : "multiplied"}`;
  return encoding.kind === "unpacked" ? `unpacked ${encoding.weights} ${encoding.group}` : encoding.kind;
}

/** Embeddings and heads are floats, as in the file or made smaller. */
function tableOf(table: MatrixTensor, plan: MemoryPlan): string {
  const isQ8 = plan.matrices.get(table)?.layout === Q8_0;
  return `${table.tensor.name} ${encodingOf(table)} ${isQ8 ? "8 bits" : "as it is"}`;
}
