/**
 * Forward passes of training in f64, each summed to one number with the weights `dy`: their central differences are the
 * gradients that the kernels of train/ must return. Arrays are rows without gaps.
 */
import { KIND_RELU2, KIND_SILU } from "../abi";
import { expF64, logF64 } from "../math";
import { Scalar } from "./train-differences";

/** Σ dy · norm(x): RMSNorm, or LayerNorm when `centered`. x, dy: (rows, dim); w, b: (dim). */
export class NormTwin extends Scalar {
  constructor(
    readonly x: StaticArray<f64>,
    readonly w: StaticArray<f64>,
    readonly b: StaticArray<f64>,
    readonly dy: StaticArray<f64>,
    readonly rows: i32,
    readonly dim: i32,
    readonly eps: f64,
    readonly centered: bool,
  ) {
    super();
  }

  mean(row: i32): f64 {
    let sum: f64 = 0;
    for (let i = 0; i < this.dim; i++) sum += this.x[row * this.dim + i];
    return this.centered ? sum / <f64>this.dim : 0;
  }

  /** 1 / sqrt(variance + ε). */
  inverse(row: i32): f64 {
    const mean = this.mean(row);
    let squares: f64 = 0;
    for (let i = 0; i < this.dim; i++) {
      const d = this.x[row * this.dim + i] - mean;
      squares += d * d;
    }
    return 1.0 / sqrt<f64>(squares / <f64>this.dim + this.eps);
  }

  value(): f64 {
    let total: f64 = 0;
    for (let row = 0; row < this.rows; row++) {
      const mean = this.mean(row),
        inverse = this.inverse(row);
      for (let i = 0; i < this.dim; i++) {
        const at = row * this.dim + i;
        total += this.dy[at] * ((this.x[at] - mean) * inverse * this.w[i] + (this.centered ? this.b[i] : 0));
      }
    }
    return total;
  }
}

/** The activations of ops/activation.ts in f64. */
export function activationOf(kind: i32, x: f64): f64 {
  if (kind == KIND_SILU) return x / (1 + expF64(-x));
  if (kind == KIND_RELU2) return x > 0 ? x * x : 0;
  return x / (1 + expF64(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
}

/** dy · act(gate) · up of a single element. */
export class GateTwin extends Scalar {
  readonly gate: StaticArray<f64> = new StaticArray<f64>(1);
  readonly up: StaticArray<f64> = new StaticArray<f64>(1);
  kind: i32 = 0;
  dy: f64 = 1;

  value(): f64 {
    return this.dy * activationOf(this.kind, this.gate[0]) * this.up[0];
  }
}

/** Cross-entropy of one row of logits, times `scale`; a target below 0 does not count. */
export class CrossEntropyTwin extends Scalar {
  constructor(
    readonly logits: StaticArray<f64>,
    readonly target: i32,
    readonly scale: f64,
  ) {
    super();
  }

  value(): f64 {
    if (this.target < 0) return 0;
    let most = -Infinity,
      sum: f64 = 0;
    for (let i = 0; i < this.logits.length; i++) most = max<f64>(most, this.logits[i]);
    for (let i = 0; i < this.logits.length; i++) sum += expF64(this.logits[i] - most);
    return this.scale * (most - this.logits[this.target] + logF64(sum));
  }
}
