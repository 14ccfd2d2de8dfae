import { densePlace } from "../reference/dense";
import { absmax, blockInteger, tokenFactor, tokenInteger } from "../reference/ops";
import { quantizeBlocks, quantizeToken, quantizeTokenBlocks } from "../ops/quantize";
import { QuantizeBlocksStep, QuantizeTokenStep, TokenBlocksStep } from "../steps";
import { Guarded, Random, freeStep, isGuard, newStep } from "./fixtures";

const WIDTHS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 64, 65, 130, 256, 300];
const TIES: i32 = 1;
const SPECIAL: i32 = 2;

/** n rows of `stride` floats: random, ties of rounding, or values no model should have. */
function fillRows(x: usize, count: i32, kind: i32, random: Random): void {
  for (let i = 0; i < count; i++) {
    let v = random.signed() * 8;
    if (kind == TIES) v = <f32>random.between(-254, 254) / 2;
    if (kind == SPECIAL && i % 7 == 0) v = i % 3 == 0 ? <f32>NaN : i % 2 == 0 ? <f32>Infinity : 1e-40;
    store<f32>(x + <usize>(4 * i), v);
  }
}

/** Makes rows 1 and 2 of four, from rows 2 and 3. */
function wrongTokens(k: i32, kind: i32, wants8: bool, wants16: bool, magnitudes: i32 = 0): i32 {
  const kp = (k + 63) & ~63,
    stride = k + 1,
    n = 4,
    random = new Random(<u32>(k * 8 + kind));
  const x = new Guarded(4 * n * stride),
    q8 = new Guarded(n * kp),
    q16 = new Guarded(2 * n * kp);
  const scale = new Guarded(4 * n),
    sum = new Guarded(4 * n);
  fillRows(x.at, n * stride, kind, random);
  if (kind == TIES) for (let row = 0; row < n; row++) store<f32>(x.at + <usize>(4 * row * stride), 127);
  const step = newStep<QuantizeTokenStep>();
  step.x = x.at;
  step.xStride = stride;
  step.q8 = wants8 ? q8.at : 0;
  step.q16 = wants16 ? q16.at : 0;
  step.scale = scale.at;
  step.sum = sum.at;
  step.k = k;
  step.kp = kp;
  step.magnitudes = magnitudes;
  quantizeToken(step, 2, 1, 3);
  freeStep(step);
  let wrong = x.intact() && q8.intact() && q16.intact() && scale.intact() && sum.intact() ? 0 : 1;
  for (let row = 0; row < n; row++) {
    const from = x.at + <usize>(4 * (row + 1) * stride),
      factor = tokenFactor(from, k),
      done = row == 1 || row == 2;
    let total = 0;
    for (let i = 0; i < kp; i++) {
      const want = tokenInteger(from, i, k, factor),
        byte = q8.at + <usize>(row * kp + i),
        half = q16.at + <usize>(2 * (row * kp + i));
      total += magnitudes != 0 ? abs(want) : want;
      if (done && wants8 ? load<i8>(byte) != <i8>want : !isGuard(byte, 1)) wrong++;
      if (done && wants16 ? load<i16>(half) != <i16>want : !isGuard(half, 2)) wrong++;
    }
    if (!done) continue;
    if (load<i32>(sum.at + <usize>(4 * row)) != total) wrong++;
    if (load<f32>(scale.at + <usize>(4 * row)) != <f32>(1.0 / <f64>factor)) wrong++;
  }
  x.free();
  q8.free();
  q16.free();
  scale.free();
  sum.free();
  return wrong;
}

/** Makes rows 0 and 1 of three, from rows 1 and 2. */
function wrongBlocks(k: i32, block: i32, qmax: i32, kind: i32, magnitudes: i32 = 0): i32 {
  const kp = ((k + 255) / 256) * 256,
    stride = k + 2,
    n = 3,
    blocks = kp / block,
    random = new Random(<u32>(k * 8 + kind));
  const x = new Guarded(4 * n * stride),
    q = new Guarded(2 * n * kp),
    scale = new Guarded(4 * n * blocks),
    sum = new Guarded(4 * n * blocks);
  fillRows(x.at, n * stride, kind, random);
  const step = newStep<QuantizeBlocksStep>();
  step.x = x.at;
  step.xStride = stride;
  step.q16 = q.at;
  step.scale = scale.at;
  step.sum = sum.at;
  step.k = k;
  step.kp = kp;
  step.block = block;
  step.qMax = qmax;
  step.magnitudes = magnitudes;
  quantizeBlocks(step, 1, 0, 2);
  freeStep(step);
  let wrong =
    x.intact() && q.intact() && scale.intact() && sum.intact() && isGuard(q.at + <usize>(4 * kp), 2 * kp) ? 0 : 1;
  for (let row = 0; row < 2; row++) {
    const from = x.at + <usize>(4 * (row + 1) * stride);
    for (let b = 0; b < blocks; b++) {
      const begin = b * block,
        most = absmax(from, begin, min(k, begin + block));
      if (load<f32>(scale.at + <usize>(4 * (row * blocks + b))) != most / <f32>qmax) wrong++;
      wrong += wrongBlock(
        from,
        q.at + <usize>(2 * row * kp),
        sum.at + <usize>(4 * (row * blocks + b)),
        begin,
        k,
        block,
        qmax,
        magnitudes,
      );
    }
  }
  x.free();
  q.free();
  scale.free();
  sum.free();
  return wrong;
}

/** Integers of one block, and its sums: one i32, or (dense) an i16 for each 16. */
function wrongBlock(x: usize, q: usize, sum: usize, begin: i32, k: i32, block: i32, qmax: i32, magnitudes: i32): i32 {
  let wrong = 0,
    total = 0,
    total16 = 0;
  for (let i = begin; i < begin + block; i++) {
    const want = blockInteger(x, i, k, block, qmax);
    if (load<i16>(q + <usize>(2 * (block == 32 ? densePlace(i) : i))) != <i16>want) wrong++;
    total += magnitudes != 0 ? abs(want) : want;
    total16 += want;
    if (block == 32 && i % 16 == 15) {
      if (load<i16>(sum + <usize>((i & 16) >> 3)) != <i16>total16) wrong++;
      total16 = 0;
    }
  }
  if (block != 32 && load<i32>(sum) != total) wrong++;
  return wrong;
}

function wrongTokenBlocks(magnitudes: i32): i32 {
  const kp = 256,
    x = new Guarded(4 * kp),
    q = new Guarded(2 * kp),
    scale = new Guarded(4),
    sum = new Guarded(4);
  const blockScale = new Guarded(16),
    blockSum = new Guarded(16);
  fillRows(x.at, kp, 0, new Random(9));
  const token = newStep<QuantizeTokenStep>(),
    blocks = newStep<TokenBlocksStep>();
  token.x = x.at;
  token.q16 = q.at;
  token.scale = scale.at;
  token.sum = sum.at;
  token.k = kp;
  token.kp = kp;
  token.magnitudes = magnitudes;
  quantizeToken(token, 0, 0, 1);
  blocks.scale = scale.at;
  blocks.q16 = q.at;
  blocks.blockScale = blockScale.at;
  blocks.blockSum = blockSum.at;
  blocks.kp = kp;
  blocks.block = 64;
  blocks.magnitudes = magnitudes;
  quantizeTokenBlocks(blocks, 0, 1);
  let wrong = blockScale.intact() && blockSum.intact() ? 0 : 1,
    total = 0;
  for (let b: usize = 0; b < 4; b++) {
    let want = 0;
    for (let i: usize = 0; i < 64; i++) {
      const integer = <i32>load<i16>(q.at + 2 * (64 * b + i));
      want += magnitudes != 0 ? abs(integer) : integer;
    }
    if (load<i32>(blockSum.at + 4 * b) != want || load<f32>(blockScale.at + 4 * b) != load<f32>(scale.at)) wrong++;
    total += want;
  }
  return load<i32>(sum.at) == total ? wrong : wrong + 1;
}

describe("activations to int8, a scale a token", () => {
  test("any width, i8 and i16, padded with zeros; rows outside the range untouched", () => {
    for (let w = 0; w < WIDTHS.length; w++) expect(wrongTokens(WIDTHS[w], 0, true, true)).toBe(0);
  });
  test("only i8, only i16", () => {
    expect(wrongTokens(70, 0, true, false)).toBe(0);
    expect(wrongTokens(70, 0, false, true)).toBe(0);
  });
  test("the sums of magnitudes", () => expect(wrongTokens(300, 0, true, true, 1)).toBe(0));
  test("ties go to even", () => expect(wrongTokens(300, TIES, true, true)).toBe(0));
  test("NaN is 0, an infinity makes the scale infinite, nothing traps", () =>
    expect(wrongTokens(300, SPECIAL, true, true)).toBe(0));
  test("zeros have the smallest scale, 1e-5 / 127", () => {
    const x = new Guarded(64),
      q = new Guarded(64),
      scale = new Guarded(4),
      sum = new Guarded(4);
    memory.fill(x.at, 0, 64);
    const step = newStep<QuantizeTokenStep>();
    step.x = x.at;
    step.q8 = q.at;
    step.scale = scale.at;
    step.sum = sum.at;
    step.k = 16;
    step.kp = 64;
    quantizeToken(step, 0, 0, 1);
    expect(load<i64>(q.at)).toBe(0);
    expect(abs<f32>(load<f32>(scale.at) * 127 - <f32>1e-5) < 1e-11).toBe(true);
  });
});

describe("activations to i16, a scale a block", () => {
  test("64 values in ±255", () => {
    for (let w = 0; w < WIDTHS.length; w++) expect(wrongBlocks(WIDTHS[w], 64, 255, 0)).toBe(0);
  });
  test("128 values, and the sums of their magnitudes", () => {
    for (let w = 0; w < WIDTHS.length; w++) expect(wrongBlocks(WIDTHS[w], 128, 255, 0, 1)).toBe(0);
  });
  test("32 values in ±2047, in the order of the dense kernels", () => {
    for (let w = 0; w < WIDTHS.length; w++) expect(wrongBlocks(WIDTHS[w], 32, 2047, 0)).toBe(0);
  });
  test("ties go to even; NaN and infinities do not trap", () => {
    expect(wrongBlocks(300, 64, 255, TIES)).toBe(0);
    expect(wrongBlocks(300, 128, 255, TIES, 1)).toBe(0);
    expect(wrongBlocks(300, 32, 2047, SPECIAL)).toBe(0);
    expect(wrongBlocks(300, 64, 255, SPECIAL)).toBe(0);
  });
  test("a token's scale repeated, and the sums of its blocks, or of their magnitudes", () => {
    for (let magnitudes = 0; magnitudes < 2; magnitudes++) expect(wrongTokenBlocks(magnitudes)).toBe(0);
  });
});
