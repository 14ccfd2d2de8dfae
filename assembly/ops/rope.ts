/**
 * Rotary position embeddings (Su et al., "RoFormer", 2021) and the ways to stretch them to longer contexts.
 *
 *   frequencies: f64 (nRot / 2): base^(-2i / nRot), then changed in place by at most one of the modifiers
 *   angles:      position · frequency in f64, cosine and sine rounded once to f32 (tokens, nRot / 2)
 *   pairs:       adjacent (x[2i], x[2i+1]) as in GGUF files of the llama kind, or half (x[i], x[i + nRot/2])
 */
import { cosF64, logF64, powF64, sinF64 } from "../math";
import { RopeStep } from "../steps";

const TWO_PI: f64 = 6.283185307179586;

/** out[i] = base^(-2i / nRot). */
export function ropeFrequencies(out: usize, nRot: i32, base: f64): void {
  for (let i = 0; i < nRot / 2; i++) store<f64>(out + ((<usize>i) << 3), powF64(base, (-2.0 * <f64>i) / <f64>nRot));
}

/** Linear scaling: every one of the n frequencies divided by `factor`. */
export function ropeLinear(out: usize, n: i32, factor: f64): void {
  for (let i = 0; i < n; i++) store<f64>(out + ((<usize>i) << 3), load<f64>(out + ((<usize>i) << 3)) / factor);
}

/** Each of the n frequencies divided by its own factor, f32 (n): LongRoPE, and the files that carry `rope_freqs`. */
export function ropeFactors(out: usize, n: i32, factors: usize): void {
  for (let i = 0; i < n; i++) {
    store<f64>(
      out + ((<usize>i) << 3),
      load<f64>(out + ((<usize>i) << 3)) / <f64>load<f32>(factors + ((<usize>i) << 2)),
    );
  }
}

/**
 * YaRN (Peng et al., 2023): frequencies that turn fewer than betaSlow times in the original context are divided by
 * `factor`, those that turn more than betaFast times are kept, with a linear ramp between (the paper: 1 and 32). n =
 * nRot / 2. Returns the factor on cosine and sine: 1 + 0.1 ln factor.
 */
export function ropeYarn(
  out: usize,
  n: i32,
  nRot: i32,
  base: f64,
  factor: f64,
  origContext: f64,
  betaFast: f64,
  betaSlow: f64,
): f32 {
  const low = max<f64>(0, floor<f64>(yarnPair(nRot, base, origContext, betaFast)));
  const high = min<f64>(<f64>(nRot - 1), ceil<f64>(yarnPair(nRot, base, origContext, betaSlow)));
  for (let i = 0; i < n; i++) {
    const at = out + ((<usize>i) << 3),
      frequency = load<f64>(at);
    const place = (<f64>i - low) / max<f64>(0.001, high - low);
    const keep = 1.0 - min<f64>(1, max<f64>(0, place));
    store<f64>(at, (frequency / factor) * (1.0 - keep) + frequency * keep);
  }
  return <f32>(1.0 + 0.1 * logF64(factor));
}

/** The (fractional) pair that turns `turns` times within the context. */
function yarnPair(nRot: i32, base: f64, context: f64, turns: f64): f64 {
  return (<f64>nRot * logF64(context / (turns * TWO_PI))) / (2.0 * logF64(base));
}

/** Cosines and sines of one position, f32 (nHalf) each, times `mscale`. */
export function ropeTable(freq: usize, nHalf: i32, position: i32, mscale: f32, cosOut: usize, sinOut: usize): void {
  for (let i = 0; i < nHalf; i++) {
    const angle = <f64>position * load<f64>(freq + ((<usize>i) << 3));
    store<f32>(cosOut + ((<usize>i) << 2), <f32>cosF64(angle) * mscale);
    store<f32>(sinOut + ((<usize>i) << 2), <f32>sinF64(angle) * mscale);
  }
}

/** Turns the pairs (x[i], x[i + nRot/2]) of the first nRot values of heads [headBegin, headEnd) of n tokens. */
export function rotate(step: RopeStep, n: i32, headBegin: i32, headEnd: i32): void {
  const nHalf = step.nRot / 2,
    headBytes = (<usize>step.headDim) << 2,
    begin = step.x + <usize>headBegin * headBytes,
    end = step.x + <usize>headEnd * headBytes;
  for (let token = 0; token < n; token++) {
    const row = (<usize>token * step.xStride) << 2,
      angles = (<usize>token * nHalf) << 2,
      cos = step.cos + angles,
      sin = step.sin + angles;
    for (let head = begin + row; head < end + row; head += headBytes) {
      turn(head, cos, sin, nHalf);
    }
  }
}

function turn(x: usize, cos: usize, sin: usize, nHalf: i32): void {
  const half = (<usize>nHalf) << 2;
  let at: usize = 0;
  for (; at + 16 <= half; at += 16) {
    const a = v128.load(x + at),
      b = v128.load(x + at + half),
      c = v128.load(cos + at),
      s = v128.load(sin + at);
    v128.store(x + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(x + at + half, f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c)));
  }
  for (; at < half; at += 4) {
    const a = load<f32>(x + at),
      b = load<f32>(x + at + half),
      c = load<f32>(cos + at),
      s = load<f32>(sin + at);
    store<f32>(x + at, a * c - b * s);
    store<f32>(x + at + half, a * s + b * c);
  }
}
