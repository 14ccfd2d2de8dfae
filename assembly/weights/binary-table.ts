/**
 * Binary weights (±1) with one scale a row x 8-bit activations, by lookup (tables.ts has the layout, table-matmul.ts
 * the loop). A table entry is the sum S of the activations under set bits, so Σ w q = 2 S - Σ q.
 *
 *   y[n][r] = f32(2 S - actSum[n]) * f32(actScale[n] * rowScale[r])
 *
 * w: table layout of 4-weight groups, `rows` (a multiple of 32) x kp (a multiple of 128); 8-group tables of row n at
 * tables + n tableStride (bytes); rowScale f32[rows], actScale f32[n], actSum i32[n]; y f32 (n, yStride). Writes rows
 * [rowBegin, rowEnd), multiples of 32. scratch: 512 B private to the thread.
 */
import { tableMatmul } from "./table-matmul";

export { binaryTableRow } from "./table-row";

export function binaryTableMatmul(
  w: usize,
  rowScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  actSum: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  kp: i32,
  scratch: usize,
): void {
  const groups = kp >> 2;
  tableMatmul(w, rowScale, tables, tableStride, actScale, actSum, y, yStride, n, rowBegin, rowEnd, rows, groups, scratch);
}
