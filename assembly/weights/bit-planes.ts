/**
 * Binary weights (±1) × int8 activations as AND-popcount over bit planes, exact (bit-serial, as in DoReFa-Net,
 * arXiv:1606.06160). With q = Σ_p c_p 2^p bit_p(q), c_p = 1 but c_7 = -1 (two's complement), and bits b of the weights,
 *
 *   Σ w q = 2 Σ b q - Σ q,   Σ b q = Σ_p c_p 2^p popcount(b and plane_p)
 *
 *   w: bits (rows, kp), row-major, weight i in bit i & 7 of byte i >> 3
 *   planes: [n][kp / 128][8 planes] x 16 B, activation i of a block in bit i & 7 of byte i >> 3
 *   y: i32 (n, yStride), raw sums
 */
import { activations, activationSums, outputs } from "../matmul-step";
import { sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";

const STREAMS: i32 = 4;

/** kp is a multiple of 128, padding activations are 0. Writes rows [rowBegin, rowEnd), multiples of 32. */
export function bitPlaneMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
): void {
  const w = step.weights,
    kp = step.k,
    planes = activations(step, input),
    actSum = activationSums(step, input),
    y = outputs(step, output),
    yStride = step.yStride;
  const rowBytes = <usize>(kp >> 3);
  const distance = (rowEnd - rowBegin) / STREAMS;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i++) {
      const sums = planeSums4(
        w + <usize>r * rowBytes,
        <usize>distance * rowBytes,
        planes + <usize>i * <usize>kp,
        rowBytes,
      );
      const v = i32x4.sub(i32x4.shl(sums, 1), v128.load32_splat(actSum + ((<usize>i) << 2)));
      const to = y + ((<usize>i * <usize>yStride + <usize>r) << 2);
      const apart = (<usize>distance) << 2;
      v128.store_lane<i32>(to, v, 0);
      v128.store_lane<i32>(to + apart, v, 1);
      v128.store_lane<i32>(to + 2 * apart, v, 2);
      v128.store_lane<i32>(to + 3 * apart, v, 3);
    }
  }
}

/** Σ b q of four weight rows `step` bytes apart, one i32 lane each. */
function planeSums4(w: usize, step: usize, planes: usize, rowBytes: usize): v128 {
  let t0 = i32x4.splat(0),
    t1 = t0,
    t2 = t0,
    t3 = t0;
  for (const end = w + rowBytes; w < end; w += 16, planes += 128) {
    t0 = i32x4.add(t0, blockSum(v128.load(w), planes));
    t1 = i32x4.add(t1, blockSum(v128.load(w + step), planes));
    t2 = i32x4.add(t2, blockSum(v128.load(w + 2 * step), planes));
    t3 = i32x4.add(t3, blockSum(v128.load(w + 3 * step), planes));
  }
  return sumLanes4(t0, t1, t2, t3);
}

/** Four partial sums of one block of 128, by Horner's rule from the sign plane down: |lane| <= 16 * 128, in 16 bits. */
function blockSum(b: v128, planes: usize): v128 {
  let sum = i16x8.neg(countPairs(b, v128.load(planes, 112)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 96)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 80)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 64)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 48)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 32)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes, 16)));
  sum = i16x8.add(i16x8.shl(sum, 1), countPairs(b, v128.load(planes)));
  return i32x4.extadd_pairwise_i16x8_s(sum);
}

function countPairs(b: v128, plane: v128): v128 {
  return i16x8.extadd_pairwise_i8x16_u(i8x16.popcnt(v128.and(b, plane)));
}

/** Bit planes of i8[kp], kp a multiple of 128; kp bytes out. */
export function packPlanes(q: usize, planes: usize, kp: i32): void {
  for (const end = q + <usize>kp; q < end; q += 128, planes += 128) {
    for (let i: usize = 0; i < 8; i++) {
      let x = v128.load(q + (i << 4));
      // bitmask gathers the top bit of every byte; doubling brings up the next lower plane.
      for (let plane = 8; plane-- > 0; ) {
        store<u16>(planes + <usize>(plane << 4) + (i << 1), <u16>i8x16.bitmask(x));
        x = i8x16.add(x, x);
      }
    }
  }
}
