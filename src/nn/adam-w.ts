/**
 * AdamW (Loshchilov and Hutter, 2019) over ranges of memory; clips gradients by their norm over all ranges
 * (assembly/train/optimizer.ts).
 *
 *   const optimizer = AdamW.of(layer.parameters().values(), { clipNorm: 1 });
 *   optimizer.zeroGradients(); layer.forward(x); layer.backward(dy);
 *   optimizer.step({ learningRate: 1e-3, weightDecay: 0.1 });
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import {
  BOOLEAN,
  type Kind,
  type OptionTable,
  check,
  checkOptions,
  kind,
  list,
  number,
  options as optionsOf,
  required,
  whole,
} from "../core/options.ts";
import { StepWriter } from "../kernels/step-writer.ts";
import { PARAMETER, type Parameter } from "./parameter.ts";
import { RUNTIME, type Runtime } from "./runtime.ts";

/** Options of {@link AdamW}. */
export interface AdamWOptions {
  /** Decay of the mean of the gradients. Default 0.9. */
  readonly beta1?: number;
  /** Default 0.95: with batches of a few thousand tokens the variance of 20 steps is enough, and 1000 are too many. */
  readonly beta2?: number;
  /** Added to the root of the mean of the squares. Default 1e-8. */
  readonly epsilon?: number;
  /** Gradients are scaled down to this norm over all parameters; 0 leaves them. Default 1. */
  readonly clipNorm?: number;
}

/** Rates that may change at each step. */
export interface AdamWRates {
  /** At least 0. */
  readonly learningRate: number;
  /** Times the learning rate, it is the part of a weight that a step takes away. At least 0. */
  readonly weightDecay: number;
}

/** `count` parameters in a row, f32, and their gradients. */
export interface ParameterRange {
  /** Address of the parameters. */
  readonly values: number;
  /** Address of their gradients. */
  readonly gradients: number;
  /** How many there are. */
  readonly count: number;
  /** Whether weight decay applies. */
  readonly decays: boolean;
}

export const ADAM_W_OPTIONS: OptionTable<AdamWOptions> = {
  beta1: number({ min: 0, below: 1 }),
  beta2: number({ min: 0, below: 1 }),
  epsilon: number({ above: 0 }),
  clipNorm: number({ min: 0, max: Infinity }),
};
export const RATES: OptionTable<AdamWRates> = {
  learningRate: required(number({ min: 0 })),
  weightDecay: required(number({ min: 0 })),
};
const RANGE: OptionTable<ParameterRange> = {
  values: required(whole(0)),
  gradients: required(whole(0)),
  count: required(whole(0)),
  decays: required(BOOLEAN),
};

const ITERABLE = kind<Iterable<unknown>>(
  "parameters, in a list or anything else to iterate",
  (value) => typeof value === "object" && value !== null && Symbol.iterator in value,
);
const PARAMETERS: Kind<Parameter[]> = (value, name, code) => {
  const found: Parameter[] = [];
  // Item by item: a list may claim any length.
  for (const each of ITERABLE(value, name, code)) found.push(PARAMETER(each, `${name}[${found.length}]`, code));
  return found;
};

const DEFAULTS: Required<AdamWOptions> = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clipNorm: 1 };

/**
 * AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101, algorithm 2), gradients clipped by their norm over all
 * parameters (Pascanu et al., 2013, arXiv 1211.5063, §3.2).
 *
 * @example
 * ```ts
 * import { AdamW, BitLinear, array } from "onebit/nn";
 *
 * const layer = new BitLinear(4, 2),
 *   optimizer = AdamW.of(layer.parameters().values(), { clipNorm: 1 });
 * const y = layer.forward(array([1, 2, 3, 4]));
 * optimizer.zeroGradients();
 * layer.backward(y); // makes y smaller
 * console.log(optimizer.step({ learningRate: 1e-3, weightDecay: 0.1 }));
 * ```
 */
export class AdamW {
  readonly #runtime: Runtime;
  readonly #ranges: readonly ParameterRange[];
  /** Gradients without gaps between them: cleared and measured in one step each, whether they decay or not. */
  readonly #runs: readonly { readonly gradients: number; readonly count: number; readonly partial: number }[];
  readonly #options: Required<AdamWOptions>;
  readonly #total: number;
  readonly #moments: { readonly first: number; readonly second: number };
  readonly #partial: number;
  readonly #nPartial: number;
  readonly #settings: number;
  readonly #program: number;
  #steps = 0;

  /**
   * For ranges of a runtime's memory; {@link AdamW.of} is for parameters.
   * @throws OnebitError `train/bad-option`, `train/not-enough-memory`, `option/invalid`
   */
  constructor(runtime: Runtime, given: readonly ParameterRange[], options: AdamWOptions = {}) {
    const ranges = check("ranges", given, list("a list of ranges of parameters", optionsOf(RANGE)));
    this.#runtime = check("runtime", runtime, RUNTIME);
    this.#ranges = ranges.filter(({ count }) => count > 0);
    this.#options = { ...DEFAULTS, ...checkOptions("AdamW", options, ADAM_W_OPTIONS, { code: "train/bad-option" }) };
    this.#total = ranges.reduce((sum, { count }) => sum + count, 0);
    if (this.#total === 0) fail("train/bad-option", "optimiser: wanted at least one parameter, got none");
    const runs = withoutGaps(this.#ranges);
    this.#nPartial = runs.reduce((sum, { count }) => sum + Math.ceil(count / abi.SUM_CHUNK), 0);
    this.#moments = {
      first: runtime.allocate(this.#total * 4, "first moments"),
      second: runtime.allocate(this.#total * 4, "second moments"),
    };
    this.#partial = runtime.allocate(this.#nPartial * 8, "sums of squares");
    this.#settings = runtime.allocate(abi.SETTING_BYTES, "settings of the optimiser");
    this.#program = runtime.allocate(
      (2 * runs.length + this.#ranges.length) * abi.STEP_BYTES,
      "program of the optimiser",
    );
    let partial = this.#partial;
    this.#runs = runs.map((run) => {
      const placed = { ...run, partial };
      partial += Math.ceil(run.count / abi.SUM_CHUNK) * 8;
      return placed;
    });
    this.#writeProgram();
  }

  /**
   * For parameters of one runtime. Memory for their gradients is taken now.
   * @throws OnebitError `option/invalid` for none, or of several runtimes; `train/not-enough-memory`
   */
  static of(parameters: Iterable<Parameter>, options: AdamWOptions = {}): AdamW {
    const all = check("parameters", parameters, PARAMETERS),
      { runtime } = all[0] ?? fail("option/invalid", "optimiser: wanted at least one parameter, got none");
    if (all.some((parameter) => parameter.runtime !== runtime))
      fail("option/invalid", "optimiser: wanted parameters of one runtime; give all layers the same `runtime` option");
    const ranges = all.map(({ address, gradientAddress, size, decays }) => ({
      values: address,
      gradients: gradientAddress,
      count: size,
      decays,
    }));
    return new AdamW(runtime, ranges, options);
  }

  /** Views of the moments, in the order of the parameters: good until memory grows. */
  get moments(): {
    /** Running mean of the gradients. */
    readonly first: Float32Array;
    /** Running mean of their squares. */
    readonly second: Float32Array;
  } {
    return {
      first: this.#runtime.f32(this.#moments.first, this.#total),
      second: this.#runtime.f32(this.#moments.second, this.#total),
    };
  }

  /** Sets all gradients to zero. */
  zeroGradients(): void {
    this.#runtime.run(this.#program, this.#runs.length);
  }

  /** The Euclidean norm of all gradients. */
  gradientNorm(): number {
    this.#runtime.run(this.#program + this.#runs.length * abi.STEP_BYTES, this.#runs.length);
    let sum = 0;
    for (const part of this.#runtime.f64(this.#partial, this.#nPartial)) sum += part;
    return Math.sqrt(sum);
  }

  /**
   * The next step: clips the gradients, and updates parameters and moments.
   * @returns the norm of the gradients before clipping
   * @throws OnebitError `train/not-finite` before the parameters are touched; `train/bad-option`
   */
  step(rates: AdamWRates): number {
    const norm = this.gradientNorm();
    if (!Number.isFinite(norm))
      fail(
        "train/not-finite",
        `step ${this.#steps + 1}: the norm of the gradients is ${norm}; use a lower learning rate or a smaller ` +
          "clipNorm",
      );
    this.update(this.#steps + 1, rates, norm);
    return norm;
  }

  /**
   * One update with a norm that is known.
   * @param step 1 for the first
   * @param gradientNorm as {@link AdamW.gradientNorm} gives it
   * @throws OnebitError `train/bad-option`
   */
  update(step: number, rates: AdamWRates, gradientNorm: number): void {
    const { learningRate, weightDecay } = checkOptions("update", rates, RATES, { code: "train/bad-option" });
    check("step", step, whole(1), "train/bad-option");
    check("gradientNorm", gradientNorm, number({ min: 0, max: Infinity }), "train/bad-option");
    const { beta1, beta2, epsilon, clipNorm } = this.#options;
    const factor = clipNorm > 0 && gradientNorm > clipNorm ? clipNorm / gradientNorm : 1;
    const view = new DataView(this.#runtime.memory.buffer, this.#settings, abi.SETTING_BYTES);
    view.setFloat32(abi.SETTING_LEARNING_RATE, learningRate, true);
    view.setFloat32(abi.SETTING_WEIGHT_DECAY, weightDecay, true);
    view.setFloat32(abi.SETTING_BETA1, beta1, true);
    view.setFloat32(abi.SETTING_BETA2, beta2, true);
    view.setFloat32(abi.SETTING_EPSILON, epsilon, true);
    view.setFloat32(abi.SETTING_CORRECTION1, 1 / (1 - power(beta1, step)), true);
    view.setFloat32(abi.SETTING_CORRECTION2, 1 / (1 - power(beta2, step)), true);
    view.setFloat32(abi.SETTING_GRADIENT_FACTOR, factor, true);
    this.#runtime.run(this.#program + 2 * this.#runs.length * abi.STEP_BYTES, this.#ranges.length);
    this.#steps = step;
  }

  /** Gives the memory of the moments back. */
  close(): void {
    for (const address of [this.#moments.first, this.#moments.second, this.#partial, this.#settings, this.#program])
      this.#runtime.free(address);
  }

  #writeProgram(): void {
    const nSteps = 2 * this.#runs.length + this.#ranges.length;
    const out = new StepWriter(
      this.#runtime.memory,
      this.#program,
      nSteps * abi.STEP_BYTES,
      (address: number) => address,
    );
    for (const { gradients, count } of this.#runs) out.step("zero", { x: gradients, total: count });
    for (const { gradients, count, partial } of this.#runs) out.step("sumSquares", { gradients, count, partial });
    let at = 0;
    for (const { values, gradients, count, decays } of this.#ranges) {
      const { first, second } = this.#moments;
      out.step("adamW", {
        weights: values,
        gradients,
        m: first + at,
        v: second + at,
        settings: this.#settings,
        decays,
        total: count,
      });
      at += count * 4;
    }
  }
}

function withoutGaps(ranges: readonly ParameterRange[]): { gradients: number; count: number }[] {
  const runs: { gradients: number; count: number }[] = [];
  for (const { gradients, count } of ranges) {
    const last = runs.at(-1);
    if (last && last.gradients + last.count * 4 === gradients) last.count += count;
    else runs.push({ gradients, count });
  }
  return runs;
}

/** base^exponent by squaring: `Math.pow` differs between engines. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square)
    if (rest % 2 === 1) result *= square;
  return result;
}
