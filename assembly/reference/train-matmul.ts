/**
 * Scalar twin of the f32 products of training, in the order that train/matmul-f32.ts promises: one product and one sum
 * a step, k in blocks of equal size (at most 384, a multiple of four), the blocks' sums added in turn.
 */
import { FORM_FORWARD, FORM_WEIGHT } from "../abi";

const LONGEST_BLOCK: i32 = 384;

/** The operands of C (m, n) (+)= A (m, k) · B (k, n); strides in floats, scales 0 when there are none. */
export class Operands {
  form: i32 = 0;
  k: i32 = 0;
  a: usize = 0;
  aStride: i32 = 0;
  b: usize = 0;
  bStride: i32 = 0;
  kScale: usize = 0;
  scale: usize = 0;
  rowScale: usize = 0;
  /** Whether b is i16 (forms input and weight). */
  bCodes: bool = false;

  left(row: i32, i: i32): f32 {
    if (this.form != FORM_WEIGHT) return at(this.a, row * this.aStride + i);
    return at(this.a, i * this.aStride + row) * (this.kScale == 0 ? 1 : at(this.kScale, i));
  }

  right(i: i32, column: i32): f32 {
    if (this.form == FORM_FORWARD) return at(this.b, column * this.bStride + i);
    const value: f32 = this.bCodes
      ? <f32>load<i16>(this.b + ((<usize>(i * this.bStride + column)) << 1))
      : at(this.b, i * this.bStride + column);
    return value * (this.scale == 0 ? 1 : at(this.scale, 0));
  }
}

/** The new value of an element that was `old` (used when `adds`). */
export function productElement(x: Operands, row: i32, column: i32, old: f32, adds: bool): f32 {
  const blocks = (x.k + LONGEST_BLOCK - 1) / LONGEST_BLOCK,
    length = (x.k + blocks - 1) / blocks,
    step = ((length + 3) / 4) * 4;
  let total = old;
  for (let begin = 0; begin < x.k; begin += step) {
    let sum: f32 = 0;
    for (let i = begin; i < min(x.k, begin + step); i++) sum += x.left(row, i) * x.right(i, column);
    total = begin == 0 && !adds ? sum : total + sum;
  }
  if (x.form != FORM_FORWARD) return total;
  const scale: f32 = x.scale == 0 ? 1 : at(x.scale, 0);
  return x.rowScale == 0 ? total * scale : total * (at(x.rowScale, row) * scale);
}

/** The same without scales if all operands are integers: exact, so in any order. */
export function integerProduct(x: Operands, row: i32, column: i32): i64 {
  let sum: i64 = 0;
  for (let i = 0; i < x.k; i++) sum += <i64>x.left(row, i) * <i64>x.right(i, column);
  return sum;
}

/** The same in f64, from f32 operands. */
export function exactProduct(x: Operands, row: i32, column: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < x.k; i++) sum += <f64>x.left(row, i) * <f64>x.right(i, column);
  return sum;
}

function at(p: usize, i: i32): f32 {
  return load<f32>(p + ((<usize>i) << 2));
}
