/**
 * Our own elementary functions, so that every engine and CPU gives the same bits: WebAssembly fixes the results of + -
 * * / sqrt, and this file uses nothing else. The maths is from textbooks: split the argument into a multiple of a
 * constant (kept in two or three parts, Cody and Waite 1980) and a small remainder, then use a Taylor series.
 *
 * Largest error against exact values, over their domains: expF64, logF64, sinF64, cosF64 1 ulp; expF32x4 1 ulp.
 */

const INV_LN2: f64 = 1.4426950408889634;
/** ln 2 in two parts; the first has 32 bits, so a product with an exponent (11 bits) is exact. */
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const SQRT2: f64 = 1.4142135623730951;
const TWO_OVER_PI: f64 = 0.6366197723675814;
/** pi/2 in three parts of 29, 29 and 53 bits: products with a quadrant count up to 2^24 are exact. */
const HALF_PI_HIGH: f64 = 1.570796325802803;
const HALF_PI_MIDDLE: f64 = 9.920935774287987e-10;
const HALF_PI_LOW: f64 = 2.2517417741562176e-18;
/** Beyond this angle the reduction would lose bits; 2^24 quarter turns. */
const MAX_ANGLE: f64 = 26353589.0;

/** e^x. Overflows to Infinity, underflows through the subnormals to 0. */
export function expF64(x: f64): f64 {
  if (x != x) return x;
  if (x > 710) return Infinity;
  if (x < -746) return 0;
  const n = nearest<f64>(x * INV_LN2);
  const high = x - n * LN2_HIGH,
    low = n * LN2_LOW;
  const r = high - low,
    rest = high - r - low; // the rounding error of r
  let p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  return scaleByPowerOf2(1.0 + (r + (r * r * p + rest)), <i32>n);
}

/** Natural logarithm: NaN below zero, -Infinity at zero. */
export function logF64(x: f64): f64 {
  if (x < 0 || x != x) return NaN;
  if (x == 0) return -Infinity;
  if (x == Infinity) return x;
  let exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984.0; // 2^54: out of the subnormals
    exponent = -54;
  }
  const bits = reinterpret<u64>(x);
  exponent += <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > SQRT2) {
    m *= 0.5;
    exponent += 1;
  }
  // ln(1 + f) = f - (f²/2 - s(f²/2 + R)), s = f / (2 + f), R = 2 (s²/3 + s⁴/5 + …): the area-tangent series with its
  // first term folded back into f, which keeps the leading part exact
  const f = m - 1.0;
  const s = f / (2.0 + f);
  const half = 0.5 * f * f;
  const e = <f64>exponent;
  return e * LN2_HIGH - (half - (s * (half + areaTangentTail(s * s)) + e * LN2_LOW) - f);
}

/** 2 (z/3 + z²/5 + … + z¹⁰/21); for z below 0.0295 the next term is under 1e-18. */
function areaTangentTail(z: f64): f64 {
  let p = 2.0 / 21.0;
  p = p * z + 2.0 / 19.0;
  p = p * z + 2.0 / 17.0;
  p = p * z + 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  return p * z;
}

/** x^y for x > 0, as e^(y ln x): relative error about |y ln x| 2^-53. */
export function powF64(x: f64, y: f64): f64 {
  return expF64(y * logF64(x));
}

/** Sine of an angle in radians up to 2^24 quarter turns; NaN beyond. */
export function sinF64(x: f64): f64 {
  return circular(x, 0);
}

/** Cosine of an angle in radians up to 2^24 quarter turns; NaN beyond. */
export function cosF64(x: f64): f64 {
  return circular(x, 1);
}

/** sin(x + quarterTurns pi/2). */
function circular(x: f64, quarterTurns: i32): f64 {
  if (!(abs(x) <= MAX_ANGLE)) return NaN;
  const n = nearest<f64>(x * TWO_OVER_PI);
  const high = x - n * HALF_PI_HIGH;
  const middle = n * HALF_PI_MIDDLE;
  const near = high - middle;
  const low = n * HALF_PI_LOW - (high - near - middle);
  const r = near - low,
    rest = near - r - low; // the rounding error of r
  const quadrant = <i32>n + quarterTurns;
  const value = (quadrant & 1) == 0 ? sineSeries(r, rest) : cosineSeries(r, rest);
  return (quadrant & 2) == 0 ? value : -value;
}

/** Taylor series of sine up to r¹⁷; |r| ≤ pi/4. `rest` is added to r. */
function sineSeries(r: f64, rest: f64): f64 {
  const z = r * r;
  let p = 1.0 / 355687428096000.0;
  p = p * z - 1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  p = p * z - 1.0 / 6.0;
  return r + (r * z * p + rest * (1.0 - 0.5 * z));
}

/** Taylor series of cosine up to r¹⁶; |r| ≤ pi/4. `rest` is added to r, and the rounding error of 1 - z/2 restored. */
function cosineSeries(r: f64, rest: f64): f64 {
  const z = r * r;
  let p = 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  const half = 0.5 * z;
  const head = 1.0 - half;
  return head + (1.0 - head - half + (z * z * p - r * rest));
}

/** v 2^n in two steps, so that no intermediate overflows and only the last rounds. */
function scaleByPowerOf2(v: f64, n: i32): f64 {
  const half = n >> 1;
  return v * powerOf2(half) * powerOf2(n - half);
}

function powerOf2(n: i32): f64 {
  return reinterpret<f64>((<u64>(n + 1023)) << 52);
}

/**
 * Constants of expF32x4, in memory: V8 rebuilds a splatted constant on every iteration, a load is one instruction.
 * Lowest and highest argument; 1/ln 2; ln 2 in two parts, the first of 15 bits (times 8 bits: exact); 1/7! … 1/2!; 1;
 * bias; rounding.
 */
const EXP: usize = memory.data<f32>([
  -104.0,
  89.0,
  1.4426950408889634,
  0.693145751953125,
  1.428606765330187e-6,
  0.0001984126984126984,
  0.001388888888888889,
  0.008333333333333333,
  0.041666666666666664,
  0.16666666666666666,
  0.5,
  1.0,
  1.7796490496925177e-43, // the bits of 127
  12582912.0, // 1.5 · 2^23: added to a small number it rounds it, half to even, into the low bits of the sum
]);

/** e^x in four lanes: 0 below -103.98, Infinity above 88.73, NaN for NaN. */
export function expF32x4(v: v128): v128 {
  const x = f32x4.pmin(f32x4.pmax(v, v128.load32_splat(EXP, 0)), v128.load32_splat(EXP, 4));
  const rounded = roundedPower(x),
    count = i32x4.sub(rounded, v128.load32_splat(EXP, 52)),
    half = i32x4.shr_s(count, 1);
  return f32x4.mul(f32x4.mul(expRest(x, rounded), powersOf2(half)), powersOf2(i32x4.sub(count, half)));
}

/** The power of two nearest to e^x: an integer n, in the low bits of n + 1.5 · 2^23. */
function roundedPower(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, v128.load32_splat(EXP, 8)), v128.load32_splat(EXP, 52));
}

/** e^x / 2^n. */
function expRest(x: v128, rounded: v128): v128 {
  const n = f32x4.sub(rounded, v128.load32_splat(EXP, 52));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, v128.load32_splat(EXP, 12))), f32x4.mul(n, v128.load32_splat(EXP, 16)));
  return f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(r, r), expTail(r)), r), v128.load32_splat(EXP, 44));
}

/** 1/2 + r/6 + … + r⁵/5040. */
function expTail(r: v128): v128 {
  let p = v128.load32_splat(EXP, 20);
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 24));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 28));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 32));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 36));
  return f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 40));
}

function powersOf2(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, v128.load32_splat(EXP, 48)), 23);
}

/**
 * Rounding, as in EXP; the lowest argument; five coefficients of 2^x - 1 over -1/2 … 1/2, highest power first, which
 * interpolate at the zeros of a Chebyshev polynomial; 1.
 */
const EXP2: usize = memory.data<f32>([
  12582912.0, -125.0, 0.0013381302123889327, 0.00966636836528778, 0.055503811687231064, 0.2402234971523285,
  0.6931471824645996, 1.0,
]);

/** 2^x of lanes in (-125, 0] with relative error below 3e-7, 1 for 0; 0 below that range, and for NaN. */
export function exp2NegativeF32x4(x: v128): v128 {
  const rounded = f32x4.add(x, v128.load32_splat(EXP2)),
    r = f32x4.sub(x, f32x4.sub(rounded, v128.load32_splat(EXP2)));
  let p = f32x4.add(f32x4.mul(v128.load32_splat(EXP2, 8), r), v128.load32_splat(EXP2, 12));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP2, 16));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP2, 20));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP2, 24));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP2, 28));
  return v128.and(i32x4.add(p, i32x4.shl(rounded, 23)), f32x4.gt(x, v128.load32_splat(EXP2, 4)));
}
