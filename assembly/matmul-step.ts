// What a thread's share of a matmul reads of its step. A kernel multiplies n rows of activations, from row `input` on,
// into as many rows of results, from row `output` on:
//
//   one row of a decoded token    input is the thread's own copy of it, output 0
//   a batch shared by rows        both are the first row of the thread's part
//   otherwise                     both are 0
//
//   y[output + i][r] = Σ activations[input + i] · weights[r],  0 ≤ i < n,  rowBegin ≤ r < rowEnd
import { FLAG_PAIR_DOTS, TILE_ROWS } from "./abi";
import { dotKeepsLanes } from "./simd";
import { hasFlag } from "./step";
import { MatmulStep } from "./steps";

/** Integers, tables or f32, as the layout's kernel wants them; rows are actRowBytes apart. */
export function activations(step: MatmulStep, input: usize): usize {
  return step.act + input * step.actRowBytes;
}

/** The scale of each row, or of each block of it. */
export function activationScales(step: MatmulStep, input: usize): usize {
  return step.actScale + input * step.scaleRowBytes;
}

/** The sum of each row, or of each block of it. */
export function activationSums(step: MatmulStep, input: usize): usize {
  return step.actSum + input * step.scaleRowBytes;
}

/** f32, rows yStride values apart. */
export function outputs(step: MatmulStep, output: usize): usize {
  return step.y + ((output * step.yStride) << 2);
}

/** Rows of weights in whole tiles, as low-bit layouts have them. */
export function paddedRows(step: MatmulStep): i32 {
  return (step.rows + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
}

/**
 * Whether dot products add pairs in 16 bits (weights/ternary-pair-dot.ts). The simd128 build never does: it has no
 * instruction for them, and carries no kernel that would be slower.
 */
export function addsPairs(step: MatmulStep): bool {
  return dotKeepsLanes() && hasFlag(step, FLAG_PAIR_DOTS);
}
