/**
 * Binary weights (±1) with an f16 scale a block of 128 (Q1_0) x activations with a scale a block of 128, by lookup
 * (tables.ts has the layout, table-block-matmul.ts the loop and the order of the sums).
 *
 *   y[n][r] = Σ over blocks b of 128, in order, of f32(2 S - actSum[n][b]) * f32(blockScale * actScale[n][b])
 *
 * w: table layout of 4-weight groups, `rows` (a multiple of 32) x kp (a multiple of 128); blockScale u16 f16
 * [tile][kp / 128][32 rows]; tables of row n at tables + n tableStride (bytes), in the 4-group scheme (|q| <= 511) when
 * fourGroups is 1, else in the 8-group scheme (|q| <= 127); actScale f32[n][kp / 128], actSum i32[n][kp / 128];
 * y f32 (n, yStride). Writes rows [rowBegin, rowEnd), multiples of 32. scratch: 11 KB private to the thread.
 */
import { BINARY_4, BINARY_8, tableBlockMatmul } from "./table-block-matmul";

export function binaryTableBlockMatmul(
  w: usize,
  blockScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  actSum: usize,
  fourGroups: i32,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rows: i32,
  kp: i32,
  scratch: usize,
): void {
  tableBlockMatmul(
    w,
    blockScale,
    1,
    tables,
    tableStride,
    actScale,
    actSum,
    fourGroups != 0 ? BINARY_4 : BINARY_8,
    y,
    yStride,
    n,
    rowBegin,
    rowEnd,
    rows,
    kp >> 2,
    scratch,
  );
}
