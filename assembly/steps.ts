// The steps of inference as records in memory: 24 words of 4 bytes, little endian.
//
//   | op | flags | the fields of its class, in order |
//
// Every field is 4 bytes: an address, an i32, an f32. The host writes them with src/kernels/steps.ts; a test holds both
// to the same names, kinds and offsets. An address of 0 means none; a flag is an i32 of 1 or 0.

@unmanaged
export class Step {
  op: i32;
  flags: i32;
}

/** A step that reads rows of f32, `xStride` values apart. */
@unmanaged
export class RowsStep extends Step {
  x: usize;
  xStride: i32;
}

/** Rows of a table by id, as f32. */
@unmanaged
export class EmbedStep extends Step {
  ids: usize;
  layout: i32;
  weights: usize;
  scale: usize;
  scaleBlock: i32;
  rows: i32;
  k: i32;
  kp: i32;
  x: usize;
  embeddingScale: f32;
  rowBytes: i32;
}

/** `bias` is a layer norm's. */
@unmanaged
export class NormStep extends RowsStep {
  weight: usize;
  y: usize;
  yStride: i32;
  dim: i32;
  eps: f32;
  bias: usize;
}

/** Each head of each row, in place. */
@unmanaged
export class HeadNormStep extends Step {
  x: usize;
  xStride: i32;
  weight: usize;
  nHeads: i32;
  headDim: i32;
  eps: f32;
}

/** `q8` or `q16` may be 0: then it is not written. */
@unmanaged
export class QuantizeTokenStep extends RowsStep {
  q8: usize;
  q16: usize;
  scale: usize;
  sum: usize;
  k: i32;
  kp: i32;
  magnitudes: i32;
}

@unmanaged
export class QuantizeBlocksStep extends RowsStep {
  q16: usize;
  scale: usize;
  sum: usize;
  k: i32;
  kp: i32;
  block: i32;
  qMax: i32;
  magnitudes: i32;
}

@unmanaged
export class QuantizeQ6KStep extends RowsStep {
  q: usize;
  scale: usize;
  k: i32;
}

/** A token's scale and sums in the form that block kernels read. */
@unmanaged
export class TokenBlocksStep extends Step {
  scale: usize;
  q16: usize;
  blockScale: usize;
  blockSum: usize;
  kp: i32;
  block: i32;
  magnitudes: i32;
}

@unmanaged
export class TablesStep extends Step {
  q16: usize;
  kp: i32;
  tables: usize;
  tableStride: i32;
  nGroups: i32;
}

/**
 * `k` is padded for 1-bit layouts. `actRowBytes` and `scaleRowBytes`: distance between rows of activations, of scales
 * and sums.
 */
@unmanaged
export class MatmulStep extends Step {
  layout: i32;
  weights: usize;
  scale: usize;
  scaleBlock: i32;
  act: usize;
  actScale: usize;
  actSum: usize;
  y: usize;
  yStride: i32;
  rows: i32;
  k: i32;
  actRowBytes: i32;
  scaleRowBytes: i32;
}

@unmanaged
export class AddBiasStep extends Step {
  y: usize;
  yStride: i32;
  bias: usize;
  dim: i32;
}

@unmanaged
export class ScaleStep extends Step {
  y: usize;
  yStride: i32;
  factor: f32;
}

/** x (n, dim) += y (n, yStride) · factor. */
@unmanaged
export class AddScaledStep extends Step {
  x: usize;
  y: usize;
  factor: f32;
  dim: i32;
  yStride: i32;
}

@unmanaged
export class RopeTableStep extends Step {
  frequencies: usize;
  nHalf: i32;
  magnitude: f32;
  cos: usize;
  sin: usize;
}

@unmanaged
export class RopeStep extends Step {
  x: usize;
  xStride: i32;
  cos: usize;
  sin: usize;
  nHeads: i32;
  headDim: i32;
  nRot: i32;
}

/** `nPages`: of the cache, for all contexts. */
@unmanaged
export class StoreKvStep extends Step {
  k: usize;
  v: usize;
  kvStride: i32;
  kCache: usize;
  vCache: usize;
  nKvHeads: i32;
  headDim: i32;
  nPages: i32;
}

/**
 * `contextLength`: positions of a context, for which scratch has room. `window`: how many positions a row sees, its own
 * the last; 0 for all up to its own.
 */
@unmanaged
export class AttendStep extends Step {
  q: usize;
  qStride: i32;
  kCache: usize;
  vCache: usize;
  out: usize;
  outStride: i32;
  nHeads: i32;
  nKvHeads: i32;
  headDim: i32;
  nPages: i32;
  contextLength: i32;
  scale: f32;
  window: i32;
}

/** `dim`: the padded row length of all three. */
@unmanaged
export class GateStep extends Step {
  gate: usize;
  up: usize;
  out: usize;
  dim: i32;
}

/** x (n, dim) ·= 1 / (1 + e^-gate), row by row. */
@unmanaged
export class GateSigmoidStep extends RowsStep {
  gate: usize;
  gateStride: i32;
  dim: i32;
}

/** `states`: those of a layer, `stateBytes` apart. */
@unmanaged
export class ConvolveStep extends RowsStep {
  weights: usize;
  y: usize;
  yStride: i32;
  states: usize;
  stateBytes: i32;
  nTaps: i32;
  nKeyHeads: i32;
  nValueHeads: i32;
  headDim: i32;
  eps: f32;
}

/** `states`: the first head's matrix of the first state of a layer. */
@unmanaged
export class DeltaNetStep extends RowsStep {
  z: usize;
  zStride: i32;
  alpha: usize;
  beta: usize;
  gateStride: i32;
  decay: usize;
  dtBias: usize;
  weight: usize;
  states: usize;
  stateBytes: i32;
  out: usize;
  outStride: i32;
  nKeyHeads: i32;
  nValueHeads: i32;
  headDim: i32;
  eps: f32;
  grouped: i32;
  regroup: i32;
}

/** Rows of y lie side by side. */
@unmanaged
export class HadamardStep extends RowsStep {
  y: usize;
  signs: usize;
  width: i32;
  block: i32;
  inverse: i32;
}
