import { packBits } from "../reference/layouts";
import { BINARY, dot } from "../reference/weights";
import { MatmulStep } from "../steps";
import { XnorStep } from "../train/steps";
import { bitPlaneMatmul, packPlanes } from "../weights/bit-planes";
import { packSigns, xnorMatmul } from "../weights/xnor";
import {
  ALL_HIGH,
  ALL_LOW,
  differing,
  ENDS,
  fillActivations,
  fillCodes,
  freeStep,
  Guarded,
  INPUT,
  newStep,
  OUTPUT,
  RANDOM,
  Random,
  shiftRows,
} from "./fixtures";

const KINDS: StaticArray<i32> = [RANDOM, ALL_HIGH, ALL_LOW, ENDS];
const ROWS: i32 = 96;

/** ±1 × ±1: activations are codes too. Rows [begin, end) of 96, n activation rows, k of kp true weights. */
function wrongXnor(weightKind: i32, actKind: i32, k: i32, n: i32, begin: i32, end: i32): i32 {
  const random = new Random(<u32>(k + n));
  const kp = (k + 127) & ~127;
  const codes = new Guarded(ROWS * kp),
    acts = new Guarded(n * kp),
    q = new Guarded(n * kp * 2);
  fillCodes(codes.at, ROWS * kp, 1, weightKind, random);
  fillCodes(acts.at, n * kp, 1, actKind, random);
  for (let r = 0; r < ROWS; r++) memory.fill(codes.at + <usize>(r * kp + k), 0, kp - k);
  for (let i = 0; i < n; i++) memory.fill(acts.at + <usize>(i * kp + k), 0, kp - k);
  for (let i = 0; i < n * kp; i++) store<i16>(q.at + <usize>(2 * i), <i16>(2 * <i32>load<u8>(acts.at + <usize>i) - 1));
  const w = new Guarded((ROWS * kp) / 8),
    a = new Guarded((n * kp) / 8),
    y = new Guarded(n * ROWS * 4),
    twin = new Guarded(n * ROWS * 4);
  packBits(codes.at, w.at, ROWS, kp);
  packBits(acts.at, a.at, n, kp);
  for (let i = 0; i < n; i++) {
    for (let r = begin; r < end; r++) {
      store<i32>(
        twin.at + <usize>(4 * (i * ROWS + r)),
        dot(BINARY, codes.at + <usize>(r * kp), q.at + <usize>(2 * i * kp), k),
      );
    }
  }
  const step = newStep<XnorStep>();
  step.weights = w.at;
  step.bits = a.at;
  step.y = y.at;
  step.k = k;
  step.n = n;
  step.rows = ROWS;
  step.kp = kp;
  xnorMatmul(step, begin, end);
  freeStep(step);
  const wrong = differing(y.at, twin.at, n * ROWS * 4) + (y.intact() ? 0 : 1);
  codes.free(), acts.free(), q.free(), w.free(), a.free(), y.free(), twin.free();
  return wrong;
}

/** ±1 × int8 over bit planes. */
function wrongPlanes(weightKind: i32, actKind: i32, kp: i32, n: i32, begin: i32, end: i32): i32 {
  const random = new Random(<u32>(kp + n));
  const yStride = ROWS + 4;
  const codes = new Guarded(ROWS * kp),
    q = new Guarded(n * kp * 2),
    q8 = new Guarded(n * kp),
    sums = new Guarded(n * 4);
  fillCodes(codes.at, ROWS * kp, 1, weightKind, random);
  fillActivations(q.at, n * kp, 128, actKind, random);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = i * kp; j < (i + 1) * kp; j++) {
      const v = min(127, <i32>load<i16>(q.at + <usize>(2 * j)));
      store<i16>(q.at + <usize>(2 * j), <i16>v);
      store<i8>(q8.at + <usize>j, <i8>v);
      sum += v;
    }
    store<i32>(sums.at + <usize>(4 * i), sum);
  }
  const w = new Guarded((ROWS * kp) / 8),
    planes = new Guarded(n * kp),
    y = new Guarded(n * yStride * 4),
    twin = new Guarded(n * yStride * 4);
  packBits(codes.at, w.at, ROWS, kp);
  for (let i = 0; i < n; i++) {
    packPlanes(q8.at + <usize>(i * kp), planes.at + <usize>(i * kp), kp);
    for (let r = begin; r < end; r++) {
      store<i32>(
        twin.at + <usize>(4 * (i * yStride + r)),
        dot(BINARY, codes.at + <usize>(r * kp), q.at + <usize>(2 * i * kp), kp),
      );
    }
  }
  const step = newStep<MatmulStep>();
  step.weights = w.at;
  step.act = planes.at;
  step.actRowBytes = kp;
  step.actSum = sums.at;
  step.scaleRowBytes = 4;
  step.y = y.at;
  step.yStride = yStride;
  step.rows = ROWS;
  step.k = kp;
  shiftRows(step);
  bitPlaneMatmul(step, INPUT, OUTPUT, n, begin, end);
  freeStep(step);
  const wrong = differing(y.at, twin.at, n * yStride * 4) + (y.intact() && planes.intact() ? 0 : 1);
  codes.free(), q.free(), q8.free(), sums.free(), w.free(), planes.free(), y.free(), twin.free();
  return wrong;
}

describe("1-bit × 1-bit by XNOR and popcount", () => {
  test("random and all-equal signs; 8192 weights fill the byte counters twice", () => {
    for (let i = 0; i < KINDS.length; i++) {
      for (let j = 0; j < KINDS.length; j++) expect(wrongXnor(KINDS[i], KINDS[j], 8192, 1 + j, 0, ROWS)).toBe(0);
    }
  });
  test("lengths that end inside a block of 128", () => {
    for (let k = 1; k < 400; k += 7) expect(wrongXnor(RANDOM, RANDOM, k, 1 + (k % 3), 0, ROWS)).toBe(0);
  });
  test("a range of rows", () => {
    for (let begin = 0; begin <= ROWS; begin += 32) {
      for (let end = begin; end <= ROWS; end += 32) expect(wrongXnor(RANDOM, RANDOM, 300, 2, begin, end)).toBe(0);
    }
  });
});

describe("binary × int8 over bit planes", () => {
  test("random and extreme activations, -128 among them", () => {
    for (let i = 0; i < KINDS.length; i++) {
      for (let j = 0; j < KINDS.length; j++) expect(wrongPlanes(KINDS[i], KINDS[j], 2560, 1 + j, 0, ROWS)).toBe(0);
    }
  });
  test("a range of rows", () => {
    for (let begin = 0; begin <= ROWS; begin += 32) {
      for (let end = begin; end <= ROWS; end += 32) expect(wrongPlanes(RANDOM, RANDOM, 128, 2, begin, end)).toBe(0);
    }
  });
});

describe("signs as bits", () => {
  test("x >= 0 is 1, zeros of both signs too; NaN and the padding are 0", () => {
    const random = new Random(8);
    for (let k = 1; k < 300; k += 13) {
      const x = new Guarded(k * 4),
        bits = new Guarded(((k + 127) / 128) * 16);
      for (let i = 0; i < k; i++) {
        const pick = random.between(0, 5);
        store<f32>(
          x.at + <usize>(4 * i),
          pick == 0 ? <f32>-0.0 : pick == 1 ? <f32>NaN : pick == 2 ? <f32>0 : random.signed(),
        );
      }
      packSigns(x.at, bits.at, k);
      for (let i = 0; i < ((k + 127) / 128) * 128; i++) {
        const want = i < k && load<f32>(x.at + <usize>(4 * i)) >= 0;
        expect((load<u8>(bits.at + <usize>(i / 8)) >> <u8>(i % 8)) & 1).toBe(want ? 1 : 0);
      }
      expect(bits.intact()).toBe(true);
      x.free(), bits.free();
    }
  });
});
