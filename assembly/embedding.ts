// One row of the embedding table as f32, whatever its layout: a head tied to the embeddings is stored once.
import * as abi from "./abi";
import { EmbedStep } from "./steps";
import { denseRow } from "./weights/dense-row";
import { q6KRow } from "./weights/q6-k";
import { ternaryTableRow } from "./weights/ternary-table";
import { ternaryDotRow } from "./weights/ternary-dot";
import { binaryTableRow } from "./weights/binary-table";

const TILE: i32 = 32;

export function embedRow(step: EmbedStep, row: i32, out: usize): void {
  const layout = step.layout,
    w = step.weights,
    scale = step.scale,
    scaleBlock = step.scaleBlock,
    k = step.k,
    kp = step.kp;
  const nTiles = (step.rows + TILE - 1) / TILE;
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
