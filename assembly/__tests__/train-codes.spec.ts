import { MATMUL_SCRATCH_BYTES } from "../abi";
import { share } from "../step";
import { matmulCodes } from "../train/matmul-codes";
import { quantizeRows1 } from "../train/quantize";
import { signBits, signCodes, xnorScaled } from "../train/signs";
import { MatmulCodesStep, SignsStep, XnorStep } from "../train/steps";
import { Random, differing, isGuard } from "./fixtures";
import { Arrays, get, put } from "./train-arrays";

/**
 * Around the tile (4 x 8), the block of rows (16), the panel block (256) and the block of pairs (384, so 768 codes).
 */
const ROWS: StaticArray<i32> = [1, 2, 3, 4, 5, 8, 15, 16, 17, 21];
const OUTPUTS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 9, 12, 40, 255, 256, 257, 263];
const WIDTHS: StaticArray<i32> = [2, 4, 6, 8, 10, 64, 126, 766, 768, 770, 776, 1536, 1538];

function pick(from: StaticArray<i32>, random: Random): i32 {
  return from[random.between(0, from.length - 1)];
}

/** i16 (count) within ±top, or all at its ends. */
function codesOf(arrays: Arrays, count: i32, top: i32, ends: bool, random: Random): usize {
  const codes = arrays.room(2 * count);
  for (let i = 0; i < count; i++) store<i16>(codes + <usize>(2 * i), <i16>(ends ? top : random.between(-top, top)));
  return codes;
}

/** The exact sum as f32, times the two scales multiplied first; whole, in shares of the rows, and cut anywhere. */
function wrongProduct(n: i32, outputs: i32, kp: i32, ends: bool, random: Random): i32 {
  const arrays = new Arrays(),
    x = codesOf(arrays, n * kp, 127, ends, random),
    w = codesOf(arrays, outputs * kp, 1, ends, random);
  const scale = arrays.floats(1, random, 1),
    rowScale = arrays.floats(n, random, 2),
    want = arrays.room(4 * n * outputs);
  const scratch = arrays.poisoned(MATMUL_SCRATCH_BYTES),
    cut = random.between(0, n);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outputs; o++) {
      let sum: i64 = 0;
      for (let i = 0; i < kp; i++)
        sum += <i64>load<i16>(x + <usize>(2 * (row * kp + i))) * <i64>load<i16>(w + <usize>(2 * (o * kp + i)));
      put(want, row * outputs + o, <f32>sum * (get(rowScale, row) * get(scale, 0)));
    }
  }
  const step = arrays.step<MatmulCodesStep>();
  step.x = x;
  step.weights = w;
  step.scale = scale;
  step.rowScale = rowScale;
  step.kp = kp;
  step.n = n;
  step.outputs = outputs;
  let wrong = 0;
  for (let pieces = 1; pieces <= 4; pieces++) {
    const y = arrays.room(4 * n * outputs);
    step.y = y;
    for (let t = 0; t < pieces && pieces < 4; t++)
      matmulCodes(step, share(n, 4, t, pieces), share(n, 4, t + 1, pieces), scratch);
    if (pieces == 4) matmulCodes(step, cut, n, scratch);
    if (pieces == 4) matmulCodes(step, 0, cut, scratch);
    wrong += differing(y, want, 4 * n * outputs);
  }
  return wrong + arrays.close();
}

function signsStep(arrays: Arrays, x: usize, out: usize, scale: usize, k: i32, kp: i32): SignsStep {
  const step = arrays.step<SignsStep>();
  step.x = x;
  step.out = out;
  step.scale = scale;
  step.k = k;
  step.kp = kp;
  return step;
}

/** Signs as i16 and as bits, padding clear, scales the quantiser's; rows 1 to 3 of 5 in two shares. */
function wrongSigns(k: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>k),
    kp = (k + 127) & ~127,
    rowBytes = kp / 8,
    x = arrays.floats(5 * k, random, 2);
  for (let i = 0; i < 5 * k; i += 7) put(x, i, i % 2 == 0 ? 0 : -0.0);
  const codes = arrays.room(10 * kp),
    bits = arrays.room(5 * rowBytes),
    scale = arrays.room(20),
    bitScale = arrays.room(20);
  const want = arrays.room(10 * kp),
    wantScale = arrays.room(20),
    room = arrays.room(2 * k);
  quantizeRows1(x, want, wantScale, k, kp, 1, 4);
  for (let t = 0; t < 2; t++) {
    const begin = 1 + share(3, 1, t, 2),
      end = 1 + share(3, 1, t + 1, 2);
    signCodes(signsStep(arrays, x, codes, scale, k, kp), begin, end);
    signBits(signsStep(arrays, x, bits, bitScale, k, kp), begin, end, room);
  }
  let wrong = differing(codes, want, 10 * kp) + differing(scale, wantScale, 20) + differing(bitScale, wantScale, 20);
  for (let row = 1; row < 4; row++) {
    for (let i = 0; i < kp; i++) {
      const bit = (load<u8>(bits + <usize>(row * rowBytes + i / 8)) >> <u8>(i & 7)) & 1;
      if (bit != <u8>(i < k && get(x, row * k + i) >= 0 ? 1 : 0)) wrong++;
    }
  }
  if (!isGuard(bits, rowBytes) || !isGuard(bits + <usize>(4 * rowBytes), rowBytes)) wrong++;
  return wrong + arrays.close();
}

/**
 * The product of bits equals that of the codes: Σ w x times the scales of activation and row, in shares of w's rows.
 */
function wrongXnor(k: i32, n: i32, rows: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>(k + rows)),
    kp = (k + 127) & ~127,
    x = arrays.floats(n * k, random, 1),
    w = arrays.floats(rows * k, random, 1);
  const bits = arrays.room((n * kp) / 8),
    weights = arrays.room((rows * kp) / 8),
    actScale = arrays.room(4 * n),
    unused = arrays.room(4 * rows);
  const rowScale = arrays.floats(rows, random, 1),
    room = arrays.room(2 * k);
  signBits(signsStep(arrays, x, bits, actScale, k, kp), 0, n, room);
  signBits(signsStep(arrays, w, weights, unused, k, kp), 0, rows, room);
  const step = arrays.step<XnorStep>();
  step.weights = weights;
  step.rowScale = rowScale;
  step.bits = bits;
  step.actScale = actScale;
  step.k = k;
  step.n = n;
  step.rows = rows;
  step.kp = kp;
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    const y = arrays.room(4 * n * rows);
    step.y = y;
    for (let t = 0; t < pieces; t++) {
      xnorScaled(step, share(rows, 32, t, pieces), share(rows, 32, t + 1, pieces));
    }
    for (let i = 0; i < n; i++) {
      for (let r = 0; r < rows; r++) {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += get(x, i * k + j) >= 0 == get(w, r * k + j) >= 0 ? 1 : -1;
        if (get(y, i * rows + r) != <f32>sum * (get(actScale, i) * get(rowScale, r))) wrong++;
      }
    }
  }
  return wrong + arrays.close();
}

describe("training: products of codes", () => {
  test("any shape and split of the rows, bit for bit, nothing beside", () => {
    const random = new Random(21);
    for (let i = 0; i < 60; i++)
      expect(wrongProduct(pick(ROWS, random), pick(OUTPUTS, random), pick(WIDTHS, random), false, random)).toBe(0);
  });
  test("every small tile", () => {
    const random = new Random(22);
    for (let n = 1; n <= 5; n++)
      for (let outputs = 1; outputs <= 9; outputs++)
        expect(wrongProduct(n, outputs, 2 + 2 * (n % 3), false, random)).toBe(0);
  });
  test("all codes at their ends, sums above 2^24", () => {
    const random = new Random(23);
    expect(wrongProduct(5, 9, 140000, true, random)).toBe(0);
  });
});

describe("training: signs", () => {
  test("as codes and as bits, any width, both zeros positive", () => {
    for (let k = 1; k < 40; k++) expect(wrongSigns(k)).toBe(0);
    expect(wrongSigns(127) + wrongSigns(128) + wrongSigns(129) + wrongSigns(300)).toBe(0);
  });
  test("products of bits, any width and split", () => {
    expect(
      wrongXnor(1, 1, 32) +
        wrongXnor(127, 3, 64) +
        wrongXnor(128, 2, 96) +
        wrongXnor(129, 5, 96) +
        wrongXnor(300, 1, 128),
    ).toBe(0);
  });
});
