/**
 * One row of a dense tensor as f32, by the formula of its format, operation for operation: for the embedding lookup,
 * and to convert a tensor. Layouts: the files named after the formats. Type ids are GGML's.
 */
import {
  LAYOUT_BF16 as BF16,
  LAYOUT_F16 as F16,
  LAYOUT_F32 as F32,
  LAYOUT_Q4_0 as Q4_0,
  LAYOUT_Q4_K as Q4_K,
  LAYOUT_Q6_K as Q6_K,
  LAYOUT_Q8_0 as Q8_0,
} from "../abi";
import { maxFloats } from "../lanes";
import { f16Scalar, f16ToF32 } from "../simd";

/** out f32 (k) = the row at `row`. Traps on a type that is not dense. */
export function denseRow(type: i32, row: usize, k: i32, out: usize): void {
  switch (type) {
    case F32:
      memory.copy(out, row, (<usize>k) << 2);
      break;
    case F16:
      halfRow(row, k, out);
      break;
    case BF16:
      for (let i = 0; i < k; i++) store<u32>(out + ((<usize>i) << 2), (<u32>load<u16>(row + ((<usize>i) << 1))) << 16);
      break;
    case Q8_0:
      for (let b = 0; b < k / 32; b++) q8_0Block(row + b * 34, out + (b << 7));
      break;
    case Q4_0:
      for (let b = 0; b < k / 32; b++) q4_0Block(row + b * 18, out + (b << 7));
      break;
    case Q4_K:
      for (let b = 0; b < k / 256; b++) q4KBlock(row + b * 144, out + (b << 10));
      break;
    case Q6_K:
      for (let b = 0; b < k / 256; b++) q6KBlock(row + b * 210, out + (b << 10));
      break;
    default:
      unreachable();
  }
}

/** A row of f32 as Q8_0 (k / 32 blocks of 34 bytes): d = f16(absmax / 127), byte = x · (127 / absmax) half to even. */
export function quantizeRowQ8_0(x: usize, k: i32, dst: usize): void {
  for (let b = 0; b < k / 32; b++) {
    let most = f32x4.splat(0);
    for (let i = 0; i < 32; i += 4) most = f32x4.pmax(most, f32x4.abs(v128.load(x + (i << 2))));
    const d = maxFloats(most) / 127,
      factor = f32x4.splat(d == 0 ? 0 : 1 / d);
    store<u16>(dst, toHalf(d));
    v128.store(dst, sixteenBytes(x, factor), 2);
    v128.store(dst, sixteenBytes(x + 64, factor), 18);
    x += 128;
    dst += 34;
  }
}

function sixteenBytes(x: usize, factor: v128): v128 {
  const low = i16x8.narrow_i32x4_s(fourIntegers(x, factor), fourIntegers(x + 16, factor));
  return i8x16.narrow_i16x8_s(low, i16x8.narrow_i32x4_s(fourIntegers(x + 32, factor), fourIntegers(x + 48, factor)));
}

function fourIntegers(x: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
}

/** k f16 as f32, infinities and NaN too. */
function halfRow(row: usize, k: i32, out: usize): void {
  let i = 0;
  for (; i + 4 <= k; i += 4) v128.store(out + ((<usize>i) << 2), fourHalves(v128.load16x4_s(row + ((<usize>i) << 1))));
  for (; i < k; i++) store<f32>(out + ((<usize>i) << 2), half(load<u16>(row + ((<usize>i) << 1))));
}

function fourHalves(h: v128): v128 {
  const top = i32x4.splat(0x7c00),
    isSpecial = i32x4.eq(v128.and(h, top), top);
  return v128.or(f16ToF32(h), v128.and(isSpecial, i32x4.splat(0x7f800000)));
}

/** f16 bits as f32, infinities and NaN too. */
function half(h: u16): f32 {
  if ((h & 0x7c00) != 0x7c00) return f16Scalar(h);
  return reinterpret<f32>(((<u32>h & 0x8000) << 16) | 0x7f800000 | ((<u32>h & 0x3ff) << 13));
}

/** A non-negative f32 as f16 bits, rounded half to even; 65520 and above become infinity. */
function toHalf(v: f32): u16 {
  if (v >= 65520) return 0x7c00;
  if (v < 0.00006103515625) return <u16>nearest<f32>(v * 16777216); // subnormal: a multiple of 2^-24
  const bits = reinterpret<u32>(v),
    kept = bits >> 13,
    dropped = bits & 0x1fff;
  const up = dropped > 0x1000 || (dropped == 0x1000 && (kept & 1) != 0) ? 1 : 0;
  return <u16>(kept + up - (112 << 10));
}

function q8_0Block(w: usize, out: usize): void {
  const d = half(load<u16>(w));
  for (let i = 0; i < 32; i++) store<f32>(out + (i << 2), <f32>load<i8>(w + 2 + i) * d);
}

function q4_0Block(w: usize, out: usize): void {
  const d = half(load<u16>(w));
  for (let i = 0; i < 16; i++) {
    const byte = <i32>load<u8>(w + 2 + i);
    store<f32>(out + (i << 2), <f32>((byte & 15) - 8) * d);
    store<f32>(out + 64 + (i << 2), <f32>((byte >> 4) - 8) * d);
  }
}

function q4KBlock(w: usize, out: usize): void {
  const d = half(load<u16>(w)),
    dmin = half(load<u16>(w, 2));
  for (let j = 0; j < 8; j++) {
    const scale = d * <f32>q4KScale(w + 4, j),
      minimum = dmin * <f32>q4KMin(w + 4, j);
    const qs = w + 16 + ((j >> 1) << 5),
      shift = (j & 1) << 2;
    for (let i = 0; i < 32; i++) {
      store<f32>(out + (((j << 5) + i) << 2), scale * <f32>((load<u8>(qs + i) >> <u8>shift) & 15) - minimum);
    }
  }
}

function q4KScale(s: usize, j: i32): i32 {
  if (j < 4) return load<u8>(s + j) & 63;
  return (load<u8>(s + j + 4) & 15) | ((load<u8>(s + j - 4) >> 6) << 4);
}

function q4KMin(s: usize, j: i32): i32 {
  if (j < 4) return load<u8>(s + j + 4) & 63;
  return (load<u8>(s + j + 4) >> 4) | ((load<u8>(s + j) >> 6) << 4);
}

function q6KBlock(w: usize, out: usize): void {
  const d = half(load<u16>(w, 208));
  for (let i = 0; i < 256; i++) {
    const h = i >> 7,
      g = (i >> 5) & 3,
      l = i & 31;
    const nibbles = <i32>load<u8>(w + (h << 6) + ((g & 1) << 5) + l),
      low = g < 2 ? nibbles & 15 : nibbles >> 4;
    const high = (<i32>load<u8>(w + 128 + (h << 5) + l) >> (g << 1)) & 3;
    const scale = d * <f32>load<i8>(w + 192 + (i >> 4));
    store<f32>(out + (i << 2), scale * <f32>((low | (high << 4)) - 32));
  }
}
