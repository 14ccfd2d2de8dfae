/**
 * Ternary weights with an f16 scale a block x activations with a scale a block of 64, by lookup (tables.ts has the
 * layout, table-block-matmul.ts the loop and the order of the sums).
 *
 *   y[n][r] = Σ over blocks b of 64, in order, of f32(Σ w q) * f32(blockScale * actScale[n][b])
 *
 * w: table layout of 2-weight groups, `rows` (a multiple of 32) x kp (a multiple of 64 and of scaleBlock);
 * blockScale u16 f16 [tile][kp / scaleBlock][32 rows], scaleBlock 64, 128 or 256 weights; tables of row n at
 * tables + n tableStride (bytes), of |q| <= 255; actScale f32[n][kp / 64]; y f32 (n, yStride). Writes rows
 * [rowBegin, rowEnd), multiples of 32. scratch: 22 KB private to the thread.
 */
import { tableBlockMatmul, TERNARY } from "./table-block-matmul";

export function ternaryTableBlockMatmul(
  w: usize,
  blockScale: usize,
  scaleBlock: i32,
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
  tableBlockMatmul(
    w,
    blockScale,
    scaleBlock >> 6,
    tables,
    tableStride,
    actScale,
    0,
    TERNARY,
    y,
    yStride,
    n,
    rowBegin,
    rowEnd,
    rows,
    kp >> 1,
    scratch,
  );
}
