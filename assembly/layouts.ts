// What each weight layout does: multiply, read one row, pack a tile. A layout is a case in each of the three, and a row
// of src/kernels/layouts.ts.
//
//   y (n, yStride) = activations (n, k) × Wᵀ, W (rows, k); rows of W are shared out in tiles of 32,
//   or those of a batch (step.ts)
import * as abi from "./abi";
import { TILE_ROWS } from "./abi";
import { isSharedByRows, ownInput, share } from "./step";
import { EmbedStep, MatmulStep } from "./steps";
import { ternaryTableMatmul, ternaryTableRow } from "./weights/ternary-table";
import { ternaryTableBlockMatmul } from "./weights/ternary-table-block";
import { ternaryDotBlockMatmul, ternaryDotMatmul, ternaryDotRow } from "./weights/ternary-dot";
import { binaryTableMatmul, binaryTableRow } from "./weights/binary-table";
import { binaryTableBlockMatmul } from "./weights/binary-table-block";
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
  if (step.layout >= abi.LAYOUT_TERNARY_TABLE) packed(step, n, scratch, thread, nThreads);
  else dense(step, n, thread, nThreads);
}

function hasTables(layout: i32): bool {
  return layout != abi.LAYOUT_TERNARY_DOT && layout != abi.LAYOUT_TERNARY_DOT_BLOCK;
}

function packed(step: MatmulStep, n: i32, scratch: usize, thread: i32, nThreads: i32): void {
  const layout = step.layout,
    w = step.weights,
    scale = step.scale,
    scaleBlock = step.scaleBlock,
    actStride = step.actStride,
    yStride = step.yStride,
    k = step.k;
  const rows = (step.rows + TILE_ROWS - 1) & ~(TILE_ROWS - 1);
  let begin = share(rows, TILE_ROWS, thread, nThreads),
    end = share(rows, TILE_ROWS, thread + 1, nThreads),
    first = ownInput(step, n, thread),
    y = step.y;
  if (hasTables(layout) && isSharedByRows(n, nThreads)) {
    first = share(n, 2, thread, nThreads);
    n = share(n, 2, thread + 1, nThreads) - <i32>first;
    begin = 0;
    end = rows;
    y += (first * yStride) << 2;
  }
  const act = step.act + first * step.actRowBytes,
    actScale = step.actScale + first * step.scaleRowBytes,
    actSum = step.actSum + first * step.scaleRowBytes;
  switch (layout) {
    case abi.LAYOUT_TERNARY_TABLE:
      ternaryTableMatmul(w, scale, act, actStride, actScale, y, yStride, n, begin, end, rows, k, scratch);
      break;
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
      ternaryTableBlockMatmul(
        w,
        scale,
        scaleBlock,
        act,
        actStride,
        actScale,
        y,
        yStride,
        n,
        begin,
        end,
        rows,
        k,
        scratch,
      );
      break;
    case abi.LAYOUT_TERNARY_DOT:
      ternaryDotMatmul(w, scale, act, actScale, actSum, y, yStride, n, begin, end, rows, k, scratch);
      break;
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      ternaryDotBlockMatmul(w, scale, scaleBlock, act, actScale, actSum, y, yStride, n, begin, end, rows, k, scratch);
      break;
    case abi.LAYOUT_BINARY_TABLE:
      binaryTableMatmul(w, scale, act, actStride, actScale, actSum, y, yStride, n, begin, end, rows, k, scratch);
      break;
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      binaryTableBlockMatmul(w, scale, act, actStride, actScale, actSum, y, yStride, n, begin, end, rows, k, scratch);
      break;
    default:
      unreachable();
  }
}

function dense(step: MatmulStep, n: i32, thread: i32, nThreads: i32): void {
  const own = ownInput(step, n, thread),
    w = step.weights,
    act = step.act + own * step.actRowBytes,
    actStride = step.actStride;
  const actScale = step.actScale + own * step.scaleRowBytes,
    actSum = step.actSum + own * step.scaleRowBytes;
  const y = step.y,
    yStride = step.yStride,
    rows = step.rows,
    k = step.k;
  const begin = share(rows, TILE_ROWS, thread, nThreads),
    end = share(rows, TILE_ROWS, thread + 1, nThreads);
  switch (step.layout) {
    case abi.LAYOUT_F32:
      f32Matmul(w, act, actStride, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_F16:
      f16Matmul(w, act, actStride, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_BF16:
      bf16Matmul(w, act, actStride, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_Q8_0:
      q8_0Matmul(w, act, actScale, actSum, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_Q4_0:
      q4_0Matmul(w, act, actScale, actSum, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_Q4_K:
      q4KMatmul(w, act, actScale, actSum, y, yStride, n, begin, end, rows, k);
      break;
    case abi.LAYOUT_Q6_K:
      q6KMatmul(w, act, actScale, y, yStride, n, begin, end, k);
      break;
    default:
      unreachable();
  }
}

/** One row of a matrix as f32, in any layout: a head tied to the embeddings is stored once. */
export function embedRow(step: EmbedStep, row: i32, out: usize): void {
  const layout = step.layout,
    w = step.weights,
    scale = step.scale,
    scaleBlock = step.scaleBlock,
    k = step.k,
    kp = step.kp;
  const nTiles = (step.rows + TILE_ROWS - 1) / TILE_ROWS;
  switch (layout) {
    case abi.LAYOUT_TERNARY_TABLE:
      ternaryTableRow(w, row, nTiles, kp, scale, 0, out, k);
      break;
    case abi.LAYOUT_TERNARY_TABLE_BLOCK:
      ternaryTableRow(w, row, nTiles, kp, scale, scaleBlock, out, k);
      break;
    case abi.LAYOUT_TERNARY_DOT:
      ternaryDotRow(w, row, kp, scale, 0, out, k);
      break;
    case abi.LAYOUT_TERNARY_DOT_BLOCK:
      ternaryDotRow(w, row, kp, scale, scaleBlock, out, k);
      break;
    case abi.LAYOUT_BINARY_TABLE:
      binaryTableRow(w, row, nTiles, kp, scale, 0, out, k);
      break;
    case abi.LAYOUT_BINARY_TABLE_BLOCK:
      binaryTableRow(w, row, nTiles, kp, scale, scaleBlock, out, k);
      break;
    case abi.LAYOUT_Q6_K:
      q6KRow(w, row, k, out);
      break;
    default:
      denseRow(layout, w + <usize>row * step.rowBytes, k, out);
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
