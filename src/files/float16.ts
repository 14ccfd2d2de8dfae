/**
 * IEEE 754 half precision and bfloat16, to and from single precision, exactly: subnormals, infinities and NaN
 * included; narrowing rounds half to even.
 *
 * @module
 */

/** The value of half-precision bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * HALF_STEPS[0]!;
  return sign * (1024 + mantissa) * HALF_STEPS[exponent - 1]!;
}

/** The step between neighbours for biased exponents 1–30: 2^−24, doubling. */
const HALF_STEPS: readonly number[] = Array.from({ length: 30 }, (_, i) => (1 << i) / 16_777_216);

/** The half-precision bits nearest to `value`, which is first rounded to single precision, as ggml does. */
export function floatToHalf(value: number): number {
  const float = new Float32Array([value]);
  return halfBits(new Uint32Array(float.buffer)[0]!);
}

/** Narrows many floats to half-precision bits. */
export function floatsToHalves(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) out[i] = halfBits(bits[i]!);
  return out;
}

/** Narrows many floats to bfloat16 bits. */
export function floatsToBfloats(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const float = bits[i]!;
    const isNotNumber = (float & 0x7fffffff) > 0x7f800000;
    // A NaN must keep a set mantissa bit; rounding could carry it into the sign.
    out[i] = isNotNumber ? (float >>> 16) | 0x40 : (float + 0x7fff + ((float >>> 16) & 1)) >>> 16;
  }
  return out;
}

function halfBits(float: number): number {
  const sign = (float >>> 16) & 0x8000;
  const magnitude = float & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65,520 is half-way between the largest half, 65,504, and the next power of two.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Below 2^−14: a whole number of 2^−24 steps; 2^−25 itself is a tie, and zero is even.
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const odd = (mantissa >>> shift) & 1;
  return sign | ((mantissa + (1 << (shift - 1)) - 1 + odd) >>> shift);
}
