/**
 * y = W·x for many x at once, in double precision, with the weights read from the file as they are needed.
 *
 * BitNet-trained models quantise x to 8 bits as part of the model (BitNet b1.58, arXiv 2402.17764, section 2): then the
 * product is over those integers, and still exact.
 */
import type { GgufWeights } from "./gguf-weights.ts";

/** One vector a position. */
export type Rows = Float64Array[];

/** How activations meet weights: as they are, or quantised to 8 bits with one scale a token. */
export type Activations = "float" | "token";

export async function linear(weights: GgufWeights, name: string, x: Rows, activations: Activations): Promise<Rows> {
  const [k, nRows] = weights.tensor(`${name}.weight`).shape;
  const quantised = activations === "token" ? x.map(quantiseToken) : undefined;
  const y = await multiply(weights, `${name}.weight`, quantised?.map(({ q }) => q) ?? x);
  quantised?.forEach(({ scale }, t) => y[t].forEach((value, r) => (y[t][r] = value / scale)));
  const scale = (await weights.vector(`${name}.scale`))?.[0] ?? 1;
  const bias = await weights.vector(`${name}.bias`);
  for (const row of y) for (let r = 0; r < nRows; r++) row[r] = row[r] * scale + (bias?.[r] ?? 0);
  if (x[0].length !== k) throw new Error(`${name}: ${x[0].length} inputs for rows of ${k}`);
  return y;
}

/** The integer vector and what to divide by: s = 127 / max|x| in f32, q = x·s to the nearest integer, ties to even. */
function quantiseToken(x: Float64Array): { q: Float64Array; scale: number } {
  const amax = x.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-5);
  const scale = Math.fround(127 / amax);
  return { q: x.map((value) => Math.min(127, Math.max(-128, roundHalfEven(value * scale)))), scale };
}

/** Adding and taking away 1.5 · 2^52 leaves no bit for a fraction; the addition rounds to nearest even. */
export function roundHalfEven(value: number): number {
  return value + 6_755_399_441_055_744 - 6_755_399_441_055_744;
}

/** Rows decoded at a time: 16 MB of floats or less for any width here. */
const CHUNK_ELEMENTS = 4 * 1024 * 1024;
/** Activations that share one reading of a row of weights. */
const LANES = 8;

export async function multiply(weights: GgufWeights, name: string, x: Rows): Promise<Rows> {
  const { shape, type } = weights.tensor(name);
  const [k, nRows] = shape;
  const y = x.map(() => new Float64Array(nRows));
  const groups = laneGroups(x, k);
  const step = type === "I2_S" ? nRows : Math.max(1, Math.floor(CHUNK_ELEMENTS / k));
  for (let begin = 0; begin < nRows; begin += step) {
    const values = await weights.rows(name, begin, Math.min(nRows, begin + step));
    groups.forEach((lanes, g) => multiplyLanes(values, lanes, k, begin, y.slice(g * LANES, (g + 1) * LANES)));
  }
  return y;
}

/** Each group of 8 vectors as one, (k, 8): a weight then meets eight neighbours. */
function laneGroups(x: Rows, k: number): Float64Array[] {
  const groups: Float64Array[] = [];
  for (let t = 0; t < x.length; t += LANES) {
    const lanes = new Float64Array(k * LANES);
    x.slice(t, t + LANES).forEach((row, lane) => row.forEach((value, i) => (lanes[i * LANES + lane] = value)));
    groups.push(lanes);
  }
  return groups;
}

function multiplyLanes(values: Float32Array, x: Float64Array, k: number, firstRow: number, y: Rows): void {
  const sums = new Float64Array(LANES);
  for (let from = 0, row = firstRow; from < values.length; from += k, row++) {
    let s0 = 0,
      s1 = 0,
      s2 = 0,
      s3 = 0,
      s4 = 0,
      s5 = 0,
      s6 = 0,
      s7 = 0;
    for (let i = 0, at = 0; i < k; i++, at += LANES) {
      const w = values[from + i];
      s0 += w * x[at];
      s1 += w * x[at + 1];
      s2 += w * x[at + 2];
      s3 += w * x[at + 3];
      s4 += w * x[at + 4];
      s5 += w * x[at + 5];
      s6 += w * x[at + 6];
      s7 += w * x[at + 7];
    }
    sums.set([s0, s1, s2, s3, s4, s5, s6, s7]);
    for (let lane = 0; lane < y.length; lane++) y[lane][row] = sums[lane];
  }
}
