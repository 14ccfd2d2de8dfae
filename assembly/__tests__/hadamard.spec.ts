import { hadamard } from "../ops/hadamard";
import { hadamardValue } from "../reference/delta-net";
import { HadamardStep } from "../steps";
import { Guarded, Random, freeStep, isGuard, newStep } from "./fixtures";

/** The middle two of four rows, from rows 2 and 3: the largest error over what f32 sums allow; and what is around. */
function wrong(width: i32, block: i32, signed: bool, inverse: bool, inPlace: bool): i32 {
  const random = new Random(<u32>(width + block)),
    xStride = inPlace ? width : width + 3,
    x = new Guarded(16 * xStride),
    before = new Guarded(16 * xStride),
    out = new Guarded(16 * width),
    signs = new Guarded(4 * width);
  for (let i = 0; i < 4 * xStride; i++) store<f32>(x.at + <usize>(4 * i), random.signed());
  for (let i = 0; i < width; i++) store<f32>(signs.at + <usize>(4 * i), random.next() & 512 ? 1 : -1);
  memory.copy(before.at, x.at, 16 * xStride);
  const y = inPlace ? x : out,
    input = inPlace ? 1 : 2,
    step = newStep<HadamardStep>();
  step.x = x.at;
  step.xStride = xStride;
  step.y = y.at;
  step.signs = signed ? signs.at : 0;
  step.width = width;
  step.block = block;
  step.inverse = inverse ? 1 : 0;
  hadamard(step, input, 1, 3);
  freeStep(step);
  const most = <f64>block * 1e-7 + 1e-7;
  let bad = x.intact() && out.intact() ? 0 : 1;
  for (let row = 1; row < 3; row++) {
    const from = before.at + <usize>(4 * (row - 1 + input) * xStride),
      got = y.at + <usize>(4 * row * width);
    for (let i = 0; i < width; i++) {
      const want = hadamardValue(from, signed ? signs.at : 0, block, inverse, i);
      if (!(abs<f64>(<f64>load<f32>(got + <usize>(4 * i)) - want) <= most)) bad++;
    }
  }
  if (!inPlace && !(isGuard(out.at, 4 * width) && isGuard(out.at + <usize>(12 * width), 4 * width))) bad++;
  return bad;
}

describe("Hadamard transform", () => {
  test("blocks of 4 to 1024, whole rows and parts", () => {
    for (let block = 4; block <= 1024; block *= 2) {
      expect(wrong(block, block, true, false, false)).toBe(0);
      expect(wrong(3 * block, block, true, false, false)).toBe(0);
    }
  });
  test("without signs, back, and in place", () => {
    expect(wrong(64, 32, false, false, false)).toBe(0);
    expect(wrong(64, 32, true, true, false)).toBe(0);
    expect(wrong(64, 32, true, true, true)).toBe(0);
    expect(wrong(64, 64, false, true, true)).toBe(0);
  });
});
