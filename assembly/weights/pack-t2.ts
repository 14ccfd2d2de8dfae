/**
 * Codes → layout T2: row-major, 64 weights in 16 B: byte i, bits 2j..2j+1 = code of weight 64 b + 16 j + i.
 * @param codes u8 [nRows][codeStride], 0..2
 * @param dst the tensor; rows [row, row + nRows) of kp / 4 bytes are written, kp a multiple of 64
 */
export function packT2Rows(codes: usize, codeStride: i32, dst: usize, row: i32, nRows: i32, kp: i32): void {
  for (let r = 0; r < nRows; r++) {
    let from = codes + <usize>r * <usize>codeStride;
    let to = dst + <usize>(row + r) * <usize>(kp >> 2);
    for (const end = from + <usize>kp; from < end; from += 64, to += 16) {
      const low = v128.or(v128.load(from), i16x8.shl(v128.load(from, 16), 2));
      const high = v128.or(v128.load(from, 32), i16x8.shl(v128.load(from, 48), 2));
      v128.store(to, v128.or(low, i16x8.shl(high, 4)));
    }
  }
}
