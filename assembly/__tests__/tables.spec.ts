import { binaryTable, ternaryTable } from "../reference/tables";
import { buildBinaryTables4, buildBinaryTables8, buildTernaryTables } from "../weights/tables";
import { ALL_HIGH, ALL_LOW, differing, ENDS, fillActivations, Guarded, isGuard, RANDOM, Random } from "./fixtures";

const KINDS: StaticArray<i32> = [RANDOM, ALL_HIGH, ALL_LOW, ENDS];
const GROUPS: i32 = 45;

/** Builds groups [7, 40) of 45 and counts bytes that differ from the twin, or were written outside the range. */
function wrongBytes(scheme: i32, maxQ: i32, kind: i32): i32 {
  const weights = scheme == 0 ? 2 : 4;
  const random = new Random(<u32>(scheme * 10 + kind));
  const q = new Guarded(GROUPS * weights * 2);
  const table = new Guarded(GROUPS * 32);
  const twin = new Guarded(32);
  fillActivations(q.at, GROUPS * weights, maxQ, kind, random);
  if (scheme == 0) buildTernaryTables(q.at, table.at, 7, 40);
  if (scheme == 1) buildBinaryTables8(q.at, table.at, 7, 40);
  if (scheme == 2) buildBinaryTables4(q.at, table.at, 7, 40);
  let wrong = 0;
  for (let g = 0; g < GROUPS; g++) {
    const at = table.at + <usize>(g * 32);
    const from = q.at + <usize>(g * weights * 2);
    if (g < 7 || g >= 40) {
      if (!isGuard(at, 32)) wrong++;
    } else if (scheme == 0) {
      ternaryTable(from, twin.at);
      wrong += differing(at, twin.at, 9) + differing(at + 16, twin.at + 16, 9);
    } else {
      binaryTable(from, twin.at, scheme == 1 ? 5 : 6);
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
    for (let i = 0; i < KINDS.length; i++) expect(wrongBytes(0, 255, KINDS[i])).toBe(0);
  });
  test("binary, 8 groups to a byte sum, |q| <= 127", () => {
    for (let i = 0; i < KINDS.length; i++) expect(wrongBytes(1, 127, KINDS[i])).toBe(0);
  });
  test("binary, 4 groups to a byte sum, |q| <= 511", () => {
    for (let i = 0; i < KINDS.length; i++) expect(wrongBytes(2, 511, KINDS[i])).toBe(0);
  });
});
