/**
 * Ternary weights with an f16 scale a block × int8 activations with a scale a block of 64, by dot products over layout
 * T2 (ternary-dot.ts).
 *
 *   y[n][r] = Σ over blocks b of 64, in order, of f32(Σ code q - actSum[n][b]) * f32(blockScale * actScale[n][b])
 */
import { activations, activationScales, activationSums, addsPairs, outputs } from "../matmul-step";
import { f16Scalar, f16ToF32, sumLanes4 } from "../simd";
import { MatmulStep } from "../steps";
import { CODE_MASK, dot64 } from "./ternary-codes";
import { dotCodes, storeFour } from "./ternary-dot-rows";
import { PAIR_MASKS, pairDot64 } from "./ternary-pair-dot";

/** Rows of activations that weights are unpacked for at once; fewer go one by one. */
const ROWS: i32 = 4;

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
  const isPairs = addsPairs(step);
  // Four distant rows at once; all activation rows pass over them while they are in the cache.
  const distance = (rowEnd - rowBegin) >> 2;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    let i = 0;
    for (; i + ROWS <= n; i += ROWS) {
      for (let s = 0; s < 4; s += 2) {
        if (isPairs) fours<i16>(step, input + i, output + i, r + s * distance, distance);
        else fours<i32>(step, input + i, output + i, r + s * distance, distance);
      }
    }
    for (; i < n; i++) dotOneRow(step, input + i, output + i, r, distance);
  }
}

/** Weight rows r + s distance, s = 0..3. */
function dotOneRow(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32): void {
  const rowBytes = <usize>(step.k >> 2),
    apart = (<usize>distance) << 2,
    to = outputs(step, output) + ((<usize>r) << 2);
  const acc = dotBlocks4(
    step.weights + <usize>r * rowBytes,
    <usize>distance * rowBytes,
    scalesOf(step, r),
    scalesOf(step, r + distance) - scalesOf(step, r),
    step.scaleBlock >> 6,
    activations(step, input),
    activationScales(step, input),
    activationSums(step, input),
    step.k >> 6,
    addsPairs(step),
  );
  v128.store_lane<f32>(to, acc, 0);
  v128.store_lane<f32>(to + apart, acc, 1);
  v128.store_lane<f32>(to + 2 * apart, acc, 2);
  v128.store_lane<f32>(to + 3 * apart, acc, 3);
}

function scalesOf(step: MatmulStep, r: i32): usize {
  return step.scale + ((<usize>(r * (step.k / step.scaleBlock))) << 1);
}

/**
 * Weight rows r and r + distance times four rows of activations, each a lane of a sum: 52 GMAC/s from memory, where one
 * row of activations after the other reaches 41 (Sapphire Rapids).
 */
function fours<S>(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32): void {
  const rowBytes = <usize>(step.k >> 2),
    apart = <usize>distance * rowBytes,
    stride = <usize>step.actRowBytes,
    scaleStride = <usize>step.scaleRowBytes,
    scaleBytes = <usize>(step.scaleBlock >> 2);
  const mask = v128.load(CODE_MASK);
  let w = step.weights + <usize>r * rowBytes,
    scaleA = scalesOf(step, r),
    scaleB = scalesOf(step, r + distance),
    actScale = activationScales(step, input),
    actSum = activationSums(step, input);
  // One pointer to the activations for each weight row, as in ternary-dot-rows.ts.
  let q = activations(step, input),
    again = q;
  let a = f32x4.splat(0),
    b = a;
  for (const end = w + rowBytes; w < end; scaleA += 2, scaleB += 2) {
    const factorA = f32x4.splat(f16Scalar(load<u16>(scaleA))),
      factorB = f32x4.splat(f16Scalar(load<u16>(scaleB)));
    for (const blockEnd = w + scaleBytes; w < blockEnd; w += 16, q += 64, again += 64, actScale += 4, actSum += 4) {
      const scales = fourApart(actScale, scaleStride),
        offsets = fourApart(actSum, scaleStride);
      let x = v128.load(w),
        u0 = v128.and(x, mask),
        u1 = v128.and(i16x8.shr_u(x, 2), mask),
        u2 = v128.and(i16x8.shr_u(x, 4), mask),
        u3 = v128.and(i16x8.shr_u(x, 6), mask);
      let sums = sumLanes4(
        dotCodes<S>(q, u0, u1, u2, u3),
        dotCodes<S>(q + stride, u0, u1, u2, u3),
        dotCodes<S>(q + 2 * stride, u0, u1, u2, u3),
        dotCodes<S>(q + 3 * stride, u0, u1, u2, u3),
      );
      a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(sums, offsets)), f32x4.mul(factorA, scales)));
      x = v128.load(w + apart);
      (u0 = v128.and(x, mask)), (u1 = v128.and(i16x8.shr_u(x, 2), mask));
      (u2 = v128.and(i16x8.shr_u(x, 4), mask)), (u3 = v128.and(i16x8.shr_u(x, 6), mask));
      sums = sumLanes4(
        dotCodes<S>(again, u0, u1, u2, u3),
        dotCodes<S>(again + stride, u0, u1, u2, u3),
        dotCodes<S>(again + 2 * stride, u0, u1, u2, u3),
        dotCodes<S>(again + 3 * stride, u0, u1, u2, u3),
      );
      b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(sums, offsets)), f32x4.mul(factorB, scales)));
    }
  }
  const y = outputs(step, output) + ((<usize>r) << 2),
    yBytes = (<usize>step.yStride) << 2;
  storeFour(a, y, yBytes, 3 * yBytes);
  storeFour(b, y + ((<usize>distance) << 2), yBytes, 3 * yBytes);
}

/** 32 bits at `at` and 1, 2 and 3 times `apart` bytes on. */
function fourApart(at: usize, apart: usize): v128 {
  const two = v128.load32_lane(at + apart, v128.load32_zero(at), 1);
  return v128.load32_lane(at + 3 * apart, v128.load32_lane(at + 2 * apart, two, 2), 3);
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
