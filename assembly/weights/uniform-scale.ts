/**
 * The last step of every matmul whose rows have one scale: turns exact i32 sums into f32, in place.
 *
 *   y[n][r] = f32(acc[n][r] - offset[n]) * f32(actScale[n] * rowScale[r])
 */

/** Zeroes the i32 sums of rows [rowBegin, rowEnd) of all n outputs. */
export function clearRows(y: usize, yStride: i32, n: i32, rowBegin: i32, rowEnd: i32): void {
  for (let i = 0; i < n; i++) {
    memory.fill(y + ((<usize>i * <usize>yStride + <usize>rowBegin) << 2), 0, (<usize>(rowEnd - rowBegin)) << 2);
  }
}

/**
 * Scales rows [rowBegin, rowEnd), multiples of 4, of all n outputs.
 * @param offset i32[n] subtracted from each sum, or 0 for none
 */
export function scaleRows(
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  rowScale: usize,
  actScale: usize,
  offset: usize,
): void {
  for (let i = 0; i < n; i++) {
    const a = v128.load32_splat(actScale + ((<usize>i) << 2));
    const c = i32x4.splat(offset != 0 ? load<i32>(offset + ((<usize>i) << 2)) : 0);
    let to = y + ((<usize>i * <usize>yStride + <usize>rowBegin) << 2);
    let scale = rowScale + ((<usize>rowBegin) << 2);
    const end = rowScale + ((<usize>rowEnd) << 2);
    for (; scale < end; scale += 16, to += 16) {
      const acc = f32x4.convert_i32x4_s(i32x4.sub(v128.load(to), c));
      v128.store(to, f32x4.mul(acc, f32x4.mul(a, v128.load(scale))));
    }
  }
}
