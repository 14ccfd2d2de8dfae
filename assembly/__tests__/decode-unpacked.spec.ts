import { decodeUnpackedRow } from "../weights/decode";
import { Guarded, Random } from "./fixtures";

const F32: i32 = 0;
const F16: i32 = 1;
const BF16: i32 = 30;
const TYPES: StaticArray<i32> = [F32, F16, BF16];
const WIDTHS: StaticArray<i32> = [64, 128, 192, 256, 1, 7, 65, 200];
/** As f16, f32 and bf16: from the least subnormal number to the largest that bf16 has too. */
const HALFS: StaticArray<u16> = [0x0001, 0x0200, 0x0400, 0x2e00, 0x3c00, 0x4500, 0x7b80];
const FLOATS: StaticArray<u32> = [
  0x33800000,
  0x37000000 + 0x1000000,
  0x38800000,
  0x3dc00000,
  0x3f800000,
  0x40a00000,
  0x47700000,
];

function bytesOf(type: i32): i32 {
  return type == F32 ? 4 : 2;
}

/** Writes a weight of this magnitude, given as the bits of its f32 and its f16. */
function put(type: i32, at: usize, i: i32, float: u32, half: u32, negative: bool): void {
  if (type == F32) store<u32>(at + <usize>(4 * i), float | (negative ? 0x80000000 : 0));
  else store<u16>(at + <usize>(2 * i), <u16>((type == F16 ? half : float >> 16) | (negative ? 0x8000 : 0)));
}

/** Rows of random codes with a random scale for each group: counts wrong codes, scales, verdicts and guards. */
function wrongRows(type: i32, binary: bool, random: Random): i32 {
  let wrong = 0;
  for (let w = 0; w < WIDTHS.length; w++) {
    for (let group = 64; group <= 128; group += 64) {
      const k = WIDTHS[w],
        padded = (k + 63) & ~63,
        nGroups = (k + group - 1) / group;
      const src = new Guarded(k * bytesOf(type)),
        codes = new Guarded(padded),
        scales = new Guarded(2 * nGroups),
        wanted = new StaticArray<u8>(k),
        halfs = new StaticArray<u16>(nGroups);
      for (let g = 0; g < nGroups; g++) {
        const s = random.between(0, HALFS.length - 1),
          isZero = !binary && random.between(0, 3) == 0;
        let hasWeight = false;
        for (let i = g * group; i < min(k, (g + 1) * group); i++) {
          const code = binary ? 2 * random.between(0, 1) : isZero ? 1 : random.between(0, 2);
          wanted[i] = <u8>(binary ? code >> 1 : code);
          if (code != 1) hasWeight = true;
          put(
            type,
            src.at,
            i,
            code == 1 ? 0 : FLOATS[s],
            code == 1 ? 0 : HALFS[s],
            code == 0 || (code == 1 && i % 2 == 0),
          );
        }
        halfs[g] = hasWeight ? HALFS[s] : 0;
      }
      // Groups of zeros have the scale of the first that is not.
      let first: u16 = 0;
      for (let g = nGroups - 1; g >= 0; g--) if (halfs[g] != 0) first = halfs[g];
      if (decodeUnpackedRow(type, src.at, k, group, 1, binary ? 1 : 0, codes.at, scales.at) != 0) wrong++;
      for (let i = 0; i < padded; i++) if (load<u8>(codes.at + <usize>i) != (i < k ? wanted[i] : 1)) wrong++;
      for (let g = 0; g < nGroups; g++)
        if (load<u16>(scales.at + <usize>(2 * g)) != (halfs[g] != 0 ? halfs[g] : first)) wrong++;
      if (!codes.intact() || !scales.intact() || !src.intact()) wrong++;
      src.free();
      codes.free();
      scales.free();
    }
  }
  return wrong;
}

/** The verdict on 200 weights of magnitude 1, of which weight `at` has other bits. */
function verdict(type: i32, at: i32, float: u32, half: u32, factor: f32 = 1, binary: i32 = 0): i32 {
  const src = new Guarded(200 * bytesOf(type)),
    codes = new Guarded(256),
    scales = new Guarded(8);
  for (let i = 0; i < 200; i++) put(type, src.at, i, 0x3f800000, 0x3c00, i % 3 == 0);
  if (at >= 0) put(type, src.at, at, float, half, false);
  const found = decodeUnpackedRow(type, src.at, 200, 64, factor, binary, codes.at, scales.at);
  src.free();
  codes.free();
  scales.free();
  return found;
}

/** The scale of a row of one weight, or minus the verdict. */
function scaleOf(type: i32, float: u32, half: u32, factor: f32): i32 {
  const src = new Guarded(4),
    codes = new Guarded(64),
    scales = new Guarded(2);
  put(type, src.at, 0, float, half, false);
  const found = decodeUnpackedRow(type, src.at, 1, 64, factor, 0, codes.at, scales.at),
    scale = <i32>load<u16>(scales.at);
  src.free();
  codes.free();
  scales.free();
  return found == 0 ? scale : -found;
}

describe("float rows of -s, 0, +s", () => {
  test("become codes and scales, whatever the type, width and group", () => {
    const random = new Random(5);
    for (let t = 0; t < TYPES.length; t++)
      for (let round = 0; round < 40; round++) expect(wrongRows(TYPES[t], false, random)).toBe(0);
  });
  test("without zeros they become codes of one bit", () => {
    const random = new Random(6);
    for (let t = 0; t < TYPES.length; t++)
      for (let round = 0; round < 40; round++) expect(wrongRows(TYPES[t], true, random)).toBe(0);
  });
  test("one weight off, wherever it is, and by however little", () => {
    for (let t = 0; t < TYPES.length; t++) {
      for (let at = 0; at < 200; at++) {
        const next: u32 = TYPES[t] == F32 ? 0x3f800001 : 0x3f810000;
        expect(verdict(TYPES[t], at, next, 0x3c01)).toBe(1);
        expect(verdict(TYPES[t], at, 0x3f000000, 0x3800)).toBe(1);
        expect(verdict(TYPES[t], at, 0x3f800000, 0x3c00)).toBe(0);
        expect(verdict(TYPES[t], at, 0, 0)).toBe(0);
        expect(verdict(TYPES[t], at, 0, 0, 1, 1)).toBe(1);
      }
      expect(verdict(TYPES[t], 70, 0x7f800000, 0x7c00)).toBe(1);
    }
  });
  test("infinite weights, and scales that f16 cannot hold", () => {
    expect(scaleOf(F32, 0x7f800000, 0, 1)).toBe(-2);
    expect(scaleOf(F16, 0, 0x7e00, 1)).toBe(-2);
    expect(scaleOf(BF16, 0x7fc00000, 0, 1)).toBe(-2);
    expect(scaleOf(F32, reinterpret<u32>(<f32>0.1), 0, 1)).toBe(-3);
    expect(scaleOf(F32, reinterpret<u32>(<f32>65536), 0, 1)).toBe(-3);
    expect(scaleOf(BF16, reinterpret<u32>(<f32>1e-9) & 0xffff0000, 0, 1)).toBe(-3);
    expect(scaleOf(F32, reinterpret<u32>(<f32>65504), 0, 1)).toBe(0x7bff);
  });
  test("the row's own factor multiplies the scales", () => {
    expect(scaleOf(BF16, 0x3f800000, 0, 0.5)).toBe(0x3800);
    expect(scaleOf(F16, 0, 0x3c00, -2)).toBe(0xc000);
    expect(scaleOf(F16, 0, 0x3c00, 0)).toBe(0);
    expect(scaleOf(F16, 0, 0x3c00, 0.1)).toBe(-3);
  });
});
