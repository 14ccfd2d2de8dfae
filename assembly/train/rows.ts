/**
 * The small steps between the large ones: embedding, its gradient, norms, bias gradient, sums, rotation, dropout.
 * Arrays are f32 rows without gaps.
 */
import { layerNormRow, rmsNormRow } from "../ops/norm";
import { NormRowsStep, RotateStep } from "./steps";

/** out[row] = table[ids[row]], rows [begin, end). */
export function embedRows(ids: usize, table: usize, dim: i32, out: usize, begin: i32, end: i32): void {
  const bytes = (<usize>dim) << 2;
  for (let row = begin; row < end; row++) {
    memory.copy(out + <usize>row * bytes, table + <usize>load<i32>(ids + ((<usize>row) << 2)) * bytes, bytes);
  }
}

/** dTable[ids[row]] += dy[row] for columns [begin, end): one thread has a column, so the order is that of the rows. */
export function embedRowsBackward(ids: usize, dy: usize, dim: i32, dTable: usize, n: i32, begin: i32, end: i32): void {
  const bytes = (<usize>dim) << 2;
  for (let row = 0; row < n; row++) {
    const to = dTable + <usize>load<i32>(ids + ((<usize>row) << 2)) * bytes,
      from = dy + <usize>row * bytes;
    addRange(to, from, begin, end);
  }
}

/** Norms of rows [begin, end). */
export function normRows(step: NormRowsStep, begin: i32, end: i32): void {
  const dim = step.dim;
  for (let row = begin; row < end; row++) {
    const at = (<usize>row * dim) << 2,
      x = step.x + at,
      y = step.y + at;
    if (step.bias == 0) rmsNormRow(x, step.weight, y, dim, step.eps);
    else layerNormRow(x, step.weight, step.bias, y, dim, step.eps);
  }
}

/** db += Σ rows of dy, columns [begin, end). */
export function sumRows(dy: usize, n: i32, dim: i32, db: usize, begin: i32, end: i32): void {
  for (let row = 0; row < n; row++) addRange(db, dy + ((<usize>row * dim) << 2), begin, end);
}

/** out = a + b, elements [begin, end). */
export function addArrays(a: usize, b: usize, out: usize, begin: i32, end: i32): void {
  const body = begin + ((end - begin) & ~3);
  for (let i = begin; i < body; i += 4)
    v128.store(out + ((<usize>i) << 2), f32x4.add(v128.load(a + ((<usize>i) << 2)), v128.load(b + ((<usize>i) << 2))));
  for (let i = body; i < end; i++)
    store<f32>(out + ((<usize>i) << 2), load<f32>(a + ((<usize>i) << 2)) + load<f32>(b + ((<usize>i) << 2)));
}

function addRange(to: usize, from: usize, begin: i32, end: i32): void {
  addArrays(to, from, to, begin, end);
}

/**
 * Rotates the pairs (x[i], x[i + headDim/2]) of every head of rows [begin, end) in place; row r stands at position
 * r mod length. cos, sin: f32 (length, headDim / 2). `sign` -1 turns back: the gradient of a rotation.
 */
export function rotateRows(step: RotateStep, begin: i32, end: i32): void {
  const cos = step.cos,
    sin = step.sin,
    length = step.length,
    nHeads = step.nHeads,
    headDim = step.headDim;
  const half = headDim >> 1,
    halfBytes = (<usize>half) << 2,
    s = f32x4.splat(step.sign);
  for (let row = begin; row < end; row++) {
    const angles = (<usize>(row % length) * half) << 2;
    for (let h = 0; h < nHeads; h++) {
      const head = step.x + ((<usize>(row * nHeads + h) * headDim) << 2);
      for (let at: usize = 0; at < halfBytes; at += 16) {
        const a = v128.load(head + at),
          b = v128.load(head + at + halfBytes);
        const c = v128.load(cos + angles + at),
          turn = f32x4.mul(v128.load(sin + angles + at), s);
        v128.store(head + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, turn)));
        v128.store(head + at + halfBytes, f32x4.add(f32x4.mul(a, turn), f32x4.mul(b, c)));
      }
    }
  }
}

/**
 * out (+)= x · mask / (1 - rate), elements [begin, end) (Srivastava et al., 2014). Bit i of the mask is a hash of
 * (seed, i), so the backward pass recomputes the same mask and no thread needs another's. `threshold`: rate · 2^32.
 */
export function dropout(
  x: usize,
  out: usize,
  seed: u32,
  threshold: u32,
  keep: f32,
  add: bool,
  begin: i32,
  end: i32,
): void {
  for (let i = begin; i < end; i++) {
    const p = (<usize>i) << 2,
      value: f32 = hash(seed ^ hash(<u32>i + 0x9e3779b9)) >= threshold ? load<f32>(x + p) * keep : 0;
    store<f32>(out + p, add ? load<f32>(out + p) + value : value);
  }
}

/**
 * A bijection of 32 bits in which every input bit changes every output bit about half the time (Mueller and Wellons'
 * lowbias32).
 */
export function hash(x: u32): u32 {
  x = (x ^ (x >> 16)) * 0x7feb352d;
  x = (x ^ (x >> 15)) * 0x846ca68b;
  return x ^ (x >> 16);
}
