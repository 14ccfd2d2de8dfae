/**
 * Ternary weights with one scale a row x 8-bit activations, by lookup (tables.ts has the layout, table-matmul.ts the loop).
 *
 *   acc = Σ w q, exact;  y[n][r] = f32(acc) * f32(actScale[n] * rowScale[r])
 *
 * w: table layout of 2-weight groups, `rows` (a multiple of 32) x kp (a multiple of 64); tables of row n at
 * tables + n tableStride (bytes); rowScale f32[rows], actScale f32[n]; y f32 (n, yStride). Writes rows
 * [rowBegin, rowEnd), multiples of 32. scratch: 512 B private to the thread.
 */
import { tableMatmul } from "./table-matmul";

export { ternaryTableRow } from "./table-row";

export function ternaryTableMatmul(
  w: usize,
  rowScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  kp: i32,
  scratch: usize,
): void {
  const groups = kp >> 1;
  tableMatmul(w, rowScale, tables, tableStride, actScale, 0, y, yStride, n, rowBegin, rowEnd, rows, groups, scratch);
}
