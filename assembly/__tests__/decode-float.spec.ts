import { absSumRow, ternarizeRow } from "../weights/decode";
import { Guarded, Random } from "./fixtures";

describe("float masters become ternary", () => {
  test("clamp(round half to even(x scale), -1, 1), padded with weight 0", () => {
    const widths: StaticArray<i32> = [1, 3, 4, 7, 64, 101];
    const random = new Random(3);
    for (let w = 0; w < widths.length; w++) {
      const k = widths[w],
        padded = (k + 63) & ~63;
      const x = new Guarded(4 * k),
        codes = new Guarded(padded);
      for (let i = 0; i < k; i++) store<f32>(x.at + <usize>(4 * i), random.signed());
      ternarizeRow(x.at, k, 1.7, codes.at);
      for (let i = 0; i < padded; i++) {
        let want: u8 = 1;
        if (i < k) {
          const v: f32 = load<f32>(x.at + <usize>(4 * i)) * <f32>1.7;
          want = v > 0.5 ? 2 : v < -0.5 ? 0 : 1;
        }
        expect(load<u8>(codes.at + <usize>i)).toBe(want);
      }
      expect(codes.intact()).toBe(true);
      x.free();
      codes.free();
    }
  });
  test("ties go to even, the ends are clamped, NaN is 0", () => {
    const values: StaticArray<f32> = [
      0.5,
      -0.5,
      1.5,
      -1.5,
      0.50000006,
      -0.50000006,
      1e30,
      -1e30,
      <f32>Infinity,
      <f32>-Infinity,
      <f32>NaN,
      0,
    ];
    const want: StaticArray<u8> = [1, 1, 2, 0, 2, 0, 2, 0, 2, 0, 1, 1];
    const x = new Guarded(48),
      codes = new Guarded(64);
    for (let i = 0; i < 12; i++) store<f32>(x.at + <usize>(4 * i), values[i]);
    ternarizeRow(x.at, 12, 1, codes.at);
    for (let i = 0; i < 12; i++) expect(load<u8>(codes.at + <usize>i)).toBe(want[i]);
    ternarizeRow(x.at + 36, 3, 1, codes.at); // the scalar rest: Infinity negative, NaN, 0
    expect(load<u8>(codes.at)).toBe(0);
    expect(load<u8>(codes.at + 1)).toBe(1);
    expect(load<u8>(codes.at + 2)).toBe(1);
  });
  test("the sum of |x| is exact where f64 can hold it", () => {
    for (let k = 0; k < 40; k++) {
      const x = new Guarded(4 * k);
      let want: f64 = 0;
      for (let i = 0; i < k; i++) {
        const v = <f32>((i * 37) % 101) * <f32>0.25 * <f32>(i % 2 == 0 ? 1 : -1);
        store<f32>(x.at + <usize>(4 * i), v);
        want += abs<f64>(<f64>v);
      }
      expect(absSumRow(x.at, k)).toBe(want);
      x.free();
    }
  });
});
