import { ropeFactors, ropeFrequencies, ropeLinear, ropeTable, ropeYarn, rotate } from "../ops/rope";
import { RopeStep } from "../steps";
import { Guarded, Random, differing, freeStep, newStep } from "./fixtures";

function near(got: f64, want: f64): bool {
  return abs<f64>(got - want) <= abs<f64>(want) * 1e-13;
}

function frequencies(nRot: i32, base: f64): Guarded {
  const out = new Guarded(4 * nRot);
  ropeFrequencies(out.at, nRot, base);
  expect(out.intact()).toBe(true);
  return out;
}

describe("rope frequencies", () => {
  test("base^(-2i / nRot)", () => {
    const f = frequencies(128, 500000);
    for (let i = 0; i < 64; i++)
      expect(near(load<f64>(f.at + <usize>(8 * i)), Math.pow(500000, -(<f64>i) / 64))).toBe(true);
    expect(load<f64>(f.at)).toBe(1);
  });
  test("linear and by factors divide", () => {
    const f = frequencies(64, 10000),
      g = frequencies(64, 10000),
      factors = new Guarded(128);
    for (let i: usize = 0; i < 32; i++) store<f32>(factors.at + 4 * i, <f32>i * 0.5 + 1);
    ropeLinear(f.at, 32, 4);
    ropeFactors(g.at, 32, factors.at);
    for (let i: usize = 0; i < 32; i++) {
      const plain = Math.pow(10000, -(<f64>i) / 32);
      expect(near(load<f64>(f.at + 8 * i), plain / 4)).toBe(true);
      expect(near(load<f64>(g.at + 8 * i), plain / (<f64>i * 0.5 + 1))).toBe(true);
    }
    expect(f.intact() && g.intact()).toBe(true);
  });
  test("YaRN: fast pairs kept, slow ones divided, a ramp between; magnitude 1 + 0.1 ln factor", () => {
    // base 1e6, 128 dimensions, 8192 positions, factor 4: the ramp runs from pair 17 to pair 34
    const f = frequencies(128, 1000000);
    const magnitude = ropeYarn(f.at, 64, 128, 1000000, 4, 8192, 32, 1);
    expect(magnitude).toBe(<f32>(1 + 0.1 * Math.log(4)));
    const low = Math.floor((128 * Math.log(8192 / (32 * 2 * Math.PI))) / (2 * Math.log(1000000)));
    const high = Math.ceil((128 * Math.log(8192 / (2 * Math.PI))) / (2 * Math.log(1000000)));
    expect(low).toBe(17);
    expect(high).toBe(34);
    for (let i = 0; i < 64; i++) {
      const plain = Math.pow(1000000, -(<f64>i) / 64),
        ramp = Math.min(1, Math.max(0, (<f64>i - low) / (high - low)));
      expect(near(load<f64>(f.at + <usize>(8 * i)), plain * (1 - ramp) + (plain / 4) * ramp)).toBe(true);
    }
  });
  test("angles in f64: the table is right to the last bit of f32 at position 1,000,000", () => {
    const f = frequencies(64, 10000),
      cos = new Guarded(128),
      sin = new Guarded(128);
    const positions: StaticArray<i32> = [0, 1, 4095, 131071, 1000000];
    for (let p = 0; p < positions.length; p++) {
      ropeTable(f.at, 32, positions[p], 1.25, cos.at, sin.at);
      for (let i: usize = 0; i < 32; i++) {
        const angle = <f64>positions[p] * load<f64>(f.at + 8 * i);
        expect(abs<f32>(load<f32>(cos.at + 4 * i) - <f32>Math.cos(angle) * 1.25) <= 1.5e-7).toBe(true);
        expect(abs<f32>(load<f32>(sin.at + 4 * i) - <f32>Math.sin(angle) * 1.25) <= 1.5e-7).toBe(true);
      }
    }
    expect(cos.intact() && sin.intact()).toBe(true);
  });
});

/**
 * The first three of four tokens, all heads but the first: every value against x0 c - x1 s and x0 s + x1 c of its pair;
 * other heads, tokens and the rest of a head untouched.
 */
function wrong(headDim: i32, nRot: i32): i32 {
  const random = new Random(<u32>(headDim + nRot)),
    nHeads = 3,
    n = 4,
    stride = nHeads * headDim + 5,
    nHalf = nRot / 2;
  const x = new Guarded(4 * n * stride),
    before = new Guarded(4 * n * stride),
    cos = new Guarded(4 * n * nHalf),
    sin = new Guarded(4 * n * nHalf);
  for (let i = 0; i < n * stride; i++) store<f32>(x.at + <usize>(4 * i), random.signed());
  for (let i = 0; i < n * nHalf; i++) {
    store<f32>(cos.at + <usize>(4 * i), random.signed());
    store<f32>(sin.at + <usize>(4 * i), random.signed());
  }
  memory.copy(before.at, x.at, 4 * n * stride);
  const step = newStep<RopeStep>();
  step.x = x.at;
  step.xStride = stride;
  step.cos = cos.at;
  step.sin = sin.at;
  step.nHeads = nHeads;
  step.headDim = headDim;
  step.nRot = nRot;
  rotate(step, 3, 1, nHeads);
  freeStep(step);
  for (let token = 0; token < 3; token++) {
    for (let head = 1; head < nHeads; head++) {
      for (let i = 0; i < nHalf; i++) {
        const first = token * stride + head * headDim + i,
          second = first + nHalf;
        const c = load<f32>(cos.at + <usize>(4 * (token * nHalf + i))),
          s = load<f32>(sin.at + <usize>(4 * (token * nHalf + i)));
        const a = load<f32>(before.at + <usize>(4 * first)),
          b = load<f32>(before.at + <usize>(4 * second));
        store<f32>(before.at + <usize>(4 * first), a * c - b * s);
        store<f32>(before.at + <usize>(4 * second), a * s + b * c);
      }
    }
  }
  const count = differing(x.at, before.at, 4 * n * stride) + (x.intact() ? 0 : 1);
  x.free();
  before.free();
  cos.free();
  sin.free();
  return count;
}

describe("rope rotation, bit for bit", () => {
  test("whole and part of a head", () => {
    expect(wrong(128, 128)).toBe(0);
    expect(wrong(256, 64)).toBe(0);
    expect(wrong(96, 96)).toBe(0);
    expect(wrong(100, 100)).toBe(0);
    expect(wrong(12, 10)).toBe(0);
  });
});
