/**
 * 16 x 16 byte transpose through the destination, in two passes of four vectors, so that no pass needs more registers
 * than a machine has. Interleaving vectors i and i + 8 four times over transposes; a pass does two of the four.
 *
 * Pass 1 of quarter i takes input vectors i, i + 4, i + 8, i + 12. It leaves its four results where pass 2 of quarter e
 * finds vectors e, e + 4, e + 8, e + 12 of the intermediate matrix side by side, and writes its own four over them.
 */
import { interleaveHigh8, interleaveLow8 } from "../simd";

/** Pass 1 of quarter i (0..3). */
export function transposeBegin(to: usize, i: i32, a: v128, b: v128, c: v128, d: v128): void {
  const ac = interleaveLow8(a, c),
    AC = interleaveHigh8(a, c);
  const bd = interleaveLow8(b, d),
    BD = interleaveHigh8(b, d);
  const at = to + ((<usize>i) << 4);
  v128.store(at, interleaveLow8(ac, bd));
  v128.store(at, interleaveHigh8(ac, bd), 64);
  v128.store(at, interleaveLow8(AC, BD), 128);
  v128.store(at, interleaveHigh8(AC, BD), 192);
}

/** Pass 2, after pass 1 of all four quarters: the 256 bytes at `to` become the transposed matrix. */
export function transposeEnd(to: usize): void {
  for (const end = to + 256; to < end; to += 64) {
    const a = v128.load(to),
      b = v128.load(to, 16),
      c = v128.load(to, 32),
      d = v128.load(to, 48);
    const ac = interleaveLow8(a, c),
      AC = interleaveHigh8(a, c);
    const bd = interleaveLow8(b, d),
      BD = interleaveHigh8(b, d);
    v128.store(to, interleaveLow8(ac, bd));
    v128.store(to, interleaveHigh8(ac, bd), 16);
    v128.store(to, interleaveLow8(AC, BD), 32);
    v128.store(to, interleaveHigh8(AC, BD), 48);
  }
}

/** First row of tile byte p (low nibble; the high nibble holds this row + 16): even bytes 0..7, odd bytes 8..15. */
export function rowOfByte(p: i32): i32 {
  return (p >> 1) + ((p & 1) << 3);
}
