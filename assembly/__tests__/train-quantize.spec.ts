import { SUM_CHUNK } from "../abi";
import { tokenFactor, tokenInteger } from "../reference/ops";
import { chunkedSum, halfValue, magnitudeSum, nearestHalf, ternaryCode, weightScale } from "../reference/train-rows";
import { share } from "../step";
import {
  passInsideClip,
  quantizeRows1,
  quantizeRows8,
  quantizeWeights,
  roundToHalf,
  sumWeights,
  widenRows,
} from "../train/quantize";
import { WeightCodesStep } from "../train/steps";
import { Random, differing, isGuard } from "./fixtures";
import { Arrays, get, isNan, put } from "./train-arrays";

const WIDTHS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 127, 300];
/** Rows and widths of weights: their products lie around multiples of SUM_CHUNK. */
const WEIGHTS: StaticArray<i32> = [
  1,
  1,
  1,
  2,
  3,
  1,
  2,
  3,
  1,
  7,
  11,
  3,
  1,
  SUM_CHUNK - 1,
  64,
  64,
  SUM_CHUNK,
  1,
  1,
  SUM_CHUNK + 1,
  3,
  SUM_CHUNK + 3,
  97,
  127,
  2 * SUM_CHUNK + 5,
  1,
];

const RANDOM: i32 = 0;
/** Halves of integers and a row maximum of 127: every rounding is a tie. */
const TIES: i32 = 1;
const ZEROS: i32 = 2;
/** Below the smallest scale of 1e-5. */
const TINY: i32 = 3;
const HUGE: i32 = 4;

function rowsOf(arrays: Arrays, rows: i32, k: i32, kind: i32, random: Random): usize {
  const x = arrays.floats(rows * k, random, kind == HUGE ? 1e30 : kind == TINY ? 1e-7 : 3);
  for (let i = 0; i < rows * k; i++) {
    if (kind == TIES) put(x, i, i % k == 0 ? -127 : <f32>random.between(-254, 254) / 2);
    if (kind == ZEROS) put(x, i, 0);
  }
  return x;
}

/** Code i of row `row`. */
function codeAt(codes: usize, row: i32, i: i32, kp: i32): i32 {
  return load<i16>(codes + ((<usize>(row * kp + i)) << 1));
}

/**
 * Rows 1 to 4 of 6, in 1, 2, 3 shares, padded by 0 to 3 to an even width: codes and scales that differ from the twin's,
 * and other rows touched.
 */
function wrongRows(k: i32, kind: i32, bits: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>(k * 8 + kind)),
    rows = 6,
    x = rowsOf(arrays, rows, k, kind, random);
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const kp = ((k + 1) & ~1) + 2 * random.between(0, 1),
      codes = arrays.room(2 * rows * kp),
      scale = arrays.room(4 * rows),
      wide = arrays.room(4 * rows * k);
    for (let t = 0; t < pieces; t++) {
      const begin = 1 + share(4, 1, t, pieces),
        end = 1 + share(4, 1, t + 1, pieces);
      if (bits == 8) quantizeRows8(x, codes, scale, k, kp, begin, end);
      else quantizeRows1(x, codes, scale, k, kp, begin, end);
      widenRows(codes, wide, k, kp, begin, end);
    }
    for (let row = 1; row < 5; row++) {
      wrong += bits == 8 ? wrongRow8(x, codes, scale, k, kp, row) : wrongRow1(x, codes, scale, k, kp, row);
      for (let i = 0; i < k; i++) if (get(wide, row * k + i) != <f32>codeAt(codes, row, i, kp)) wrong++;
      for (let i = k; i < kp; i++) if (codeAt(codes, row, i, kp) != 0) wrong++;
    }
    if (
      !isGuard(codes, 2 * kp) ||
      !isGuard(codes + <usize>(10 * kp), 2 * kp) ||
      !isGuard(scale, 4) ||
      !isGuard(scale + 20, 4)
    )
      wrong++;
    if (!isGuard(wide, 4 * k) || !isGuard(wide + <usize>(20 * k), 4 * k)) wrong++;
  }
  return wrong + arrays.close();
}

function wrongRow8(x: usize, codes: usize, scale: usize, k: i32, kp: i32, row: i32): i32 {
  const from = x + <usize>(4 * row * k),
    factor = tokenFactor(from, k);
  let wrong = get(scale, row) == <f32>(1.0 / <f64>factor) ? 0 : 1;
  for (let i = 0; i < k; i++) if (codeAt(codes, row, i, kp) != tokenInteger(from, i, k, factor)) wrong++;
  return wrong;
}

function wrongRow1(x: usize, codes: usize, scale: usize, k: i32, kp: i32, row: i32): i32 {
  let wrong = get(scale, row) == <f32>(magnitudeSum(x + <usize>(4 * row * k), k) / <f64>k) ? 0 : 1;
  for (let i = 0; i < k; i++) if (codeAt(codes, row, i, kp) != (get(x, row * k + i) < 0 ? -1 : 1)) wrong++;
  return wrong;
}

/** Weights, many of them on or beside the borders between codes. */
function weightsOf(arrays: Arrays, count: i32, random: Random): usize {
  const w = arrays.floats(count, random, 0.05),
    scale = weightScale(w, count);
  for (let i = 0; i < count; i += 5) put(w, i, i % 2 == 0 ? 0 : <f32>random.between(-3, 3) * 0.5 * scale);
  return w;
}

function weightsStep(
  arrays: Arrays,
  w: usize,
  rows: i32,
  k: i32,
  partial: usize,
  ternary: bool,
  codes: usize,
  scale: usize,
  kp: i32,
): WeightCodesStep {
  const step = arrays.step<WeightCodesStep>();
  step.weights = w;
  step.count = rows * k;
  step.partial = partial;
  step.ternary = ternary ? 1 : 0;
  step.codes = codes;
  step.scale = scale;
  step.k = k;
  step.kp = kp;
  return step;
}

/** Sums of chunks and codes of rows in 1, 2, 3 shares, and in two shares cut anywhere. */
function wrongWeights(rows: i32, k: i32, ternary: bool): i32 {
  const arrays = new Arrays(),
    count = rows * k,
    random = new Random(<u32>count),
    w = weightsOf(arrays, count, random);
  const nChunks = (count + SUM_CHUNK - 1) / SUM_CHUNK,
    scale = weightScale(w, count),
    mean = <f32>(chunkedSum(w, count, false) / <f64>count);
  let wrong = 0;
  for (let pieces = 1; pieces <= 4; pieces++) {
    const kp = ((k + 1) & ~1) + 2 * random.between(0, 1),
      partial = arrays.poisoned(16 * nChunks),
      codes = arrays.room(2 * rows * kp),
      got = arrays.room(4);
    const parts = min(pieces, 3),
      cut = random.between(0, rows),
      step = weightsStep(arrays, w, rows, k, partial, ternary, codes, got, kp);
    for (let t = 0; t < parts; t++)
      sumWeights(w, count, partial, share(nChunks, 1, t, parts), share(nChunks, 1, t + 1, parts));
    for (let t = 0; t < parts && pieces < 4; t++) {
      quantizeWeights(step, share(rows, 1, t, parts), share(rows, 1, t + 1, parts));
    }
    if (pieces == 4) quantizeWeights(step, 0, cut);
    if (pieces == 4) quantizeWeights(step, cut, rows);
    if (get(got, 0) != scale) wrong++;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < k; i++) {
        const value = get(w, row * k + i),
          want = ternary ? ternaryCode(value, scale) : value - mean < 0 ? -1 : 1;
        if (codeAt(codes, row, i, kp) != want) wrong++;
      }
      for (let i = k; i < kp; i++) if (codeAt(codes, row, i, kp) != 0) wrong++;
    }
  }
  return wrong + arrays.close();
}

function wrongWeightShapes(ternary: bool): i32 {
  let wrong = 0;
  for (let i = 0; i < WEIGHTS.length; i += 2) wrong += wrongWeights(WEIGHTS[i], WEIGHTS[i + 1], ternary);
  return wrong;
}

/** The scale of one row of up to SUM_CHUNK weights. */
function scaleOf(w: usize, count: i32, ternary: bool, arrays: Arrays): f32 {
  const partial = arrays.room(16),
    kp = (count + 1) & ~1,
    codes = arrays.room(2 * kp),
    scale = arrays.room(4);
  sumWeights(w, count, partial, 0, 1);
  quantizeWeights(weightsStep(arrays, w, 1, count, partial, ternary, codes, scale, kp), 0, 1);
  return get(scale, 0);
}

function wrongClip(count: i32, adds: bool): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>count),
    x = arrays.floats(count, random, 2),
    dy = arrays.floats(count, random, 1);
  const before = arrays.floats(count, random, 1);
  for (let i = 0; i < count; i += 3) put(x, i, i % 2 == 0 ? 1 : -1);
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const dx = arrays.copy(before, 4 * count);
    for (let t = 0; t < pieces; t++)
      passInsideClip(x, dy, dx, adds, share(count, 4, t, pieces), share(count, 4, t + 1, pieces));
    for (let i = 0; i < count; i++) {
      const passed: f32 = get(x, i) <= 1 && get(x, i) >= -1 ? get(dy, i) : 0;
      if (get(dx, i) != (adds ? get(before, i) + passed : passed)) wrong++;
    }
  }
  return wrong + arrays.close();
}

function nextUp(x: f32): f32 {
  return reinterpret<f32>(reinterpret<u32>(x) + 1);
}

function nextDown(x: f32): f32 {
  return reinterpret<f32>(reinterpret<u32>(x) - 1);
}

/** Around every half and every middle between two halves: which is nearest, ties to even. */
function wrongHalves(): i32 {
  let wrong = 0;
  for (let bits = 0; bits < 0x7bff; bits++) {
    const low = halfValue(bits),
      high = halfValue(bits + 1),
      middle: f32 = (low + high) / 2;
    if (roundToHalf(low) != low || roundToHalf(nextUp(low)) != low || roundToHalf(nextDown(high)) != high) wrong++;
    if (roundToHalf(nextDown(middle)) != low || roundToHalf(nextUp(middle)) != high) wrong++;
    if (roundToHalf(middle) != ((bits & 1) == 0 ? low : high)) wrong++;
  }
  return wrong;
}

describe("training: half precision", () => {
  test("every half, every middle and their neighbours", () => expect(wrongHalves()).toBe(0));
  test("a million floats from 2^-149 to 65504, and the twin agrees", () => {
    let wrong = 0;
    for (let bits: u32 = 0; bits < 0x477fe000; bits += 1151) {
      const x = reinterpret<f32>(bits);
      if (roundToHalf(x) != nearestHalf(x)) wrong++;
    }
    expect(wrong).toBe(0);
    expect(roundToHalf(65504)).toBe(65504);
  });
});

describe("training: rows to codes", () => {
  test("8 bits: any width and split, ties to even, rows of zeros", () => {
    for (let i = 0; i < WIDTHS.length; i++)
      for (let kind = RANDOM; kind <= HUGE; kind++) expect(wrongRows(WIDTHS[i], kind, 8)).toBe(0);
  });
  test("signs: the same", () => {
    for (let i = 0; i < WIDTHS.length; i++)
      for (let kind = RANDOM; kind <= HUGE; kind++) expect(wrongRows(WIDTHS[i], kind, 1)).toBe(0);
  });
  test("a row of zeros has codes of zero and a finite scale; as signs a scale of zero", () => {
    const arrays = new Arrays(),
      x = arrays.room(20),
      codes = arrays.room(12),
      scale = arrays.room(4);
    memory.fill(x, 0, 20);
    put(x, 3, -0.0);
    quantizeRows8(x, codes, scale, 5, 6, 0, 1);
    for (let i = 0; i < 5; i++) expect(codeAt(codes, 0, i, 6)).toBe(0);
    expect(get(scale, 0) > 0 && get(scale, 0) < 1e-7).toBe(true);
    quantizeRows1(x, codes, scale, 5, 6, 0, 1);
    for (let i = 0; i < 5; i++) expect(codeAt(codes, 0, i, 6)).toBe(1);
    expect(get(scale, 0)).toBe(0);
    expect(arrays.close()).toBe(0);
  });
  test("a NaN or an infinity anywhere in a row is not hidden: its scale says so, and no other row's", () => {
    for (let at = 0; at < 7; at++) {
      const arrays = new Arrays(),
        x = arrays.floats(21, new Random(5), 1),
        codes = arrays.room(48),
        scale = arrays.room(12);
      put(x, at, <f32>NaN);
      put(x, 7 + at, <f32>-Infinity);
      quantizeRows8(x, codes, scale, 7, 8, 0, 3);
      expect(isNan(get(scale, 0)) && isNan(get(scale, 1)) && !isNan(get(scale, 2))).toBe(true);
      quantizeRows1(x, codes, scale, 7, 8, 0, 3);
      expect(isNan(get(scale, 0)) && !isNan(get(scale, 2))).toBe(true);
      expect(get(scale, 1)).toBe(<f32>Infinity);
      expect(arrays.close()).toBe(0);
    }
  });
  test("the gradient of a sign passes where |x| is at most 1, the ends among them", () => {
    for (let count = 1; count < 40; count++) expect(wrongClip(count, false) + wrongClip(count, true)).toBe(0);
  });
});

describe("training: weights to codes", () => {
  test("ternary: any shape and split, bit for bit", () => expect(wrongWeightShapes(true)).toBe(0));
  test("binary: the same", () => expect(wrongWeightShapes(false)).toBe(0));
  test("the scale is a half-precision number, 1e-5 rounded to one when all weights are zero, NaN when one is", () => {
    const arrays = new Arrays(),
      w = arrays.room(36);
    for (let kind = 0; kind < 2; kind++) {
      memory.fill(w, 0, 36);
      expect(scaleOf(w, 9, kind == 0, arrays)).toBe(halfValue(168));
      for (let i = 0; i < 9; i++) put(w, i, 0.1);
      const scale = scaleOf(w, 9, kind == 0, arrays);
      expect(scale).toBe(nearestHalf(0.1));
      expect(nearestHalf(scale)).toBe(scale);
      // In the vectors of a row, and past them.
      put(w, 2 + 6 * kind, <f32>NaN);
      expect(isNan(scaleOf(w, 9, kind == 0, arrays))).toBe(true);
      put(w, 8 - 6 * kind, <f32>NaN);
      expect(isNan(scaleOf(w, 9, kind == 0, arrays))).toBe(true);
    }
    expect(arrays.close()).toBe(0);
  });
  test("partial sums hold Σ w and Σ |w| of each chunk in f64", () => {
    const arrays = new Arrays(),
      count = SUM_CHUNK + 3,
      w = arrays.floats(count, new Random(2), 1),
      partial = arrays.room(32),
      want = arrays.room(32);
    sumWeights(w, count, partial, 0, 2);
    for (let chunk = 0; chunk < 2; chunk++) {
      const from = w + <usize>(4 * chunk * SUM_CHUNK),
        n = chunk == 0 ? SUM_CHUNK : 3,
        to = want + <usize>(16 * chunk);
      store<f64>(to, chunkedSum(from, n, false));
      store<f64>(to, chunkedSum(from, n, true), 8);
    }
    expect(differing(partial, want, 32)).toBe(0);
    expect(arrays.close()).toBe(0);
  });
});
