/**
 * The steps of training, for the program of program.ts. A step names all its sizes; every function opens with the names
 * of its fields in order. Work is shared out so that each sum has one owner: the bits do not depend on the threads.
 */
import * as abi from "../abi";
import { layerNorm, rmsNorm } from "../ops/norm";
import { float, ptr, share, word } from "../step";
import { activate, activateBackward, gate, gateBackward } from "./activation-backward";
import { attendSequences } from "./attention";
import { attendSequencesBackward } from "./attention-backward";
import { crossEntropy, crossEntropyBackward, sumLosses } from "./cross-entropy";
import { matmulCodes } from "./matmul-codes";
import { matmulF32 } from "./matmul-f32";
import { layerNormRows, normColumns, rmsNormRows } from "./norm-backward";
import { adamW, sumSquares } from "./optimizer";
import { passInsideClip, quantizeRows1, quantizeRows8, quantizeWeights, sumWeights, widenRows } from "./quantize";
import { addArrays, dropout, embedRows, embedRowsBackward, hash, rotateRows, sumRows } from "./rows";
import { signBits, signCodes, xnorScaled } from "./signs";

/** Executes thread `t`'s share of one training step; `scratch` is the thread's own. */
export function executeTrain(op: i32, s: usize, scratch: usize, t: i32, nThreads: i32): void {
  switch (op) {
    case abi.OP_EMBED_ROWS: embed(s, t, nThreads); break;
    case abi.OP_EMBED_ROWS_BACK: embedBack(s, t, nThreads); break;
    case abi.OP_NORM_ROWS: norm(s, t, nThreads); break;
    case abi.OP_NORM_ROWS_BACK: normBack(s, t, nThreads); break;
    case abi.OP_NORM_COLUMNS_BACK: normColumnsBack(s, t, nThreads); break;
    case abi.OP_QUANTIZE_ROWS: quantizeRows(s, t, nThreads); break;
    case abi.OP_CLIP_BACK: clipBack(s, t, nThreads); break;
    case abi.OP_WEIGHT_SUMS: weightSums(s, t, nThreads); break;
    case abi.OP_WEIGHT_CODES: weightCodes(s, t, nThreads); break;
    case abi.OP_MATMUL_F32: matmul(s, scratch, t, nThreads); break;
    case abi.OP_MATMUL_CODES: codeProduct(s, scratch, t, nThreads); break;
    case abi.OP_WIDEN_CODES: widen(s, t, nThreads); break;
    case abi.OP_SIGN_CODES:
    case abi.OP_SIGN_BITS: signs(op, s, scratch, t, nThreads); break;
    case abi.OP_XNOR: xnor(s, t, nThreads); break;
    case abi.OP_ROTATE: rotate(s, t, nThreads); break;
    case abi.OP_ATTEND_SEQUENCES: attend(s, scratch, t, nThreads); break;
    case abi.OP_ATTEND_SEQUENCES_BACK: attendBack(s, scratch, t, nThreads); break;
    case abi.OP_SUM_ROWS: columnSums(s, t, nThreads); break;
    case abi.OP_CROSS_ENTROPY: loss(s, t, nThreads); break;
    case abi.OP_CROSS_ENTROPY_BACK: lossBack(s, t, nThreads); break;
    case abi.OP_SUM_LOSSES: if (t == 0) sumLosses(ptr(s, 0), ptr(s, 1), word(s, 2), ptr(s, 3)); break;
    case abi.OP_SUM_SQUARES: squares(s, t, nThreads); break;
    default: executeElementwise(op, s, t, nThreads);
  }
}

/** Steps over [begin, end) of arrays of as many elements as their last field says. */
function executeElementwise(op: i32, s: usize, t: i32, nThreads: i32): void {
  switch (op) {
    case abi.OP_ACTIVATE: activate(word(s, 0), ptr(s, 1), ptr(s, 2), part(s, 3, t, nThreads), part(s, 3, t + 1, nThreads)); break;
    case abi.OP_ACTIVATE_BACK: activateBack(s, t, nThreads); break;
    case abi.OP_GATE: gate(word(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), part(s, 4, t, nThreads), part(s, 4, t + 1, nThreads)); break;
    case abi.OP_GATE_BACK: gateBack(s, t, nThreads); break;
    case abi.OP_ADD_ARRAYS: addArrays(ptr(s, 0), ptr(s, 1), ptr(s, 2), part(s, 3, t, nThreads), part(s, 3, t + 1, nThreads)); break;
    case abi.OP_PASS: pass(s, t, nThreads); break;
    case abi.OP_DROPOUT: drop(s, t, nThreads); break;
    case abi.OP_ZERO: zero(s, t, nThreads); break;
    case abi.OP_ADAM_W: optimize(s, t, nThreads); break;
    default: unreachable();
  }
}

/** First element of thread t's share of the count in field i. */
function part(s: usize, i: i32, t: i32, nThreads: i32): i32 {
  return share(word(s, i), 4, t, nThreads);
}

/** First row of it. */
function row(s: usize, i: i32, t: i32, nThreads: i32): i32 {
  return share(word(s, i), 1, t, nThreads);
}

// ids, table, dim, out, n
function embed(s: usize, t: i32, nThreads: i32): void {
  embedRows(ptr(s, 0), ptr(s, 1), word(s, 2), ptr(s, 3), row(s, 4, t, nThreads), row(s, 4, t + 1, nThreads));
}

// ids, dy, dim, dTable, n
function embedBack(s: usize, t: i32, nThreads: i32): void {
  embedRowsBackward(ptr(s, 0), ptr(s, 1), word(s, 2), ptr(s, 3), word(s, 4), part(s, 2, t, nThreads), part(s, 2, t + 1, nThreads));
}

// x, w, b or 0 (RMS), y, dim, eps, n
function norm(s: usize, t: i32, nThreads: i32): void {
  const dim = word(s, 4), begin = row(s, 6, t, nThreads), end = row(s, 6, t + 1, nThreads);
  if (ptr(s, 2) == 0) rmsNorm(ptr(s, 0), dim, ptr(s, 1), ptr(s, 3), dim, begin, end, dim, float(s, 5));
  else layerNorm(ptr(s, 0), dim, ptr(s, 1), ptr(s, 2), ptr(s, 3), dim, begin, end, dim, float(s, 5));
}

// x, w, dy, dx, stats, dim, eps, add, n, centered
function normBack(s: usize, t: i32, nThreads: i32): void {
  const begin = row(s, 8, t, nThreads), end = row(s, 8, t + 1, nThreads), add = word(s, 7) != 0;
  if (word(s, 9) == 0) rmsNormRows(ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5), float(s, 6), add, begin, end);
  else layerNormRows(ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5), float(s, 6), add, begin, end);
}

// x, dy, stats, dw, db or 0, n, dim
function normColumnsBack(s: usize, t: i32, nThreads: i32): void {
  normColumns(ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5), word(s, 6), part(s, 6, t, nThreads), part(s, 6, t + 1, nThreads));
}

// x, codes, scale, k, n, bits, kp
function quantizeRows(s: usize, t: i32, nThreads: i32): void {
  const begin = row(s, 4, t, nThreads), end = row(s, 4, t + 1, nThreads);
  if (word(s, 5) == 8) quantizeRows8(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3), word(s, 6), begin, end);
  else quantizeRows1(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3), word(s, 6), begin, end);
}

// codes, out, k, kp, n
function widen(s: usize, t: i32, nThreads: i32): void {
  widenRows(ptr(s, 0), ptr(s, 1), word(s, 2), word(s, 3), row(s, 4, t, nThreads), row(s, 4, t + 1, nThreads));
}

// x, q16 or bits, scale, k, kp, n
function signs(op: i32, s: usize, scratch: usize, t: i32, nThreads: i32): void {
  const begin = row(s, 5, t, nThreads), end = row(s, 5, t + 1, nThreads);
  if (op == abi.OP_SIGN_CODES) signCodes(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3), word(s, 4), begin, end);
  else signBits(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3), word(s, 4), scratch, begin, end);
}

// w, rowScale, bits, actScale, y, k, n, rows (a multiple of 32), kp
function xnor(s: usize, t: i32, nThreads: i32): void {
  const rows = word(s, 7);
  xnorScaled(
    ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5), word(s, 6), rows, word(s, 8), share(rows, 32, t, nThreads), share(rows, 32, t + 1, nThreads),
  );
}

// x, w, scale, rowScale, y, kp, n, outputs
function codeProduct(s: usize, scratch: usize, t: i32, nThreads: i32): void {
  const begin = share(word(s, 6), 4, t, nThreads), end = share(word(s, 6), 4, t + 1, nThreads);
  matmulCodes(ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5) >> 1, word(s, 7), begin, end, scratch);
}

// x, dy, dx, add, total
function clipBack(s: usize, t: i32, nThreads: i32): void {
  passInsideClip(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3) != 0, part(s, 4, t, nThreads), part(s, 4, t + 1, nThreads));
}

// w, count, partial
function weightSums(s: usize, t: i32, nThreads: i32): void {
  const nChunks = (word(s, 1) + abi.SUM_CHUNK - 1) / abi.SUM_CHUNK;
  sumWeights(ptr(s, 0), word(s, 1), ptr(s, 2), share(nChunks, 1, t, nThreads), share(nChunks, 1, t + 1, nThreads));
}

// w, count, partial, ternary, codes, scale, k, kp
function weightCodes(s: usize, t: i32, nThreads: i32): void {
  const k = word(s, 6), rows = word(s, 1) / k;
  quantizeWeights(
    ptr(s, 0), word(s, 1), ptr(s, 2), word(s, 3) != 0, ptr(s, 4), ptr(s, 5), k, word(s, 7), share(rows, 1, t, nThreads), share(rows, 1, t + 1, nThreads),
  );
}

// form, a, aStride, b, bStride, c, cStride, m, n, k, add, kScale, scale, rowScale, codes
function matmul(s: usize, scratch: usize, t: i32, nThreads: i32): void {
  const begin = share(word(s, 7), 4, t, nThreads), end = share(word(s, 7), 4, t + 1, nThreads);
  matmulF32(
    word(s, 0), ptr(s, 1), word(s, 2), ptr(s, 3), word(s, 4), ptr(s, 5), word(s, 6), word(s, 8), word(s, 9), word(s, 10) != 0,
    ptr(s, 11), ptr(s, 12), ptr(s, 13), word(s, 14) != 0, begin, end, scratch,
  );
}

// x, cos, sin, length, nHeads, headDim, sign, n
function rotate(s: usize, t: i32, nThreads: i32): void {
  rotateRows(ptr(s, 0), ptr(s, 1), ptr(s, 2), word(s, 3), word(s, 4), word(s, 5), float(s, 6), row(s, 7, t, nThreads), row(s, 7, t + 1, nThreads));
}

// q, k, v, out, stats, weights or 0, length, nHeads, nKvHeads, headDim, causal, nSequences
function attend(s: usize, scratch: usize, t: i32, nThreads: i32): void {
  const items = word(s, 11) * word(s, 8);
  attendSequences(
    ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), ptr(s, 5), word(s, 6), word(s, 7), word(s, 8), word(s, 9), word(s, 10) != 0,
    share(items, 1, t, nThreads), share(items, 1, t + 1, nThreads), scratch,
  );
}

// q, k, v, stats, dOut, dq, dk, dv, addQ, addK, addV, length, nHeads, nKvHeads, headDim, causal, nSequences
function attendBack(s: usize, scratch: usize, t: i32, nThreads: i32): void {
  const items = word(s, 16) * word(s, 13);
  attendSequencesBackward(
    ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), ptr(s, 5), ptr(s, 6), ptr(s, 7), word(s, 8) != 0, word(s, 9) != 0, word(s, 10) != 0,
    word(s, 11), word(s, 12), word(s, 13), word(s, 14), word(s, 15) != 0, share(items, 1, t, nThreads), share(items, 1, t + 1, nThreads), scratch,
  );
}

// dy, n, dim, db
function columnSums(s: usize, t: i32, nThreads: i32): void {
  sumRows(ptr(s, 0), word(s, 1), word(s, 2), ptr(s, 3), part(s, 2, t, nThreads), part(s, 2, t + 1, nThreads));
}

// logits, stride, vocab, targets, loss, n
function loss(s: usize, t: i32, nThreads: i32): void {
  crossEntropy(ptr(s, 0), word(s, 1), word(s, 2), ptr(s, 3), ptr(s, 4), row(s, 5, t, nThreads), row(s, 5, t + 1, nThreads));
}

// logits, stride, vocab, targets, scale, dLogits, n
function lossBack(s: usize, t: i32, nThreads: i32): void {
  crossEntropyBackward(ptr(s, 0), word(s, 1), word(s, 2), ptr(s, 3), float(s, 4), ptr(s, 5), row(s, 6, t, nThreads), row(s, 6, t + 1, nThreads));
}

// g, n, partial
function squares(s: usize, t: i32, nThreads: i32): void {
  const nChunks = (word(s, 1) + abi.SUM_CHUNK - 1) / abi.SUM_CHUNK;
  sumSquares(ptr(s, 0), word(s, 1), ptr(s, 2), share(nChunks, 1, t, nThreads), share(nChunks, 1, t + 1, nThreads));
}

// kind, x, dy, dx, add, total
function activateBack(s: usize, t: i32, nThreads: i32): void {
  activateBackward(word(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), word(s, 4) != 0, part(s, 5, t, nThreads), part(s, 5, t + 1, nThreads));
}

// kind, gate, up, dy, dGate, addGate, dUp, addUp, total
function gateBack(s: usize, t: i32, nThreads: i32): void {
  gateBackward(
    word(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5) != 0, ptr(s, 6), word(s, 7) != 0, part(s, 8, t, nThreads), part(s, 8, t + 1, nThreads),
  );
}

// from, to, add, total                  to (+)= from
function pass(s: usize, t: i32, nThreads: i32): void {
  const begin = part(s, 3, t, nThreads), end = part(s, 3, t + 1, nThreads), at = <usize>begin << 2;
  if (word(s, 2) != 0) addArrays(ptr(s, 1), ptr(s, 0), ptr(s, 1), begin, end);
  else memory.copy(ptr(s, 1) + at, ptr(s, 0) + at, <usize>(end - begin) << 2);
}

// x, out, dropoutState, salt, threshold, keep, add, total
function drop(s: usize, t: i32, nThreads: i32): void {
  const state = ptr(s, 2), active = load<u32>(state, abi.DROPOUT_ACTIVE) != 0;
  const seed = hash(load<u32>(state, abi.DROPOUT_SEED) ^ hash(<u32>word(s, 3)));
  dropout(
    ptr(s, 0), ptr(s, 1), seed, active ? <u32>word(s, 4) : 0, active ? float(s, 5) : 1, word(s, 6) != 0, part(s, 7, t, nThreads), part(s, 7, t + 1, nThreads),
  );
}

// x, total
function zero(s: usize, t: i32, nThreads: i32): void {
  const begin = part(s, 1, t, nThreads);
  memory.fill(ptr(s, 0) + (<usize>begin << 2), 0, <usize>(part(s, 1, t + 1, nThreads) - begin) << 2);
}

// w, g, m, v, settings, decays, total
function optimize(s: usize, t: i32, nThreads: i32): void {
  adamW(ptr(s, 0), ptr(s, 1), ptr(s, 2), ptr(s, 3), ptr(s, 4), word(s, 5) != 0, part(s, 6, t, nThreads), part(s, 6, t + 1, nThreads));
}
