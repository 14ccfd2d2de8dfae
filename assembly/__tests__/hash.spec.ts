import { hashWords } from "../hash";
import { Guarded } from "./fixtures";

const POWERS: StaticArray<u8> = [1, 2, 4, 8, 16, 32, 64, 128];

describe("hash of bytes", () => {
  test("a word of zero is a number of splitmix64 with seed 0", () => {
    const bytes = new Guarded(8);
    store<u64>(bytes.at, 0);
    // the published algorithm's first three outputs for that seed
    expect(hashWords(bytes.at, 8, 0)).toBe(0xe220a8397b1dcdaf);
    expect(hashWords(bytes.at, 8, 1)).toBe(0x6e789e6aa1b965f4);
    expect(hashWords(bytes.at, 8, 2)).toBe(0x06c45d188009454f);
  });
  test("pieces in any order add up; the last word is filled with zeros", () => {
    const bytes = new Guarded(64);
    for (let i: usize = 0; i < 64; i++) store<u8>(bytes.at + i, <u8>(i * 37 + 11));
    const whole = hashWords(bytes.at, 61, 5);
    for (let cut = 0; cut < 61; cut += 8) {
      const words: u64 = cut >> 3;
      expect(hashWords(bytes.at + cut, 61 - cut, 5 + words) + hashWords(bytes.at, cut, 5)).toBe(whole);
    }
    for (let i: usize = 61; i < 64; i++) store<u8>(bytes.at + i, 0);
    expect(hashWords(bytes.at, 64, 5)).toBe(whole);
    expect(hashWords(bytes.at, 0, 5)).toBe(0);
    expect(bytes.intact()).toBe(true);
  });
  test("every bit counts, and where it stands", () => {
    const bytes = new Guarded(32);
    for (let i: usize = 0; i < 32; i++) store<u8>(bytes.at + i, <u8>(i * 91 + 3));
    const whole = hashWords(bytes.at, 32, 0);
    for (let bit = 0; bit < 256; bit++) {
      const at = bytes.at + <usize>(bit >> 3),
        flip: u8 = POWERS[bit & 7];
      store<u8>(at, load<u8>(at) ^ flip);
      if (hashWords(bytes.at, 32, 0) == whole) expect(bit).toBe(-1, "unnoticed");
      store<u8>(at, load<u8>(at) ^ flip);
    }
    expect(hashWords(bytes.at, 32, 1) == whole).toBe(false);
  });
});
