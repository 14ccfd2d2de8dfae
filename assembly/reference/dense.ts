/**
 * Scalar twins of the dense weight formats: one weight at a time by its definition, and a row's product with an
 * activation row in the order the kernels state.
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
import { f16ToNumber } from "./weights";

export function blockElements(type: i32): i32 {
  if (type == Q4_0 || type == Q8_0) return 32;
  return type == Q4_K || type == Q6_K ? 256 : 1;
}

export function blockBytes(type: i32): i32 {
  if (type == F32) return 4;
  if (type == F16 || type == BF16) return 2;
  if (type == Q4_0) return 18;
  if (type == Q8_0) return 34;
  return type == Q4_K ? 144 : 210;
}

/** Weight i of a row as f32, by the formula of the format. */
export function weight(type: i32, row: usize, i: i32): f32 {
  if (type == F32) return load<f32>(row + <usize>(4 * i));
  if (type == F16) return f16ToNumber(load<u16>(row + <usize>(2 * i)));
  if (type == BF16) return reinterpret<f32>((<u32>load<u16>(row + <usize>(2 * i))) << 16);
  const block = row + <usize>((i / blockElements(type)) * blockBytes(type)),
    e = i % blockElements(type);
  if (type == Q4_0 || type == Q8_0) return <f32>integer(type, block, e) * f16ToNumber(load<u16>(block));
  if (type == Q6_K)
    return f16ToNumber(load<u16>(block, 208)) * <f32>scaleOf(type, block, e) * <f32>integer(type, block, e);
  const d = f16ToNumber(load<u16>(block)) * <f32>scaleOf(type, block, e);
  return d * <f32>integer(type, block, e) - f16ToNumber(load<u16>(block, 2)) * <f32>minimum(block, e / 32);
}

/** The quantised integer of element e of a block, centred if the format has a centre. */
function integer(type: i32, block: usize, e: i32): i32 {
  if (type == Q8_0) return load<i8>(block + <usize>(2 + e));
  if (type == Q4_0) {
    const byte = <i32>load<u8>(block + <usize>(2 + (e % 16)));
    return (e < 16 ? byte & 15 : byte >> 4) - 8;
  }
  if (type == Q4_K) {
    const byte = <i32>load<u8>(block + <usize>(16 + (e / 64) * 32 + (e % 32)));
    return (e / 32) % 2 == 0 ? byte & 15 : byte >> 4;
  }
  const half = e / 128,
    r = e % 128,
    g = r / 32,
    l = r % 32;
  const nibbles = <i32>load<u8>(block + <usize>(half * 64 + (g % 2) * 32 + l));
  const high = (<i32>load<u8>(block + <usize>(128 + half * 32 + l)) >> (2 * g)) & 3;
  return ((g < 2 ? nibbles & 15 : nibbles >> 4) | (high << 4)) - 32;
}

/** The integer scale of element e: Q6_K one for 16, Q4_K one for 32. */
function scaleOf(type: i32, block: usize, e: i32): i32 {
  if (type == Q6_K) return load<i8>(block + <usize>(192 + e / 16));
  const j = e / 32,
    s = block + 4;
  if (j < 4) return load<u8>(s + <usize>j) & 63;
  return (load<u8>(s + <usize>(j + 4)) & 15) | ((load<u8>(s + <usize>(j - 4)) >> 6) << 4);
}

function minimum(block: usize, j: i32): i32 {
  const s = block + 4;
  if (j < 4) return load<u8>(s + <usize>(j + 4)) & 63;
  return (load<u8>(s + <usize>(j + 4)) >> 4) | ((load<u8>(s + <usize>j) >> 6) << 4);
}

/** The place of value i of an activation row: each 16 are stored even ones first. */
export function densePlace(i: i32): i32 {
  return (i & ~15) + ((i & 1) << 3) + ((i & 15) >> 1);
}

/** A row times a quantised activation row: q16 in dense order, one scale for each 32. */
export function quantizedDot(type: i32, row: usize, q16: usize, scale: usize, k: i32): f32 {
  if (type == Q4_0 || type == Q8_0) return dotSmallBlocks(type, row, q16, scale, k);
  let total: f32 = 0;
  for (let b = 0; b < k / 256; b++) {
    const block = row + <usize>(b * blockBytes(type)),
      q = q16 + <usize>(512 * b),
      a = scale + <usize>(32 * b);
    total += dotQ4K(block, q, a);
  }
  return total;
}

/** Σ integer · activation over [begin, begin + count) of a block. */
function products(type: i32, block: usize, q16: usize, begin: i32, count: i32): i32 {
  let sum = 0;
  for (let e = begin; e < begin + count; e++)
    sum += integer(type, block, e) * <i32>load<i16>(q16 + <usize>(2 * densePlace(e)));
  return sum;
}

/** Lane j's share of the 32 products from `begin` on: elements 4j … 4j+3 of both 16. */
function laneProducts(type: i32, block: usize, q16: usize, begin: i32, j: i32): i32 {
  return products(type, block, q16, begin + 4 * j, 4) + products(type, block, q16, begin + 16 + 4 * j, 4);
}

function dotSmallBlocks(type: i32, row: usize, q16: usize, scale: usize, k: i32): f32 {
  const lanes = new StaticArray<f32>(4);
  for (let b = 0; b < k / 32; b++) {
    const block = row + <usize>(b * blockBytes(type)),
      factor = f16ToNumber(load<u16>(block)) * load<f32>(scale + <usize>(4 * b));
    for (let j = 0; j < 4; j++) lanes[j] += <f32>laneProducts(type, block, q16 + <usize>(64 * b), 0, j) * factor;
  }
  return lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
}

function dotQ4K(block: usize, q16: usize, scale: usize): f32 {
  const lanes = new StaticArray<f32>(4),
    mins = new StaticArray<f32>(4);
  for (let j = 0; j < 8; j++) {
    const a = load<f32>(scale + <usize>(4 * j));
    let sum = 0;
    for (let e = 0; e < 32; e++) sum += <i32>load<i16>(q16 + <usize>(2 * (32 * j + e)));
    const factor: f32 = <f32>scaleOf(Q4_K, block, 32 * j) * a;
    for (let lane = 0; lane < 4; lane++) lanes[lane] += <f32>laneProducts(Q4_K, block, q16, 32 * j, lane) * factor;
    mins[j % 4] += <f32>sum * (<f32>minimum(block, j) * a);
  }
  const positive = (lanes[0] + lanes[2] + (lanes[1] + lanes[3])) * f16ToNumber(load<u16>(block));
  return positive - (mins[0] + mins[2] + (mins[1] + mins[3])) * f16ToNumber(load<u16>(block, 2));
}

/** A Q6_K row times a quantised activation row: q16 in natural order, one scale for each 256. */
export function dotQ6K(row: usize, q16: usize, scale: usize, k: i32): f32 {
  let total: f32 = 0;
  for (let b = 0; b < k / 256; b++) {
    const block = row + <usize>(b * blockBytes(Q6_K));
    let sum = 0;
    for (let e = 0; e < 256; e++)
      sum += scaleOf(Q6_K, block, e) * integer(Q6_K, block, e) * <i32>load<i16>(q16 + <usize>(2 * (256 * b + e)));
    total += <f32>sum * (f16ToNumber(load<u16>(block, 208)) * load<f32>(scale + <usize>(4 * b)));
  }
  return total;
}

/** A row times an f32 activation row: eight lanes, then lane i + lane i + 4, then (0 + 2) + (1 + 3). */
export function floatDot(type: i32, row: usize, x: usize, k: i32): f32 {
  const lanes = new StaticArray<f32>(8);
  for (let i = 0; i < k; i++) lanes[i % 8] += load<f32>(x + <usize>(4 * i)) * weight(type, row, i);
  return lanes[0] + lanes[4] + (lanes[2] + lanes[6]) + (lanes[1] + lanes[5] + (lanes[3] + lanes[7]));
}
