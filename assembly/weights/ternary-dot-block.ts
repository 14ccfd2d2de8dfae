/**
 * Ternary weights with an f16 scale a block × int8 activations with a scale a block of 64, by dot products over layout
 * T2 (ternary-dot.ts).
 *
 *   y[n][r] = Σ over blocks b of 64, in order, of f32(Σ code q - actSum[n][b]) * f32(blockScale * actScale[n][b])
 */
import { activations, activationScales, activationSums, addsPairs, outputs } from "../matmul-step";
import { f16ToF32, sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CODE_MASK, dot64 } from "./ternary-codes";
import { PAIR_MASKS, pairDot64 } from "./ternary-pair-dot";

/**
 * scale u16 f16 [rows][kp / scaleBlock], scaleBlock 64, 128 or 256 weights, rows a multiple of 32; activations
 * i8[n][kp], kp a multiple of 64 and of scaleBlock, their scales f32[n][kp / 64] and sums i32[n][kp / 64]. Writes rows
 * [rowBegin, rowEnd), multiples of 32.
 */
export function ternaryDotBlockMatmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
): void {
  const w = step.weights,
    kp = step.k,
    blockScale = step.scale,
    q = activations(step, input),
    actScale = activationScales(step, input),
    actSum = activationSums(step, input),
    y = outputs(step, output),
    yStride = step.yStride,
    isPairs = addsPairs(step);
  const nBlocks = kp >> 6;
  const blocksPerScale = step.scaleBlock >> 6;
  const rowScales = nBlocks / blocksPerScale;
  // Four distant rows at once; all activation rows pass over them while they are in the cache.
  const distance = (rowEnd - rowBegin) >> 2;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i++) {
      const block = (<usize>(i * nBlocks)) << 2;
      const acc = dotBlocks4(
        w + <usize>r * <usize>(kp >> 2),
        <usize>distance * <usize>(kp >> 2),
        blockScale + ((<usize>(r * rowScales)) << 1),
        (<usize>(distance * rowScales)) << 1,
        blocksPerScale,
        q + <usize>i * <usize>kp,
        actScale + block,
        actSum + block,
        nBlocks,
        isPairs,
      );
      const to = y + ((<usize>i * <usize>yStride + <usize>r) << 2);
      const apart = (<usize>distance) << 2;
      v128.store_lane<f32>(to, acc, 0);
      v128.store_lane<f32>(to + apart, acc, 1);
      v128.store_lane<f32>(to + 2 * apart, acc, 2);
      v128.store_lane<f32>(to + 3 * apart, acc, 3);
    }
  }
}

/** One activation row × four rows `step` bytes apart. */
function dotBlocks4(
  w: usize,
  step: usize,
  scales: usize,
  scaleStep: usize,
  blocksPerScale: i32,
  q: usize,
  actScale: usize,
  actSum: usize,
  nBlocks: i32,
  isPairs: bool,
): v128 {
  const mask = v128.load(CODE_MASK),
    next = v128.load(PAIR_MASKS, 16);
  const zero = i32x4.splat(0);
  let acc = f32x4.splat(0);
  for (let b = 0; b < nBlocks; ) {
    const scale = f16Rows4(scales, scaleStep);
    scales += 2;
    for (let i = 0; i < blocksPerScale; i++, b++, w += 16, q += 64, actScale += 4, actSum += 4) {
      const q0 = v128.load(q),
        q1 = v128.load(q, 16),
        q2 = v128.load(q, 32),
        q3 = v128.load(q, 48);
      const w0 = v128.load(w),
        w1 = v128.load(w + step),
        w2 = v128.load(w + 2 * step),
        w3 = v128.load(w + 3 * step);
      const sums = isPairs
        ? sumLanes4(
            pairDot64(w0, mask, next, q0, q1, q2, q3),
            pairDot64(w1, mask, next, q0, q1, q2, q3),
            pairDot64(w2, mask, next, q0, q1, q2, q3),
            pairDot64(w3, mask, next, q0, q1, q2, q3),
          )
        : sumLanes4(
            dot64(w0, mask, q0, q1, q2, q3, zero),
            dot64(w1, mask, q0, q1, q2, q3, zero),
            dot64(w2, mask, q0, q1, q2, q3, zero),
            dot64(w3, mask, q0, q1, q2, q3, zero),
          );
      const isum = f32x4.convert_i32x4_s(i32x4.sub(sums, v128.load32_splat(actSum)));
      acc = f32x4.add(acc, f32x4.mul(isum, f32x4.mul(scale, v128.load32_splat(actScale))));
    }
  }
  return acc;
}

/** The f16 at four addresses `step` bytes apart. */
function f16Rows4(at: usize, step: usize): v128 {
  let h = i32x4.splat(load<i16>(at));
  h = i32x4.replace_lane(h, 1, load<i16>(at + step));
  h = i32x4.replace_lane(h, 2, load<i16>(at + 2 * step));
  h = i32x4.replace_lane(h, 3, load<i16>(at + 3 * step));
  return f16ToF32(h);
}
