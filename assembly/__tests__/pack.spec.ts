import {
  LAYOUT_BINARY_TABLE as BINARY_TABLE,
  LAYOUT_TERNARY_DOT as T2,
  LAYOUT_TERNARY_TABLE as TERNARY_TABLE,
} from "../abi";
import { packTile } from "../layouts";
import { packBinaryTable, packT2, packTernaryTable } from "../reference/layouts";
import { f16ToNumber, scaleIndex, weightOf, BINARY, TERNARY } from "../reference/weights";
import { EmbedStep } from "../steps";
import { binaryTableRow } from "../weights/binary-table";
import { ternaryDotRow } from "../weights/ternary-dot";
import { ternaryTableRow } from "../weights/ternary-table";
import { differing, fillCodes, freeStep, Guarded, newStep, RANDOM, Random } from "./fixtures";

const WIDTHS: StaticArray<i32> = [128, 1280, 1408, 2560, 2816];
const TILES: i32 = 3;
const ROWS: i32 = 96;

/**
 * Codes padded to a stride wider than kp, packed tile by tile in reverse, against the twin; then every row read back.
 */
function wrongIn(layout: i32, kp: i32): i32 {
  const random = new Random(<u32>(kp + layout));
  const stride = kp + 48;
  const bytes = (ROWS * kp) / (layout == BINARY_TABLE ? 8 : 4);
  const codes = new Guarded(ROWS * kp),
    strided = new Guarded(ROWS * stride),
    w = new Guarded(bytes),
    twin = new Guarded(bytes);
  fillCodes(codes.at, ROWS * kp, layout == BINARY_TABLE ? 1 : 2, RANDOM, random);
  for (let r = 0; r < ROWS; r++) memory.copy(strided.at + <usize>(r * stride), codes.at + <usize>(r * kp), kp);
  for (let tile = TILES - 1; tile >= 0; tile--) {
    const from = strided.at + <usize>(tile * 32 * stride);
    packTile(layout, from, stride, w.at, tile, TILES, kp);
  }
  if (layout == TERNARY_TABLE) packTernaryTable(codes.at, twin.at, ROWS, kp);
  if (layout == BINARY_TABLE) packBinaryTable(codes.at, twin.at, ROWS, kp);
  if (layout == T2) packT2(codes.at, twin.at, ROWS, kp);
  let wrong = differing(w.at, twin.at, bytes) + (w.intact() ? 0 : 1);
  wrong += wrongRows(layout, codes.at, w.at, kp, random);
  codes.free(), strided.free(), w.free(), twin.free();
  return wrong;
}

/** Rows read back as numbers, with one scale a row and with a scale a block of 128, and k short of kp by one. */
function wrongRows(layout: i32, codes: usize, w: usize, kp: i32, random: Random): i32 {
  const k = kp - 1,
    nBlocks = kp / 128;
  const rowScale = new Guarded(ROWS * 4),
    blockScale = new Guarded(ROWS * nBlocks * 2),
    out = new Guarded(k * 4);
  for (let i = 0; i < ROWS; i++) store<f32>(rowScale.at + <usize>(4 * i), random.signed());
  for (let i = 0; i < ROWS * nBlocks; i++) store<u16>(blockScale.at + <usize>(2 * i), random.f16());
  const step = newStep<EmbedStep>();
  step.weights = w;
  step.rows = ROWS;
  step.k = k;
  step.kp = kp;
  let wrong = 0;
  for (let row = 0; row < ROWS; row++) {
    for (let scaleBlock = 0; scaleBlock <= 128; scaleBlock += 128) {
      step.scale = scaleBlock == 0 ? rowScale.at : blockScale.at;
      step.scaleBlock = scaleBlock;
      if (layout == TERNARY_TABLE) ternaryTableRow(step, row, out.at);
      if (layout == BINARY_TABLE) binaryTableRow(step, row, out.at);
      if (layout == T2) ternaryDotRow(step, row, out.at);
      for (let i = 0; i < k; i++) {
        let s = load<f32>(rowScale.at + <usize>(4 * row));
        if (scaleBlock != 0)
          s = f16ToNumber(load<u16>(blockScale.at + <usize>(2 * scaleIndex(row, i / 128, nBlocks, layout != T2))));
        const want: f32 =
          <f32>weightOf(layout == BINARY_TABLE ? BINARY : TERNARY, load<u8>(codes + <usize>(row * kp + i))) * s;
        if (load<f32>(out.at + <usize>(4 * i)) != want) wrong++;
      }
    }
  }
  if (!out.intact()) wrong++;
  rowScale.free(), blockScale.free(), out.free(), freeStep(step);
  return wrong;
}

describe("codes are packed where the layout says, and read back", () => {
  test("ternary table", () => {
    for (let i = 0; i < WIDTHS.length; i++) expect(wrongIn(TERNARY_TABLE, WIDTHS[i])).toBe(0);
  });
  test("binary table", () => {
    for (let i = 0; i < WIDTHS.length; i++) expect(wrongIn(BINARY_TABLE, WIDTHS[i])).toBe(0);
  });
  test("T2", () => {
    for (let i = 0; i < WIDTHS.length; i++) expect(wrongIn(T2, WIDTHS[i])).toBe(0);
  });
});
