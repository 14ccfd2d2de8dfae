import {
  attendExact,
  attendHead,
  attendHeadQ8,
  headKeyBytes,
  headValueBytes,
  keyByte,
  keyScale,
  keySum,
  roundedInteger,
  valueByte,
  valueScale,
} from "../reference/attention";
import { absmax } from "../reference/ops";
import { PLACE_BYTES } from "../abi";
import { placeOf } from "../places";
import { attend, headPairs, storeKv } from "../ops/attention";
import { attendQ8, storeKvQ8 } from "../ops/attention-q8";
import { AttendStep, StoreKvStep } from "../steps";
import { Guarded, Random, differing, freeStep, isGuard, newStep } from "./fixtures";

const SCALE: f32 = 0.0883883461356163;

/**
 * A cache of `context` positions filled by one store of `filled` tokens, and n queries at its end. Its pages stand in
 * reverse order, behind spare ones.
 */
class Case {
  kvHeads: i32 = 2;
  group: i32 = 4;
  dim: i32 = 64;
  context: i32 = 50;
  filled: i32 = 37;
  n: i32 = 3;
  eight: bool = false;
  sparePages: i32 = 2;
  window: i32 = 0;

  get heads(): i32 {
    return this.kvHeads * this.group;
  }

  get nPages(): i32 {
    return this.sparePages + (this.context + 63) / 64;
  }

  /** Bytes of one head's keys, its values, and of the scratch of an item. */
  get keyBytes(): i32 {
    return this.eight ? headKeyBytes(64 * this.nPages, this.dim) : 256 * this.nPages * this.dim;
  }

  get valueBytes(): i32 {
    return this.eight ? headValueBytes(64 * this.nPages, this.dim) : 256 * this.nPages * this.dim;
  }

  get scratchBytes(): i32 {
    return this.group * (this.eight ? ((this.context + 63) / 64) * 256 + 16 : 4 * this.context);
  }
}

/** Places of n rows of one context at positions from `position` on, in front of its list of pages. Free it. */
function newPlaces(c: Case, position: i32, n: i32): usize {
  const places = heap.alloc(n * PLACE_BYTES + 4 * c.nPages),
    pages = places + <usize>(n * PLACE_BYTES);
  for (let i = 0; i < n; i++) {
    placeOf(places, i).position = position + i;
    placeOf(places, i).pages = pages;
  }
  for (let i = 0; i < c.nPages; i++) store<i32>(pages + <usize>(4 * i), c.nPages - 1 - i);
  return places;
}

/** A part of a head's cache with its pages, of `pageBytes`, in the order of their positions. */
function inOrder(c: Case, part: usize, pageBytes: i32, to: usize): void {
  for (let i = 0; i < c.nPages; i++)
    memory.copy(to + <usize>(i * pageBytes), part + <usize>((c.nPages - 1 - i) * pageBytes), pageBytes);
}

/** One head's keys in the order of their positions. */
function keysInOrder(c: Case, keys: usize): Guarded {
  const found = new Guarded(c.keyBytes);
  inOrder(c, keys, c.keyBytes / c.nPages, found.at);
  return found;
}

/** One head's values in the order of their positions; for 8 bits, the scales first. */
function valuesInOrder(c: Case, values: usize): Guarded {
  const found = new Guarded(c.valueBytes),
    scaleBytes = c.eight ? 256 : 0,
    tiles = <usize>(scaleBytes * c.nPages);
  inOrder(c, values, scaleBytes, found.at);
  inOrder(c, values + tiles, c.valueBytes / c.nPages - scaleBytes, found.at + tiles);
  return found;
}

function floats(count: i32, random: Random): Guarded {
  const x = new Guarded(4 * count);
  for (let i = 0; i < count; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * 3);
  return x;
}

/** Stores tokens from `begin` to `end` of k and v (f32, row stride `stride`), of heads in turn. */
function storeTokens(
  c: Case,
  k: usize,
  v: usize,
  stride: i32,
  kCache: usize,
  vCache: usize,
  begin: i32,
  end: i32,
): void {
  const from = <usize>(4 * begin * stride),
    step = newStep<StoreKvStep>();
  step.k = k + from;
  step.v = v + from;
  step.kvStride = stride;
  step.kCache = kCache;
  step.vCache = vCache;
  step.nKvHeads = c.kvHeads;
  step.headDim = c.dim;
  step.nPages = c.nPages;
  const places = newPlaces(c, begin, end - begin);
  for (let head = 0; head < c.kvHeads; head++) {
    if (c.eight) storeKvQ8(step, places, end - begin, head, head + 1);
    else storeKv(step, places, end - begin, head, head + 1);
  }
  heap.free(places);
  freeStep(step);
}

/** Queries and results without gaps. */
function attendStep(c: Case, q: usize, kCache: usize, vCache: usize, out: usize): AttendStep {
  const step = newStep<AttendStep>();
  step.q = q;
  step.qStride = c.heads * c.dim;
  step.kCache = kCache;
  step.vCache = vCache;
  step.out = out;
  step.outStride = c.heads * c.dim;
  step.nHeads = c.heads;
  step.nKvHeads = c.kvHeads;
  step.headDim = c.dim;
  step.nPages = c.nPages;
  step.contextLength = c.context;
  step.scale = SCALE;
  step.window = c.window;
  return step;
}

/** All items of n queries, the first at `position`. */
function attendAll(c: Case, step: AttendStep, position: i32, n: i32, scratch: usize): void {
  const items = n * c.kvHeads * headPairs(c.heads, c.kvHeads),
    places = newPlaces(c, position, n);
  if (c.eight) attendQ8(step, places, n, 0, items, scratch);
  else attend(step, places, n, 0, items, scratch);
  heap.free(places);
}

/**
 * Stores tokens in two calls, with the heads in two shares; counts what differs from the twin, or is written elsewhere.
 */
function wrongStore(c: Case): i32 {
  const random = new Random(<u32>c.dim),
    stride = c.kvHeads * c.dim + 1;
  const k = floats(c.filled * stride, random),
    v = floats(c.filled * stride, random);
  const kCache = new Guarded(c.kvHeads * c.keyBytes),
    vCache = new Guarded(c.kvHeads * c.valueBytes);
  storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, 0, c.filled / 2);
  storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, c.filled / 2, c.filled);
  let wrong = kCache.intact() && vCache.intact() ? 0 : 1;
  for (let head = 0; head < c.kvHeads; head++) {
    const keys = keysInOrder(c, kCache.at + <usize>(head * c.keyBytes)),
      values = valuesInOrder(c, vCache.at + <usize>(head * c.valueBytes));
    for (let p = 0; p < 64 * c.nPages; p++) {
      const source = <usize>(4 * (p * stride + head * c.dim));
      if (c.eight) wrong += wrongBytes(c, p, k.at + source, v.at + source, keys.at, values.at);
      else wrong += wrongFloats(c, p, k.at + source, keys.at) + wrongFloats(c, p, v.at + source, values.at);
    }
    keys.free();
    values.free();
  }
  k.free();
  v.free();
  kCache.free();
  vCache.free();
  return wrong;
}

function wrongFloats(c: Case, p: i32, x: usize, head: usize): i32 {
  const got = head + <usize>(4 * p * c.dim);
  if (p >= c.filled) return isGuard(got, 4 * c.dim) ? 0 : 1;
  return differing(x, got, 4 * c.dim);
}

const GUARD_BYTE: i32 = <i32>(<i8>0xa5);
const GUARD_WORD: i32 = 0xa5a5a5a5;

function wrongBytes(c: Case, p: i32, k: usize, v: usize, keys: usize, values: usize): i32 {
  const stored = p < c.filled;
  let wrong = 0,
    sum = 0;
  for (let d = 0; d < c.dim; d++) {
    const key = stored ? roundedInteger(k, d, c.dim, 127) : GUARD_BYTE;
    if (keyByte(keys, p, d, c.dim) != key) wrong++;
    if (valueByte(values, p, d, 64 * c.nPages, c.dim) != (stored ? roundedInteger(v, d, c.dim, 127) : GUARD_BYTE))
      wrong++;
    sum += key;
  }
  if (keySum(keys, p, c.dim) != (stored ? sum : GUARD_WORD)) wrong++;
  if (keyScale(keys, p, c.dim) != (stored ? absmax(k, 0, c.dim) / 127 : reinterpret<f32>(GUARD_WORD))) wrong++;
  if (valueScale(values, p) != (stored ? absmax(v, 0, c.dim) / 127 : reinterpret<f32>(GUARD_WORD))) wrong++;
  return wrong;
}

/** A cache full of NaN (as f32 and as scales), then `filled` tokens of random numbers. */
function filledCache(c: Case, random: Random, kCache: Guarded, vCache: Guarded): void {
  const stride = c.kvHeads * c.dim,
    k = floats(c.filled * stride, random),
    v = floats(c.filled * stride, random);
  memory.fill(kCache.at, 0xff, c.kvHeads * c.keyBytes);
  memory.fill(vCache.at, 0xff, c.kvHeads * c.valueBytes);
  storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, 0, c.filled);
  k.free();
  v.free();
}

/**
 * Attention of all items, in five shares, which split the queries of a head; counts results that differ from the
 * twin's, and writes between the rows.
 */
function wrongAttention(c: Case): i32 {
  const random = new Random(<u32>(c.dim * 8 + c.group)),
    qStride = c.heads * c.dim + 3,
    outStride = c.heads * c.dim + 2;
  const q = floats(c.n * qStride, random),
    out = new Guarded(4 * c.n * outStride),
    scratch = new Guarded(c.scratchBytes);
  const k = new Guarded(c.kvHeads * c.keyBytes),
    v = new Guarded(c.kvHeads * c.valueBytes);
  filledCache(c, random, k, v);
  const position = c.filled - c.n,
    items = c.n * c.kvHeads * headPairs(c.heads, c.kvHeads),
    step = attendStep(c, q.at, k.at, v.at, out.at),
    places = newPlaces(c, position, c.n);
  step.qStride = qStride;
  step.outStride = outStride;
  for (let share = 0; share < 5; share++) {
    const begin = (items * share) / 5,
      end = (items * (share + 1)) / 5;
    if (c.eight) attendQ8(step, places, c.n, begin, end, scratch.at);
    else attend(step, places, c.n, begin, end, scratch.at);
  }
  heap.free(places);
  freeStep(step);
  let wrong = out.intact() && scratch.intact() && k.intact() && v.intact() ? 0 : 1;
  const want = new Guarded(4 * c.dim),
    weights = new Guarded(4 * c.context);
  for (let head = 0; head < c.heads; head++) {
    const keys = keysInOrder(c, k.at + <usize>((head / c.group) * c.keyBytes)),
      values = valuesInOrder(c, v.at + <usize>((head / c.group) * c.valueBytes));
    for (let token = 0; token < c.n; token++) {
      const from = q.at + <usize>(4 * (token * qStride + head * c.dim)),
        length = position + token + 1,
        first = c.window == 0 ? 0 : max(0, length - c.window),
        skipped = <usize>(4 * first * c.dim);
      if (c.eight)
        attendHeadQ8(from, keys.at, values.at, want.at, weights.at, first, length, 64 * c.nPages, c.dim, SCALE);
      else attendHead(from, keys.at + skipped, values.at + skipped, want.at, weights.at, length - first, c.dim, SCALE);
      wrong += differing(out.at + <usize>(4 * (token * outStride + head * c.dim)), want.at, 4 * c.dim);
    }
    keys.free();
    values.free();
  }
  for (let token = 0; token < c.n; token++)
    if (!isGuard(out.at + <usize>(4 * (token * outStride + c.heads * c.dim)), 8)) wrong++;
  q.free();
  out.free();
  scratch.free();
  k.free();
  v.free();
  want.free();
  weights.free();
  return wrong;
}

/** Head sizes of real models and odd ones; groups of 1 to 5; lengths around multiples of four and of tiles. */
function wrongShapes(eight: bool): i32 {
  const dims: StaticArray<i32> = [4, 8, 12, 64, 96, 100, 128, 256];
  let wrong = 0;
  for (let d = 0; d < dims.length; d++) {
    const c = new Case();
    c.eight = eight;
    c.dim = dims[d];
    c.group = 1 + (d % 5);
    c.n = 1 + (d % 4);
    c.filled = 30 + d;
    wrong += wrongAttention(c) + wrongStore(c);
  }
  for (let filled = 1; filled < 10; filled++) {
    const c = new Case();
    c.eight = eight;
    c.filled = filled;
    c.context = filled;
    c.n = 1 + (filled & 1) * (filled > 1 ? 1 : 0);
    c.kvHeads = 1 + (filled % 3);
    wrong += wrongAttention(c);
  }
  // Around a tile of 64 positions, and around multiples of four streams of tiles.
  const long: StaticArray<i32> = [63, 64, 65, 127, 129, 201, 255, 257, 321],
    windows: StaticArray<i32> = [1, 2, 7, 63, 64, 65, 100, 320, 1000];
  for (let i = 0; i < long.length; i++) {
    const c = new Case();
    c.eight = eight;
    c.dim = 12;
    c.context = long[i] + (i & 1);
    c.filled = long[i];
    wrong += wrongAttention(c);
    // Windows around the same sizes, whose first positions stand anywhere in a page.
    for (let w = 0; w < windows.length; w++) {
      c.window = windows[w];
      wrong += wrongAttention(c);
    }
  }
  return wrong;
}

describe("attention", () => {
  test("f32 cache: stored and attended bit for bit, nothing beside", () => expect(wrongShapes(false)).toBe(0));
  test("8-bit cache: stored and attended bit for bit, nothing beside", () => expect(wrongShapes(true)).toBe(0));
  test("a batch of tokens gives the bits of single tokens", () => {
    const c = new Case(),
      random = new Random(6),
      dim = 128,
      n = 5,
      q = floats(n * dim, random),
      k = floats(16 * dim, random),
      v = floats(16 * dim, random);
    c.kvHeads = 1;
    c.group = 1;
    c.dim = dim;
    c.context = 16;
    c.sparePages = 0;
    const together = new Guarded(4 * n * dim),
      apart = new Guarded(4 * n * dim),
      scratch = new Guarded(64);
    attendAll(c, attendStep(c, q.at, k.at, v.at, together.at), 11, n, scratch.at);
    for (let i = 0; i < n; i++) {
      const at = <usize>(4 * i * dim);
      attendAll(c, attendStep(c, q.at + at, k.at, v.at, apart.at + at), 11 + i, 1, scratch.at);
    }
    expect(differing(together.at, apart.at, 4 * n * dim)).toBe(0);
  });
  test("8-bit cache: a batch of tokens gives the bits of single tokens, and what came later counts for nothing", () => {
    const c = new Case(),
      n = 9,
      stride = c.dim,
      random = new Random(7);
    c.eight = true;
    c.kvHeads = 1;
    c.context = 75;
    const q = floats(n * c.heads * c.dim, random),
      k = floats(c.context * stride, random),
      v = floats(c.context * stride, random);
    const together = new Guarded(4 * n * c.heads * c.dim),
      apart = new Guarded(4 * n * c.heads * c.dim),
      scratch = new Guarded(c.scratchBytes);
    const kCache = new Guarded(c.keyBytes),
      vCache = new Guarded(c.valueBytes),
      width = c.heads * c.dim;
    storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, 0, c.context);
    attendAll(c, attendStep(c, q.at, kCache.at, vCache.at, together.at), 60, n, scratch.at);
    memory.fill(kCache.at, 0xff, c.keyBytes);
    memory.fill(vCache.at, 0xff, c.valueBytes);
    storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, 0, 60);
    for (let i = 0; i < n; i++) {
      const at = <usize>(4 * i * width);
      storeTokens(c, k.at, v.at, stride, kCache.at, vCache.at, 60 + i, 61 + i);
      attendAll(c, attendStep(c, q.at + at, kCache.at, vCache.at, apart.at + at), 60 + i, 1, scratch.at);
    }
    expect(differing(together.at, apart.at, 4 * n * width)).toBe(0);
  });
  test("rows of several contexts get the bits they get alone", () =>
    expect(wrongTogether(false) + wrongTogether(true)).toBe(0));
  test("values of no size, and of sizes far apart", () => {
    const c = new Case(),
      random = new Random(9);
    c.eight = true;
    c.kvHeads = 1;
    c.group = 1;
    const q = floats(c.dim, random),
      k = floats(c.filled * c.dim, random),
      v = new Guarded(4 * c.filled * c.dim),
      out = new Guarded(4 * c.dim);
    const kCache = new Guarded(c.keyBytes),
      vCache = new Guarded(c.valueBytes),
      scratch = new Guarded(c.scratchBytes);
    const step = attendStep(c, q.at, kCache.at, vCache.at, out.at);
    memory.fill(v.at, 0, 4 * c.filled * c.dim);
    storeTokens(c, k.at, v.at, c.dim, kCache.at, vCache.at, 0, c.filled);
    attendAll(c, step, c.filled - 1, 1, scratch.at);
    for (let d = 0; d < c.dim; d++) expect(load<f32>(out.at + <usize>(4 * d))).toBe(0);
    for (let p = 0; p < c.filled; p++) store<f32>(v.at + <usize>(4 * p * c.dim), p == 5 ? <f32>1e30 : <f32>1e-30);
    storeTokens(c, k.at, v.at, c.dim, kCache.at, vCache.at, 0, c.filled);
    attendAll(c, step, c.filled - 1, 1, scratch.at);
    expect(load<f32>(out.at) > 0 && load<f32>(out.at) < <f32>1e30).toBe(true);
    for (let d = 1; d < c.dim; d++) expect(load<f32>(out.at + <usize>(4 * d))).toBe(0);
  });
  test(
    "8-bit cache: within 2e-4 of the values' size of exact attention over its bytes, within 0.7 % over what was " +
      "stored",
    () => {
      const lengths: StaticArray<i32> = [1, 40, 201, 1000];
      for (let i = 0; i < lengths.length; i++) {
        const overBytes = largestError(lengths[i], true),
          overFloats = largestError(lengths[i], false);
        expect(overBytes < 6e-4 && overFloats < 0.02).toBe(true);
      }
    },
  );
});

/**
 * Contexts of 3, 70 and 130 positions share a cache of seven pages, the last two their first page. Counts the bytes in
 * which a call with one row of each differs from a call a row.
 */
function wrongTogether(eight: bool): i32 {
  const c = new Case(),
    random = new Random(11),
    lengths: StaticArray<i32> = [3, 70, 130],
    lists: StaticArray<i32> = [4, 0, 0, 6, 1, 0, 6, 5, 2];
  c.eight = eight;
  c.context = 130;
  c.sparePages = 4;
  const width = c.heads * c.dim,
    q = floats(3 * width, random),
    together = new Guarded(12 * width),
    alone = new Guarded(12 * width),
    k = new Guarded(c.kvHeads * c.keyBytes),
    v = new Guarded(c.kvHeads * c.valueBytes),
    scratch = new Guarded(c.scratchBytes);
  c.filled = 64 * c.nPages;
  filledCache(c, random, k, v);
  const places = heap.alloc(3 * PLACE_BYTES),
    items = c.kvHeads * headPairs(c.heads, c.kvHeads);
  for (let i = 0; i < 3; i++) {
    placeOf(places, i).position = lengths[i] - 1;
    placeOf(places, i).pages = changetype<usize>(lists) + <usize>(12 * i);
  }
  const step = attendStep(c, q.at, k.at, v.at, together.at);
  if (eight) attendQ8(step, places, 3, 0, 3 * items, scratch.at);
  else attend(step, places, 3, 0, 3 * items, scratch.at);
  for (let i = 0; i < 3; i++) {
    const at = <usize>(4 * i * width);
    step.q = q.at + at;
    step.out = alone.at + at;
    if (eight) attendQ8(step, changetype<usize>(placeOf(places, i)), 1, 0, items, scratch.at);
    else attend(step, changetype<usize>(placeOf(places, i)), 1, 0, items, scratch.at);
  }
  heap.free(places);
  freeStep(step);
  return differing(together.at, alone.at, 12 * width) + (together.intact() && scratch.intact() ? 0 : 1);
}

/**
 * The largest error of 4 queries over `length` positions of values of ±3, against f64 over the bytes or over the
 * floats.
 */
function largestError(length: i32, bytes: bool): f64 {
  const c = new Case(),
    random = new Random(8);
  c.eight = true;
  c.kvHeads = 1;
  c.dim = 128;
  c.context = length;
  const q = floats(c.heads * c.dim, random),
    k = floats(length * c.dim, random),
    v = floats(length * c.dim, random),
    out = new Guarded(4 * c.heads * c.dim);
  const kCache = new Guarded(c.keyBytes),
    vCache = new Guarded(c.valueBytes),
    scratch = new Guarded(c.scratchBytes),
    scores = new Guarded(8 * length);
  storeTokens(c, k.at, v.at, c.dim, kCache.at, vCache.at, 0, length);
  attendAll(c, attendStep(c, q.at, kCache.at, vCache.at, out.at), length - 1, 1, scratch.at);
  let most: f64 = 0;
  const keys = keysInOrder(c, kCache.at),
    values = valuesInOrder(c, vCache.at);
  for (let head = 0; head < c.heads; head++) {
    for (let d = 0; d < c.dim; d += 8) {
      const query = q.at + <usize>(4 * head * c.dim);
      const exact = bytes
        ? attendExact(query, keys.at, values.at, true, length, 64 * c.nPages, c.dim, d, <f64>SCALE, scores.at)
        : attendExact(query, k.at, v.at, false, length, 64 * c.nPages, c.dim, d, <f64>SCALE, scores.at);
      most = max<f64>(most, abs<f64>(exact - <f64>load<f32>(out.at + <usize>(4 * (head * c.dim + d)))));
    }
  }
  return most;
}
