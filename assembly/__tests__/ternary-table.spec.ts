import { TERNARY_TABLE, TERNARY_TABLE_BLOCK } from "./matmul-case";
import { failingBatch, failingExtreme, failingNarrow, failingRange, failingShape } from "./matmul-cases";

describe("ternary table, one scale a row", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_TABLE)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_TABLE)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_TABLE)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_TABLE)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_TABLE)).toBe(0);
  });
});

describe("ternary table, a scale a block", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_TABLE_BLOCK)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_TABLE_BLOCK)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_TABLE_BLOCK)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_TABLE_BLOCK)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_TABLE_BLOCK)).toBe(0);
  });
});
