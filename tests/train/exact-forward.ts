/**
 * A trained transformer in double precision, straight from its tensors and codes: no file, no kernel, no cache. What an
 * exported file computes is judged by it.
 */
import type { TransformerShape } from "../../src/nn/shape.ts";
import type { TrainedModel } from "../../src/train/trained-model.ts";

type Rows = Float64Array[];

/**
 * Logits after each id. `activationBits` other than the shape's: what an engine makes of activations that no file
 * describes.
 */
export function exactForward(
  model: TrainedModel,
  ids: readonly number[],
  activationBits = model.shape.activationBits,
): Rows {
  const { shape } = model,
    { dim } = shape;
  const embedding = model.tensor("token_embd.weight");
  const norm = (x: Rows, name: string) => x.map((row) => rms(row, model.tensor(name), shape.normEps));
  const linear = (x: Rows, name: string, columns: number) => project(model, name, columns, x, activationBits);
  let x: Rows = ids.map((id) => Float64Array.from(embedding.subarray(id * dim, (id + 1) * dim)));
  for (let layer = 0; layer < shape.depth; layer++) {
    const blk = `blk.${layer}.`,
      qWidth = shape.heads * shape.headDim;
    const normed = norm(x, `${blk}attn_norm.weight`);
    const [q, k, v] = ["q", "k", "v"].map((role) => linear(normed, `${blk}attn_${role}.weight`, dim));
    for (const rows of [q, k]) rows.forEach((row, position) => rotateHalves(row, position, shape));
    const attended = q.map((row, t) => attend(row, k, v, t, shape));
    const before = shape.subNorms ? norm(attended, `${blk}attn_sub_norm.weight`) : attended;
    x = add(x, linear(before, `${blk}attn_output.weight`, qWidth));
    const fed = norm(x, `${blk}ffn_norm.weight`);
    const gate = linear(fed, `${blk}ffn_gate.weight`, dim),
      up = linear(fed, `${blk}ffn_up.weight`, dim);
    const gated = gate.map((row, t) => row.map((value, i) => ACTIVATIONS[shape.activation](value) * up[t][i]));
    const inner = shape.subNorms ? norm(gated, `${blk}ffn_sub_norm.weight`) : gated;
    x = add(x, linear(inner, `${blk}ffn_down.weight`, shape.ffHidden));
  }
  const head = shape.tied ? embedding : model.tensor("output.weight");
  return multiply(head, dim, norm(x, "output_norm.weight"));
}

const ACTIVATIONS: Readonly<Record<TransformerShape["activation"], (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu2: (x) => Math.max(0, x) ** 2,
  gelu: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

function project(model: TrainedModel, name: string, columns: number, x: Rows, activationBits: number): Rows {
  if (model.shape.weightBits === 32) return multiply(model.tensor(name), columns, x);
  const { codes, scale } = model.quantized(name);
  if (activationBits === 32) return multiply(codes, columns, x).map((row) => row.map((value) => value * scale));
  const inverse = x.map((row) => Math.fround(127 / row.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-5)));
  const rounded = x.map((row, t) =>
    row.map((value) => Math.min(127, Math.max(-128, roundHalfEven(value * inverse[t])))),
  );
  return multiply(codes, columns, rounded).map((row, t) => row.map((value) => (value * scale) / inverse[t]));
}

function roundHalfEven(value: number): number {
  return value + 6_755_399_441_055_744 - 6_755_399_441_055_744;
}

function multiply(weights: Float32Array | Int8Array, columns: number, x: Rows): Rows {
  return x.map((row) =>
    Float64Array.from({ length: weights.length / columns }, (_, r) => {
      let sum = 0;
      for (let i = 0; i < columns; i++) sum += weights[r * columns + i] * row[i];
      return sum;
    }),
  );
}

function rms(x: Float64Array, weight: Float32Array, eps: number): Float64Array {
  const meanSquare = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(meanSquare + eps)) * weight[i]);
}

/** Dimensions i and i + headDim/2 turn together. */
function rotateHalves(row: Float64Array, position: number, { headDim, ropeTheta }: TransformerShape): void {
  const half = headDim / 2;
  for (let head = 0; head < row.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = position * ropeTheta ** (-i / half),
        a = row[head + i],
        b = row[head + i + half];
      row[head + i] = a * Math.cos(angle) - b * Math.sin(angle);
      row[head + i + half] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
}

function attend(
  q: Float64Array,
  k: Rows,
  v: Rows,
  position: number,
  { heads, kvHeads, headDim }: TransformerShape,
): Float64Array {
  const out = new Float64Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const kv = Math.floor((head * kvHeads) / heads) * headDim,
      from = head * headDim;
    const scores = Array.from({ length: position + 1 }, (_, t) => {
      let sum = 0;
      for (let i = 0; i < headDim; i++) sum += q[from + i] * k[t][kv + i];
      return sum / Math.sqrt(headDim);
    });
    const max = Math.max(...scores),
      exps = scores.map((score) => Math.exp(score - max)),
      total = exps.reduce((a, b) => a + b);
    exps.forEach((weight, t) => {
      for (let i = 0; i < headDim; i++) out[from + i] += (weight / total) * v[t][kv + i];
    });
  }
  return out;
}

function add(x: Rows, y: Rows): Rows {
  return x.map((row, t) => row.map((value, i) => value + y[t][i]));
}
