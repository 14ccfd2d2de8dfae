/**
 * The steps of training, for the program of program.ts. A step contains all its sizes (steps.ts). Threads share the
 * work so that each sum has one owner: the bits do not depend on their number.
 */
import * as abi from "../abi";
import { share } from "../step";
import { Step } from "../steps";
import { activate, activateBackward, gate, gateBackward } from "./activation-backward";
import { attendSequences } from "./attention";
import { attendSequencesBackward } from "./attention-backward";
import { crossEntropy, crossEntropyBackward, sumLosses } from "./cross-entropy";
import { matmulCodes } from "./matmul-codes";
import { matmulF32 } from "./matmul-f32";
import { normColumnsBackward, normRowsBackward } from "./norm-backward";
import { adamW, sumSquares } from "./optimizer";
import { passInsideClip, quantizeRows1, quantizeRows8, quantizeWeights, sumWeights, widenRows } from "./quantize";
import { addArrays, dropout, embedRows, embedRowsBackward, hash, normRows, rotateRows, sumRows } from "./rows";
import { signBits, signCodes, xnorScaled } from "./signs";
import {
  ActivateBackStep,
  ActivateStep,
  AdamWStep,
  AddArraysStep,
  AttendSequencesBackStep,
  AttendSequencesStep,
  ClipBackStep,
  CrossEntropyBackStep,
  CrossEntropyStep,
  DropoutStep,
  EmbedRowsBackStep,
  EmbedRowsStep,
  GateArraysBackStep,
  GateArraysStep,
  MatmulCodesStep,
  MatmulF32Step,
  NormColumnsBackStep,
  NormRowsBackStep,
  NormRowsStep,
  PassStep,
  QuantizeRowsStep,
  RotateStep,
  SignsStep,
  SumLossesStep,
  SumRowsStep,
  SumSquaresStep,
  WeightCodesStep,
  WeightSumsStep,
  WidenCodesStep,
  XnorStep,
  ZeroStep,
} from "./steps";

/** Executes thread `t`'s share of one training step; `scratch` is the thread's own. */
export function executeTrain(step: usize, scratch: usize, t: i32, nThreads: i32): void {
  switch (changetype<Step>(step).op) {
    case abi.OP_EMBED_ROWS:
      embed(changetype<EmbedRowsStep>(step), t, nThreads);
      break;
    case abi.OP_EMBED_ROWS_BACK:
      embedBack(changetype<EmbedRowsBackStep>(step), t, nThreads);
      break;
    case abi.OP_NORM_ROWS:
      norm(changetype<NormRowsStep>(step), t, nThreads);
      break;
    case abi.OP_NORM_ROWS_BACK:
      normBack(changetype<NormRowsBackStep>(step), t, nThreads);
      break;
    case abi.OP_NORM_COLUMNS_BACK:
      normColumnsBack(changetype<NormColumnsBackStep>(step), t, nThreads);
      break;
    case abi.OP_QUANTIZE_ROWS:
      quantizeRows(changetype<QuantizeRowsStep>(step), t, nThreads);
      break;
    case abi.OP_CLIP_BACK:
      clipBack(changetype<ClipBackStep>(step), t, nThreads);
      break;
    case abi.OP_WEIGHT_SUMS:
      weightSums(changetype<WeightSumsStep>(step), t, nThreads);
      break;
    case abi.OP_WEIGHT_CODES:
      weightCodes(changetype<WeightCodesStep>(step), t, nThreads);
      break;
    case abi.OP_MATMUL_F32:
      matmul(changetype<MatmulF32Step>(step), scratch, t, nThreads);
      break;
    case abi.OP_MATMUL_CODES:
      codeProduct(changetype<MatmulCodesStep>(step), scratch, t, nThreads);
      break;
    case abi.OP_WIDEN_CODES:
      widen(changetype<WidenCodesStep>(step), t, nThreads);
      break;
    case abi.OP_SIGN_CODES:
    case abi.OP_SIGN_BITS:
      signs(changetype<SignsStep>(step), scratch, t, nThreads);
      break;
    case abi.OP_XNOR:
      xnor(changetype<XnorStep>(step), t, nThreads);
      break;
    case abi.OP_ROTATE:
      rotate(changetype<RotateStep>(step), t, nThreads);
      break;
    case abi.OP_ATTEND_SEQUENCES:
      attend(changetype<AttendSequencesStep>(step), scratch, t, nThreads);
      break;
    case abi.OP_ATTEND_SEQUENCES_BACK:
      attendBack(changetype<AttendSequencesBackStep>(step), scratch, t, nThreads);
      break;
    case abi.OP_SUM_ROWS:
      columnSums(changetype<SumRowsStep>(step), t, nThreads);
      break;
    case abi.OP_CROSS_ENTROPY:
      loss(changetype<CrossEntropyStep>(step), t, nThreads);
      break;
    case abi.OP_CROSS_ENTROPY_BACK:
      lossBack(changetype<CrossEntropyBackStep>(step), t, nThreads);
      break;
    case abi.OP_SUM_LOSSES:
      losses(changetype<SumLossesStep>(step), t);
      break;
    default:
      executeElementwise(step, t, nThreads);
  }
}

/** Steps over arrays of any shape: each thread has a range of the elements. */
function executeElementwise(step: usize, t: i32, nThreads: i32): void {
  switch (changetype<Step>(step).op) {
    case abi.OP_ACTIVATE:
      activateArray(changetype<ActivateStep>(step), t, nThreads);
      break;
    case abi.OP_ACTIVATE_BACK:
      activateBack(changetype<ActivateBackStep>(step), t, nThreads);
      break;
    case abi.OP_GATE:
      gateArrays(changetype<GateArraysStep>(step), t, nThreads);
      break;
    case abi.OP_GATE_BACK:
      gateBack(changetype<GateArraysBackStep>(step), t, nThreads);
      break;
    case abi.OP_ADD_ARRAYS:
      add(changetype<AddArraysStep>(step), t, nThreads);
      break;
    case abi.OP_PASS:
      pass(changetype<PassStep>(step), t, nThreads);
      break;
    case abi.OP_DROPOUT:
      drop(changetype<DropoutStep>(step), t, nThreads);
      break;
    case abi.OP_ZERO:
      zero(changetype<ZeroStep>(step), t, nThreads);
      break;
    case abi.OP_SUM_SQUARES:
      squares(changetype<SumSquaresStep>(step), t, nThreads);
      break;
    case abi.OP_ADAM_W:
      optimize(changetype<AdamWStep>(step), t, nThreads);
      break;
    default:
      unreachable();
  }
}

/** First element of thread t's share of `count`. */
function part(count: i32, t: i32, nThreads: i32): i32 {
  return share(count, 4, t, nThreads);
}

/** First row of thread t's share. */
function row(count: i32, t: i32, nThreads: i32): i32 {
  return share(count, 1, t, nThreads);
}

function embed(s: EmbedRowsStep, t: i32, nThreads: i32): void {
  embedRows(s.ids, s.table, s.dim, s.out, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function embedBack(s: EmbedRowsBackStep, t: i32, nThreads: i32): void {
  embedRowsBackward(s.ids, s.dy, s.dim, s.dTable, s.n, part(s.dim, t, nThreads), part(s.dim, t + 1, nThreads));
}

function norm(s: NormRowsStep, t: i32, nThreads: i32): void {
  normRows(s, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function normBack(s: NormRowsBackStep, t: i32, nThreads: i32): void {
  normRowsBackward(s, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function normColumnsBack(s: NormColumnsBackStep, t: i32, nThreads: i32): void {
  normColumnsBackward(s, part(s.dim, t, nThreads), part(s.dim, t + 1, nThreads));
}

function quantizeRows(s: QuantizeRowsStep, t: i32, nThreads: i32): void {
  const begin = row(s.n, t, nThreads),
    end = row(s.n, t + 1, nThreads);
  if (s.bits == 8) quantizeRows8(s.x, s.codes, s.scale, s.k, s.kp, begin, end);
  else quantizeRows1(s.x, s.codes, s.scale, s.k, s.kp, begin, end);
}

function widen(s: WidenCodesStep, t: i32, nThreads: i32): void {
  widenRows(s.codes, s.out, s.k, s.kp, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function signs(s: SignsStep, scratch: usize, t: i32, nThreads: i32): void {
  const begin = row(s.n, t, nThreads),
    end = row(s.n, t + 1, nThreads);
  if (s.op == abi.OP_SIGN_CODES) signCodes(s, begin, end);
  else signBits(s, begin, end, scratch);
}

function xnor(s: XnorStep, t: i32, nThreads: i32): void {
  xnorScaled(s, share(s.rows, 32, t, nThreads), share(s.rows, 32, t + 1, nThreads));
}

function codeProduct(s: MatmulCodesStep, scratch: usize, t: i32, nThreads: i32): void {
  matmulCodes(s, part(s.n, t, nThreads), part(s.n, t + 1, nThreads), scratch);
}

function clipBack(s: ClipBackStep, t: i32, nThreads: i32): void {
  passInsideClip(s.x, s.dy, s.dx, s.add != 0, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function weightSums(s: WeightSumsStep, t: i32, nThreads: i32): void {
  const nChunks = (s.count + abi.SUM_CHUNK - 1) / abi.SUM_CHUNK;
  sumWeights(s.weights, s.count, s.partial, row(nChunks, t, nThreads), row(nChunks, t + 1, nThreads));
}

function weightCodes(s: WeightCodesStep, t: i32, nThreads: i32): void {
  const rows = s.count / s.k;
  quantizeWeights(s, row(rows, t, nThreads), row(rows, t + 1, nThreads));
}

function matmul(s: MatmulF32Step, scratch: usize, t: i32, nThreads: i32): void {
  matmulF32(s, part(s.m, t, nThreads), part(s.m, t + 1, nThreads), scratch);
}

function rotate(s: RotateStep, t: i32, nThreads: i32): void {
  rotateRows(s, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function attend(s: AttendSequencesStep, scratch: usize, t: i32, nThreads: i32): void {
  const items = s.nSequences * s.nKvHeads;
  attendSequences(s, row(items, t, nThreads), row(items, t + 1, nThreads), scratch);
}

function attendBack(s: AttendSequencesBackStep, scratch: usize, t: i32, nThreads: i32): void {
  const items = s.nSequences * s.nKvHeads;
  attendSequencesBackward(s, row(items, t, nThreads), row(items, t + 1, nThreads), scratch);
}

function columnSums(s: SumRowsStep, t: i32, nThreads: i32): void {
  sumRows(s.dy, s.n, s.dim, s.db, part(s.dim, t, nThreads), part(s.dim, t + 1, nThreads));
}

function loss(s: CrossEntropyStep, t: i32, nThreads: i32): void {
  crossEntropy(s, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function lossBack(s: CrossEntropyBackStep, t: i32, nThreads: i32): void {
  crossEntropyBackward(s, row(s.n, t, nThreads), row(s.n, t + 1, nThreads));
}

function losses(s: SumLossesStep, t: i32): void {
  if (t == 0) sumLosses(s.loss, s.targets, s.n, s.out);
}

function squares(s: SumSquaresStep, t: i32, nThreads: i32): void {
  const nChunks = (s.count + abi.SUM_CHUNK - 1) / abi.SUM_CHUNK;
  sumSquares(s.gradients, s.count, s.partial, row(nChunks, t, nThreads), row(nChunks, t + 1, nThreads));
}

function activateArray(s: ActivateStep, t: i32, nThreads: i32): void {
  activate(s.kind, s.x, s.out, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function activateBack(s: ActivateBackStep, t: i32, nThreads: i32): void {
  activateBackward(s.kind, s.x, s.dy, s.dx, s.add != 0, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function gateArrays(s: GateArraysStep, t: i32, nThreads: i32): void {
  gate(s.kind, s.gate, s.up, s.out, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function gateBack(s: GateArraysBackStep, t: i32, nThreads: i32): void {
  gateBackward(s, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function add(s: AddArraysStep, t: i32, nThreads: i32): void {
  addArrays(s.a, s.b, s.out, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function pass(s: PassStep, t: i32, nThreads: i32): void {
  const begin = part(s.total, t, nThreads),
    end = part(s.total, t + 1, nThreads),
    at = (<usize>begin) << 2;
  if (s.add != 0) addArrays(s.to, s.from, s.to, begin, end);
  else memory.copy(s.to + at, s.from + at, (<usize>(end - begin)) << 2);
}

function drop(s: DropoutStep, t: i32, nThreads: i32): void {
  const state = s.state,
    active = load<u32>(state, abi.DROPOUT_ACTIVE) != 0;
  const seed = hash(load<u32>(state, abi.DROPOUT_SEED) ^ hash(<u32>s.salt));
  const threshold: u32 = active ? <u32>s.threshold : 0,
    keep: f32 = active ? s.keep : 1;
  dropout(s.x, s.out, seed, threshold, keep, s.add != 0, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}

function zero(s: ZeroStep, t: i32, nThreads: i32): void {
  const begin = part(s.total, t, nThreads);
  memory.fill(s.x + ((<usize>begin) << 2), 0, (<usize>(part(s.total, t + 1, nThreads) - begin)) << 2);
}

function optimize(s: AdamWStep, t: i32, nThreads: i32): void {
  adamW(s, part(s.total, t, nThreads), part(s.total, t + 1, nThreads));
}
