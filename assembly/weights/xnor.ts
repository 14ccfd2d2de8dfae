/**
 * 1-bit weights × 1-bit activations (XNOR-Net, arXiv:1603.05279; BNN, arXiv:1602.02830). With bit 1 = +1 and 0 = -1,
 * a product is +1 where the bits agree, so
 *
 *   Σ w a = k - 2 popcount(w xor a)
 *
 *   w: bits (rows, kp), row-major, weight i in bit i & 7 of byte i >> 3; a: bits (n, kp) likewise; y: i32 (n, rows)
 *
 * Padding bits k..kp must be equal in both, so they do not differ.
 */
import { sumLanes4 } from "../simd";
import { XnorStep } from "../train/steps";

/** Rows summed at once, far apart, so memory is read in several streams. */
const STREAMS: i32 = 4;
/** 16-byte steps whose popcounts (8 at most a byte) add up in a byte: 31 * 8 = 248. */
const BYTE_STEPS: i32 = 31;

/** k is the true length, kp the padded one, a multiple of 128. Writes rows [rowBegin, rowEnd), multiples of 32. */
export function xnorMatmul(step: XnorStep, rowBegin: i32, rowEnd: i32): void {
  const w = step.weights,
    a = step.bits,
    y = step.y,
    n = step.n,
    yStride = step.rows;
  const rowBytes = <usize>(step.kp >> 3);
  const distance = (rowEnd - rowBegin) / STREAMS;
  const length = i32x4.splat(step.k);
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i++) {
      const differ = countDiffering4(
        w + <usize>r * rowBytes,
        <usize>distance * rowBytes,
        a + <usize>i * rowBytes,
        rowBytes,
      );
      const v = i32x4.sub(length, i32x4.shl(differ, 1));
      const to = y + ((<usize>i * <usize>yStride + <usize>r) << 2);
      const apart = (<usize>distance) << 2;
      v128.store_lane<i32>(to, v, 0);
      v128.store_lane<i32>(to + apart, v, 1);
      v128.store_lane<i32>(to + 2 * apart, v, 2);
      v128.store_lane<i32>(to + 3 * apart, v, 3);
    }
  }
}

/** popcount(w xor a) of four weight rows `step` bytes apart, one i32 lane each. */
function countDiffering4(w: usize, step: usize, a: usize, rowBytes: usize): v128 {
  let t0 = i32x4.splat(0),
    t1 = t0,
    t2 = t0,
    t3 = t0;
  const rowEnd = a + rowBytes;
  while (a < rowEnd) {
    let c0 = i8x16.splat(0),
      c1 = c0,
      c2 = c0,
      c3 = c0;
    for (const end = min(rowEnd, a + <usize>(16 * BYTE_STEPS)); a < end; a += 16, w += 16) {
      const x = v128.load(a);
      c0 = i8x16.add(c0, i8x16.popcnt(v128.xor(x, v128.load(w))));
      c1 = i8x16.add(c1, i8x16.popcnt(v128.xor(x, v128.load(w + step))));
      c2 = i8x16.add(c2, i8x16.popcnt(v128.xor(x, v128.load(w + 2 * step))));
      c3 = i8x16.add(c3, i8x16.popcnt(v128.xor(x, v128.load(w + 3 * step))));
    }
    t0 = addBytes(t0, c0);
    t1 = addBytes(t1, c1);
    t2 = addBytes(t2, c2);
    t3 = addBytes(t3, c3);
  }
  return sumLanes4(t0, t1, t2, t3);
}

function addBytes(total: v128, bytes: v128): v128 {
  return i32x4.add(total, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)));
}

/**
 * Signs of f32[k] as bits, 1 where x >= 0 (so both zeros are +1, as sign(0) = +1 in XNOR-Net) and 0 where x < 0 or NaN.
 * @param bits ceil(k / 128) * 16 bytes out; padding bits are 0
 */
export function packSigns(x: usize, bits: usize, k: i32): void {
  memory.fill(bits, 0, (<usize>((k + 127) >> 7)) << 4);
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 8 <= k; i += 8, x += 32) {
    const low = i32x4.bitmask(f32x4.ge(v128.load(x), zero));
    const high = i32x4.bitmask(f32x4.ge(v128.load(x, 16), zero));
    store<u8>(bits + <usize>(i >> 3), <u8>(low | (high << 4)));
  }
  for (; i < k; i++, x += 4) {
    if (load<f32>(x) >= 0) {
      const at = bits + <usize>(i >> 3);
      const bit = <u8>(i & 7);
      store<u8>(at, load<u8>(at) | (1 << bit));
    }
  }
}
