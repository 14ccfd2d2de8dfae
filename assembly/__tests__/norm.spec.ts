import { layerNormRow, rmsNormRow } from "../reference/ops";
import { addBias, addScaled, layerNorm, rmsNorm, rmsNormHeads, scaleRow } from "../ops/norm";
import { HeadNormStep, NormStep } from "../steps";
import { Guarded, Random, differing, freeStep, isGuard, newStep } from "./fixtures";

const EPS: f32 = 1e-5;

function filled(count: i32, random: Random): Guarded {
  const x = new Guarded(4 * count);
  for (let i = 0; i < count; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * 3);
  return x;
}

/** Makes the middle two of four rows, from rows 2 and 3; checks their bits, and what is around them. */
function wrongRows(dim: i32, layer: bool): i32 {
  const random = new Random(<u32>dim),
    xStride = dim + 2,
    yStride = dim + 1;
  const x = filled(4 * xStride, random),
    w = filled(dim, random),
    b = filled(dim, random);
  const y = new Guarded(16 * yStride),
    want = new Guarded(4 * dim);
  const step = newStep<NormStep>();
  step.x = x.at;
  step.xStride = xStride;
  step.weight = w.at;
  step.bias = layer ? b.at : 0;
  step.y = y.at;
  step.yStride = yStride;
  step.dim = dim;
  step.eps = EPS;
  if (layer) layerNorm(step, 2, 1, 3);
  else rmsNorm(step, 2, 1, 3);
  freeStep(step);
  let wrong = y.intact() && isGuard(y.at, 4 * yStride) && isGuard(y.at + <usize>(12 * yStride), 4 * yStride) ? 0 : 1;
  for (let row = 1; row < 3; row++) {
    const from = x.at + <usize>(4 * (row + 1) * xStride),
      got = y.at + <usize>(4 * row * yStride);
    if (layer) layerNormRow(from, w.at, b.at, want.at, dim, EPS);
    else rmsNormRow(from, w.at, want.at, dim, EPS);
    wrong += differing(got, want.at, 4 * dim) + (isGuard(got + <usize>(4 * dim), 4) ? 0 : 1);
  }
  x.free();
  w.free();
  b.free();
  y.free();
  want.free();
  return wrong;
}

/** All heads but the first of the first two of three tokens. */
function wrongHeads(headDim: i32, nHeads: i32): i32 {
  const random = new Random(<u32>headDim),
    stride = headDim * nHeads + 3;
  const x = filled(3 * stride, random),
    w = filled(headDim, random),
    before = new Guarded(12 * stride),
    want = new Guarded(4 * headDim);
  memory.copy(before.at, x.at, 12 * stride);
  const step = newStep<HeadNormStep>();
  step.x = x.at;
  step.xStride = stride;
  step.weight = w.at;
  step.nHeads = nHeads;
  step.headDim = headDim;
  step.eps = EPS;
  rmsNormHeads(step, 2, 1, nHeads);
  freeStep(step);
  let wrong =
    x.intact() && differing(x.at + <usize>(8 * stride), before.at + <usize>(8 * stride), 4 * stride) == 0 ? 0 : 1;
  for (let token = 0; token < 2; token++) {
    for (let head = 0; head < nHeads; head++) {
      const at = <usize>(4 * (token * stride + head * headDim));
      if (head == 0) memory.copy(want.at, before.at + at, 4 * headDim);
      else rmsNormRow(before.at + at, w.at, want.at, headDim, EPS);
      wrong += differing(x.at + at, want.at, 4 * headDim);
    }
    const rest = <usize>(4 * (token * stride + nHeads * headDim));
    wrong += differing(x.at + rest, before.at + rest, 12);
  }
  x.free();
  w.free();
  before.free();
  want.free();
  return wrong;
}

/** x += y · s or x *= s over [begin, end), bit for bit, nothing beside it. */
function wrongRange(begin: i32, end: i32, adds: bool): i32 {
  const random = new Random(<u32>(begin * 64 + end)),
    count = 40;
  const x = filled(count, random),
    y = filled(count, random),
    before = new Guarded(4 * count),
    s: f32 = 0.7;
  memory.copy(before.at, x.at, 4 * count);
  if (adds) addScaled(x.at, y.at, s, begin, end);
  else scaleRow(x.at, s, begin, end);
  let wrong = x.intact() ? 0 : 1;
  for (let i = 0; i < count; i++) {
    const at = <usize>(4 * i),
      old = load<f32>(before.at + at);
    let want = old;
    if (i >= begin && i < end) want = adds ? old + load<f32>(y.at + at) * s : old * s;
    if (load<f32>(x.at + at) != want) wrong++;
  }
  x.free();
  y.free();
  before.free();
  return wrong;
}

describe("normalisation", () => {
  test("RMS, any width, bit for bit", () => {
    for (let dim = 1; dim < 40; dim++) expect(wrongRows(dim, false)).toBe(0);
    expect(wrongRows(2560, false)).toBe(0);
  });
  test("layer, any width, bit for bit", () => {
    for (let dim = 1; dim < 40; dim++) expect(wrongRows(dim, true)).toBe(0);
    expect(wrongRows(2560, true)).toBe(0);
  });
  test("RMS of each head, in place", () => {
    expect(wrongHeads(128, 5)).toBe(0);
    expect(wrongHeads(30, 3)).toBe(0);
  });
  test("a row of 1e20 neither overflows nor vanishes", () => {
    const x = filled(64, new Random(1)),
      w = filled(64, new Random(2));
    for (let i: usize = 0; i < 64; i++) {
      store<f32>(x.at + 4 * i, i % 2 == 0 ? 1e20 : -1e20);
      store<f32>(w.at + 4 * i, 1);
    }
    const step = newStep<NormStep>();
    step.x = x.at;
    step.weight = w.at;
    step.y = x.at;
    step.dim = 64;
    step.eps = EPS;
    rmsNorm(step, 0, 0, 1);
    for (let i: usize = 0; i < 64; i++) expect(abs<f32>(abs<f32>(load<f32>(x.at + 4 * i)) - 1) < 1e-6).toBe(true);
  });
});

describe("row operations", () => {
  test("x + y s, any range", () => {
    for (let begin = 0; begin < 6; begin++)
      for (let end = begin; end < 40; end++) expect(wrongRange(begin, end, true)).toBe(0);
  });
  test("x s, any range", () => {
    for (let begin = 0; begin < 6; begin++)
      for (let end = begin; end < 40; end++) expect(wrongRange(begin, end, false)).toBe(0);
  });
  test("a bias to every row of a range", () => {
    const random = new Random(4),
      y = filled(33, random),
      b = filled(9, random),
      before = new Guarded(132);
    memory.copy(before.at, y.at, 132);
    addBias(y.at, 11, b.at, 1, 3, 9);
    for (let i = 0; i < 33; i++) {
      const at = <usize>(4 * i),
        changed = i >= 11 && i % 11 < 9;
      const want = load<f32>(before.at + at) + (changed ? load<f32>(b.at + <usize>(4 * (i % 11))) : 0);
      expect(load<f32>(y.at + at)).toBe(want);
    }
  });
});
