import { blockBytes, blockElements, scaleOffset, ternaryCode } from "../reference/decode";
import {
  decodeBinaryRow,
  decodePackedRow,
  decodeTernaryRow,
  I2_S,
  PQ2_0,
  PTQ1_0,
  Q2_0,
  STQ1_0,
  TQ1_0,
  TQ2_0,
} from "../weights/decode";
import { Q1_0 } from "../weights/decode-binary";
import { Guarded, Random } from "./fixtures";

const BLOCKS: i32 = 7;
const TYPES: StaticArray<i32> = [TQ1_0, TQ2_0, I2_S, Q2_0, PQ2_0, PTQ1_0, STQ1_0];

/** Whether any byte means some weights. */
function isDense(type: i32): bool {
  return type == TQ1_0 || type == PTQ1_0 || type == STQ1_0;
}

/** Random blocks without a code 3 and with finite scales. */
function fillBlocks(type: i32, src: usize, random: Random): void {
  const bytes = blockBytes(type);
  for (let i = 0; i < BLOCKS * bytes; i++) {
    let byte = random.next() & 255;
    if (!isDense(type)) byte &= ~((byte & (byte >> 1) & 0x55) << 1);
    store<u8>(src + <usize>i, <u8>byte);
  }
  if (type == I2_S) return;
  for (let b = 0; b < BLOCKS; b++) store<u16>(src + <usize>(b * bytes + scaleOffset(type)), random.f16());
}

/** Decodes 7 blocks; counts wrong codes, scales and guards. `status`: what the decoder must return. */
function wrongIn(type: i32, src: usize, status: i32): i32 {
  const k = BLOCKS * blockElements(type);
  const codes = new Guarded(k);
  const scales = new Guarded(type == I2_S ? 0 : BLOCKS * 2);
  let wrong = decodeTernaryRow(type, src, k, codes.at, scales.at) == status ? 0 : 1;
  for (let i = 0; i < k; i++) {
    const block = src + <usize>((i / blockElements(type)) * blockBytes(type));
    if (load<u8>(codes.at + <usize>i) != ternaryCode(type, block, i % blockElements(type))) wrong++;
  }
  for (let b = 0; b < BLOCKS && type != I2_S; b++) {
    const want = load<u16>(src + <usize>(b * blockBytes(type) + scaleOffset(type)));
    if (load<u16>(scales.at + ((<usize>b) << 1)) != want) wrong++;
  }
  if (!codes.intact() || !scales.intact()) wrong++;
  codes.free();
  scales.free();
  return wrong;
}

function decodesRandom(type: i32): i32 {
  const random = new Random(<u32>type);
  const src = new Guarded(BLOCKS * blockBytes(type));
  let wrong = 0;
  for (let round = 0; round < 20; round++) {
    fillBlocks(type, src.at, random);
    wrong += wrongIn(type, src.at, 0);
  }
  src.free();
  return wrong;
}

describe("ternary file types decode as their definition says", () => {
  test("TQ1_0", () => expect(decodesRandom(TQ1_0)).toBe(0));
  test("TQ2_0", () => expect(decodesRandom(TQ2_0)).toBe(0));
  test("I2_S", () => expect(decodesRandom(I2_S)).toBe(0));
  test("Q2_0, groups of 64", () => expect(decodesRandom(Q2_0)).toBe(0));
  test("PQ2_0", () => expect(decodesRandom(PQ2_0)).toBe(0));
  test("PTQ1_0", () => expect(decodesRandom(PTQ1_0)).toBe(0));
  test("STQ1_0", () => expect(decodesRandom(STQ1_0)).toBe(0));
});

describe("ternary file types refuse", () => {
  test("a code 3 in any element", () => {
    for (let t = 0; t < TYPES.length; t++) {
      const type = TYPES[t];
      if (isDense(type)) continue;
      const src = new Guarded(BLOCKS * blockBytes(type));
      for (let byte = 0; byte < blockBytes(type) - (type == I2_S ? 0 : 2); byte++) {
        fillBlocks(type, src.at, new Random(<u32>byte));
        const skip = scaleOffset(type) == 0 ? 2 : 0;
        const at = src.at + <usize>((byte % BLOCKS) * blockBytes(type) + skip + byte);
        const shift = <u8>(2 * (byte & 3));
        store<u8>(at, load<u8>(at) | (3 << shift));
        expect(wrongIn(type, src.at, 1)).toBe(0);
      }
      src.free();
    }
  });
  test("a scale that is infinite or not a number, in any block", () => {
    for (let t = 0; t < TYPES.length; t++) {
      const type = TYPES[t];
      if (type == I2_S) continue;
      const src = new Guarded(BLOCKS * blockBytes(type));
      for (let b = 0; b < BLOCKS; b++) {
        fillBlocks(type, src.at, new Random(<u32>b));
        store<u16>(src.at + <usize>(b * blockBytes(type) + scaleOffset(type)), b % 2 == 0 ? 0xfc00 : 0x7e01);
        expect(wrongIn(type, src.at, 2)).toBe(0);
      }
      src.free();
    }
  });
});

describe("rows packed by Hugging Face", () => {
  test("each quarter of the rows is two bits of every byte; the padding is weight 0", () => {
    const widths: StaticArray<i32> = [1, 15, 16, 63, 64, 100, 130];
    const random = new Random(9);
    const rows = 12;
    for (let w = 0; w < widths.length; w++) {
      const k = widths[w],
        padded = (k + 63) & ~63;
      const src = new Guarded((rows / 4) * k),
        codes = new Guarded(padded);
      for (let i = 0; i < (rows / 4) * k; i++) {
        const byte = random.next() & 255;
        store<u8>(src.at + <usize>i, <u8>(byte & ~((byte & (byte >> 1) & 0x55) << 1)));
      }
      for (let row = 0; row < rows; row++) {
        let wrong = decodePackedRow(src.at, row, rows, k, codes.at);
        for (let c = 0; c < padded; c++) {
          let want: u8 = 1;
          if (c < k) want = (load<u8>(src.at + <usize>((row % 3) * k + c)) >> <u8>(2 * (row / 3))) & 3;
          if (load<u8>(codes.at + <usize>c) != want) wrong++;
        }
        expect(wrong).toBe(0);
        expect(codes.intact()).toBe(true);
      }
      src.free();
      codes.free();
    }
  });
  test("a code 3 is told for the row that has it, and for no other", () => {
    const k = 40,
      rows = 8;
    const src = new Guarded(2 * k),
      codes = new Guarded(64);
    for (let c = 0; c < k; c++) {
      memory.fill(src.at, 0x55, 2 * k);
      store<u8>(src.at + <usize>(k + c), 0x75); // quarter 2 of packed row 1: row 2 * 2 + 1
      for (let row = 0; row < rows; row++)
        expect(decodePackedRow(src.at, row, rows, k, codes.at)).toBe(row == 5 ? 1 : 0);
    }
    src.free();
    codes.free();
  });
});

describe("Q1_0", () => {
  test("bits, lowest first, after the scale", () => {
    const k = 5 * 128;
    const random = new Random(4);
    const src = new Guarded(5 * 18),
      codes = new Guarded(k),
      scales = new Guarded(10);
    for (let i = 0; i < 5 * 18; i++) store<u8>(src.at + <usize>i, <u8>random.next());
    for (let b = 0; b < 5; b++) store<u16>(src.at + <usize>(b * 18), random.f16());
    let wrong = decodeBinaryRow(Q1_0, src.at, k, codes.at, scales.at);
    for (let i = 0; i < k; i++) {
      const byte = load<u8>(src.at + <usize>((i / 128) * 18 + 2 + (i % 128) / 8));
      if (load<u8>(codes.at + <usize>i) != ((byte >> <u8>(i % 8)) & 1)) wrong++;
    }
    for (let b = 0; b < 5; b++) {
      if (load<u16>(scales.at + <usize>(2 * b)) != load<u16>(src.at + <usize>(18 * b))) wrong++;
    }
    expect(wrong).toBe(0);
    expect(codes.intact() && scales.intact()).toBe(true);
    store<u16>(src.at + 36, 0x7c00);
    expect(decodeBinaryRow(Q1_0, src.at, k, codes.at, scales.at)).toBe(2);
  });
});
