import { BINARY_TABLE, BINARY_TABLE_BLOCK_4, BINARY_TABLE_BLOCK_8 } from "./matmul-case";
import { failingExtreme, failingRange, failingShape } from "./matmul-cases";

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
});

describe("binary table, a scale a block, 8 groups a byte", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(BINARY_TABLE_BLOCK_8)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(BINARY_TABLE_BLOCK_8)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(BINARY_TABLE_BLOCK_8)).toBe(0);
  });
});

describe("binary table, a scale a block, 4 groups a byte", () => {
  test("any number of tiles and k-blocks, one and several activation rows", () => {
    expect(failingShape(BINARY_TABLE_BLOCK_4)).toBe(0);
  });
  test("weights and activations at their ends", () => {
    expect(failingExtreme(BINARY_TABLE_BLOCK_4)).toBe(0);
  });
  test("any range of tiles, nothing outside it", () => {
    expect(failingRange(BINARY_TABLE_BLOCK_4)).toBe(0);
  });
});
