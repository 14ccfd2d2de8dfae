import { f16ToNumber } from "../reference/weights";
import { dotI8, dotPairs, f16HighToF32, f16LowToF32, f16Scalar, sumLanes, sumLanes4, swizzle } from "../simd";
import { Guarded, Random } from "./fixtures";

describe("f16", () => {
  test("every finite f16 becomes the same f32, by vector and by scalar", () => {
    const h = new Guarded(16),
      out = new Guarded(32);
    for (let first = 0; first < 65536; first += 8) {
      if ((first & 0x7c00) == 0x7c00) continue;
      for (let i = 0; i < 8; i++) store<u16>(h.at + <usize>(2 * i), <u16>(first + i));
      v128.store(out.at, f16LowToF32(v128.load(h.at)));
      v128.store(out.at, f16HighToF32(v128.load(h.at)), 16);
      for (let i = 0; i < 8; i++) {
        const want = reinterpret<u32>(f16ToNumber(<u16>(first + i)));
        if (load<u32>(out.at + <usize>(4 * i)) != want) expect(first + i).toBe(-1, "vector");
        if (reinterpret<u32>(f16Scalar(<u16>(first + i))) != want) expect(first + i).toBe(-1, "scalar");
      }
    }
    expect(f16Scalar(0x3c00)).toBe(1);
    expect(f16Scalar(0x0001)).toBe(<f32>5.960464477539063e-8);
  });
});

describe("integer lanes", () => {
  test("the dot product is exact at its ends: ±128 × 127", () => {
    const random = new Random(1);
    const a = new Guarded(16),
      u = new Guarded(16);
    for (let round = 0; round < 500; round++) {
      let want = 0;
      for (let i = 0; i < 16; i++) {
        const x = round == 0 ? -128 : round == 1 ? 127 : random.between(-128, 127);
        const y = round < 2 ? 127 : random.between(0, 127);
        store<i8>(a.at + <usize>i, <i8>x);
        store<u8>(u.at + <usize>i, <u8>y);
        want += x * y;
      }
      const pairs = dotPairs(v128.load(a.at), v128.load(u.at));
      expect(sumLanes(i32x4.extadd_pairwise_i16x8_s(pairs))).toBe(want);
      const acc = dotI8(v128.load(a.at), v128.load(u.at), i32x4.splat(1000));
      expect(sumLanes(acc)).toBe(want + 4000);
      expect(i32x4.extract_lane(sumLanes4(acc, acc, acc, i32x4.splat(7)), 2)).toBe(want + 4000);
      expect(i32x4.extract_lane(sumLanes4(acc, acc, acc, i32x4.splat(7)), 3)).toBe(28);
    }
  });
  test("a lookup takes any index of 0..15", () => {
    const table = i8x16(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, -3);
    const index = i8x16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const want = i8x16(-3, 9, 7, 9, 8, 5, 3, 5, 6, 2, 9, 5, 1, 4, 1, 3);
    expect(v128.all_true<i8>(i8x16.eq(swizzle(table, index), want))).toBe(true);
  });
});
