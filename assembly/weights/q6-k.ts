/**
 * Q6_K rows, put into another order at load, times 12-bit activations.
 *
 *   file, 256 weights in 210 bytes:  | ql 128 | qh 64 | scale 16 × i8 | d f16 |
 *     half h (128 weights), weight g·32 + l of it (g 0..3, l 0..31):
 *       low 4 bits: byte h·64 + (g & 1)·32 + l of ql, low nibble if g < 2, else high
 *       high 2 bits: bits 2g of byte h·32 + l of qh
 *     value = d · scale[weight / 16] · (bits − 32)
 *
 *   memory, 256 weights in 212 bytes:  | scale 16 × i8 | 4 chunks of 48 | d f32 |
 *     chunk, 64 weights = 4 groups with a scale each, as vectors 0..3: byte 4g + j of vector v is weight 16g + 4v + j
 *       byte 0   6 bits of vector 0, above them bits 0 and 1 of vector 3
 *       byte 16  of vector 1, bits 2 and 3
 *       byte 32  of vector 2, bits 4 and 5
 *
 *   activations, 64 of them in 144 bytes (ops/quantize-q6-k.ts):
 *     | −32 Σ q, i32 a group | vector v, v = 0..3: 32 bytes |
 *     relaxed   q >> 4 as i8, q & 15 as i8: two products of bytes, which add up four weights in their lane
 *     simd128   q as i16, of even bytes (j 0, 2), then of odd ones: two products of 16 bits, which add up two
 *
 *   y = Σ over blocks, in order, of f32(isum) · f32(d · a),  isum = Σ scale · (Σ bits · q − 32 Σ q), exact
 *
 * Either way lane g has the sum of group g and is scaled with three others. isum fits i32: 256 · 32 · 128 · 2047 =
 * 2,146,435,072 < 2^31, which limits the activations to 12 bits (±2047, one scale a block). Eight rows at distance
 * rows/8, a block of each in turn: 13.1 GMAC/s from memory with relaxed, where four get 9.5 and one 5.5 (Sapphire
 * Rapids; 18.7 in the cache). One row alone waits for memory.
 */
import {
  Q6_K_ACTIVATION_BYTES as ACTIVATION_BYTES,
  Q6_K_BLOCK as BLOCK,
  Q6_K_BLOCK_BYTES as BLOCK_BYTES,
} from "../abi";
import { activations, activationScales, addsPairs, outputs } from "../matmul-step";
import { f16Scalar, sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CHUNKS, CHUNK_BYTES, FACTOR, TOP, dotFour, groupScales, pairFour } from "./q6-k-products";
import { multiplySet } from "./q6-k-rows";

const FILE_BLOCK_BYTES: i32 = 210;
/** Distant weight rows of a set. */
const STREAMS: i32 = 8;
/** Rows of activations that weights are unpacked for at once, at most (q6-k-rows.ts). */
const ROWS: i32 = 4;

function rowBytes(k: i32): i32 {
  return (k / BLOCK) * BLOCK_BYTES;
}

/** y for rows [rowBegin, rowEnd) of w (rows, k); activations (n, k) in 144 bytes per 64, scales f32 (n, k / 256). */
export function q6KMatmul(step: MatmulStep, input: usize, output: usize, n: i32, rowBegin: i32, rowEnd: i32): void {
  const isPairs = addsPairs(step),
    distance = (rowEnd - rowBegin + STREAMS - 1) / STREAMS,
    last = rowEnd - 1;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i += ROWS) {
      const count = min(ROWS, n - i);
      if (count == 1) eightRows(step, input + i, output + i, r, distance, last);
      else if (isPairs) multiplySet<i16>(step, input + i, output + i, count, r, distance, last);
      else multiplySet<i32>(step, input + i, output + i, count, r, distance, last);
    }
  }
}

/** multiplySet for one row of activations. */
function eightRows(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32, last: i32): void {
  const isPairs = addsPairs(step),
    y = outputs(step, output);
  let q = activations(step, input),
    a = activationScales(step, input);
  const bytes = <usize>rowBytes(step.k),
    r1 = min(r + distance, last),
    r2 = min(r + 2 * distance, last),
    r3 = min(r + 3 * distance, last);
  const r4 = min(r + 4 * distance, last),
    r5 = min(r + 5 * distance, last),
    r6 = min(r + 6 * distance, last),
    r7 = min(r + 7 * distance, last);
  const w1 = <usize>(r1 - r) * bytes,
    w2 = <usize>(r2 - r) * bytes,
    w3 = <usize>(r3 - r) * bytes;
  const w4 = <usize>(r4 - r) * bytes,
    w5 = <usize>(r5 - r) * bytes,
    w6 = <usize>(r6 - r) * bytes,
    w7 = <usize>(r7 - r) * bytes;
  let block = step.weights + <usize>r * bytes,
    first = f32x4.splat(0),
    second = first;
  for (const end = block + bytes; block < end; block += BLOCK_BYTES, a += 4, q += 4 * ACTIVATION_BYTES) {
    first = addBlocks(first, block, block + w1, block + w2, block + w3, q, a, isPairs);
    second = addBlocks(second, block + w4, block + w5, block + w6, block + w7, q, a, isPairs);
  }
  storeFour(first, y, r, r1, r2, r3);
  storeFour(second, y, r4, r5, r6, r7);
}

function storeFour(sums: v128, y: usize, r0: i32, r1: i32, r2: i32, r3: i32): void {
  v128.store32_lane(y + ((<usize>r0) << 2), sums, 0);
  v128.store32_lane(y + ((<usize>r1) << 2), sums, 1);
  v128.store32_lane(y + ((<usize>r2) << 2), sums, 2);
  v128.store32_lane(y + ((<usize>r3) << 2), sums, 3);
}

/** totals + one block of four rows, times the same activations. */
function addBlocks(totals: v128, w0: usize, w1: usize, w2: usize, w3: usize, q: usize, a: usize, isPairs: bool): v128 {
  const sums = isPairs
    ? pairSums4(w0, w1, w2, w3, q)
    : sumLanes4(blockSums(w0, q), blockSums(w1, q), blockSums(w2, q), blockSums(w3, q));
  const d = f32x4(load<f32>(w0, FACTOR), load<f32>(w1, FACTOR), load<f32>(w2, FACTOR), load<f32>(w3, FACTOR));
  return f32x4.add(totals, f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(d, v128.load32_splat(a))));
}

/** Σ scale · (products of the 16 weights of a group); each lane a group of each chunk. */
function blockSums(w: usize, q: usize): v128 {
  const top = v128.load(TOP);
  let sums = i32x4.splat(0),
    chunk = w + CHUNKS;
  for (const end = w + CHUNKS; w < end; w += 4, chunk += CHUNK_BYTES, q += ACTIVATION_BYTES) {
    const a = v128.load(chunk),
      b = v128.load(chunk, 16),
      c = v128.load(chunk, 32);
    const lowest = i16x8.shr_u(v128.or(i16x8.shr_u(v128.and(a, top), 2), v128.and(b, top)), 2);
    const u3 = i16x8.shr_u(v128.or(lowest, v128.and(c, top)), 2);
    const products = dotFour(v128.andnot(a, top), v128.andnot(b, top), v128.andnot(c, top), u3, q + 16, v128.load(q));
    sums = i32x4.add(sums, i32x4.mul(products, groupScales(w)));
  }
  return sums;
}

/**
 * sumLanes4 of the blockSums of four rows by dotPairs: 139 cycles for 1,000 products by llvm-mca (Zen 4), 206
 * (Skylake), where dotI8 takes 224 and 322.
 */
function pairSums4(w0: usize, w1: usize, w2: usize, w3: usize, q: usize): v128 {
  const top = v128.load(TOP);
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (
    let scales: usize = 0, chunk = CHUNKS;
    scales < CHUNKS;
    scales += 4, chunk += CHUNK_BYTES, q += ACTIVATION_BYTES
  ) {
    s0 = addPairChunk(s0, top, w0 + chunk, w0 + scales, q);
    s1 = addPairChunk(s1, top, w1 + chunk, w1 + scales, q);
    s2 = addPairChunk(s2, top, w2 + chunk, w2 + scales, q);
    s3 = addPairChunk(s3, top, w3 + chunk, w3 + scales, q);
  }
  return sumLanes4(s0, s1, s2, s3);
}

/** sums + the scaled products of a chunk; each lane a group. */
function addPairChunk(sums: v128, top: v128, chunk: usize, scales: usize, q: usize): v128 {
  const a = v128.load(chunk),
    b = v128.load(chunk, 16),
    c = v128.load(chunk, 32);
  const lowest = i16x8.shr_u(v128.or(i16x8.shr_u(v128.and(a, top), 2), v128.and(b, top)), 2);
  const u3 = i16x8.shr_u(v128.or(lowest, v128.and(c, top)), 2);
  const products = pairFour(v128.andnot(a, top), v128.andnot(b, top), v128.andnot(c, top), u3, q + 16, v128.load(q));
  return i32x4.add(sums, i32x4.mul(products, groupScales(scales)));
}

/** Reorders the file's row at `row` as above, as row `r` of w (rows, k). */
export function packQ6KRow(row: usize, w: usize, r: i32, k: i32): void {
  let to = w + <usize>r * rowBytes(k);
  for (const end = to + rowBytes(k); to < end; to += BLOCK_BYTES, row += FILE_BLOCK_BYTES) {
    v128.store(to, v128.load(row, 192));
    for (let chunk: usize = 0; chunk < 4; chunk++)
      packChunk(
        row + (chunk >> 1) * 64,
        row + 128 + (chunk >> 1) * 32,
        (<i32>(chunk & 1)) << 2,
        to + CHUNKS + chunk * CHUNK_BYTES,
      );
    store<f32>(to, f16Scalar(load<u16>(row, 208)), FACTOR);
  }
}

/** A chunk is half of a half: weights of g 0 and 1 (shift 0) or 2 and 3 (shift 4), 16 from each of four places. */
function packChunk(ql: usize, qh: usize, shift: i32, to: usize): void {
  const g0 = sixBits(ql, qh, shift, shift),
    g1 = sixBits(ql + 16, qh + 16, shift, shift);
  const g2 = sixBits(ql + 32, qh, shift, shift + 2),
    g3 = sixBits(ql + 48, qh + 16, shift, shift + 2);
  // A transpose of 4-byte elements: group g's j-th quarter is vector j's g-th.
  const a = i8x16.shuffle(g0, g1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23),
    b = i8x16.shuffle(g0, g1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const c = i8x16.shuffle(g2, g3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23),
    d = i8x16.shuffle(g2, g3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const v0 = i64x2.shuffle(a, c, 0, 2),
    v1 = i64x2.shuffle(a, c, 1, 3),
    v2 = i64x2.shuffle(b, d, 0, 2),
    v3 = i64x2.shuffle(b, d, 1, 3);
  v128.store(to, v128.or(v0, i8x16.shl(v3, 6)));
  v128.store(to, v128.or(v1, i8x16.shl(i8x16.shr_u(v3, 2), 6)), 16);
  v128.store(to, v128.or(v2, i8x16.shl(i8x16.shr_u(v3, 4), 6)), 32);
}

/** Sixteen weights' six bits: nibbles of ql from bit `nibble`, pairs of qh from bit `pair`. */
function sixBits(ql: usize, qh: usize, nibble: i32, pair: i32): v128 {
  const low = v128.and(i8x16.shr_u(v128.load(ql), nibble), i8x16.splat(15));
  return v128.or(low, i8x16.shl(v128.and(i8x16.shr_u(v128.load(qh), pair), i8x16.splat(3)), 4));
}

/** Row r of w (rows, k) as numbers: d · scale · (bits − 32). */
export function q6KRow(w: usize, r: i32, k: i32, out: usize): void {
  const from = w + <usize>r * rowBytes(k);
  for (let i = 0; i < k; i++) {
    const block = from + <usize>(i / BLOCK) * BLOCK_BYTES,
      chunk = block + CHUNKS + <usize>((i % BLOCK) >> 6) * CHUNK_BYTES;
    const v = (i & 15) >> 2,
      byte = chunk + <usize>((((i & 63) >> 4) << 2) | (i & 3));
    const a = <i32>load<u8>(byte),
      b = <i32>load<u8>(byte, 16),
      c = <i32>load<u8>(byte, 32);
    const bits = v == 0 ? a & 63 : v == 1 ? b & 63 : v == 2 ? c & 63 : (a >> 6) | ((b >> 6) << 2) | ((c >> 6) << 4);
    store<f32>(
      out + ((<usize>i) << 2),
      load<f32>(block, FACTOR) * <f32>load<i8>(block + <usize>((i % BLOCK) >> 4)) * <f32>(bits - 32),
    );
  }
}
