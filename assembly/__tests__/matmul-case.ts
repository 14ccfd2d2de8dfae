/** One matmul case of any ternary or binary kernel against its scalar twin, bit for bit, guards included. */
import {
  BINARY_TABLE_SCRATCH_BYTES,
  BLOCK_TABLE_SCRATCH_BYTES,
  LAYOUT_TERNARY_TABLE,
  PANEL_SCRATCH_BYTES,
  TERNARY_TABLE_SCRATCH_BYTES,
} from "../abi";
import { packBinaryTable, packT2, packTernaryTable } from "../reference/layouts";
import { BINARY, blockMatmul, TERNARY, uniformMatmul } from "../reference/weights";
import { MatmulStep } from "../steps";
import { binaryTableMatmul } from "../weights/binary-table";
import { buildShortTables, SHORT_BLOCK_BYTES, shortBlocks } from "../weights/short-tables";
import { tableBlockMatmul } from "../weights/table-block-matmul";
import { buildBinaryTables, buildTernaryTables } from "../weights/tables";
import { ternaryDotBlockMatmul, ternaryDotMatmul } from "../weights/ternary-dot";
import { ternaryTableMatmul } from "../weights/ternary-table";
import {
  differing,
  fillActivations,
  fillCodes,
  freeStep,
  Guarded,
  INPUT,
  newStep,
  OUTPUT,
  Random,
  shiftRows,
} from "./fixtures";

/** In the order of their layouts' ids. */
export const TERNARY_TABLE: i32 = 0;
export const TERNARY_TABLE_BLOCK: i32 = 1;
export const TERNARY_DOT: i32 = 2;
export const TERNARY_DOT_BLOCK: i32 = 3;
export const BINARY_TABLE: i32 = 4;
export const BINARY_TABLE_BLOCK: i32 = 5;

/** The largest |q| for which a kernel promises exact results. */
const MAX_Q: StaticArray<i32> = [127, 255, 127, 127, 255, 255];
/** Scratch of each kernel, and the extra per row of activations. */
const SCRATCH_BYTES: StaticArray<i32> = [
  TERNARY_TABLE_SCRATCH_BYTES,
  BLOCK_TABLE_SCRATCH_BYTES,
  PANEL_SCRATCH_BYTES,
  0,
  BINARY_TABLE_SCRATCH_BYTES,
  BLOCK_TABLE_SCRATCH_BYTES,
];
const SCRATCH_ROW_BYTES: StaticArray<i32> = [4, 0, 0, 0, 0, 0];

export class Case {
  /** Tiles of 32 rows of the tensor; rows [32 tileBegin, 32 tileEnd) are computed. */
  tiles: i32 = 1;
  tileBegin: i32 = 0;
  tileEnd: i32 = 1;
  kp: i32 = 64;
  n: i32 = 1;
  scaleBlock: i32 = 64;
  weightKind: i32 = 0;
  actKind: i32 = 0;
  seed: u32 = 1;
  /** Of the step. */
  flags: i32 = 0;
}

/** Bytes of y that differ from the twin's, pad and untouched rows included, plus 1 a buffer written outside. */
export function wrongBytes(kernel: i32, c: Case): i32 {
  const random = new Random(c.seed);
  const binary = kernel >= BINARY_TABLE;
  const rows = c.tiles * 32,
    kp = c.kp,
    n = c.n;
  const codes = new Guarded(rows * kp),
    w = new Guarded((rows * kp) / (binary ? 8 : 4));
  const q = new Guarded(n * kp * 2),
    q8 = new Guarded(n * kp),
    scratch = new Guarded(SCRATCH_BYTES[kernel] + n * SCRATCH_ROW_BYTES[kernel]);
  fillCodes(codes.at, rows * kp, binary ? 1 : 2, c.weightKind, random);
  fillActivations(q.at, n * kp, MAX_Q[kernel], c.actKind, random);
  for (let i = 0; i < n * kp; i++) store<i8>(q8.at + <usize>i, <i8>load<i16>(q.at + ((<usize>i) << 1)));
  pack(kernel, codes.at, w.at, rows, kp);
  const tableStride =
    kernel == TERNARY_TABLE ? shortBlocks(kp / 2) * SHORT_BLOCK_BYTES : (kp / (binary ? 4 : 2)) * 32 + 64;
  const tables = new Guarded(n * tableStride);
  buildTables(kernel, q.at, tables.at, tableStride, n, kp);
  const yStride = rows + 8;
  const y = new Guarded(n * yStride * 4),
    twin = new Guarded(n * yStride * 4);
  compute(kernel, c, random, codes.at, w.at, q.at, q8.at, tables.at, tableStride, scratch.at, y.at, twin.at, yStride);
  let wrong = differing(y.at, twin.at, n * yStride * 4);
  if (!y.intact()) wrong++;
  if (!scratch.intact()) wrong++;
  if (!w.intact()) wrong++;
  y.free(), twin.free(), codes.free(), w.free(), q.free(), q8.free(), scratch.free(), tables.free();
  return wrong;
}

function pack(kernel: i32, codes: usize, w: usize, rows: i32, kp: i32): void {
  if (kernel >= BINARY_TABLE) packBinaryTable(codes, w, rows, kp);
  else if (kernel >= TERNARY_DOT) packT2(codes, w, rows, kp);
  else packTernaryTable(codes, w, rows, kp);
}

function buildTables(kernel: i32, q: usize, tables: usize, stride: i32, n: i32, kp: i32): void {
  for (let i = 0; i < n; i++) {
    const from = q + ((<usize>(i * kp)) << 1);
    const to = tables + <usize>(i * stride);
    if (kernel == TERNARY_TABLE) buildShortTables(from, to, kp / 2, 0, shortBlocks(kp / 2));
    if (kernel == TERNARY_TABLE_BLOCK) buildTernaryTables(from, to, 0, kp / 2);
    if (kernel >= BINARY_TABLE) buildBinaryTables(from, to, 0, kp / 4);
  }
}

/** Runs the kernel into y and its twin into `twin`, with random scales and the right activation sums. */
function compute(
  kernel: i32,
  c: Case,
  random: Random,
  codes: usize,
  w: usize,
  q: usize,
  q8: usize,
  tables: usize,
  tableStride: i32,
  scratch: usize,
  y: usize,
  twin: usize,
  yStride: i32,
): void {
  const binary = kernel >= BINARY_TABLE;
  const kind = binary ? BINARY : TERNARY;
  const rows = c.tiles * 32,
    kp = c.kp,
    n = c.n,
    begin = c.tileBegin * 32,
    end = c.tileEnd * 32;
  const uniform = kernel == TERNARY_TABLE || kernel == TERNARY_DOT || kernel == BINARY_TABLE;
  const actBlock = uniform ? kp : binary ? 128 : 64;
  const nBlocks = kp / actBlock;
  const scaleBlock = binary ? 128 : c.scaleBlock;
  const rowScale = heap.alloc(rows * 4),
    blockScale = heap.alloc(rows * (kp / scaleBlock + 1) * 2);
  const actScale = heap.alloc(n * nBlocks * 4),
    actSum = heap.alloc(n * nBlocks * 4);
  for (let i = 0; i < rows; i++) store<f32>(rowScale + ((<usize>i) << 2), random.signed());
  for (let i = 0; i < rows * (kp / scaleBlock); i++) store<u16>(blockScale + ((<usize>i) << 1), random.f16());
  for (let i = 0; i < n * nBlocks; i++) {
    let sum = 0;
    for (let j = 0; j < actBlock; j++) {
      const activation = <i32>load<i16>(q + ((<usize>(i * actBlock + j)) << 1));
      sum += binary ? abs(activation) : activation;
    }
    store<i32>(actSum + ((<usize>i) << 2), sum);
    store<f32>(actScale + ((<usize>i) << 2), random.signed());
  }
  if (uniform) uniformMatmul(kind, codes, rowScale, q, actScale, twin, yStride, n, begin, end, kp);
  else
    blockMatmul(
      kind,
      codes,
      blockScale,
      scaleBlock,
      kernel != TERNARY_DOT_BLOCK,
      q,
      actScale,
      actBlock,
      twin,
      yStride,
      n,
      begin,
      end,
      kp,
    );
  const step = newStep<MatmulStep>(),
    dot = kernel == TERNARY_DOT || kernel == TERNARY_DOT_BLOCK;
  step.flags = c.flags;
  step.layout = LAYOUT_TERNARY_TABLE + kernel;
  step.weights = w;
  step.scale = uniform ? rowScale : blockScale;
  step.scaleBlock = uniform ? 0 : scaleBlock;
  step.act = dot ? q8 : tables;
  step.actRowBytes = dot ? kp : tableStride;
  step.actScale = actScale;
  step.actSum = actSum;
  step.scaleRowBytes = 4 * nBlocks;
  step.y = y;
  step.yStride = yStride;
  step.rows = rows;
  step.k = kp;
  shiftRows(step);
  multiply(kernel, step, n, begin, end, scratch);
  freeStep(step);
  heap.free(rowScale), heap.free(blockScale), heap.free(actScale), heap.free(actSum);
}

/** Runs the kernel from INPUT and OUTPUT on. */
function multiply(kernel: i32, step: MatmulStep, n: i32, begin: i32, end: i32, scratch: usize): void {
  if (kernel == TERNARY_TABLE) ternaryTableMatmul(step, INPUT, OUTPUT, n, begin, end, scratch);
  else if (kernel == TERNARY_DOT) ternaryDotMatmul(step, INPUT, OUTPUT, n, begin, end, scratch);
  else if (kernel == TERNARY_DOT_BLOCK) ternaryDotBlockMatmul(step, INPUT, OUTPUT, n, begin, end);
  else if (kernel == BINARY_TABLE) binaryTableMatmul(step, INPUT, OUTPUT, n, begin, end, scratch);
  else tableBlockMatmul(step, INPUT, OUTPUT, n, begin, end, scratch);
}
