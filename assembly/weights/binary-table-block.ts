/**
 * Binary weights (±1) with an f16 scale a block of 128 (Q1_0) x activations with a scale a block of 128, by lookup
 * (tables.ts has the layout, table-block-matmul.ts the loop and the order of the sums).
 *
 *   y[n][r] = Σ over blocks b of 128, in order, of f32(2 S - mass[n][b]) * f32(blockScale * actScale[n][b])
 *
 * w: table layout of 4-weight groups, `rows` (a multiple of 32) x kp (a multiple of 128); blockScale u16 f16
 * [tile][kp / 128][32 rows]; tables of row n (|q| <= 255) at tables + n tableStride (bytes); actScale f32[n][kp / 128],
 * mass i32[n][kp / 128], the sums of |q|; y f32 (n, yStride). Writes rows [rowBegin, rowEnd), multiples of 32.
 * scratch: 22 KB private to the thread.
 */
import { BINARY, tableBlockMatmul } from "./table-block-matmul";

export function binaryTableBlockMatmul(
  w: usize,
  blockScale: usize,
  tables: usize,
  tableStride: i32,
  actScale: usize,
  mass: usize,
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
    mass,
    BINARY,
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
