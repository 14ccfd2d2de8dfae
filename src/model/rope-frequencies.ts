/**
 * The rotary frequencies of a model, computed once in wasm (f64, the same bits on every engine), then scaled.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { KernelExports } from "../kernels/exports.ts";
import type { ModelConfig, RopeScaling } from "./config.ts";
import type { MemoryPlan } from "./plan.ts";
import type { ModelTensors, VectorTensor } from "./weights.ts";

/**
 * Fills `plan.ropeFrequencies` and `plan.slidingFrequencies`; `scratch` has room for ropeDim/2 f32.
 * @returns the factor on every cos and sin
 * @throws OnebitError `model/bad-config` when a frequency comes out infinite or no number
 */
export function placeRopeFrequencies(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  config: ModelConfig,
  plan: MemoryPlan,
  tensors: ModelTensors,
  scratch: number,
): number {
  const magnitude = place(kernels, memory, config, plan, tensors, scratch);
  const { ropeDim, sliding } = config,
    areFinite = (at: number) => new Float64Array(memory.buffer, at, ropeDim / 2).every(Number.isFinite);
  if (sliding !== undefined) kernels.ropeFrequencies(plan.slidingFrequencies, ropeDim, sliding.ropeTheta);
  const isRight =
    Number.isFinite(baseOf(kernels, config)) &&
    areFinite(plan.ropeFrequencies) &&
    (sliding === undefined || areFinite(plan.slidingFrequencies));
  if (Number.isFinite(magnitude) && isRight) return magnitude;
  return fail(
    "model/bad-config",
    `model "${config.name}": its rotary factors and scaling give frequencies that are not finite`,
  );
}

function place(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  config: ModelConfig,
  plan: MemoryPlan,
  tensors: ModelTensors,
  scratch: number,
): number {
  const { ropeDim, ropeScaling: scaling } = config,
    ropeTheta = baseOf(kernels, config),
    at = plan.ropeFrequencies,
    n = ropeDim / 2;
  const divideBy = (vector: VectorTensor | undefined) =>
    vector && kernels.ropeFactors(at, n, plan.vectors.get(vector)!.at);
  const divideByNumbers = (factors: readonly number[]) => {
    if (factors.length !== n) fail("model/bad-config", `rotary factors: wanted ${n} numbers, found ${factors.length}`);
    new Float32Array(memory.buffer, scratch, n).set(factors);
    kernels.ropeFactors(at, n, scratch);
  };
  kernels.ropeFrequencies(at, ropeDim, ropeTheta);
  divideBy(tensors.ropeFactors);
  switch (scaling.kind) {
    case "none":
      return 1;
    case "linear":
      kernels.ropeLinear(at, n, scaling.factor);
      return 1;
    case "llama3":
      divideByNumbers(llama3Factors(new Float64Array(memory.buffer, at, n), scaling));
      return 1;
    case "yarn": {
      const magnitude = kernels.ropeYarn(
        at,
        n,
        ropeDim,
        ropeTheta,
        scaling.factor,
        scaling.originalContext,
        scaling.betaFast,
        scaling.betaSlow,
      );
      return scaling.attentionFactor ?? magnitude * scaling.attentionScale;
    }
    case "longrope": {
      // The factors follow the allocated context, not the one in use: a cache must not change its rotation.
      const long = plan.options.contextLength > scaling.originalContext;
      divideBy(long ? tensors.ropeLong : tensors.ropeShort);
      const numbers = long ? scaling.long : scaling.short;
      if (numbers) divideByNumbers(numbers);
      return scaling.attentionFactor ?? longRopeMagnitude(kernels, scaling);
    }
  }
}

/** As 32 bits, which is how converters store the base that they raise. */
function baseOf({ expF64, logF64 }: KernelExports, { ropeTheta, ropeAlpha, headDim }: ModelConfig): number {
  if (ropeAlpha === undefined) return ropeTheta;
  return Math.fround(ropeTheta * expF64((logF64(ropeAlpha) * headDim) / (headDim - 2)));
}

/** Keeps the entropy of attention over a context `factor` times the original one (LongRoPE, arXiv 2402.13753). */
function longRopeMagnitude(
  kernels: KernelExports,
  { factor, originalContext }: Extract<RopeScaling, { kind: "longrope" }>,
): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + kernels.logF64(factor) / kernels.logF64(originalContext));
}

/** Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between blended. */
function llama3Factors(frequencies: Float64Array, scaling: Extract<RopeScaling, { kind: "llama3" }>): number[] {
  const { factor, lowFreqFactor, highFreqFactor, originalContext } = scaling;
  return Array.from(frequencies, (frequency) => {
    const waves = (originalContext * frequency) / (2 * Math.PI);
    if (waves > highFreqFactor) return 1;
    if (waves < lowFreqFactor) return factor;
    const smooth = (waves - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
