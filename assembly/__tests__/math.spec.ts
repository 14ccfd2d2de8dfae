import { cosF64, expF32x4, expF64, exp2NegativeF32x4, logF64, powF64, sinF64 } from "../math";
import { exp2F32, expF32 } from "../reference/ops";
import { Random } from "./fixtures";

const EXP: i32 = 0;
const LOG: i32 = 1;
const SIN: i32 = 2;
const COS: i32 = 3;

/** Distance in units of the last place of `want`. */
function ulps(got: f64, want: f64): f64 {
  if (got == want || (got != got && want != want)) return 0;
  const exponent = max<i32>(-1022, <i32>((reinterpret<u64>(want) >> 52) & 0x7ff) - 1023);
  return abs<f64>(got - want) / reinterpret<f64>(max<u64>(1, (<u64>(exponent - 52 + 1023)) << 52));
}

/**
 * x, sin x, cos x: exact values (300-bit arithmetic) rounded once: AssemblyScript's own functions drift for large
 * angles.
 */
const ANGLES: StaticArray<f64> = [
  1e-5, 9.999999999833334e-6, 0.99999999995, 0.7853981633974483, 0.7071067811865475, 0.7071067811865476,
  1.5707963267948966, 1.0, 6.123233995736766e-17, 3.141592653589793, 1.2246467991473532e-16, -1.0, 355.0,
  -3.014435335948845e-5, -0.999999999545659, 4095.0, -0.9978212103769744, -0.0659759965580649, 24571.78355719658,
  -0.9832324332710294, -0.18235674422387224, 131071.0, -0.5752416837547893, -0.8179834993879491, 1000000.0,
  -0.34999350217129294, 0.9367521275331447, 12345678.9, -0.8973068124812599, 0.44140739037166243, 16777215.0,
  -0.9482326677687481, -0.31757645973239707, 26353588.5, -0.6937224240511053, 0.7202424580435802,
];

/** A number with a random exponent in [low, high] and sign. */
function wide(random: Random, low: i32, high: i32): f64 {
  const mantissa = (((<u64>random.next()) << 32) | <u64>random.next()) >> 12;
  const v = reinterpret<f64>(((<u64>(random.between(low, high) + 1023)) << 52) | mantissa);
  return (random.next() & 1) != 0 ? -v : v;
}

/** The largest difference from the standard library's functions, which are accurate to 0.6 ulp. */
function worst(f: i32, low: i32, high: i32): f64 {
  const random = new Random(<u32>f);
  let most: f64 = 0;
  for (let i = 0; i < 200000; i++) {
    const x = wide(random, low, high);
    if (f == EXP) most = max<f64>(most, ulps(expF64(x), Math.exp(x)));
    if (f == LOG) most = max<f64>(most, ulps(logF64(abs<f64>(x)), Math.log(abs<f64>(x))));
    if (f == SIN) most = max<f64>(most, ulps(sinF64(x), Math.sin(x)));
    if (f == COS) most = max<f64>(most, ulps(cosF64(x), Math.cos(x)));
  }
  return most;
}

function lane(v: v128): f32 {
  return f32x4.extract_lane(v, 0);
}

describe("f64 functions, within 1 ulp of other implementations", () => {
  test("e^x where it is a number", () => expect(worst(EXP, -60, 9) <= 1).toBe(true));
  test("e^x for small x, where it is near 1", () => expect(worst(EXP, -20, -1) <= 1).toBe(true));
  test("ln x, every exponent", () => expect(worst(LOG, -1022, 1023) <= 1).toBe(true));
  test("ln x near 1", () => {
    let most: f64 = 0;
    for (let i = -100000; i < 100000; i++) {
      const x = 1 + <f64>i / 1000000;
      most = max<f64>(most, ulps(logF64(x), Math.log(x)));
    }
    expect(most <= 1).toBe(true);
  });
  test("sin x and cos x to 8", () => {
    expect(worst(SIN, -40, 2) <= 1).toBe(true);
    expect(worst(COS, -40, 2) <= 1).toBe(true);
  });
  test("sin x and cos x of known angles to 2^24 quarter turns", () => {
    for (let i = 0; i < ANGLES.length; i += 3) {
      expect(ulps(sinF64(ANGLES[i]), ANGLES[i + 1]) <= 1).toBe(true);
      expect(ulps(cosF64(ANGLES[i]), ANGLES[i + 2]) <= 1).toBe(true);
    }
  });
  test("x^y of the rope frequencies, 1e-14 relative", () => {
    for (let i = 0; i < 128; i++) {
      const want = Math.pow(1e7, (-2.0 * <f64>i) / 256);
      expect(abs<f64>(powF64(1e7, (-2.0 * <f64>i) / 256) / want - 1) < 1e-14).toBe(true);
    }
  });
  test("special values", () => {
    expect(expF64(0)).toBe(1);
    expect(expF64(-Infinity)).toBe(0);
    expect(expF64(Infinity)).toBe(Infinity);
    expect(expF64(709.782712893384)).toBe(Math.exp(709.782712893384));
    expect(expF64(709.79)).toBe(Infinity);
    expect(expF64(-745.13)).toBe(5e-324);
    expect(expF64(-745.2)).toBe(0);
    expect(isNaN(expF64(NaN))).toBe(true);
    expect(logF64(1)).toBe(0);
    expect(logF64(0)).toBe(-Infinity);
    expect(logF64(Infinity)).toBe(Infinity);
    expect(logF64(5e-324)).toBe(Math.log(5e-324));
    expect(isNaN(logF64(-1))).toBe(true);
    expect(isNaN(logF64(NaN))).toBe(true);
    expect(sinF64(0)).toBe(0);
    expect(cosF64(0)).toBe(1);
    expect(isNaN(sinF64(Infinity))).toBe(true);
    expect(isNaN(cosF64(1e9))).toBe(true);
  });
});

describe("e^x in four lanes", () => {
  test("within 1 ulp over its range, every lane the same, as its scalar twin", () => {
    let most: f64 = 0,
      step: f32 = 0.0007;
    for (let x: f32 = -104; x < 89; x += step) {
      const v = expF32x4(f32x4.splat(x)),
        got = lane(v);
      if (got != expF32(x) || f32x4.extract_lane(v, 3) != got) expect(x).toBe(0, "twin");
      const want = expF64(<f64>x),
        single = <f32>want;
      if (single == <f32>Infinity) continue;
      const exponent = max<i32>(-126, <i32>((reinterpret<u32>(single) >> 23) & 0xff) - 127);
      most = max<f64>(most, abs<f64>(<f64>got - want) / reinterpret<f64>((<u64>(exponent - 23 + 1023)) << 52));
    }
    expect(most < 1).toBe(true);
  });
  test("special values", () => {
    expect(lane(expF32x4(f32x4.splat(0)))).toBe(1);
    expect(lane(expF32x4(f32x4.splat(<f32>Infinity)))).toBe(<f32>Infinity);
    expect(lane(expF32x4(f32x4.splat(-(<f32>Infinity))))).toBe(0);
    expect(lane(expF32x4(f32x4.splat(88.8)))).toBe(<f32>Infinity);
    expect(lane(expF32x4(f32x4.splat(-103.5)))).toBe(<f32>1.401298464324817e-45);
    expect(isNaN(lane(expF32x4(f32x4.splat(<f32>NaN))))).toBe(true);
  });
});

describe("2^x of what is not above 0, in four lanes", () => {
  test("within 3e-7 down to -125, as its scalar twin, and 0 below", () => {
    let most: f64 = 0;
    for (let x: f32 = -130; x <= 0; x += 0.0007) {
      const got = lane(exp2NegativeF32x4(f32x4.splat(x)));
      if (got != exp2F32(x)) expect(x).toBe(0, "twin");
      if (x > -125) most = max<f64>(most, abs<f64>(<f64>got / expF64(<f64>x * 0.6931471805599453) - 1));
      else expect(got).toBe(0);
    }
    expect(most < 3e-7).toBe(true);
  });
  test("0, -Infinity, NaN", () => {
    expect(lane(exp2NegativeF32x4(f32x4.splat(0)))).toBe(1);
    expect(lane(exp2NegativeF32x4(f32x4.splat(-(<f32>Infinity))))).toBe(0);
    expect(lane(exp2NegativeF32x4(f32x4.splat(<f32>NaN)))).toBe(0);
  });
});
