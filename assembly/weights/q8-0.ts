/**
 * Q8_0 rows times activations.
 *
 *   block of 32 weights, 34 bytes:  | d f16 | 32 × i8 |        value = d · byte
 *
 * Eight rows at distance rows/8 take turns of 544 bytes: 9.5 GB/s from memory, against 4.2 with one row after another
 * (Sapphire Rapids). Order in f32: four lanes, lane j with weights 4j … 4j+3 of every 16, the blocks in turn, then the
 * lanes.
 */
import { sumFloats } from "../lanes";
import { activations, activationScales, outputs } from "../matmul-step";
import { f16Scalar } from "../simd";
import { MatmulStep } from "../steps";
import { MASKS, dotSigned } from "./dense-block";
import { multiplySet } from "./q8-0-rows";

const BLOCK: i32 = 32;
const BLOCK_BYTES: i32 = 34;
/** Distant weight rows of a set, and the blocks of a turn. */
const STREAMS: i32 = 8,
  TURN_BLOCKS: i32 = 16;
/** Rows of activations that weights are widened for at once, at most (q8-0-rows.ts). */
const ROWS: i32 = 4;

/**
 * y (n, yStride) for rows [rowBegin, rowEnd) of w (rows, k); activations as in dense-block.ts.
 * @param scratch Q8_0_SCRATCH_BYTES private to the thread
 */
export function q8_0Matmul(
  step: MatmulStep,
  input: usize,
  output: usize,
  n: i32,
  rowBegin: i32,
  rowEnd: i32,
  scratch: usize,
): void {
  const distance = (rowEnd - rowBegin + STREAMS - 1) / STREAMS,
    last = rowEnd - 1;
  for (let r = rowBegin; r < rowBegin + distance; r++) {
    for (let i = 0; i < n; i += ROWS) {
      const count = min(ROWS, n - i);
      if (count == 1) eightRows(step, input + i, output + i, r, distance, last);
      else multiplySet(step, input + i, output + i, count, r, distance, last, scratch);
    }
  }
}

/** multiplySet for one row of activations. */
function eightRows(step: MatmulStep, input: usize, output: usize, r: i32, distance: i32, last: i32): void {
  const nBlocks = step.k / BLOCK,
    y = outputs(step, output);
  let q = activations(step, input),
    scale = activationScales(step, input);
  const bytes = <usize>nBlocks * BLOCK_BYTES,
    r1 = min(r + distance, last),
    r2 = min(r + 2 * distance, last),
    r3 = min(r + 3 * distance, last);
  const r4 = min(r + 4 * distance, last),
    r5 = min(r + 5 * distance, last),
    r6 = min(r + 6 * distance, last),
    r7 = min(r + 7 * distance, last);
  let t0 = f32x4.splat(0),
    t1 = t0,
    t2 = t0,
    t3 = t0,
    t4 = t0,
    t5 = t0,
    t6 = t0,
    t7 = t0,
    at = step.weights;
  for (let left = nBlocks; left > 0; left -= TURN_BLOCKS) {
    const count = min(left, TURN_BLOCKS);
    (t0 = addBlocks(t0, at + <usize>r * bytes, q, scale, count)),
      (t1 = addBlocks(t1, at + <usize>r1 * bytes, q, scale, count));
    (t2 = addBlocks(t2, at + <usize>r2 * bytes, q, scale, count)),
      (t3 = addBlocks(t3, at + <usize>r3 * bytes, q, scale, count));
    (t4 = addBlocks(t4, at + <usize>r4 * bytes, q, scale, count)),
      (t5 = addBlocks(t5, at + <usize>r5 * bytes, q, scale, count));
    (t6 = addBlocks(t6, at + <usize>r6 * bytes, q, scale, count)),
      (t7 = addBlocks(t7, at + <usize>r7 * bytes, q, scale, count));
    (at += TURN_BLOCKS * BLOCK_BYTES), (q += TURN_BLOCKS * 64), (scale += TURN_BLOCKS * 4);
  }
  store<f32>(y + ((<usize>r) << 2), sumFloats(t0)),
    store<f32>(y + ((<usize>r1) << 2), sumFloats(t1)),
    store<f32>(y + ((<usize>r2) << 2), sumFloats(t2));
  store<f32>(y + ((<usize>r3) << 2), sumFloats(t3)),
    store<f32>(y + ((<usize>r4) << 2), sumFloats(t4)),
    store<f32>(y + ((<usize>r5) << 2), sumFloats(t5));
  store<f32>(y + ((<usize>r6) << 2), sumFloats(t6)), store<f32>(y + ((<usize>r7) << 2), sumFloats(t7));
}

function addBlocks(total: v128, w: usize, q: usize, scale: usize, count: i32): v128 {
  const odds = v128.load(MASKS, 48);
  for (; count > 0; count--, w += BLOCK_BYTES, q += 64, scale += 4) {
    const products = i32x4.add(dotSigned(v128.load(w, 2), q, odds), dotSigned(v128.load(w, 18), q + 32, odds));
    const factor = f32x4.splat(f16Scalar(load<u16>(w)) * load<f32>(scale));
    total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(products, 8)), factor));
  }
  return total;
}
