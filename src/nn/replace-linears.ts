/**
 * Turns float linears into low-bit layers: keeps the weights as masters and reports the error of rounding them.
 *
 *   const { layers, report, total } = replaceLinears({ "blk.0.attn_q.weight": array(weights, [512, 512]) });
 *   layers.get("blk.0.attn_q")!.forward(x);
 *
 * @module
 */
import { type ErrorCode, fail } from "../core/errors.ts";
import { FUNCTION, type OptionTable, check, checkOptions, kind } from "../core/options.ts";
import { BIT_LINEAR_OPTIONS, BitLinear, type BitLinearOptions } from "./bit-linear.ts";
import { Layer, type StateDict } from "./layer.ts";
import { type NdArray, checkArray } from "./nd-array.ts";

/** Options of {@link replaceLinears}. */
export interface ReplaceOptions extends BitLinearOptions {
  /** Which matrices are linears; those left out are named in `skipped`. Default: all but embeddings and heads. */
  readonly isLinear?: (name: string, shape: readonly number[]) => boolean;
}

export const REPLACE_OPTIONS: OptionTable<ReplaceOptions> = { ...BIT_LINEAR_OPTIONS, isLinear: FUNCTION };

/** What rounding made of weights W: Ŵ. */
export interface RoundingError {
  /** ‖Ŵ - W‖ / ‖W‖ */
  readonly relativeRms: number;
  /** Ŵ·W / (‖Ŵ‖ ‖W‖) */
  readonly cosine: number;
  /** Share of the weights that became zero. */
  readonly zeros: number;
  /** Weights. */
  readonly count: number;
}

/** What {@link replaceLinears} made. */
export interface Replacement {
  /** By the name of the weights without `.weight`. On one runtime: that of the options, or one of their own. */
  readonly layers: ReadonlyMap<string, BitLinear>;
  /** What rounding cost, for each layer. */
  readonly report: ReadonlyMap<string, RoundingError>;
  /** Of all weights together. */
  readonly total: RoundingError;
  /** Names of matrices that stayed as they are. */
  readonly skipped: readonly string[];
}

const NO_LINEAR = /(?:^|[._])(?:token_embd|embed\w*|emb|wte|wpe|lm_head|to_logits)\b|^output\.weight$/;

/**
 * Float linears as layers of few bits: the weights are kept and rounded, and what that costs is reported. A model that
 * was not trained with rounded weights loses most of what it knows.
 *
 * @param model arrays by name, matrices (out, in), as of a loaded file or of {@link Layer.stateDict}; or a layer.
 *   `x.bias` becomes the bias of `x.weight`
 * @param given options of the new layers. Default norm "none": a float linear has none. A layer has a bias where the
 *   model has
 * @throws OnebitError `model/missing-tensor` when nothing is a linear; `model/bad-shape`, `option/invalid`
 * @example
 * ```ts
 * import { array, replaceLinears } from "onebit/nn";
 *
 * const weights = Float32Array.from({ length: 32 }, (_, i) => (i % 5) - 2);
 * const { layers, total } = replaceLinears({ "up.weight": array(weights, [4, 8]) });
 * console.log(layers.get("up")?.forward(array(new Float32Array(8).fill(1))).data, total.cosine);
 * ```
 */
export function replaceLinears(
  model: StateDict | ReadonlyMap<string, NdArray> | Layer,
  given: ReplaceOptions = {},
): Replacement {
  const { isLinear = (name: string) => !NO_LINEAR.test(name), ...options } = checkOptions(
    "replaceLinears",
    given,
    REPLACE_OPTIONS,
  );
  const arrays = check("model", model, arraysOf);
  const layers = new Map<string, BitLinear>(),
    report = new Map<string, RoundingError>(),
    used = new Set<string>(),
    sums: Sums[] = [];
  let runtime = options.runtime;
  for (const [name, weights] of arrays) {
    if (weights.shape.length !== 2 || !isLinear(name, weights.shape)) continue;
    const bare = name.replace(/\.weight$/, ""),
      biasName = `${bare}.bias`,
      bias = arrays.get(biasName);
    const layer = new BitLinear(weights.shape[1], weights.shape[0], {
      norm: "none",
      ...options,
      runtime,
      bias: bias !== undefined,
    });
    runtime = layer.runtime;
    layer.weight.set(weights.data);
    if (bias) layer.parameters().get("bias")!.set(bias.data);
    [name, biasName].forEach((each) => used.add(each));
    const sum = measure(weights.data, layer);
    sums.push(sum);
    layers.set(bare, layer);
    report.set(bare, errorOf(sum));
  }
  if (layers.size === 0)
    fail(
      "model/missing-tensor",
      `linears: wanted matrices (out, in) by name, found none in ${[...arrays.keys()].join(", ") || "an empty model"}`,
    );
  return {
    layers,
    report,
    total: errorOf(sums.reduce(add)),
    skipped: [...arrays.keys()].filter((name) => !used.has(name)),
  };
}

/** Checked copies. @throws OnebitError `option/invalid`, `model/bad-shape` */
function arraysOf(value: unknown, name: string, code: ErrorCode): ReadonlyMap<string, NdArray> {
  const model = kind<object>("arrays by name, or a layer", (each) => typeof each === "object" && each !== null)(
    value,
    name,
    code,
  );
  const entries: Iterable<[string, unknown]> =
    model instanceof Map ? model : Object.entries(model instanceof Layer ? model.stateDict() : model);
  return new Map([...entries].map(([key, found]) => [String(key), checkArray(found, `"${key}"`)]));
}

interface Sums {
  readonly weights: number;
  readonly rounded: number;
  readonly product: number;
  readonly difference: number;
  readonly zeros: number;
  readonly count: number;
}

function measure(weights: Float32Array, layer: BitLinear): Sums {
  const { codes, scale } = layer.weightBits === 32 ? { codes: weights, scale: 1 } : layer.weightCodes();
  const sums = { weights: 0, rounded: 0, product: 0, difference: 0, zeros: 0, count: weights.length };
  for (let i = 0; i < weights.length; i++) {
    const w = weights[i],
      q = codes[i] * scale;
    sums.weights += w * w;
    sums.rounded += q * q;
    sums.product += w * q;
    sums.difference += (q - w) * (q - w);
    if (q === 0) sums.zeros++;
  }
  return sums;
}

function add(a: Sums, b: Sums): Sums {
  return {
    weights: a.weights + b.weights,
    rounded: a.rounded + b.rounded,
    product: a.product + b.product,
    difference: a.difference + b.difference,
    zeros: a.zeros + b.zeros,
    count: a.count + b.count,
  };
}

/** All-zero weights have no error and no direction. */
function errorOf({ weights, rounded, product, difference, zeros, count }: Sums): RoundingError {
  const isZero = weights === 0;
  return {
    relativeRms: isZero ? 0 : Math.sqrt(difference / weights),
    cosine: isZero || rounded === 0 ? 0 : product / Math.sqrt(weights * rounded),
    zeros: zeros / count,
    count,
  };
}
