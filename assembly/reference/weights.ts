/**
 * Scalar twins of every ternary and binary matmul: weights as codes u8 (rows, kp), activations as i16 (n, kp), one
 * weight after another in the order the kernels promise. A code c means c - 1 (ternary) or 2 c - 1 (binary).
 */

export const TERNARY: i32 = 1;
export const BINARY: i32 = 2;

/** y[n][r] = f32(Σ w q) * f32(actScale[n] * rowScale[r]). */
export function uniformMatmul(
  kind: i32,
  codes: usize,
  rowScale: usize,
  q: usize,
  actScale: usize,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  kp: i32,
): void {
  for (let i = 0; i < n; i++) {
    for (let r = rowBegin; r < rowEnd; r++) {
      const acc = dot(kind, codes + <usize>(r * kp), q + ((<usize>(i * kp)) << 1), kp);
      const scale: f32 = load<f32>(actScale + ((<usize>i) << 2)) * load<f32>(rowScale + ((<usize>r) << 2));
      store<f32>(y + ((<usize>(i * yStride + r)) << 2), <f32>acc * scale);
    }
  }
}

/**
 * y[n][r] = the sum over activation blocks b, in order, of f32(Σ w q) * f32(blockScale * actScale[n][b]).
 * @param blockScale u16 f16, [tile][kp / scaleBlock][32 rows] when tiled, else [row][kp / scaleBlock]
 * @param actScale f32[n][kp / actBlock]
 */
export function blockMatmul(
  kind: i32,
  codes: usize,
  blockScale: usize,
  scaleBlock: i32,
  tiled: bool,
  q: usize,
  actScale: usize,
  actBlock: i32,
  y: usize,
  yStride: i32,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  kp: i32,
): void {
  const nBlocks = kp / actBlock;
  for (let i = 0; i < n; i++) {
    for (let r = rowBegin; r < rowEnd; r++) {
      let acc: f32 = 0;
      for (let b = 0; b < nBlocks; b++) {
        const k = b * actBlock;
        const isum = dot(kind, codes + <usize>(r * kp + k), q + ((<usize>(i * kp + k)) << 1), actBlock);
        const at = blockScale + ((<usize>scaleIndex(r, k / scaleBlock, kp / scaleBlock, tiled)) << 1);
        const scale: f32 = f16ToNumber(load<u16>(at)) * load<f32>(actScale + ((<usize>(i * nBlocks + b)) << 2));
        acc = acc + <f32>isum * scale;
      }
      store<f32>(y + ((<usize>(i * yStride + r)) << 2), acc);
    }
  }
}

/** Index of the scale of (row, scale block): [tile][block][32 rows], or [row][block]. */
export function scaleIndex(row: i32, block: i32, nBlocks: i32, tiled: bool): i32 {
  return tiled ? ((row >> 5) * nBlocks + block) * 32 + (row & 31) : row * nBlocks + block;
}

/** Σ w q of n weights. */
export function dot(kind: i32, codes: usize, q: usize, n: i32): i32 {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    sum += weightOf(kind, load<u8>(codes + <usize>i)) * <i32>load<i16>(q + ((<usize>i) << 1));
  }
  return sum;
}

export function weightOf(kind: i32, code: u8): i32 {
  return kind == BINARY ? 2 * <i32>code - 1 : <i32>code - 1;
}

/** A finite f16 by its definition, in f64. */
export function f16ToNumber(h: u16): f32 {
  const exponent = <i32>((h >> 10) & 31);
  const fraction = <f64>(h & 1023) / 1024 + (exponent > 0 ? 1 : 0);
  const power = reinterpret<f64>((<u64>(max(exponent, 1) - 15 + 1023)) << 52);
  return <f32>((h & 0x8000) != 0 ? -fraction * power : fraction * power);
}
