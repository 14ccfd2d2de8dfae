/**
 * Activations for Q6_K weights: one scale a block of 256, integers in ±2047, in the order of weights/q6-k.ts.
 *
 *   64 activations, 4 groups of 16, in 144 bytes:  | −32 Σ q, i32 a group | vector v, v = 0..3: 32 bytes |
 *     number 4g + j of vector v is activation 16g + 4v + j
 *     relaxed   q >> 4 as i8 | q & 15 as i8
 *     simd128   numbers of j 0 and 2 as i16 | of j 1 and 3
 *
 * The blocks' scales and the rounding are those of quantize.ts.
 */
import { Q6_K_ACTIVATION_BYTES as GROUPS_BYTES, Q6_K_BLOCK as BLOCK } from "../abi";
import { dotKeepsLanes, sumLanes4 } from "../simd";
import { inputRow } from "../step";
import { QuantizeQ6KStep } from "../steps";
import { absmaxRow, eightIntegers } from "./quantize";

const Q_MAX: i32 = 2047;

/**
 * Rows of x from `input` on, f32, k a multiple of 256, to rows [rowBegin, rowEnd) of q (rows, k) in 144 bytes per 64,
 * and of scale, f32 (rows, k / 256).
 */
export function quantizeQ6K(step: QuantizeQ6KStep, input: i32, rowBegin: i32, rowEnd: i32): void {
  const nBlocks = step.k / BLOCK,
    q = step.q,
    scale = step.scale;
  for (let row = rowBegin; row < rowEnd; row++, input++) {
    for (let b = 0; b < nBlocks; b++) {
      const block = row * nBlocks + b,
        values = inputRow(step, input) + ((<usize>(b * BLOCK)) << 2);
      const most = absmaxRow(values, BLOCK),
        factor = f32x4.splat(most == 0 ? 0 : <f32>Q_MAX / most);
      store<f32>(scale + ((<usize>block) << 2), most / <f32>Q_MAX);
      for (let chunk = 0; chunk < 4; chunk++)
        quantizeChunk(values + ((<usize>chunk) << 8), factor, q + <usize>(4 * block + chunk) * GROUPS_BYTES);
    }
  }
}

function quantizeChunk(x: usize, factor: v128, to: usize): void {
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (let half = 0; half < 2; half++) {
    const g0 = clipped(x, 8 * half, factor),
      g1 = clipped(x, 16 + 8 * half, factor),
      g2 = clipped(x, 32 + 8 * half, factor),
      g3 = clipped(x, 48 + 8 * half, factor);
    (s0 = addPairs(s0, g0)), (s1 = addPairs(s1, g1)), (s2 = addPairs(s2, g2)), (s3 = addPairs(s3, g3));
    const vector = to + 16 + ((<usize>half) << 6);
    storeVector(vector, i64x2.shuffle(g0, g1, 0, 2), i64x2.shuffle(g2, g3, 0, 2));
    storeVector(vector + 32, i64x2.shuffle(g0, g1, 1, 3), i64x2.shuffle(g2, g3, 1, 3));
  }
  v128.store(to, i32x4.neg(i32x4.shl(sumLanes4(s0, s1, s2, s3), 5)));
}

function clipped(x: usize, i: i32, factor: v128): v128 {
  return i16x8.max_s(
    i16x8.min_s(eightIntegers(x, i, BLOCK, factor), i16x8.splat(<i16>Q_MAX)),
    i16x8.splat(<i16>-Q_MAX),
  );
}

function addPairs(sums: v128, q: v128): v128 {
  return i32x4.add(sums, i32x4.dot_i16x8_s(q, i16x8.splat(1)));
}

/** Four activations of groups 0 and 1, four of groups 2 and 3. */
function storeVector(to: usize, first: v128, second: v128): void {
  if (dotKeepsLanes()) {
    const low = i16x8.splat(15);
    v128.store(to, i8x16.narrow_i16x8_s(i16x8.shr_s(first, 4), i16x8.shr_s(second, 4)));
    v128.store(to, i8x16.narrow_i16x8_s(v128.and(first, low), v128.and(second, low)), 16);
  } else {
    v128.store(to, i16x8.shuffle(first, second, 0, 2, 4, 6, 8, 10, 12, 14));
    v128.store(to, i16x8.shuffle(first, second, 1, 3, 5, 7, 9, 11, 13, 15), 16);
  }
}
