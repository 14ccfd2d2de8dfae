/**
 * The operations of src/nn/ops.ts in double precision, written from their definitions: what the kernels' values and, by
 * central differences, their gradients are judged by. Matrices are row-major.
 */
export type Values = Float64Array<ArrayBuffer>;

/** x (n, in) · Wᵀ, W (out, in). */
export function linear(x: Values, w: Values, columns: number, bias?: Values): Values {
  const n = x.length / columns,
    outputs = w.length / columns;
  return Float64Array.from({ length: n * outputs }, (_, at) => {
    const row = Math.floor(at / outputs),
      output = at % outputs;
    let sum = bias ? bias[output] : 0;
    for (let i = 0; i < columns; i++) sum += x[row * columns + i] * w[output * columns + i];
    return sum;
  });
}

export function embed(ids: ArrayLike<number>, table: Values, dim: number): Values {
  return Float64Array.from(
    { length: ids.length * dim },
    (_, at) => table[ids[Math.floor(at / dim)] * dim + (at % dim)],
  );
}

function rowwise(x: Values, columns: number, change: (row: Values) => Values): Values {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += columns) out.set(change(x.subarray(at, at + columns)), at);
  return out;
}

const sum = (values: ArrayLike<number>): number =>
  Array.prototype.reduce.call(values, (a, b) => (a as number) + (b as number), 0) as number;

export function rmsNorm(x: Values, gain: Values, eps: number): Values {
  return rowwise(x, gain.length, (row) => {
    const scale = 1 / Math.sqrt(sum(row.map((v) => v * v)) / row.length + eps);
    return row.map((v, i) => v * scale * gain[i]);
  });
}

export function layerNorm(x: Values, gain: Values, bias: Values, eps: number): Values {
  return rowwise(x, gain.length, (row) => {
    const mean = sum(row) / row.length,
      scale = 1 / Math.sqrt(sum(row.map((v) => (v - mean) ** 2)) / row.length + eps);
    return row.map((v, i) => (v - mean) * scale * gain[i] + bias[i]);
  });
}

export const ACTIVATIONS = {
  silu: (x: number) => x / (1 + Math.exp(-x)),
  relu2: (x: number) => Math.max(0, x) ** 2,
  gelu: (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** Dimensions i and i + headDim/2 of every head turn together; rows are sequences of `length`. */
export function rotate(x: Values, columns: number, length: number, headDim: number, theta: number): Values {
  const half = headDim / 2,
    out = x.slice();
  for (let row = 0; row * columns < x.length; row++) {
    for (let head = 0; head < columns; head += headDim) {
      for (let i = 0; i < half; i++) {
        const angle = (row % length) * theta ** (-i / half),
          at = row * columns + head + i,
          a = x[at],
          b = x[at + half];
        out[at] = a * Math.cos(angle) - b * Math.sin(angle);
        out[at + half] = a * Math.sin(angle) + b * Math.cos(angle);
      }
    }
  }
  return out;
}

export interface AttentionSizes {
  readonly length: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
}

/** Each query head with the key/value head of its group. Also the probabilities (sequences, nHeads, length, length). */
export function attention(q: Values, k: Values, v: Values, sizes: AttentionSizes): { out: Values; weights: Values } {
  const { length, nHeads, nKvHeads, headDim, causal } = sizes,
    width = nHeads * headDim,
    kvWidth = nKvHeads * headDim;
  const rows = q.length / width,
    out = new Float64Array(q.length),
    weights = new Float64Array((rows / length) * nHeads * length * length);
  for (let row = 0; row < rows; row++) {
    const first = row - (row % length),
      position = row % length;
    for (let head = 0; head < nHeads; head++) {
      const kv = Math.floor(head / (nHeads / nKvHeads)) * headDim,
        seen = causal ? position + 1 : length;
      const scores = Array.from({ length: seen }, (_, t) => {
        let dot = 0;
        for (let i = 0; i < headDim; i++)
          dot += q[row * width + head * headDim + i] * k[(first + t) * kvWidth + kv + i];
        return dot / Math.sqrt(headDim);
      });
      const most = Math.max(...scores),
        exps = scores.map((score) => Math.exp(score - most)),
        total = sum(exps);
      exps.forEach((e, t) => {
        weights[(((first / length) * nHeads + head) * length + position) * length + t] = e / total;
        for (let i = 0; i < headDim; i++)
          out[row * width + head * headDim + i] += (e / total) * v[(first + t) * kvWidth + kv + i];
      });
    }
  }
  return { out, weights };
}

/** Sum over the rows with a target, nats. */
export function crossEntropy(logits: Values, targets: ArrayLike<number>, vocabulary: number): number {
  let total = 0;
  for (let row = 0; row * vocabulary < logits.length; row++) {
    if (targets[row] < 0) continue;
    const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary),
      most = Math.max(...values);
    total += most + Math.log(sum(values.map((v) => Math.exp(v - most)))) - values[targets[row]];
  }
  return total;
}

/** The bijection that dropout's masks are made with (Mueller and Wellons' lowbias32). */
function hash(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

export function dropout(x: Values, rate: number, seed: number, salt: number): Values {
  const mixed = hash(seed ^ hash(salt)),
    threshold = Math.floor(rate * 2 ** 32);
  return x.map((v, i) => (hash(mixed ^ hash((i + 0x9e3779b9) | 0)) >= threshold ? v / (1 - rate) : 0));
}

/** Gradient of `loss` at `values` by central differences: an error of about 1e-9 for numbers near 1. */
export function differences(values: Values, loss: (values: Values) => number, at?: readonly number[]): Values {
  const step = 1e-5,
    moved = values.slice();
  return Float64Array.from(at ?? Array.from(values, (_, i) => i), (i) => {
    moved[i] = values[i] + step;
    const above = loss(moved);
    moved[i] = values[i] - step;
    const below = loss(moved);
    moved[i] = values[i];
    return (above - below) / (2 * step);
  });
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}
