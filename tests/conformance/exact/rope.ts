/**
 * Rotary position embedding (Su et al., 2021) with the frequency changes that model files ask for: linear, YaRN
 * (Peng et al., 2023), and tables of factors (Llama 3.1, LongRoPE).
 */
import type { GgufWeights } from "./gguf-weights.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

export interface Rope {
  /** Radians a position, for each of ropeDim/2 pairs. */
  readonly frequencies: Float64Array;
  /** Sines and cosines are multiplied by it. */
  readonly magnitude: number;
  /** Pairs (2i, 2i + 1); otherwise (i, i + ropeDim/2). */
  readonly adjacent: boolean;
}

export async function ropeOf(h: Hyperparameters, weights: GgufWeights, contextLength: number): Promise<Rope> {
  const adjacent = h.architecture === "llama" || h.architecture === "minicpm";
  const half = h.ropeDim / 2;
  const factors = await factorsOf(h, weights, contextLength);
  const base = Float64Array.from(
    { length: half },
    (_, i) => h.ropeTheta ** ((-2 * i) / h.ropeDim) / (factors?.[i] ?? 1),
  );
  switch (h.ropeScaling) {
    case "none":
      return { frequencies: base, magnitude: 1, adjacent };
    case "longrope":
      return { frequencies: base, magnitude: h.ropeAttentionFactor ?? 1, adjacent };
    case "linear":
      return { frequencies: base.map((frequency) => frequency / h.ropeFactor), magnitude: 1, adjacent };
    case "yarn":
      return { ...yarn(base, h), adjacent };
    default:
      throw new Error(`rope scaling ${h.ropeScaling} is not known here`);
  }
}

async function factorsOf(
  h: Hyperparameters,
  weights: GgufWeights,
  contextLength: number,
): Promise<Float64Array | undefined> {
  if (h.ropeScaling !== "longrope") return weights.vector("rope_freqs.weight");
  const length = contextLength > h.ropeOriginalContext ? "long" : "short";
  return weights.vector(`rope_factors_${length}.weight`);
}

/** Fast pairs (over 32 turns in the original context) keep their frequency, slow ones (under 1) are interpolated. */
function yarn(base: Float64Array, h: Hyperparameters): Omit<Rope, "adjacent"> {
  const pairOfTurns = (turns: number) =>
    (h.ropeDim * Math.log(h.ropeOriginalContext / (turns * 2 * Math.PI))) / (2 * Math.log(h.ropeTheta));
  const low = Math.max(0, Math.floor(pairOfTurns(32)));
  const high = Math.min(h.ropeDim - 1, Math.ceil(pairOfTurns(1)));
  const frequencies = base.map((frequency, i) => {
    const slow = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    return (frequency / h.ropeFactor) * slow + frequency * (1 - slow);
  });
  return { frequencies, magnitude: (h.ropeAttentionFactor ?? 1) * (1 + 0.1 * Math.log(h.ropeFactor)) };
}

/** Of layers that see a window: another base, and no scaling. */
export function slidingRope({ slidingTheta, ropeDim }: Hyperparameters, { adjacent }: Rope): Rope {
  const frequencies = Float64Array.from({ length: ropeDim / 2 }, (_, i) => slidingTheta ** ((-2 * i) / ropeDim));
  return { frequencies, magnitude: 1, adjacent };
}

/** Rotates the leading ropeDim numbers of each head of `row`, in place. */
export function rotate(
  row: Float64Array,
  position: number,
  headDim: number,
  { frequencies, magnitude, adjacent }: Rope,
): void {
  const half = frequencies.length;
  for (let head = 0; head < row.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const a = head + (adjacent ? 2 * i : i);
      const b = adjacent ? a + 1 : a + half;
      const cos = Math.cos(position * frequencies[i]) * magnitude;
      const sin = Math.sin(position * frequencies[i]) * magnitude;
      const x = row[a];
      const y = row[b];
      row[a] = x * cos - y * sin;
      row[b] = x * sin + y * cos;
    }
  }
}
