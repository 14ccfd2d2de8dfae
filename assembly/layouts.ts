// What each weight layout does: multiply, read one row, pack a tile. A layout is a case in each of the three, and a row
// of src/kernels/layouts.ts.
//
//   y (n, yStride) = activations (n, k) × Wᵀ, W (rows, k); rows of W are shared out in tiles of 32,
//   or those of a batch (step.ts)
import * as abi from "./abi";
import { TILE_ROWS } from "./abi";
import { paddedRows } from "./matmul-step";
import { isSharedByRows, ownInput, share } from "./step";
import { EmbedStep, MatmulStep } from "./steps";
import { ternaryTableMatmul, ternaryTableRow } from "./weights/ternary-table";
import { ternaryDotBlockMatmul, ternaryDotMatmul, ternaryDotRow } from "./weights/ternary-dot";
import { binaryTableMatmul, binaryTableRow } from "./weights/binary-table";
import { tableBlockMatmul } from "./weights/table-block-matmul";
import { denseRow } from "./weights/dense-row";
import { f32Matmul } from "./weights/dense-f32";
import { bf16Matmul, f16Matmul } from "./weights/dense-f16";
import { packBinaryTile } from "./weights/pack-binary";
import { packT2Rows } from "./weights/pack-t2";
import { packTernaryTile } from "./weights/pack-ternary";
import { q8_0Matmul } from "./weights/q8-0";
import { q4_0Matmul } from "./weights/q4-0";
import { q4KMatmul } from "./weights/q4-k";
import { q6KMatmul, q6KRow } from "./weights/q6-k";

export function matmul(step: MatmulStep, n: i32, scratch: usize, thread: i32, nThreads: i32): void {
  const rows = hasTiles(step.layout) ? paddedRows(step) : step.rows;
  if (hasTables(step.layout) && isSharedByRows(n, nThreads)) {
    const first = share(n, 2, thread, nThreads);
    multiply(step, first, first, share(n, 2, thread + 1, nThreads) - first, 0, rows, scratch);
  } else {
    const begin = share(rows, TILE_ROWS, thread, nThreads),
      end = share(rows, TILE_ROWS, thread + 1, nThreads);
    multiply(step, ownInput(step, n, thread), 0, n, begin, end, scratch);
  }
}

function hasTiles(layout: i32): bool {
  return layout >= abi.LAYOUT_TERNARY_TABLE;
}

function hasTables(layout: i32): bool {
  return hasTiles(layout) && layout != abi.LAYOUT_TERNARY_DOT && layout != abi.LAYOUT_TERNARY_DOT_BLOCK;
}

/** The parameters of every kernel: matmul-step.ts. */
function multiply(step: MatmulStep, input: usize, output: usize, n: i32, begin: i32, end: i32, scratch: usize): void {
  switch (step.layout) {
    case abi.LAYOUT_TERNARY_TABLE:
      ternaryTableMatmul(step, input, output, n, begin, end, scratch);
      break;
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      tableBlockMatmul(step, input, output, n, begin, end, scratch);
      break;
    case abi.LAYOUT_TERNARY_DOT:
      ternaryDotMatmul(step, input, output, n, begin, end, scratch);
      break;
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      ternaryDotBlockMatmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_BINARY_TABLE:
      binaryTableMatmul(step, input, output, n, begin, end, scratch);
      break;
    case abi.LAYOUT_F32:
      f32Matmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_F16:
      f16Matmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_BF16:
      bf16Matmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_Q8_0:
      q8_0Matmul(step, input, output, n, begin, end, scratch);
      break;
    case abi.LAYOUT_Q4_0:
      q4_0Matmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_Q4_K:
      q4KMatmul(step, input, output, n, begin, end);
      break;
    case abi.LAYOUT_Q6_K:
      q6KMatmul(step, input, output, n, begin, end);
      break;
    default:
      unreachable();
  }
}

/** One row of a matrix as f32, in any layout: a head tied to the embeddings is stored once. */
export function embedRow(step: EmbedStep, row: i32, out: usize): void {
  switch (step.layout) {
    case abi.LAYOUT_TERNARY_TABLE:
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
      ternaryTableRow(step, row, out);
      break;
    case abi.LAYOUT_TERNARY_DOT:
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      ternaryDotRow(step, row, out);
      break;
    case abi.LAYOUT_BINARY_TABLE:
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      binaryTableRow(step, row, out);
      break;
    case abi.LAYOUT_Q6_K:
      q6KRow(step.weights, row, step.k, out);
      break;
    default:
      denseRow(step.layout, step.weights + <usize>row * step.rowBytes, step.k, out);
  }
}

/**
 * Packs a tile of codes (u8 [32][codeStride]; 0, 1, 2 for -1, 0, +1, or 0, 1 for -1, +1) into the tensor at dst.
 * @param kp columns, padded for the layout
 */
export function packTile(
  layout: i32,
  codes: usize,
  codeStride: i32,
  dst: usize,
  tile: i32,
  nTiles: i32,
  kp: i32,
): void {
  switch (layout) {
    case abi.LAYOUT_TERNARY_TABLE:
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
      packTernaryTile(codes, codeStride, dst, tile, nTiles, kp);
      break;
    case abi.LAYOUT_TERNARY_DOT:
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      packT2Rows(codes, codeStride, dst, tile * TILE_ROWS, TILE_ROWS, kp);
      break;
    case abi.LAYOUT_BINARY_TABLE:
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      packBinaryTile(codes, codeStride, dst, tile, nTiles, kp);
      break;
    default:
      unreachable();
  }
}
