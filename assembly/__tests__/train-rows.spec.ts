import {
  SETTING_BETA1,
  SETTING_BETA2,
  SETTING_BYTES,
  SETTING_CORRECTION1,
  SETTING_CORRECTION2,
  SETTING_EPSILON,
  SETTING_GRADIENT_FACTOR,
  SETTING_LEARNING_RATE,
  SETTING_WEIGHT_DECAY,
  SUM_CHUNK,
} from "../abi";
import { powF64 } from "../math";
import { ropeTable } from "../ops/rope";
import { widened } from "../reference/train-differences";
import { adamWElement, hashInverse } from "../reference/train-rows";
import { share } from "../step";
import { adamW, sumSquares } from "../train/optimizer";
import { addArrays, dropout, embedRows, embedRowsBackward, hash, rotateRows, sumRows } from "../train/rows";
import { AdamWStep, RotateStep } from "../train/steps";
import { Random, differing, isGuard } from "./fixtures";
import { Arrays, get, put } from "./train-arrays";

const DIMS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 130];
const VOCAB: i32 = 6;

function idsOf(arrays: Arrays, n: i32, random: Random): usize {
  const ids = arrays.room(4 * n);
  for (let i = 0; i < n; i++) store<i32>(ids + <usize>(4 * i), random.between(0, VOCAB - 2));
  return ids;
}

/** Rows taken from a table and their gradients returned, in 1, 2, 3 shares. No id names the table's last row. */
function wrongEmbedding(dim: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>dim),
    n = 9,
    ids = idsOf(arrays, n, random),
    table = arrays.floats(VOCAB * dim, random, 1);
  const dy = arrays.floats(n * dim, random, 1),
    before = arrays.floats(VOCAB * dim, random, 1),
    want = arrays.copy(before, 4 * VOCAB * dim);
  for (let row = 0; row < n; row++) {
    const id = load<i32>(ids + <usize>(4 * row));
    for (let i = 0; i < dim; i++) put(want, id * dim + i, get(want, id * dim + i) + get(dy, row * dim + i));
  }
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const out = arrays.room(4 * n * dim),
      dTable = arrays.copy(before, 4 * VOCAB * dim);
    for (let t = 0; t < pieces; t++) {
      embedRows(ids, table, dim, out, share(n, 1, t, pieces), share(n, 1, t + 1, pieces));
      embedRowsBackward(ids, dy, dim, dTable, n, share(dim, 4, t, pieces), share(dim, 4, t + 1, pieces));
    }
    for (let row = 0; row < n; row++) {
      wrong += differing(
        out + <usize>(4 * row * dim),
        table + <usize>(4 * load<i32>(ids + <usize>(4 * row)) * dim),
        4 * dim,
      );
    }
    wrong += differing(dTable, want, 4 * VOCAB * dim);
  }
  return wrong + arrays.close();
}

/** Column sums of 1 to 5 rows onto what was there, and sums of arrays, whole, in shares and cut anywhere. */
function wrongSums(dim: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>dim),
    n = 1 + (dim % 5),
    dy = arrays.floats(n * dim, random, 1);
  const before = arrays.floats(dim, random, 1),
    sums = arrays.copy(before, 4 * dim),
    both = arrays.room(4 * dim);
  for (let i = 0; i < dim; i++) {
    for (let row = 0; row < n; row++) put(sums, i, get(sums, i) + get(dy, row * dim + i));
    put(both, i, get(before, i) + get(dy, i));
  }
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const db = arrays.copy(before, 4 * dim),
      out = arrays.room(4 * dim);
    for (let t = 0; t < pieces; t++) {
      sumRows(dy, n, dim, db, share(dim, 4, t, pieces), share(dim, 4, t + 1, pieces));
      addArrays(before, dy, out, share(dim, 4, t, pieces), share(dim, 4, t + 1, pieces));
    }
    wrong += differing(db, sums, 4 * dim) + differing(out, both, 4 * dim);
  }
  const cut = random.between(0, dim),
    end = random.between(cut, dim),
    part = arrays.room(4 * dim);
  addArrays(before, dy, part, cut, end);
  for (let i = 0; i < dim; i++) {
    if (i >= cut && i < end ? get(part, i) != get(both, i) : !isGuard(part + <usize>(4 * i), 4)) wrong++;
  }
  return wrong + arrays.close();
}

/** Pairs (x[i], x[i + half]) turned by the angle of position row mod length, then back. */
function wrongRotation(headDim: i32, nHeads: i32, length: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>headDim),
    half = headDim / 2,
    n = 2 * length,
    count = n * nHeads * headDim;
  const cos = arrays.room(4 * length * half),
    sin = arrays.room(4 * length * half),
    frequencies = arrays.room(8 * half);
  for (let i = 0; i < half; i++) store<f64>(frequencies + <usize>(8 * i), 1.0 / <f64>(1 + i));
  for (let p = 0; p < length; p++)
    ropeTable(frequencies, half, p, 1, cos + <usize>(4 * p * half), sin + <usize>(4 * p * half));
  const before = arrays.floats(count, random, 2),
    want = arrays.room(4 * count);
  for (let i = 0; i < count; i++) {
    const place = i % headDim,
      angle = ((i / (nHeads * headDim)) % length) * half + (place % half),
      c = get(cos, angle),
      s = get(sin, angle);
    if (place < half) put(want, i, get(before, i) * c - get(before, i + half) * s);
    else put(want, i, get(before, i - half) * s + get(before, i) * c);
  }
  const step = arrays.step<RotateStep>();
  step.cos = cos;
  step.sin = sin;
  step.length = length;
  step.nHeads = nHeads;
  step.headDim = headDim;
  step.n = n;
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const x = arrays.copy(before, 4 * count);
    step.x = x;
    step.sign = 1;
    for (let t = 0; t < pieces; t++) rotateRows(step, share(n, 1, t, pieces), share(n, 1, t + 1, pieces));
    wrong += differing(x, want, 4 * count);
    step.sign = -1;
    rotateRows(step, 0, n);
    for (let i = 0; i < count; i++) if (abs<f32>(get(x, i) - get(before, i)) > 1e-6) wrong++;
  }
  return wrong + arrays.close();
}

/** Each value is kept times `keep`, or dropped, by the hash of its place; alone and added, in any split. */
function wrongDropout(count: i32, threshold: u32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>count),
    x = arrays.floats(count, random, 1),
    before = arrays.floats(count, random, 1);
  const seed = random.next(),
    keep: f32 = 1.25;
  let wrong = 0;
  for (let pieces = 1; pieces <= 6; pieces++) {
    const out = arrays.copy(before, 4 * count),
      parts = 1 + (pieces % 3),
      adds = pieces > 3;
    for (let t = 0; t < parts; t++)
      dropout(x, out, seed, threshold, keep, adds, share(count, 4, t, parts), share(count, 4, t + 1, parts));
    for (let i = 0; i < count; i++) {
      const kept: f32 = hash(seed ^ hash(<u32>i + 2654435769)) < threshold ? 0 : get(x, i) * keep;
      if (get(out, i) != (adds ? get(before, i) + kept : kept)) wrong++;
    }
  }
  return wrong + arrays.close();
}

/** Share of 100 000 values that a rate drops. */
function droppedShare(rate: f64, seed: u32): f64 {
  const arrays = new Arrays(),
    count = 100000,
    x = arrays.room(4 * count);
  for (let i = 0; i < count; i++) put(x, i, 1);
  dropout(x, x, seed, <u32>(rate * 4294967296), 1, false, 0, count);
  let dropped = 0;
  for (let i = 0; i < count; i++) if (get(x, i) == 0) dropped++;
  arrays.close();
  return <f64>dropped / <f64>count;
}

/** Settings of step t, as the host writes them. */
function settingsOf(arrays: Arrays, t: i32, factor: f32): usize {
  const s = arrays.room(SETTING_BYTES);
  store<f32>(s, 0.01, SETTING_LEARNING_RATE);
  store<f32>(s, 0.1, SETTING_WEIGHT_DECAY);
  store<f32>(s, 0.9, SETTING_BETA1);
  store<f32>(s, 0.95, SETTING_BETA2);
  store<f32>(s, 1e-8, SETTING_EPSILON);
  store<f32>(s, <f32>(1 / (1 - powF64(0.9, <f64>t))), SETTING_CORRECTION1);
  store<f32>(s, <f32>(1 / (1 - powF64(0.95, <f64>t))), SETTING_CORRECTION2);
  store<f32>(s, factor, SETTING_GRADIENT_FACTOR);
  return s;
}

function adamWStep(arrays: Arrays, w: usize, g: usize, m: usize, v: usize, settings: usize, decays: bool): AdamWStep {
  const step = arrays.step<AdamWStep>();
  step.weights = w;
  step.gradients = g;
  step.m = m;
  step.v = v;
  step.settings = settings;
  step.decays = decays ? 1 : 0;
  return step;
}

function wrongSteps(count: i32, decays: bool): i32 {
  const arrays = new Arrays(),
    bytes = 4 * count;
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const random = new Random(<u32>count),
      w = arrays.floats(count, random, 1),
      m = arrays.room(bytes),
      v = arrays.room(bytes);
    memory.fill(m, 0, bytes);
    memory.fill(v, 0, bytes);
    const w1 = arrays.copy(w, bytes),
      m1 = arrays.copy(m, bytes),
      v1 = arrays.copy(v, bytes);
    for (let step = 1; step <= 4; step++) {
      const g = arrays.floats(count, random, 1),
        settings = settingsOf(arrays, step, 0.7),
        record = adamWStep(arrays, w, g, m, v, settings, decays);
      for (let i = 0; i < count; i += 3) put(g, i, 0);
      for (let t = 0; t < pieces; t++) adamW(record, share(count, 4, t, pieces), share(count, 4, t + 1, pieces));
      for (let i = 0; i < count; i++) adamWElement(w1, g, m1, v1, settings, decays, i);
    }
    wrong += differing(w, w1, bytes) + differing(m, m1, bytes) + differing(v, v1, bytes);
  }
  return wrong + arrays.close();
}

/** Largest distance from the paper's algorithm in f64 after 60 steps of changing gradients; weights move about 0.5. */
function driftFromPaper(decay: f64): f64 {
  const arrays = new Arrays(),
    random = new Random(9),
    count = 13,
    w = arrays.floats(count, random, 1),
    m = arrays.room(52),
    v = arrays.room(52);
  const exact = widened(w, count),
    first = new StaticArray<f64>(count),
    second = new StaticArray<f64>(count);
  memory.fill(m, 0, 52);
  memory.fill(v, 0, 52);
  for (let t = 1; t <= 60; t++) {
    const g = arrays.floats(count, random, 1),
      factor: f64 = 0.5;
    for (let i = 0; i < count; i++) {
      put(g, i, get(g, i) + 0.4);
      const gradient = <f64>get(g, i) * factor;
      first[i] = 0.9 * first[i] + 0.1 * gradient;
      second[i] = 0.95 * second[i] + 0.05 * gradient * gradient;
      const meanHat = first[i] / (1 - powF64(0.9, <f64>t)),
        squareHat = second[i] / (1 - powF64(0.95, <f64>t));
      exact[i] -= 0.01 * (meanHat / (sqrt<f64>(squareHat) + 1e-8) + decay * exact[i]);
    }
    adamW(adamWStep(arrays, w, g, m, v, settingsOf(arrays, t, <f32>factor), decay != 0), 0, count);
  }
  let worst: f64 = 0;
  for (let i = 0; i < count; i++) worst = max<f64>(worst, abs<f64>(<f64>get(w, i) - exact[i]));
  arrays.close();
  return worst;
}

function wrongSquares(n: i32): i32 {
  const arrays = new Arrays(),
    g = arrays.floats(n, new Random(<u32>n), 3),
    chunks = (n + SUM_CHUNK - 1) / SUM_CHUNK,
    want = arrays.room(8 * chunks);
  for (let chunk = 0; chunk < chunks; chunk++) {
    let sum: f64 = 0;
    for (let i = chunk * SUM_CHUNK; i < min(n, (chunk + 1) * SUM_CHUNK); i++) sum += <f64>get(g, i) * <f64>get(g, i);
    store<f64>(want + <usize>(8 * chunk), sum);
  }
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const partial = arrays.room(8 * chunks);
    for (let t = 0; t < pieces; t++)
      sumSquares(g, n, partial, share(chunks, 1, t, pieces), share(chunks, 1, t + 1, pieces));
    wrong += differing(partial, want, 8 * chunks);
  }
  return wrong + arrays.close();
}

describe("training: rows", () => {
  test("embedding and its gradient, any width and split, bit for bit", () => {
    for (let i = 0; i < DIMS.length; i++) expect(wrongEmbedding(DIMS[i])).toBe(0);
  });
  test("sums of rows and arrays, any width and split, bit for bit", () => {
    for (let i = 0; i < DIMS.length; i++) expect(wrongSums(DIMS[i])).toBe(0);
  });
  test("rotation of half-split pairs by position, bit for bit; turned back within 1e-6", () => {
    expect(wrongRotation(8, 1, 1) + wrongRotation(8, 3, 5) + wrongRotation(24, 2, 7) + wrongRotation(64, 5, 3)).toBe(0);
  });
});

describe("training: dropout", () => {
  test("the hash is a bijection, and undone by its inverse", () => {
    for (let i: u32 = 0; i < 100000; i++) if (hashInverse(hash(i * 42949)) != i * 42949) throw new Error("not undone");
    expect(hashInverse(hash(0xffffffff))).toBe(0xffffffff);
  });
  test("an input bit changes every output bit about half the time", () => {
    const random = new Random(1);
    for (let bit: u32 = 0; bit < 32; bit++) {
      const changed = new StaticArray<i32>(32);
      for (let sample = 0; sample < 2000; sample++) {
        const x = random.next(),
          difference = hash(x) ^ hash(x ^ (1 << bit));
        for (let out: u32 = 0; out < 32; out++) changed[out] += <i32>((difference >> out) & 1);
      }
      // 1000 expected, standard deviation 22.
      for (let out = 0; out < 32; out++) expect(abs<i32>(changed[out] - 1000) < 200).toBe(true);
    }
  });
  test("masks, any length and split, alone and added, bit for bit", () => {
    for (let count = 1; count < 40; count++) expect(wrongDropout(count, 0x33333333)).toBe(0);
    expect(wrongDropout(50, 0) + wrongDropout(50, 0xffffffff)).toBe(0);
  });
  test("a hash equal to the threshold keeps: a threshold of zero drops nothing", () => {
    const arrays = new Arrays(),
      x = arrays.floats(1, new Random(1), 1),
      out = arrays.room(4),
      chance = hash(5 ^ hash(0x9e3779b9));
    dropout(x, out, 5, chance, 2, false, 0, 1);
    expect(get(out, 0)).toBe(get(x, 0) * 2);
    dropout(x, out, 5, chance + 1, 2, false, 0, 1);
    expect(get(out, 0)).toBe(0);
    expect(arrays.close()).toBe(0);
  });
  test("drops the share it is asked to, within 4 standard deviations", () => {
    for (let seed: u32 = 0; seed < 5; seed++) {
      expect(abs<f64>(droppedShare(0.1, seed) - 0.1)).toBeLessThan(0.0038);
      expect(abs<f64>(droppedShare(0.5, seed) - 0.5)).toBeLessThan(0.0064);
    }
    expect(droppedShare(0, 7)).toBe(0);
  });
});

describe("training: AdamW", () => {
  test("any count and split, with decay and without, bit for bit", () => {
    for (let count = 1; count < 40; count++) expect(wrongSteps(count, true) + wrongSteps(count, false)).toBe(0);
  });
  test("60 steps stay within 1e-6 of the paper's algorithm in f64", () => {
    expect(driftFromPaper(0)).toBeLessThan(1e-6);
    expect(driftFromPaper(0.1)).toBeLessThan(1e-6);
  });
  test("a NaN gradient reaches its weight and no other", () => {
    const arrays = new Arrays(),
      random = new Random(4),
      w = arrays.floats(6, random, 1),
      g = arrays.floats(6, random, 1);
    const m = arrays.floats(6, random, 1),
      v = arrays.room(24);
    memory.fill(v, 0, 24);
    put(g, 5, <f32>NaN);
    adamW(adamWStep(arrays, w, g, m, v, settingsOf(arrays, 1, 1), true), 0, 6);
    for (let i = 0; i < 6; i++) expect(get(w, i) != get(w, i)).toBe(i == 5);
    expect(arrays.close()).toBe(0);
  });
  test("sums of squares by chunk, any count and split, bit for bit", () => {
    expect(
      wrongSquares(1) +
        wrongSquares(3) +
        wrongSquares(SUM_CHUNK) +
        wrongSquares(SUM_CHUNK + 1) +
        wrongSquares(3 * SUM_CHUNK - 1),
    ).toBe(0);
  });
});
