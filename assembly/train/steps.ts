// The steps of training as records in memory (../steps.ts): each contains all its sizes.
import { Step } from "../steps";

@unmanaged
export class EmbedRowsStep extends Step {
  ids: usize;
  table: usize;
  dim: i32;
  out: usize;
  n: i32;
}

@unmanaged
export class EmbedRowsBackStep extends Step {
  ids: usize;
  dy: usize;
  dim: i32;
  dTable: usize;
  n: i32;
}

/** `bias` 0 means RMS norm. */
@unmanaged
export class NormRowsStep extends Step {
  x: usize;
  weight: usize;
  bias: usize;
  y: usize;
  dim: i32;
  eps: f32;
  n: i32;
}

/** `centered`: for a layer norm. */
@unmanaged
export class NormRowsBackStep extends Step {
  x: usize;
  weight: usize;
  dy: usize;
  dx: usize;
  stats: usize;
  dim: i32;
  eps: f32;
  add: i32;
  n: i32;
  centered: i32;
}

/** `dBias` may be 0. */
@unmanaged
export class NormColumnsBackStep extends Step {
  x: usize;
  dy: usize;
  stats: usize;
  dWeight: usize;
  dBias: usize;
  n: i32;
  dim: i32;
}

/** `bits`: 8 or 1. */
@unmanaged
export class QuantizeRowsStep extends Step {
  x: usize;
  codes: usize;
  scale: usize;
  k: i32;
  n: i32;
  bits: i32;
  kp: i32;
}

@unmanaged
export class ClipBackStep extends Step {
  x: usize;
  dy: usize;
  dx: usize;
  add: i32;
  total: i32;
}

@unmanaged
export class WeightSumsStep extends Step {
  weights: usize;
  count: i32;
  partial: usize;
}

@unmanaged
export class WeightCodesStep extends Step {
  weights: usize;
  count: i32;
  partial: usize;
  ternary: i32;
  codes: usize;
  scale: usize;
  k: i32;
  kp: i32;
}

/** `codes`: b holds the codes of a quantiser. `kScale`, `scale`, `rowScale` may be 0. */
@unmanaged
export class MatmulF32Step extends Step {
  form: i32;
  a: usize;
  aStride: i32;
  b: usize;
  bStride: i32;
  c: usize;
  cStride: i32;
  m: i32;
  n: i32;
  k: i32;
  add: i32;
  kScale: usize;
  scale: usize;
  rowScale: usize;
  codes: i32;
}

@unmanaged
export class MatmulCodesStep extends Step {
  x: usize;
  weights: usize;
  scale: usize;
  rowScale: usize;
  y: usize;
  kp: i32;
  n: i32;
  outputs: i32;
}

@unmanaged
export class WidenCodesStep extends Step {
  codes: usize;
  out: usize;
  k: i32;
  kp: i32;
  n: i32;
}

/** `out`: i16 or bits. */
@unmanaged
export class SignsStep extends Step {
  x: usize;
  out: usize;
  scale: usize;
  k: i32;
  kp: i32;
  n: i32;
}

/** `rows`: a multiple of 32. */
@unmanaged
export class XnorStep extends Step {
  weights: usize;
  rowScale: usize;
  bits: usize;
  actScale: usize;
  y: usize;
  k: i32;
  n: i32;
  rows: i32;
  kp: i32;
}

@unmanaged
export class RotateStep extends Step {
  x: usize;
  cos: usize;
  sin: usize;
  length: i32;
  nHeads: i32;
  headDim: i32;
  sign: f32;
  n: i32;
}

/** `weights` may be 0. */
@unmanaged
export class AttendSequencesStep extends Step {
  q: usize;
  k: usize;
  v: usize;
  out: usize;
  stats: usize;
  weights: usize;
  length: i32;
  nHeads: i32;
  nKvHeads: i32;
  headDim: i32;
  causal: i32;
  nSequences: i32;
}

@unmanaged
export class AttendSequencesBackStep extends Step {
  q: usize;
  k: usize;
  v: usize;
  stats: usize;
  dOut: usize;
  dq: usize;
  dk: usize;
  dv: usize;
  addQ: i32;
  addK: i32;
  addV: i32;
  length: i32;
  nHeads: i32;
  nKvHeads: i32;
  headDim: i32;
  causal: i32;
  nSequences: i32;
}

@unmanaged
export class SumRowsStep extends Step {
  dy: usize;
  n: i32;
  dim: i32;
  db: usize;
}

@unmanaged
export class CrossEntropyStep extends Step {
  logits: usize;
  stride: i32;
  vocab: i32;
  targets: usize;
  loss: usize;
  n: i32;
}

@unmanaged
export class CrossEntropyBackStep extends Step {
  logits: usize;
  stride: i32;
  vocab: i32;
  targets: usize;
  scale: f32;
  dLogits: usize;
  n: i32;
}

@unmanaged
export class SumLossesStep extends Step {
  loss: usize;
  targets: usize;
  n: i32;
  out: usize;
}

@unmanaged
export class SumSquaresStep extends Step {
  gradients: usize;
  count: i32;
  partial: usize;
}

/** `kind`: KIND_*. */
@unmanaged
export class ActivateStep extends Step {
  kind: i32;
  x: usize;
  out: usize;
  total: i32;
}

@unmanaged
export class ActivateBackStep extends Step {
  kind: i32;
  x: usize;
  dy: usize;
  dx: usize;
  add: i32;
  total: i32;
}

@unmanaged
export class GateArraysStep extends Step {
  kind: i32;
  gate: usize;
  up: usize;
  out: usize;
  total: i32;
}

@unmanaged
export class GateArraysBackStep extends Step {
  kind: i32;
  gate: usize;
  up: usize;
  dy: usize;
  dGate: usize;
  addGate: i32;
  dUp: usize;
  addUp: i32;
  total: i32;
}

@unmanaged
export class AddArraysStep extends Step {
  a: usize;
  b: usize;
  out: usize;
  total: i32;
}

/** to (+)= from. */
@unmanaged
export class PassStep extends Step {
  from: usize;
  to: usize;
  add: i32;
  total: i32;
}

@unmanaged
export class DropoutStep extends Step {
  x: usize;
  out: usize;
  state: usize;
  salt: i32;
  threshold: i32;
  keep: f32;
  add: i32;
  total: i32;
}

@unmanaged
export class ZeroStep extends Step {
  x: usize;
  total: i32;
}

@unmanaged
export class AdamWStep extends Step {
  weights: usize;
  gradients: usize;
  m: usize;
  v: usize;
  settings: usize;
  decays: i32;
  total: i32;
}
