import {
  FLAG_PAIR_DOTS,
  LAYOUT_BF16 as BF16,
  LAYOUT_F16 as F16,
  LAYOUT_F32 as F32,
  LAYOUT_Q4_0 as Q4_0,
  LAYOUT_Q4_K as Q4_K,
  LAYOUT_Q6_K as Q6_K,
  LAYOUT_Q8_0 as Q8_0,
  Q8_0_SCRATCH_BYTES,
} from "../abi";
import { blockBytes, blockElements, dotQ6K, floatDot, quantizedDot, weight } from "../reference/dense";
import { f16ToNumber } from "../reference/weights";
import { MatmulStep, QuantizeBlocksStep, QuantizeQ6KStep } from "../steps";
import { bf16Matmul, f16Matmul } from "../weights/dense-f16";
import { f32Matmul } from "../weights/dense-f32";
import { denseRow, quantizeRowQ8_0 } from "../weights/dense-row";
import { q4KMatmul } from "../weights/q4-k";
import { q4_0Matmul } from "../weights/q4-0";
import { packQ6KRow, q6KMatmul, q6KRow } from "../weights/q6-k";
import { q8_0Matmul } from "../weights/q8-0";
import { quantizeBlocks } from "../ops/quantize";
import { quantizeQ6K } from "../ops/quantize-q6-k";
import { differing, freeStep, Guarded, INPUT, isGuard, newStep, OUTPUT, Random, shiftRows } from "./fixtures";

const RANDOM: i32 = 0;
const HIGH: i32 = 1;

/** Random bytes, finite scales; or every byte and activation at one end. */
function fillWeights(type: i32, at: usize, blocks: i32, kind: i32, random: Random): void {
  const bytes = blockBytes(type);
  for (let i = 0; i < blocks * bytes; i++) {
    store<u8>(at + <usize>i, kind == RANDOM ? <u8>random.next() : kind == HIGH ? 0xff : type == Q8_0 ? 0x80 : 0);
  }
  for (let b = 0; b < blocks; b++) {
    const block = at + <usize>(b * bytes);
    if (type == F32) store<f32>(block, random.signed());
    else if (type == BF16) store<u16>(block, <u16>(reinterpret<u32>(random.signed()) >> 16));
    else if (type == Q6_K) store<u16>(block, random.f16(), 208);
    else store<u16>(block, random.f16());
    if (type == Q4_K) store<u16>(block, random.f16(), 2);
  }
}

/** Rows [begin, end) of y (n, stride) by the kernel of the type. */
function matmul(
  type: i32,
  w: usize,
  x: Activations,
  y: usize,
  stride: i32,
  n: i32,
  begin: i32,
  end: i32,
  rows: i32,
  k: i32,
): void {
  const step = newStep<MatmulStep>(),
    isFloat = blockElements(type) == 1;
  step.layout = type;
  step.weights = w;
  step.act = isFloat ? x.x.at : x.q.at;
  step.actRowBytes = isFloat ? 4 * x.stride : 2 * k;
  step.actScale = x.scale.at;
  step.actSum = x.sum.at;
  step.scaleRowBytes = k / 8;
  step.y = y;
  step.yStride = stride;
  step.rows = rows;
  step.k = k;
  if (type == Q6_K) packedMatmul(step, x, n, begin, end);
  else {
    shiftRows(step);
    if (type == F32) f32Matmul(step, INPUT, OUTPUT, n, begin, end);
    else if (type == F16) f16Matmul(step, INPUT, OUTPUT, n, begin, end);
    else if (type == BF16) bf16Matmul(step, INPUT, OUTPUT, n, begin, end);
    else if (type == Q8_0) {
      const scratch = new Guarded(Q8_0_SCRATCH_BYTES);
      q8_0Matmul(step, INPUT, OUTPUT, n, begin, end, scratch.at);
      expect(scratch.intact()).toBe(true);
      scratch.free();
    } else if (type == Q4_0) q4_0Matmul(step, INPUT, OUTPUT, n, begin, end);
    else q4KMatmul(step, INPUT, OUTPUT, n, begin, end);
  }
  freeStep(step);
}

/** Q6_K is multiplied in our own order, and once more by pairs. */
function packedMatmul(step: MatmulStep, x: Activations, n: i32, begin: i32, end: i32): void {
  const k = step.k,
    packed = new Guarded(((step.rows * k) / 256) * 212),
    q = new Guarded(((n * k) / 64) * 144),
    scale = new Guarded((n * k) / 64);
  for (let r = 0; r < step.rows; r++) packQ6KRow(step.weights + <usize>(r * (k / 256) * 210), packed.at, r, k);
  const quantize = newStep<QuantizeQ6KStep>();
  quantize.x = x.x.at;
  quantize.xStride = x.stride;
  quantize.q = q.at;
  quantize.scale = scale.at;
  quantize.k = k;
  quantizeQ6K(quantize, 0, 0, n);
  freeStep(quantize);
  step.weights = packed.at;
  step.act = q.at;
  step.actRowBytes = (k / 64) * 144;
  step.actScale = scale.at;
  step.scaleRowBytes = k / 64;
  const y = step.y,
    bytes = n * step.yStride * 4,
    byPairs = new Guarded(bytes);
  memory.copy(byPairs.at, y, bytes);
  shiftRows(step);
  q6KMatmul(step, INPUT, OUTPUT, n, begin, end);
  step.y += byPairs.at - y;
  step.flags = FLAG_PAIR_DOTS;
  q6KMatmul(step, INPUT, OUTPUT, n, begin, end);
  expect(differing(y, byPairs.at, bytes)).toBe(0);
  expect(packed.intact() && q.intact() && scale.intact() && byPairs.intact()).toBe(true);
  byPairs.free();
  packed.free();
  q.free();
  scale.free();
}

/** n rows of k floats, and the same quantised for the dense kernels. */
class Activations {
  readonly x: Guarded;
  readonly q: Guarded;
  readonly scale: Guarded;
  readonly sum: Guarded;
  /** In blocks of 256, for the twin of Q6_K. */
  readonly wholeQ: Guarded;
  readonly wholeScale: Guarded;
  readonly stride: i32;

  constructor(n: i32, k: i32, kind: i32, random: Random) {
    const stride = k + 3;
    this.stride = stride;
    this.x = new Guarded(4 * n * stride);
    this.q = new Guarded(2 * n * k);
    this.scale = new Guarded((n * k) / 8);
    this.sum = new Guarded((n * k) / 8);
    this.wholeQ = new Guarded(2 * n * k);
    this.wholeScale = new Guarded((n * k) / 64);
    for (let i = 0; i < n * stride; i++) {
      store<f32>(this.x.at + <usize>(4 * i), kind == RANDOM ? random.signed() * 4 : kind == HIGH ? 1 : -1);
    }
    if (k % 256 == 0) this.quantize(this.wholeQ.at, this.wholeScale.at, n, k, 256);
    if (k % 32 == 0) this.quantize(this.q.at, this.scale.at, n, k, 32);
  }

  private quantize(q: usize, scale: usize, n: i32, k: i32, block: i32): void {
    const step = newStep<QuantizeBlocksStep>();
    step.x = this.x.at;
    step.xStride = this.stride;
    step.q16 = q;
    step.scale = scale;
    step.sum = this.sum.at;
    step.k = k;
    step.kp = k;
    step.block = block;
    step.qMax = 2047;
    quantizeBlocks(step, 0, 0, n);
    freeStep(step);
  }

  dot(type: i32, row: usize, i: i32, k: i32): f32 {
    if (type == F32 || type == F16 || type == BF16)
      return floatDot(type, row, this.x.at + <usize>(4 * i * this.stride), k);
    if (type == Q6_K)
      return dotQ6K(row, this.wholeQ.at + <usize>(2 * i * k), this.wholeScale.at + <usize>((i * k) / 64), k);
    return quantizedDot(type, row, this.q.at + <usize>(2 * i * k), this.scale.at + <usize>((i * k) / 8), k);
  }

  free(): void {
    this.x.free();
    this.q.free();
    this.scale.free();
    this.sum.free();
    this.wholeQ.free();
    this.wholeScale.free();
  }
}

/** Results that differ from the twin's, values written outside the requested rows, and broken guards. */
function wrong(
  type: i32,
  n: i32,
  rows: i32,
  begin: i32,
  end: i32,
  k: i32,
  weightKind: i32,
  actKind: i32,
  random: Random,
): i32 {
  const rowBytes = (k / blockElements(type)) * blockBytes(type),
    stride = rows + 5;
  const w = new Guarded(rows * rowBytes),
    y = new Guarded(4 * n * stride),
    x = new Activations(n, k, actKind, random);
  fillWeights(type, w.at, (rows * k) / blockElements(type), weightKind, random);
  matmul(type, w.at, x, y.at, stride, n, begin, end, rows, k);
  let count = y.intact() && w.intact() ? 0 : 1;
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < stride; r++) {
      const at = y.at + <usize>(4 * (i * stride + r));
      if (r < begin || r >= end) count += isGuard(at, 4) ? 0 : 1;
      else if (load<u32>(at) != reinterpret<u32>(x.dot(type, w.at + <usize>(r * rowBytes), i, k))) count++;
    }
  }
  x.free();
  w.free();
  y.free();
  return count;
}

/** Widths of 1 to 9 blocks (of 32, of 256; of anything for floats), one and three activation rows, any rows. */
function wrongShapes(type: i32): i32 {
  const random = new Random(<u32>type + 7);
  let count = 0;
  for (let blocks = 1; blocks < 10; blocks++) {
    const elements = blockElements(type),
      k = elements == 1 ? 4 * blocks + (blocks % 5) : elements * blocks;
    count += wrong(type, blocks % 2 == 0 ? 1 : 3, 1 + blocks, 0, 1 + blocks, k, RANDOM, RANDOM, random);
    count += wrong(type, 2, 9, blocks - 1, 5 + (blocks >> 1), k, RANDOM, RANDOM, random);
  }
  return count;
}

/** Batches below, at and above the rows of a tile; fewer weight rows than a set has, as many, and more. */
function wrongBatches(type: i32): i32 {
  const random = new Random(<u32>type + 13);
  let count = 0;
  for (let n = 1; n < 18; n += n < 9 ? 1 : 7) {
    count += wrong(type, n, 3, 0, 3, 768, RANDOM, RANDOM, random);
    count += wrong(type, n, 19, 2, 10, 1024, RANDOM, RANDOM, random);
    count += wrong(type, n, 19, 1, 18, 512, RANDOM, RANDOM, random);
  }
  return count;
}

function wrongExtremes(type: i32): i32 {
  const random = new Random(<u32>type + 11);
  let count = 0;
  for (let kinds = 0; kinds < 9; kinds++) {
    for (let n = 1; n < 5; n++) count += wrong(type, n, 3, 0, 3, 512, kinds / 3, kinds % 3, random);
  }
  return count;
}

/** Values of denseRow that differ from the formula. */
function wrongRows(type: i32): i32 {
  const random = new Random(<u32>type + 3),
    k = 512;
  const w = new Guarded((k / blockElements(type)) * blockBytes(type)),
    out = new Guarded(4 * k);
  fillWeights(type, w.at, k / blockElements(type), RANDOM, random);
  denseRow(type, w.at, k, out.at);
  let count = out.intact() ? 0 : 1;
  for (let i = 0; i < k; i++) {
    if (load<u32>(out.at + <usize>(4 * i)) != reinterpret<u32>(weight(type, w.at, i))) count++;
  }
  w.free();
  out.free();
  return count;
}

describe("dense rows times activations, bit for bit", () => {
  test("F32, any width, rows and range", () => expect(wrongShapes(F32)).toBe(0));
  test("F16, any width, rows and range", () => expect(wrongShapes(F16)).toBe(0));
  test("BF16, any width, rows and range", () => expect(wrongShapes(BF16)).toBe(0));
  test("Q8_0, any width, rows and range", () => expect(wrongShapes(Q8_0)).toBe(0));
  test("Q4_0, any width, rows and range", () => expect(wrongShapes(Q4_0)).toBe(0));
  test("Q4_K, any width, rows and range", () => expect(wrongShapes(Q4_K)).toBe(0));
  test("Q6_K, any width, rows and range", () => expect(wrongShapes(Q6_K)).toBe(0));
  test("Q8_0, any batch", () => expect(wrongBatches(Q8_0)).toBe(0));
  test("Q6_K, any batch", () => expect(wrongBatches(Q6_K)).toBe(0));
  test("Q8_0, weights and activations at their ends", () => expect(wrongExtremes(Q8_0)).toBe(0));
  test("Q4_0, weights and activations at their ends", () => expect(wrongExtremes(Q4_0)).toBe(0));
  test("Q4_K, weights and activations at their ends", () => expect(wrongExtremes(Q4_K)).toBe(0));
  test("Q6_K, weights and activations at their ends", () => expect(wrongExtremes(Q6_K)).toBe(0));
});

describe("a dense row as f32, bit for bit", () => {
  test("F32", () => expect(wrongRows(F32)).toBe(0));
  test("F16", () => expect(wrongRows(F16)).toBe(0));
  test("BF16", () => expect(wrongRows(BF16)).toBe(0));
  test("Q8_0", () => expect(wrongRows(Q8_0)).toBe(0));
  test("Q4_0", () => expect(wrongRows(Q4_0)).toBe(0));
  test("Q4_K", () => expect(wrongRows(Q4_K)).toBe(0));
  test("Q6_K", () => expect(wrongRows(Q6_K)).toBe(0));
  test("Q6_K, in our order", () => {
    const random = new Random(31),
      k = 512,
      w = new Guarded(3 * 420),
      packed = new Guarded(3 * 2 * 212),
      out = new Guarded(4 * k);
    fillWeights(Q6_K, w.at, 6, RANDOM, random);
    for (let r = 0; r < 3; r++) packQ6KRow(w.at + <usize>(420 * r), packed.at, r, k);
    for (let r = 0; r < 3; r++) {
      q6KRow(packed.at, r, k, out.at);
      for (let i = 0; i < k; i++)
        expect(load<f32>(out.at + <usize>(4 * i))).toBe(weight(Q6_K, w.at + <usize>(420 * r), i));
    }
    expect(out.intact() && packed.intact()).toBe(true);
  });
  test("every F16, infinities and NaN too, whole vectors and the rest", () => {
    const w = new Guarded(14),
      out = new Guarded(28);
    for (let first = 0; first < 65536; first += 7) {
      for (let i = 0; i < 7; i++) store<u16>(w.at + <usize>(2 * i), <u16>(first + i));
      denseRow(F16, w.at, 7, out.at);
      for (let i = 0; i < 7; i++) {
        const h = <u16>(first + i),
          got = load<f32>(out.at + <usize>(4 * i)),
          sign: f32 = h >= 0x8000 ? -1 : 1;
        if ((h & 0x7c00) != 0x7c00) {
          if (reinterpret<u32>(got) != reinterpret<u32>(f16ToNumber(h))) expect(first + i).toBe(-1);
        } else if ((h & 0x3ff) == 0 ? got != sign * <f32>Infinity : got == got) expect(first + i).toBe(-1);
      }
    }
    expect(out.intact()).toBe(true);
  });
});

describe("quantising a row to Q8_0", () => {
  test("scale f16(absmax / 127), nearest byte, at most half a step off", () => {
    const random = new Random(5),
      x = new Guarded(4 * 64),
      w = new Guarded(68),
      back = new Guarded(4 * 64);
    for (let round = 0; round < 200; round++) {
      const size = reinterpret<f32>((<u32>random.between(96, 140)) << 23);
      let most: f32 = 0;
      for (let i = 0; i < 64; i++)
        store<f32>(x.at + <usize>(4 * i), i < 32 && round % 9 == 0 ? 0 : random.signed() * size);
      quantizeRowQ8_0(x.at, 64, w.at);
      denseRow(Q8_0, w.at, 64, back.at);
      for (let i = 32; i < 64; i++) most = max<f32>(most, abs<f32>(load<f32>(x.at + <usize>(4 * i))));
      const step = most / 127;
      for (let i = 32; i < 64; i++) {
        const off = abs<f32>(load<f32>(x.at + <usize>(4 * i)) - load<f32>(back.at + <usize>(4 * i)));
        // half a step; the scale itself is off by at most 2^-11 of 127 steps, or by half the smallest f16
        expect(off <= step * 0.57 + 127 * 2.9802322387695312e-8).toBe(true);
      }
      expect(w.intact()).toBe(true);
    }
  });
  test("a block of zeros is zeros; a huge block has an infinite scale", () => {
    const x = new Guarded(256),
      w = new Guarded(68);
    memory.fill(x.at, 0, 256);
    for (let i = 32; i < 64; i++) store<f32>(x.at + <usize>(4 * i), 1e30);
    quantizeRowQ8_0(x.at, 64, w.at);
    for (let i = 0; i < 34; i++) expect(load<u8>(w.at + <usize>i)).toBe(0);
    expect(load<u16>(w.at, 34)).toBe(0x7c00);
  });
});
