/** One row of a table layout (tables.ts) as numbers, for matrices that are both embedding and head. */
import { TILE_ROWS } from "../abi";
import { f16Scalar } from "../simd";
import { EmbedStep } from "../steps";
import { TABLE_GROUPS, tileOffset } from "./tables";

/** out f32[k]: w * scale, f32[rows] when scaleBlock is 0, else u16 f16 [tile][kp / scaleBlock][32 rows]. */
export function ternaryTableRow(step: EmbedStep, row: i32, out: usize): void {
  const w = step.weights,
    kp = step.kp,
    k = step.k,
    nTiles = (step.rows + TILE_ROWS - 1) / TILE_ROWS;
  for (let i = 0; i < k; i++) {
    const code = nibbleOf(w, row, i >> 1, nTiles, kp >> 1);
    const weight = ((i & 1) == 0 ? code / 3 : code % 3) - 1;
    store<f32>(out + ((<usize>i) << 2), <f32>weight * scaleOf(step.scale, step.scaleBlock, row, i, kp));
  }
}

/** ternaryTableRow for binary weights. */
export function binaryTableRow(step: EmbedStep, row: i32, out: usize): void {
  const w = step.weights,
    kp = step.kp,
    k = step.k,
    nTiles = (step.rows + TILE_ROWS - 1) / TILE_ROWS;
  for (let i = 0; i < k; i++) {
    const code = nibbleOf(w, row, i >> 2, nTiles, kp >> 2);
    const weight = ((code >> (i & 3)) & 1) * 2 - 1;
    store<f32>(out + ((<usize>i) << 2), <f32>weight * scaleOf(step.scale, step.scaleBlock, row, i, kp));
  }
}

/** The code of one group of one row. */
function nibbleOf(w: usize, row: i32, group: i32, nTiles: i32, groups: i32): i32 {
  const first = (group / TABLE_GROUPS) * TABLE_GROUPS;
  const tile = w + tileOffset(first, row / TILE_ROWS, nTiles, groups) + ((<usize>(group - first)) << 4);
  const byte = load<u8>(tile + <usize>(((row & 7) << 1) + ((row >> 3) & 1)));
  return (byte >> <u8>((row & 16) >> 2)) & 15;
}

function scaleOf(scale: usize, scaleBlock: i32, row: i32, i: i32, kp: i32): f32 {
  if (scaleBlock == 0) return load<f32>(scale + ((<usize>row) << 2));
  const block = (row / TILE_ROWS) * (kp / scaleBlock) + i / scaleBlock;
  return f16Scalar(load<u16>(scale + ((<usize>(block * TILE_ROWS) + <usize>(row & 31)) << 1)));
}
