import { binaryTable, ternaryTable } from "../reference/tables";
import { buildBinaryTables, buildTernaryTables } from "../weights/tables";
import { ALL_HIGH, ALL_LOW, differing, ENDS, fillActivations, Guarded, isGuard, RANDOM, Random } from "./fixtures";

const KINDS: StaticArray<i32> = [RANDOM, ALL_HIGH, ALL_LOW, ENDS];
const GROUPS: i32 = 45;

/** The largest magnitude of an activation. */
const MAX_Q: i32 = 255;

/** Builds groups [7, 40) of 45 and counts bytes that differ from the twin, or were written outside the range. */
function wrongBytes(binary: bool, kind: i32): i32 {
  const weights = binary ? 4 : 2;
  const random = new Random(<u32>(i32(binary) * 10 + kind));
  const q = new Guarded(GROUPS * weights * 2);
  const table = new Guarded(GROUPS * 32);
  const twin = new Guarded(32);
  fillActivations(q.at, GROUPS * weights, MAX_Q, kind, random);
  if (binary) buildBinaryTables(q.at, table.at, 7, 40);
  else buildTernaryTables(q.at, table.at, 7, 40);
  let wrong = 0;
  for (let g = 0; g < GROUPS; g++) {
    const at = table.at + <usize>(g * 32);
    const from = q.at + <usize>(g * weights * 2);
    if (g < 7 || g >= 40) {
      if (!isGuard(at, 32)) wrong++;
    } else if (!binary) {
      ternaryTable(from, twin.at);
      wrong += differing(at, twin.at, 9) + differing(at + 16, twin.at + 16, 9);
    } else {
      binaryTable(from, twin.at);
      wrong += differing(at, twin.at, 32);
    }
  }
  if (!table.intact()) wrong++;
  q.free();
  table.free();
  twin.free();
  return wrong;
}

describe("lookup tables", () => {
  test("ternary, |q| <= 255", () => {
    for (let i = 0; i < KINDS.length; i++) expect(wrongBytes(false, KINDS[i])).toBe(0);
  });
  test("binary, |q| <= 255", () => {
    for (let i = 0; i < KINDS.length; i++) expect(wrongBytes(true, KINDS[i])).toBe(0);
  });
});
