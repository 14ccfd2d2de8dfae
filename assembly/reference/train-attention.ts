/**
 * Attention over whole sequences in f64, forward and backward, by the textbook: one query, one key at a time. Shapes as
 * in train/attention.ts. `value` is Σ dOut · out, so that central differences can check the backward pass itself.
 */
import { expF64 } from "../math";
import { Scalar, widened } from "./train-differences";

export class AttentionTwin extends Scalar {
  readonly out: StaticArray<f64>;
  readonly dq: StaticArray<f64>;
  readonly dk: StaticArray<f64>;
  readonly dv: StaticArray<f64>;
  /** (sequences, heads, length, length). */
  readonly weights: StaticArray<f64>;
  /** (sequences, heads, length, 2): the maximum of a row of scores and 1 / Σ exp(score - maximum). */
  readonly stats: StaticArray<f64>;

  constructor(
    readonly q: StaticArray<f64>,
    readonly k: StaticArray<f64>,
    readonly v: StaticArray<f64>,
    readonly dOut: StaticArray<f64>,
    readonly sequences: i32,
    readonly length: i32,
    readonly heads: i32,
    readonly kvHeads: i32,
    readonly dim: i32,
    readonly causal: bool,
  ) {
    super();
    this.out = new StaticArray<f64>(q.length);
    this.dq = new StaticArray<f64>(q.length);
    this.dk = new StaticArray<f64>(k.length);
    this.dv = new StaticArray<f64>(k.length);
    this.weights = new StaticArray<f64>(sequences * heads * length * length);
    this.stats = new StaticArray<f64>(sequences * heads * length * 2);
  }

  value(): f64 {
    this.forward();
    let total: f64 = 0;
    for (let i = 0; i < this.out.length; i++) total += this.dOut[i] * this.out[i];
    return total;
  }

  forward(): void {
    this.out.fill(0);
    for (let s = 0; s < this.sequences; s++) {
      for (let h = 0; h < this.heads; h++) for (let i = 0; i < this.length; i++) this.forwardRow(s, h, i);
    }
  }

  /** Call after `forward`. */
  backward(): void {
    for (let s = 0; s < this.sequences; s++) {
      for (let h = 0; h < this.heads; h++) for (let i = 0; i < this.length; i++) this.backwardRow(s, h, i);
    }
  }

  private visible(i: i32): i32 {
    return this.causal ? i + 1 : this.length;
  }

  private qAt(s: i32, h: i32, i: i32): i32 {
    return ((s * this.length + i) * this.heads + h) * this.dim;
  }

  private kvAt(s: i32, h: i32, j: i32): i32 {
    return ((s * this.length + j) * this.kvHeads + h / (this.heads / this.kvHeads)) * this.dim;
  }

  private forwardRow(s: i32, h: i32, i: i32): void {
    const n = this.visible(i),
      q = this.qAt(s, h, i),
      row = (s * this.heads + h) * this.length + i,
      p = row * this.length;
    let most = -Infinity,
      sum: f64 = 0;
    for (let j = 0; j < n; j++) {
      const score = dot(this.q, q, this.k, this.kvAt(s, h, j), this.dim) / sqrt<f64>(<f64>this.dim);
      this.weights[p + j] = score;
      most = max<f64>(most, score);
    }
    for (let j = 0; j < n; j++) sum += expF64(this.weights[p + j] - most);
    for (let j = 0; j < n; j++) {
      this.weights[p + j] = expF64(this.weights[p + j] - most) / sum;
      for (let d = 0; d < this.dim; d++) this.out[q + d] += this.weights[p + j] * this.v[this.kvAt(s, h, j) + d];
    }
    this.stats[2 * row] = most;
    this.stats[2 * row + 1] = 1 / sum;
  }

  private backwardRow(s: i32, h: i32, i: i32): void {
    const n = this.visible(i),
      q = this.qAt(s, h, i),
      p = ((s * this.heads + h) * this.length + i) * this.length;
    // Σ p dp = dOut · out
    const mean = dot(this.dOut, q, this.out, q, this.dim);
    for (let j = 0; j < n; j++) {
      const kv = this.kvAt(s, h, j),
        weight = this.weights[p + j];
      const slope = (weight * (dot(this.dOut, q, this.v, kv, this.dim) - mean)) / sqrt<f64>(<f64>this.dim);
      for (let d = 0; d < this.dim; d++) {
        this.dq[q + d] += slope * this.k[kv + d];
        this.dk[kv + d] += slope * this.q[q + d];
        this.dv[kv + d] += weight * this.dOut[q + d];
      }
    }
  }
}

/** The twin of f32 arrays. */
export function attentionOf(
  q: usize,
  k: usize,
  v: usize,
  dOut: usize,
  sequences: i32,
  length: i32,
  heads: i32,
  kvHeads: i32,
  dim: i32,
  causal: bool,
): AttentionTwin {
  const nq = sequences * length * heads * dim,
    nk = sequences * length * kvHeads * dim;
  return new AttentionTwin(
    widened(q, nq),
    widened(k, nk),
    widened(v, nk),
    widened(dOut, nq),
    sequences,
    length,
    heads,
    kvHeads,
    dim,
    causal,
  );
}

function dot(a: StaticArray<f64>, at: i32, b: StaticArray<f64>, bt: i32, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += a[at + i] * b[bt + i];
  return sum;
}
