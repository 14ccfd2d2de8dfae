/**
 * Floats to the super-block types Q4_K and Q6_K (layouts: `dequantize.ts`).
 *
 * Each sub-block tries several scales around the one its extreme suggests, fits each to the rounded codes by least
 * squares, and keeps the one with the smallest weighted error. Scales are then rounded to the integers that the
 * super-block stores, and codes chosen again for them. Weights are x², because large weights matter most. The idea is
 * that of ggml's k-quants; the searches are simpler.
 *
 * @module
 */
import { floatToHalf, halfToFloat } from "./float16.ts";

const SUPER_BLOCK = 256;

/** Encodes 256 values at byte `at`: 16 sub-blocks of 16, value = d·scale·(q − 32). */
export function quantizeQ6K(block: Float32Array, view: DataView, at: number): void {
  const scales = Array.from({ length: 16 }, (_, s) => bestScale(block.subarray(s * 16, s * 16 + 16)));
  const extreme = scales.reduce((far, scale) => (Math.abs(scale) > Math.abs(far) ? scale : far), 0);
  // The extreme scale becomes −128, the code of largest magnitude.
  const d = halfToFloat(floatToHalf(extreme / -128));
  view.setUint16(at + 208, floatToHalf(d), true);
  const codes = new Uint8Array(SUPER_BLOCK);
  for (let s = 0; s < 16; s++) {
    const scale = d === 0 ? 0 : clamp(Math.round(scales[s]! / d), -128, 127);
    view.setInt8(at + 192 + s, scale);
    const step = d * scale;
    for (let i = s * 16; i < s * 16 + 16; i++)
      codes[i] = 32 + (step === 0 ? 0 : clamp(Math.round(block[i]! / step), -32, 31));
  }
  packQ6Codes(codes, view, at);
}

/** Low nibbles of elements r and r+64 of a half share a byte; the high bits of r, r+32, r+64, r+96 share another. */
function packQ6Codes(codes: Uint8Array, view: DataView, at: number): void {
  for (let half = 0; half < 2; half++) {
    const c = half * 128;
    for (let i = 0; i < 64; i++)
      view.setUint8(at + half * 64 + i, (codes[c + i]! & 15) | ((codes[c + 64 + i]! & 15) << 4));
    for (let i = 0; i < 32; i++) {
      const high = (group: number): number => codes[c + group * 32 + i]! >> 4;
      view.setUint8(at + 128 + half * 32 + i, high(0) | (high(1) << 2) | (high(2) << 4) | (high(3) << 6));
    }
  }
}

/** The scale s that makes s·round(x/s), codes −32…31, closest to x. */
function bestScale(values: Float32Array): number {
  let extreme = 0;
  for (const value of values) if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  if (extreme === 0) return 0;
  let best = 0;
  let bestGain = 0;
  for (let step = -6; step <= 6; step++) {
    const inverse = -(32 + step * 0.15) / extreme;
    let xq = 0;
    let qq = 0;
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      const q = clamp(Math.round(x * inverse), -32, 31);
      xq += x * x * x * q;
      qq += x * x * q * q;
    }
    // For given codes the error is least at s = xq/qq, where it is smaller than at 0 by xq²/qq.
    const gain = qq > 0 ? (xq * xq) / qq : 0;
    if (gain > bestGain) {
      bestGain = gain;
      best = xq / qq;
    }
  }
  return best;
}

/** Encodes 256 values at byte `at`: 8 sub-blocks of 32, value = d·scale·q − dmin·min. */
export function quantizeQ4K(block: Float32Array, view: DataView, at: number): void {
  const fits = Array.from({ length: 8 }, (_, j) => bestScaleAndMin(block.subarray(j * 32, j * 32 + 32)));
  const d = halfToFloat(floatToHalf(Math.max(...fits.map((fit) => fit.scale)) / 63));
  const dmin = halfToFloat(floatToHalf(Math.max(...fits.map((fit) => fit.min)) / 63));
  view.setUint16(at, floatToHalf(d), true);
  view.setUint16(at + 2, floatToHalf(dmin), true);
  const scales = fits.map((fit) => (d === 0 ? 0 : clamp(Math.round(fit.scale / d), 0, 63)));
  const mins = fits.map((fit) => (dmin === 0 ? 0 : clamp(Math.round(fit.min / dmin), 0, 63)));
  packQ4Scales(scales, mins, view, at + 4);
  for (let j = 0; j < 8; j += 2) {
    const code = (sub: number, i: number): number => {
      const step = d * scales[sub]!;
      return step === 0 ? 0 : clamp(Math.round((block[sub * 32 + i]! + dmin * mins[sub]!) / step), 0, 15);
    };
    for (let i = 0; i < 32; i++) view.setUint8(at + 16 + (j >> 1) * 32 + i, code(j, i) | (code(j + 1, i) << 4));
  }
}

/** Pairs 0–3 in the low 6 bits of bytes 0–3 and 4–7; pairs 4–7 in nibbles of bytes 8–11 and the top bits left over. */
function packQ4Scales(scales: readonly number[], mins: readonly number[], view: DataView, at: number): void {
  for (let j = 0; j < 4; j++) {
    view.setUint8(at + j, scales[j]! | ((scales[j + 4]! >> 4) << 6));
    view.setUint8(at + j + 4, mins[j]! | ((mins[j + 4]! >> 4) << 6));
    view.setUint8(at + j + 8, (scales[j + 4]! & 15) | ((mins[j + 4]! & 15) << 4));
  }
}

/** The scale and min ≥ 0 that make scale·q − min, codes 0–15, closest to the values. */
function bestScaleAndMin(values: Float32Array): { scale: number; min: number } {
  let low = 0;
  let high = -Infinity;
  let squares = 0;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    squares += value * value;
  }
  if (high <= low) return { scale: 0, min: -low };
  // Magnitude weights, lifted by the block's own RMS so that values near zero still count.
  const rms = Math.sqrt(squares / values.length);
  let best = { scale: (high - low) / 15, min: -low };
  let bestError = errorOf(values, rms, best.scale, best.min);
  for (let step = -4; step <= 8; step++) {
    const inverse = (15 + step * 0.15) / (high - low);
    const fit = fitScaleAndMin(values, rms, low, inverse);
    if (fit === undefined) continue;
    const error = errorOf(values, rms, fit.scale, fit.min);
    if (error < bestError) [best, bestError] = [fit, error];
  }
  return best;
}

/**
 * Weighted least squares of scale and min for the codes that `inverse` gives; undefined if the codes do not determine
 * them.
 */
function fitScaleAndMin(
  values: Float32Array,
  rms: number,
  low: number,
  inverse: number,
): { scale: number; min: number } | undefined {
  let w1 = 0;
  let wq = 0;
  let wqq = 0;
  let wx = 0;
  let wxq = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    const weight = rms + Math.abs(x);
    const q = clamp(Math.round((x - low) * inverse), 0, 15);
    w1 += weight;
    wq += weight * q;
    wqq += weight * q * q;
    wx += weight * x;
    wxq += weight * x * q;
  }
  const determinant = w1 * wqq - wq * wq;
  if (determinant <= 0 || wqq === 0) return undefined;
  const min = -(wqq * wx - wq * wxq) / determinant;
  if (min < 0) return { scale: wxq / wqq, min: 0 };
  return { scale: (w1 * wxq - wq * wx) / determinant, min };
}

function errorOf(values: Float32Array, rms: number, scale: number, min: number): number {
  if (scale <= 0) return Infinity;
  let error = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    const q = clamp(Math.round((x + min) / scale), 0, 15);
    const difference = scale * q - min - x;
    error += (rms + Math.abs(x)) * difference * difference;
  }
  return error;
}

function clamp(value: number, min: number, max: number): number {
  return value < min ? min : Math.min(value, max);
}
