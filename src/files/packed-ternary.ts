/**
 * Ternary matrices as Hugging Face stores BitNet models: U8 [rows/4][columns], four codes a byte.
 *
 *     byte (p, c), bits 2q+1..2q = code of row q·(rows/4) + p, column c        code 0, 1, 2 = −1, 0, +1
 *
 * So each quarter of the rows has its own two bits, the first quarter the lowest. The scale is another tensor.
 * Source: huggingface/transformers `integrations/bitnet.py`.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

/**
 * Unpacks a whole matrix to one code (−1, 0, +1) an element, row by row.
 * @throws OnebitError `tensor/bad-data` when the sizes disagree or a code is 3
 */
export function unpackTernary(packed: Uint8Array, rows: number, columns: number): Int8Array {
  requireShape(packed.length, rows, columns);
  const quarter = packed.length;
  const codes = new Int8Array(rows * columns);
  for (let i = 0; i < quarter; i++) {
    const byte = packed[i]!;
    if ((byte & (byte >> 1) & 0x55) !== 0)
      fail("tensor/bad-data", `packed ternary weights: byte ${i} is ${byte}, which holds a code 3`);
    for (let q = 0; q < 4; q++) codes[q * quarter + i] = ((byte >> (2 * q)) & 3) - 1;
  }
  return codes;
}

/** Packs codes −1, 0, +1, the inverse of {@link unpackTernary}. */
export function packTernary(codes: Int8Array, rows: number, columns: number): Uint8Array {
  requireShape(codes.length / 4, rows, columns);
  const quarter = codes.length / 4;
  const packed = new Uint8Array(quarter);
  for (let i = 0; i < quarter; i++) {
    let byte = 0;
    for (let q = 0; q < 4; q++) {
      const code = codes[q * quarter + i]! + 1;
      if (code < 0 || code > 2) fail("tensor/bad-data", `packed ternary weights: code ${code - 1}, wanted −1, 0 or +1`);
      byte |= code << (2 * q);
    }
    packed[i] = byte;
  }
  return packed;
}

function requireShape(packedBytes: number, rows: number, columns: number): void {
  if (rows % 4 !== 0 || packedBytes !== (rows / 4) * columns) {
    fail(
      "tensor/bad-data",
      `packed ternary weights: ${packedBytes} bytes for ${rows} rows of ${columns}, wanted rows/4 · columns`,
    );
  }
}
