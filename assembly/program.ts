// The forward pass as data. A program is a flat list of steps in memory; `walk` runs them in order, each thread on its
// share of the work, with a barrier where a step asks for one. The host writes a program once a model; what changes
// from token to token (rows, position, which logits are wanted) is read from the run state.
//
//   step: | opcode | flags | field 0 | field 1 | … | field 21 |      24 words of 4 bytes, little endian
//
// A decoded token has one row, and steps that take a microsecond between barriers that take as long. So every thread has a
// residual stream of its own, in row `thread` of x, and norms and prepares from it, in row `thread`, what its matmuls read: of
// 15 barriers a layer 6 are left. With several rows these are shared out, and waited for.
//
// Every function below opens with the names of its fields in order.
import * as abi from "./abi";
import { barrier } from "./barrier";
import { float, hasFlag, isOwnRow, isSharedByRows, ownInput, ptr, share, word } from "./step";
import { TILE, matmul } from "./matmul";
import { embedRow } from "./embedding";
import { buildShortTables, shortBlocks } from "./weights/short-tables";
import { buildBinaryTables, buildTernaryTables } from "./weights/tables";
import { addBias, addScaled, layerNorm, rmsNorm, rmsNormHeads, scaleRow } from "./ops/norm";
import { quantizeBlocks, quantizeToken, quantizeTokenBlocks } from "./ops/quantize";
import { quantizeQ6K } from "./ops/quantize-q6-k";
import { ropeAdjacent, ropeHalf, ropeTable } from "./ops/rope";
import { attend, headPairs, storeKv } from "./ops/attention";
import { attendQ8, storeKvQ8 } from "./ops/attention-q8";
import { executeTrain } from "./train/program";
import { gateGelu, gateRelu2, gateSilu } from "./ops/activation";

export function walk(control: usize, program: usize, nSteps: i32, state: usize, thread: i32, nThreads: i32): void {
  const end = program + <usize>nSteps * abi.STEP_BYTES;
  for (let step = program; step < end; step += abi.STEP_BYTES) {
    const n = hasFlag(step, abi.FLAG_HEAD_ROWS) ? load<i32>(state, abi.STATE_HEAD_ROWS) : load<i32>(state, abi.STATE_ROWS);
    if (n > 0) execute(load<i32>(step), step, state, n, thread, nThreads);
    if (hasFlag(step, n > 1 ? abi.FLAG_BARRIER | abi.FLAG_BARRIER_BATCH : abi.FLAG_BARRIER)) barrier(control, nThreads);
  }
}

function execute(op: i32, step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  switch (op) {
    case abi.OP_EMBED: embed(step, n, thread, nThreads); break;
    case abi.OP_RMS_NORM:
    case abi.OP_LAYER_NORM: norm(op, step, state, n, thread, nThreads); break;
    case abi.OP_RMS_NORM_HEADS: normHeads(step, n, thread, nThreads); break;
    case abi.OP_QUANTIZE_TOKEN: tokenActivations(step, n, thread, nThreads); break;
    case abi.OP_QUANTIZE_BLOCKS: blockActivations(step, n, thread, nThreads); break;
    case abi.OP_QUANTIZE_Q6_K: q6KActivations(step, n, thread, nThreads); break;
    case abi.OP_TOKEN_BLOCKS: tokenBlocks(step, n, thread, nThreads); break;
    case abi.OP_TERNARY_TABLES:
    case abi.OP_BINARY_TABLES: tables(op, step, n, thread, nThreads); break;
    case abi.OP_SHORT_TABLES: shortTables(step, n, thread, nThreads); break;
    case abi.OP_MATMUL: matmul(step, n, scratch(state, thread), thread, nThreads); break;
    case abi.OP_ADD_BIAS: bias(step, n, thread, nThreads); break;
    case abi.OP_SCALE: scale(step, n, thread, nThreads); break;
    case abi.OP_ADD_SCALED: residual(step, n, thread, nThreads); break;
    case abi.OP_ROPE_TABLE: ropeTables(step, state, n, thread, nThreads); break;
    case abi.OP_ROPE_ADJACENT:
    case abi.OP_ROPE_HALF: rope(op, step, n, thread, nThreads); break;
    case abi.OP_STORE_KV:
    case abi.OP_STORE_KV_Q8: keep(op, step, state, n, thread, nThreads); break;
    case abi.OP_ATTEND:
    case abi.OP_ATTEND_Q8: attention(op, step, state, n, thread, nThreads); break;
    default:
      if (TRAIN && op >= abi.OP_TRAIN_FIRST) executeTrain(op, step, scratch(state, thread), thread, nThreads);
      else gate(op, step, n, thread, nThreads);
  }
}

function scratch(state: usize, thread: i32): usize {
  return <usize>load<u32>(state, abi.STATE_SCRATCH) + <usize>thread * <usize>load<u32>(state, abi.STATE_SCRATCH_STRIDE_BYTES);
}

// ids, layout, w, scale, scaleBlock, rows, k, kp, x, embeddingScale, rowBytes (dense layouts)
function embed(step: usize, n: i32, thread: i32, nThreads: i32): void {
  const k = word(step, 6), x = ptr(step, 8), scale = float(step, 9), end = rowEnd(step, n, thread, nThreads);
  const ids = ptr(step, 0) - (isOwnRow(step, n) ? <usize>thread << 2 : 0);
  for (let i = rowBegin(step, n, thread, nThreads); i < end; i++) {
    const out = x + ((<usize>i * k) << 2);
    embedRow(step, load<i32>(ids + (<usize>i << 2)), out);
    if (scale != 1.0) scaleRow(out, scale, 0, k);
  }
}

// x, xStride, w, y, yStride, dim, eps, b (layer norm)
function norm(op: i32, step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const xStride = word(step, 1), begin = rowBegin(step, n, thread, nThreads), end = rowEnd(step, n, thread, nThreads);
  // Of a batch one row may be wanted: that one all threads made together.
  let x = rowsOf(step, n, thread, load<i32>(state, abi.STATE_ROWS));
  if (hasFlag(step, abi.FLAG_HEAD_ROWS)) x += (<usize>load<i32>(state, abi.STATE_HEAD_ROW_BEGIN) * xStride) << 2;
  if (op == abi.OP_RMS_NORM) rmsNorm(x, xStride, ptr(step, 2), ptr(step, 3), word(step, 4), begin, end, word(step, 5), float(step, 6));
  else layerNorm(x, xStride, ptr(step, 2), ptr(step, 7), ptr(step, 3), word(step, 4), begin, end, word(step, 5), float(step, 6));
}

// Heads are shared out, so that their norm, their rotation and the cache's keys of a head are one thread's work, with no wait.

// x, xStride, w, nHeads, headDim, eps
function normHeads(step: usize, n: i32, thread: i32, nThreads: i32): void {
  const nHeads = word(step, 3), headDim = word(step, 4), begin = share(nHeads, 1, thread, nThreads), end = share(nHeads, 1, thread + 1, nThreads);
  rmsNormHeads(ptr(step, 0) + (<usize>(begin * headDim) << 2), word(step, 1), ptr(step, 2), 0, n, end - begin, headDim, float(step, 5));
}

// A step that may have a row for each thread makes rows [rowBegin, rowEnd) of its outputs.

function rowBegin(step: usize, n: i32, thread: i32, nThreads: i32): i32 { return isOwnRow(step, n) ? thread : share(n, 1, thread, nThreads); }
function rowEnd(step: usize, n: i32, thread: i32, nThreads: i32): i32 { return isOwnRow(step, n) ? thread + 1 : share(n, 1, thread + 1, nThreads); }

/** The address at which row `rowBegin` of the input is the row to be read: of nInput = 1 row, the only one or the thread's own. */
function rowsOf(step: usize, n: i32, thread: i32, nInput: i32): usize {
  return ptr(step, 0) - (isOwnRow(step, n) ? ((<usize>thread - ownInput(step, nInput, thread)) * word(step, 1)) << 2 : 0);
}

// x, xStride, q8 or 0, q16 or 0, scale, sum, k, kp, magnitudes
function tokenActivations(step: usize, n: i32, thread: i32, nThreads: i32): void {
  quantizeToken(rowsOf(step, n, thread, n), word(step, 1), ptr(step, 2), ptr(step, 3), ptr(step, 4), ptr(step, 5), rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads), word(step, 6), word(step, 7), word(step, 8));
}

// x, xStride, q16, scale, sum, k, kp, block, qmax, magnitudes
function blockActivations(step: usize, n: i32, thread: i32, nThreads: i32): void {
  quantizeBlocks(rowsOf(step, n, thread, n), word(step, 1), ptr(step, 2), ptr(step, 3), ptr(step, 4), rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads), word(step, 5), word(step, 6), word(step, 7), word(step, 8), word(step, 9));
}

// x, xStride, q, scale, k
function q6KActivations(step: usize, n: i32, thread: i32, nThreads: i32): void {
  quantizeQ6K(rowsOf(step, n, thread, n), word(step, 1), ptr(step, 2), ptr(step, 3), rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads), word(step, 4));
}

// scale, q16, blockScale, blockSum, kp, block, magnitudes
function tokenBlocks(step: usize, n: i32, thread: i32, nThreads: i32): void {
  quantizeTokenBlocks(ptr(step, 0), ptr(step, 1), ptr(step, 2), ptr(step, 3), rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads), word(step, 4), word(step, 5), word(step, 6));
}

// q16, kp, tables, tableStride, nGroups
function tables(op: i32, step: usize, n: i32, thread: i32, nThreads: i32): void {
  const nGroups = word(step, 4), whole = isOwnRow(step, n) || isSharedByRows(n, nThreads);
  const begin = whole ? 0 : share(nGroups, 8, thread, nThreads), end = whole ? nGroups : share(nGroups, 8, thread + 1, nThreads);
  for (let i = whole ? rowBegin(step, n, thread, nThreads) : 0, last = whole ? rowEnd(step, n, thread, nThreads) : n; i < last; i++) {
    const q = ptr(step, 0) + ((<usize>i * word(step, 1)) << 1), table = ptr(step, 2) + <usize>i * word(step, 3);
    if (op == abi.OP_TERNARY_TABLES) buildTernaryTables(q, table, begin, end);
    else buildBinaryTables(q, table, begin, end);
  }
}

// q16, kp, tables, tableStride, nGroups
function shortTables(step: usize, n: i32, thread: i32, nThreads: i32): void {
  const nGroups = word(step, 4), nBlocks = shortBlocks(nGroups), q = ptr(step, 0) + ((ownInput(step, n, thread) * word(step, 1)) << 1);
  const end = share(n * nBlocks, 1, thread + 1, nThreads);
  for (let item = share(n * nBlocks, 1, thread, nThreads); item < end; item++) {
    const i = item / nBlocks, block = item % nBlocks;
    buildShortTables(q + ((<usize>i * word(step, 1)) << 1), ptr(step, 2) + <usize>i * word(step, 3), nGroups, block, block + 1);
  }
}

// y, yStride, b, dim
function bias(step: usize, n: i32, thread: i32, nThreads: i32): void {
  addBias(ptr(step, 0), word(step, 1), ptr(step, 2), share(n, 1, thread, nThreads), share(n, 1, thread + 1, nThreads), word(step, 3));
}

// y, yStride, scale
function scale(step: usize, n: i32, thread: i32, nThreads: i32): void {
  const total = n * word(step, 1);
  scaleRow(ptr(step, 0), float(step, 2), share(total, 4, thread, nThreads), share(total, 4, thread + 1, nThreads));
}

// x, y, scale, dim, yStride            x (n, dim) += y (n, yStride) * scale
function residual(step: usize, n: i32, thread: i32, nThreads: i32): void {
  const dim = word(step, 3), own = isOwnRow(step, n), x = ptr(step, 0) + (own ? (<usize>thread * dim) << 2 : 0);
  const begin = own ? 0 : share(dim, 4, thread, nThreads), end = own ? dim : share(dim, 4, thread + 1, nThreads);
  for (let i = 0; i < n; i++) {
    addScaled(x + ((<usize>i * dim) << 2), ptr(step, 1) + ((<usize>i * word(step, 4)) << 2), float(step, 2), begin, end);
  }
}

// frequencies, nHalf, mscale, cos, sin
function ropeTables(step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const nHalf = word(step, 1), position = load<i32>(state, abi.STATE_POSITION), end = share(n, 1, thread + 1, nThreads);
  for (let i = share(n, 1, thread, nThreads); i < end; i++) {
    const at = (<usize>i * nHalf) << 2;
    ropeTable(ptr(step, 0), nHalf, position + i, float(step, 2), ptr(step, 3) + at, ptr(step, 4) + at);
  }
}

// x, xStride, cos, sin, nHeads, headDim, nRot
function rope(op: i32, step: usize, n: i32, thread: i32, nThreads: i32): void {
  const nHeads = word(step, 4), headDim = word(step, 5), begin = share(nHeads, 1, thread, nThreads), count = share(nHeads, 1, thread + 1, nThreads) - begin;
  const x = ptr(step, 0) + (<usize>(begin * headDim) << 2);
  if (op == abi.OP_ROPE_ADJACENT) ropeAdjacent(x, word(step, 1), ptr(step, 2), ptr(step, 3), 0, n, count, headDim, word(step, 6));
  else ropeHalf(x, word(step, 1), ptr(step, 2), ptr(step, 3), 0, n, count, headDim, word(step, 6));
}

// k, v, kvStride, kCache, vCache, nKvHeads, headDim, contextLength
function keep(op: i32, step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const nKvHeads = word(step, 5), begin = share(nKvHeads, 1, thread, nThreads), end = share(nKvHeads, 1, thread + 1, nThreads);
  const position = load<i32>(state, abi.STATE_POSITION);
  if (op == abi.OP_STORE_KV) storeKv(ptr(step, 0), ptr(step, 1), word(step, 2), ptr(step, 3), ptr(step, 4), position, n, nKvHeads, word(step, 6), word(step, 7), begin, end);
  else storeKvQ8(ptr(step, 0), ptr(step, 1), word(step, 2), ptr(step, 3), ptr(step, 4), position, n, nKvHeads, word(step, 6), word(step, 7), begin, end);
}

// q, qStride, kCache, vCache, out, outStride, nHeads, nKvHeads, headDim, contextLength, scale
function attention(op: i32, step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const items = n * word(step, 7) * headPairs(word(step, 6), word(step, 7)), begin = share(items, 1, thread, nThreads), end = share(items, 1, thread + 1, nThreads);
  const position = load<i32>(state, abi.STATE_POSITION), room = scratch(state, thread);
  if (op == abi.OP_ATTEND) attend(ptr(step, 0), word(step, 1), ptr(step, 2), ptr(step, 3), ptr(step, 4), word(step, 5), position, n, word(step, 6), word(step, 7), word(step, 8), word(step, 9), float(step, 10), begin, end, room);
  else attendQ8(ptr(step, 0), word(step, 1), ptr(step, 2), ptr(step, 3), ptr(step, 4), word(step, 5), position, n, word(step, 6), word(step, 7), word(step, 8), word(step, 9), float(step, 10), begin, end, room);
}

// gate, up, out, dim (padded row length of all three)            one row is shared out as by the matmuls before
function gate(op: i32, step: usize, n: i32, thread: i32, nThreads: i32): void {
  const total = n * word(step, 3), begin = share(total, TILE, thread, nThreads), end = share(total, TILE, thread + 1, nThreads);
  if (op == abi.OP_GATE_SILU) gateSilu(ptr(step, 0), ptr(step, 1), ptr(step, 2), begin, end);
  else if (op == abi.OP_GATE_RELU2) gateRelu2(ptr(step, 0), ptr(step, 1), ptr(step, 2), begin, end);
  else if (op == abi.OP_GATE_GELU) gateGelu(ptr(step, 0), ptr(step, 1), ptr(step, 2), begin, end);
  else unreachable();
}
