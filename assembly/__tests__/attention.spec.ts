import { attendHead, attendHeadQ8, roundedInteger } from "../reference/attention";
import { absmax } from "../reference/ops";
import { attend, attendQ8, storeKv, storeKvQ8 } from "../ops/attention";
import { Guarded, Random, differing, isGuard } from "./fixtures";

const SCALE: f32 = 0.0883883461356163;

/** A cache of `context` positions filled by one store of `filled` tokens, and n queries at its end. */
class Case {
  kvHeads: i32 = 2;
  group: i32 = 4;
  dim: i32 = 64;
  context: i32 = 50;
  filled: i32 = 37;
  n: i32 = 3;
  eight: bool = false;

  get heads(): i32 {
    return this.kvHeads * this.group;
  }
}

function floats(count: i32, random: Random): Guarded {
  const x = new Guarded(4 * count);
  for (let i = 0; i < count; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * 3);
  return x;
}

/** Stores tokens in two calls, with the heads in two shares; bytes not as the twin has them, or written elsewhere. */
function wrongStore(c: Case): i32 {
  const random = new Random(<u32>c.dim), stride = c.kvHeads * c.dim + 1, vectors = c.kvHeads * c.context;
  const k = floats(c.filled * stride, random), v = floats(c.filled * stride, random), bytes = c.eight ? c.dim : 4 * c.dim;
  const kCache = new Guarded(vectors * bytes), vCache = new Guarded(vectors * bytes), kScale = new Guarded(4 * vectors), vScale = new Guarded(4 * vectors);
  const first = c.filled / 2;
  for (let head = 0; head < c.kvHeads; head++) {
    for (let call = 0; call < 2; call++) {
      const position = call == 0 ? 0 : first, n = call == 0 ? first : c.filled - first, from = <usize>(4 * position * stride);
      if (c.eight) storeKvQ8(k.at + from, v.at + from, stride, kCache.at, vCache.at, kScale.at, vScale.at, position, n, c.kvHeads, c.dim, c.context, head, head + 1);
      else storeKv(k.at + from, v.at + from, stride, kCache.at, vCache.at, position, n, c.kvHeads, c.dim, c.context, head, head + 1);
    }
  }
  let wrong = kCache.intact() && vCache.intact() && kScale.intact() && vScale.intact() ? 0 : 1;
  for (let head = 0; head < c.kvHeads; head++) {
    for (let p = 0; p < c.context; p++) {
      const source = <usize>(4 * (p * stride + head * c.dim)), vector = head * c.context + p;
      wrong += wrongVector(c, p, k.at + source, kCache.at + <usize>(vector * bytes), kScale.at + <usize>(4 * vector));
      wrong += wrongVector(c, p, v.at + source, vCache.at + <usize>(vector * bytes), vScale.at + <usize>(4 * vector));
    }
  }
  k.free();
  v.free();
  kCache.free();
  vCache.free();
  kScale.free();
  vScale.free();
  return wrong;
}

function wrongVector(c: Case, p: i32, x: usize, got: usize, scale: usize): i32 {
  if (p >= c.filled) return isGuard(got, c.eight ? c.dim : 4 * c.dim) ? 0 : 1;
  if (!c.eight) return differing(x, got, 4 * c.dim);
  let wrong = load<f32>(scale) == absmax(x, 0, c.dim) / 127 ? 0 : 1;
  for (let d = 0; d < c.dim; d++) if (load<i8>(got + <usize>d) != <i8>roundedInteger(x, d, c.dim, 127)) wrong++;
  return wrong;
}

/** Attention of all items, in two shares; results that differ from the twin's, and what lies between the rows. */
function wrongAttention(c: Case): i32 {
  const random = new Random(<u32>(c.dim * 8 + c.group)), qStride = c.heads * c.dim + 3, outStride = c.heads * c.dim + 2;
  const vectors = c.kvHeads * c.context, width = c.eight ? 1 : 4;
  const q = floats(c.n * qStride, random), out = new Guarded(4 * c.n * outStride), scratch = new Guarded(4 * c.group * c.context);
  const k = floats(vectors * c.dim, random), v = floats(vectors * c.dim, random), kScale = floats(vectors, random), vScale = floats(vectors, random);
  const position = c.filled - c.n, items = c.n * c.kvHeads, half = items / 2;
  for (let share = 0; share < 2; share++) {
    const begin = share == 0 ? 0 : half, end = share == 0 ? half : items;
    if (c.eight) attendQ8(q.at, qStride, k.at, v.at, kScale.at, vScale.at, out.at, outStride, position, c.n, c.heads, c.kvHeads, c.dim, c.context, SCALE, begin, end, scratch.at);
    else attend(q.at, qStride, k.at, v.at, out.at, outStride, position, c.n, c.heads, c.kvHeads, c.dim, c.context, SCALE, begin, end, scratch.at);
  }
  let wrong = out.intact() && scratch.intact() ? 0 : 1;
  const want = new Guarded(4 * c.dim), weights = new Guarded(4 * c.context);
  for (let token = 0; token < c.n; token++) {
    for (let head = 0; head < c.heads; head++) {
      const vector = (head / c.group) * c.context, cached = <usize>(vector * c.dim * width), scale = <usize>(4 * vector);
      const from = q.at + <usize>(4 * (token * qStride + head * c.dim)), length = position + token + 1;
      if (c.eight) attendHeadQ8(from, k.at + cached, v.at + cached, kScale.at + scale, vScale.at + scale, want.at, weights.at, length, c.dim, SCALE);
      else attendHead(from, k.at + cached, v.at + cached, want.at, weights.at, length, c.dim, SCALE);
      wrong += differing(out.at + <usize>(4 * (token * outStride + head * c.dim)), want.at, 4 * c.dim);
    }
    if (!isGuard(out.at + <usize>(4 * (token * outStride + c.heads * c.dim)), 8)) wrong++;
  }
  q.free();
  out.free();
  scratch.free();
  k.free();
  v.free();
  kScale.free();
  vScale.free();
  want.free();
  weights.free();
  return wrong;
}

/** Head sizes of real models and odd ones; groups of 1 to 5; lengths around multiples of four and of the tiles. */
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
  const long = new Case();
  long.eight = eight;
  long.context = 203;
  long.filled = 201;
  return wrong + wrongAttention(long);
}

describe("attention", () => {
  test("f32 cache: stored and attended bit for bit, nothing beside", () => expect(wrongShapes(false)).toBe(0));
  test("8-bit cache: stored and attended bit for bit, nothing beside", () => expect(wrongShapes(true)).toBe(0));
  test("a batch of tokens gives the bits of single tokens", () => {
    const random = new Random(6), dim = 128, n = 5, q = floats(n * dim, random), k = floats(16 * dim, random), v = floats(16 * dim, random);
    const together = new Guarded(4 * n * dim), apart = new Guarded(4 * n * dim), scratch = new Guarded(64);
    attend(q.at, dim, k.at, v.at, together.at, dim, 11, n, 1, 1, dim, 16, SCALE, 0, n, scratch.at);
    for (let i = 0; i < n; i++) {
      const at = <usize>(4 * i * dim);
      attend(q.at + at, dim, k.at, v.at, apart.at + at, dim, 11 + i, 1, 1, 1, dim, 16, SCALE, 0, 1, scratch.at);
    }
    expect(differing(together.at, apart.at, 4 * n * dim)).toBe(0);
  });
  test("8 bits stay near f32: 1 % of the values' size", () => {
    const random = new Random(8), dim = 128, length = 40, vectors = 4 * length * dim;
    const q = floats(dim, random), k = floats(length * dim, random), v = floats(length * dim, random), scratch = new Guarded(4 * length);
    const exact = new Guarded(4 * dim), rounded = new Guarded(4 * dim), k8 = new Guarded(vectors / 4), v8 = new Guarded(vectors / 4);
    const kScale = new Guarded(4 * length), vScale = new Guarded(4 * length);
    storeKvQ8(k.at, v.at, dim, k8.at, v8.at, kScale.at, vScale.at, 0, length, 1, dim, length, 0, 1);
    attend(q.at, dim, k.at, v.at, exact.at, dim, length - 1, 1, 1, 1, dim, length, SCALE, 0, 1, scratch.at);
    attendQ8(q.at, dim, k8.at, v8.at, kScale.at, vScale.at, rounded.at, dim, length - 1, 1, 1, 1, dim, length, SCALE, 0, 1, scratch.at);
    for (let d: usize = 0; d < 128; d++) {
      expect(abs<f32>(load<f32>(exact.at + 4 * d) - load<f32>(rounded.at + 4 * d)) < 0.03).toBe(true);
    }
  });
});
