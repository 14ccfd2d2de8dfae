import { BINARY_TABLE, BINARY_TABLE_BLOCK } from "./matmul-case";
import { failingBatch, failingExtreme, failingRange, failingShape } from "./matmul-cases";

describe("binary table, one scale a row", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(BINARY_TABLE)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(BINARY_TABLE)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(BINARY_TABLE)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(BINARY_TABLE)).toBe(0);
  });
});

describe("binary table, a scale a block", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(BINARY_TABLE_BLOCK)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(BINARY_TABLE_BLOCK)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(BINARY_TABLE_BLOCK)).toBe(0);
  });
  test("any batch of activation rows", () => {
    expect(failingBatch(BINARY_TABLE_BLOCK)).toBe(0);
  });
});
