import { FLAG_PAIR_DOTS } from "../abi";
import { TERNARY_DOT, TERNARY_DOT_BLOCK } from "./matmul-case";
import { failingBatch, failingExtreme, failingNarrow, failingRange, failingShape } from "./matmul-cases";

describe("ternary dot, one scale a row", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_DOT)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_DOT)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_DOT)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_DOT)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_DOT)).toBe(0);
  });
});

describe("ternary dot, a scale a block", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_DOT_BLOCK)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_DOT_BLOCK)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_DOT_BLOCK)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_DOT_BLOCK)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_DOT_BLOCK)).toBe(0);
  });
});

describe("ternary dot by pairs, one scale a row", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_DOT, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_DOT, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_DOT, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_DOT, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_DOT, FLAG_PAIR_DOTS)).toBe(0);
  });
});

describe("ternary dot by pairs, a scale a block", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(TERNARY_DOT_BLOCK, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(TERNARY_DOT_BLOCK, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(TERNARY_DOT_BLOCK, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(TERNARY_DOT_BLOCK, FLAG_PAIR_DOTS)).toBe(0);
  });
  test("one block of 64 weights", () => {
    expect(failingNarrow(TERNARY_DOT_BLOCK, FLAG_PAIR_DOTS)).toBe(0);
  });
});
