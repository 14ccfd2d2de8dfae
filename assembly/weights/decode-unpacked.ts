/**
 * Rows of floats that hold only -s, 0, +s → codes and f16 scales, where that loses nothing.
 *
 *   row:    k floats (F32, F16 or BF16)     | group of 64 or 128 | group | … the last may be shorter
 *   codes:  one byte each                     1 + sign             …
 *   scales: u16, one a group                  s · factor, as f16
 *
 * A group is exact if the bits of each weight, but for the sign, are those of its largest or zero: no rounding.
 */

const F32: i32 = 0;
const F16: i32 = 1;
const BF16: i32 = 30;

const EXACT: i32 = 0;
/** A magnitude besides 0 and s; of binary rows, a 0. */
const OTHER_WEIGHT: i32 = 1;
/** A weight that is infinite or not a number. */
const NOT_FINITE: i32 = 2;
/** A scale that f16 cannot hold. */
const SCALE_ROUNDS: i32 = 3;

/**
 * One row of k weights.
 * @param factor multiplies the row's scales: 1, or the number that the file has beside the row
 * @param binary 1: no weight may be 0, and codes are 0 and 1 for -s and +s
 * @param codes u8, k rounded up to 64; the padding is that of a weight 0 (ternary)
 * @param scales u16, one a group; groups of zeros take that of the first other group, as any is right
 * @returns 0, or why the row cannot become codes: 1 another weight, 2 not finite, 3 a scale that f16 cannot hold
 */
export function decodeUnpackedRow(
  type: i32,
  src: usize,
  k: i32,
  group: i32,
  factor: f32,
  binary: i32,
  codes: usize,
  scales: usize,
): i32 {
  const infinity: u32 = type == F32 ? 0x7f800000 : type == F16 ? 0x7c00 : 0x7f80,
    shift: u32 = type == F32 ? 2 : 1;
  let known: i32 = -1,
    out = scales;
  for (let begin = 0; begin < k; begin += group, out += 2) {
    const n = min(group, k - begin),
      from = src + ((<usize>begin) << shift),
      to = codes + <usize>begin;
    const largest = type == F32 ? codesOf32(from, n, to) : codesOf16(from, n, to);
    if (largest == MIXED) return OTHER_WEIGHT;
    if (largest >= infinity) return NOT_FINITE;
    if (binary != 0 && !toBinary(to, n)) return OTHER_WEIGHT;
    if (largest == 0) {
      store<u16>(out, known < 0 ? 0 : known);
      continue;
    }
    const scale = exactHalf(<f64>floatOf(type, largest) * <f64>factor);
    if (scale < 0) return SCALE_ROUNDS;
    store<u16>(out, scale);
    if (known >= 0) continue;
    known = scale;
    for (let zeros = scales; zeros < out; zeros += 2) store<u16>(zeros, known);
  }
  memory.fill(codes + <usize>k, 1, <usize>(((k + 63) & ~63) - k));
  return EXACT;
}

/** No magnitude has these bits. */
const MIXED: u32 = 0xffffffff;

/** Codes 0, 1, 2 of n floats of 16 bits, and the bits of their one magnitude. */
function codesOf16(from: usize, n: i32, to: usize): u32 {
  const mask = i16x8.splat(0x7fff);
  let most = i16x8.splat(0),
    i = 0;
  for (; i + 8 <= n; i += 8) most = i16x8.max_s(most, v128.and(v128.load(from + ((<usize>i) << 1)), mask));
  let largest: u32 = 0;
  for (let rest = i; rest < n; rest++) largest = max(largest, <u32>load<u16>(from + ((<usize>rest) << 1)) & 0x7fff);
  most = i16x8.max_s(most, i8x16.shuffle(most, most, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  most = i16x8.max_s(most, i8x16.shuffle(most, most, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  most = i16x8.max_s(most, i8x16.shuffle(most, most, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  largest = max(largest, <u32>i16x8.extract_lane_u(most, 0));
  const s = i16x8.splat(<i16>largest);
  let wrong = i16x8.splat(0);
  for (i = 0; i + 8 <= n; i += 8) {
    const v = v128.load(from + ((<usize>i) << 1)),
      magnitude = v128.and(v, mask),
      isZero = i16x8.eq(magnitude, i16x8.splat(0));
    wrong = v128.or(wrong, v128.not(v128.or(isZero, i16x8.eq(magnitude, s))));
    // The sign, -1 or 0, becomes -1 or +1; then 0 where the weight is.
    const sign = v128.andnot(v128.or(i16x8.shr_s(v, 15), i16x8.splat(1)), isZero),
      code = i16x8.add(sign, i16x8.splat(1));
    v128.store64_lane(to + <usize>i, i8x16.narrow_i16x8_u(code, code), 0);
  }
  if (v128.any_true(wrong)) return MIXED;
  for (; i < n; i++) {
    const bits = <u32>load<u16>(from + ((<usize>i) << 1)),
      magnitude = bits & 0x7fff;
    if (magnitude != 0 && magnitude != largest) return MIXED;
    store<u8>(to + <usize>i, magnitude == 0 ? 1 : bits >> 15 != 0 ? 0 : 2);
  }
  return largest;
}

/** The same of 32 bits. */
function codesOf32(from: usize, n: i32, to: usize): u32 {
  let largest: u32 = 0;
  for (let i = 0; i < n; i++) largest = max(largest, load<u32>(from + ((<usize>i) << 2)) & 0x7fffffff);
  for (let i = 0; i < n; i++) {
    const bits = load<u32>(from + ((<usize>i) << 2)),
      magnitude = bits & 0x7fffffff;
    if (magnitude != 0 && magnitude != largest) return MIXED;
    store<u8>(to + <usize>i, magnitude == 0 ? 1 : bits >> 31 != 0 ? 0 : 2);
  }
  return largest;
}

/** Codes 0 and 2 become 0 and 1; false if there is a 1. */
function toBinary(codes: usize, n: i32): bool {
  for (let i = 0; i < n; i++) {
    const code = load<u8>(codes + <usize>i);
    if (code == 1) return false;
    store<u8>(codes + <usize>i, code >> 1);
  }
  return true;
}

/** A magnitude as a number. */
function floatOf(type: i32, bits: u32): f32 {
  if (type == F32) return reinterpret<f32>(bits);
  if (type == BF16) return reinterpret<f32>(bits << 16);
  const exponent = bits >> 10,
    fraction = bits & 0x3ff;
  // Below the normal numbers: multiples of 2^-24.
  if (exponent == 0) return <f32>fraction * reinterpret<f32>(0x33800000);
  return reinterpret<f32>(((exponent + 112) << 23) | (fraction << 13));
}

/** The f16 that is exactly `x`, as its bits; -1 if there is none. */
function exactHalf(x: f64): i32 {
  const bits = reinterpret<u64>(x),
    sign = (<i32>(bits >> 63)) << 15,
    exponent = <i32>((bits >> 52) & 0x7ff) - 1023;
  if (x == 0) return sign;
  if (exponent > 15) return -1;
  if (exponent >= -14) {
    const fraction = bits & 0xfffffffffffff;
    return (fraction & 0x3ffffffffff) != 0 ? -1 : sign | ((exponent + 15) << 10) | <i32>(fraction >> 42);
  }
  const steps = abs(x) * 16777216;
  return steps == floor(steps) ? sign | <i32>steps : -1;
}
