// The forward pass as data. A program is a flat list of steps in memory; `walk` runs them in order, each thread on its
// share of the work, with a barrier where a step asks for one. The host writes a program once per model; whatever
// changes from token to token (rows, position, which logits are wanted) is in the run state. steps.ts has the fields of
// every step.
//
// A decoded token has one row, and a step of a microsecond would sit between barriers that take as long. So every
// thread has its own residual stream, in row `thread` of x, and from it norms and prepares, in row `thread`, what its
// matmuls read: 6 of 15 barriers per layer are left. Several rows are shared out, with barriers.
import * as abi from "./abi";
import { barrier } from "./barrier";
import { placeOf } from "./places";
import { hasFlag, inputRow, isOwnRow, isSharedByRows, ownInput, share } from "./step";
import {
  AddBiasStep,
  AddScaledStep,
  AttendStep,
  ConvolveStep,
  DeltaNetStep,
  EmbedStep,
  GateSigmoidStep,
  GateStep,
  HadamardStep,
  HeadNormStep,
  MatmulStep,
  NormStep,
  QuantizeBlocksStep,
  QuantizeQ6KStep,
  QuantizeTokenStep,
  RopeStep,
  RopeTableStep,
  ScaleStep,
  Step,
  StoreKvStep,
  TablesStep,
  TokenBlocksStep,
} from "./steps";
import { embedRow, matmul } from "./layouts";
import { buildShortTables, shortBlocks } from "./weights/short-tables";
import { buildBinaryTables, buildTernaryTables } from "./weights/tables";
import { addBias, addScaled, layerNorm, rmsNorm, rmsNormHeads, scaleRow } from "./ops/norm";
import { quantizeBlocks, quantizeToken, quantizeTokenBlocks } from "./ops/quantize";
import { quantizeQ6K } from "./ops/quantize-q6-k";
import { rotate, ropeTable } from "./ops/rope";
import { attend, headPairs, storeKv } from "./ops/attention";
import { attendQ8, storeKvQ8 } from "./ops/attention-q8";
import { executeTrain } from "./train/program";
import { gateGelu, gateRelu2, gateSigmoid, gateSilu } from "./ops/activation";
import { convolve, deltaNet } from "./ops/delta-net";
import { hadamard } from "./ops/hadamard";

export function walk(control: usize, program: usize, nSteps: i32, state: usize, thread: i32, nThreads: i32): void {
  const end = program + <usize>nSteps * abi.STEP_BYTES;
  for (let at = program; at < end; at += abi.STEP_BYTES) {
    const step = changetype<Step>(at);
    const n = hasFlag(step, abi.FLAG_HEAD_ROWS)
      ? load<i32>(state, abi.STATE_HEAD_ROWS)
      : load<i32>(state, abi.STATE_ROWS);
    if (n > 0) execute(at, state, n, thread, nThreads);
    if (hasFlag(step, n > 1 ? abi.FLAG_BARRIER | abi.FLAG_BARRIER_BATCH : abi.FLAG_BARRIER)) barrier(control, nThreads);
  }
}

function execute(step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const op = changetype<Step>(step).op;
  switch (op) {
    case abi.OP_EMBED:
      embed(changetype<EmbedStep>(step), n, thread, nThreads);
      break;
    case abi.OP_RMS_NORM:
    case abi.OP_LAYER_NORM:
      norm(changetype<NormStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_RMS_NORM_HEADS:
      normHeads(changetype<HeadNormStep>(step), n, thread, nThreads);
      break;
    case abi.OP_QUANTIZE_TOKEN:
      tokenActivations(changetype<QuantizeTokenStep>(step), n, thread, nThreads);
      break;
    case abi.OP_QUANTIZE_BLOCKS:
      blockActivations(changetype<QuantizeBlocksStep>(step), n, thread, nThreads);
      break;
    case abi.OP_QUANTIZE_Q6_K:
      q6KActivations(changetype<QuantizeQ6KStep>(step), n, thread, nThreads);
      break;
    case abi.OP_TOKEN_BLOCKS:
      tokenBlocks(changetype<TokenBlocksStep>(step), n, thread, nThreads);
      break;
    case abi.OP_TERNARY_TABLES:
    case abi.OP_BINARY_TABLES:
      tables(changetype<TablesStep>(step), n, thread, nThreads);
      break;
    case abi.OP_SHORT_TABLES:
      shortTables(changetype<TablesStep>(step), n, thread, nThreads);
      break;
    case abi.OP_MATMUL:
      matmul(changetype<MatmulStep>(step), n, scratch(state, thread), thread, nThreads);
      break;
    case abi.OP_ADD_BIAS:
      bias(changetype<AddBiasStep>(step), n, thread, nThreads);
      break;
    case abi.OP_SCALE:
      scale(changetype<ScaleStep>(step), n, thread, nThreads);
      break;
    case abi.OP_ADD_SCALED:
      residual(changetype<AddScaledStep>(step), n, thread, nThreads);
      break;
    case abi.OP_ROPE_TABLE:
      ropeTables(changetype<RopeTableStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_ROPE:
      rope(changetype<RopeStep>(step), n, thread, nThreads);
      break;
    case abi.OP_STORE_KV:
    case abi.OP_STORE_KV_Q8:
      keep(changetype<StoreKvStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_ATTEND:
    case abi.OP_ATTEND_Q8:
      attention(changetype<AttendStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_GATE_SILU:
    case abi.OP_GATE_RELU2:
    case abi.OP_GATE_GELU:
      gate(changetype<GateStep>(step), n, thread, nThreads);
      break;
    default:
      // What trains has attention alone: the other steps would add 2 kB to its pages.
      if (!TRAIN) executeHybrid(step, state, n, thread, nThreads);
      else if (op >= abi.OP_TRAIN_FIRST) executeTrain(step, scratch(state, thread), thread, nThreads);
      else unreachable();
  }
}

/** Steps of models that are not attention alone, and of rotated weights. */
function executeHybrid(step: usize, state: usize, n: i32, thread: i32, nThreads: i32): void {
  switch (changetype<Step>(step).op) {
    case abi.OP_GATE_SIGMOID:
      sigmoid(changetype<GateSigmoidStep>(step), n, thread, nThreads);
      break;
    case abi.OP_CONVOLVE:
      convolution(changetype<ConvolveStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_DELTA_NET:
      recurrence(changetype<DeltaNetStep>(step), state, n, thread, nThreads);
      break;
    case abi.OP_HADAMARD:
      rotation(changetype<HadamardStep>(step), n, thread, nThreads);
      break;
    default:
      unreachable();
  }
}

function scratch(state: usize, thread: i32): usize {
  return (
    <usize>load<u32>(state, abi.STATE_SCRATCH) + <usize>thread * <usize>load<u32>(state, abi.STATE_SCRATCH_STRIDE_BYTES)
  );
}

function embed(step: EmbedStep, n: i32, thread: i32, nThreads: i32): void {
  const k = step.k,
    factor = step.embeddingScale,
    end = rowEnd(step, n, thread, nThreads);
  const ids = step.ids - (isOwnRow(step, n) ? (<usize>thread) << 2 : 0);
  for (let i = rowBegin(step, n, thread, nThreads); i < end; i++) {
    const out = step.x + ((<usize>i * k) << 2);
    embedRow(step, load<i32>(ids + ((<usize>i) << 2)), out);
    if (factor != 1.0) scaleRow(out, factor, 0, k);
  }
}

function norm(step: NormStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const begin = rowBegin(step, n, thread, nThreads),
    end = rowEnd(step, n, thread, nThreads);
  // Only one row of a batch may be wanted: all threads made that one together.
  let input = firstInput(step, n, thread, nThreads, load<i32>(state, abi.STATE_ROWS));
  if (hasFlag(step, abi.FLAG_HEAD_ROWS)) input += load<i32>(state, abi.STATE_HEAD_ROW_BEGIN);
  if (step.op == abi.OP_RMS_NORM) rmsNorm(step, input, begin, end);
  else layerNorm(step, input, begin, end);
}

// Threads share out heads, so one thread does a head's norm, rotation and cache keys, without a wait.

function normHeads(step: HeadNormStep, n: i32, thread: i32, nThreads: i32): void {
  rmsNormHeads(step, n, share(step.nHeads, 1, thread, nThreads), share(step.nHeads, 1, thread + 1, nThreads));
}

// A step that may have one row per thread makes rows [rowBegin, rowEnd) of its outputs, from rows of its input from
// firstInput on.

function rowBegin(step: Step, n: i32, thread: i32, nThreads: i32): i32 {
  return isOwnRow(step, n) ? thread : share(n, 1, thread, nThreads);
}

function rowEnd(step: Step, n: i32, thread: i32, nThreads: i32): i32 {
  return isOwnRow(step, n) ? thread + 1 : share(n, 1, thread + 1, nThreads);
}

/** If the input has one row (nInput), that is the only one or the thread's own. */
function firstInput(step: Step, n: i32, thread: i32, nThreads: i32, nInput: i32): i32 {
  return isOwnRow(step, n) ? <i32>ownInput(step, nInput, thread) : share(n, 1, thread, nThreads);
}

function tokenActivations(step: QuantizeTokenStep, n: i32, thread: i32, nThreads: i32): void {
  const input = firstInput(step, n, thread, nThreads, n);
  quantizeToken(step, input, rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads));
}

function blockActivations(step: QuantizeBlocksStep, n: i32, thread: i32, nThreads: i32): void {
  const input = firstInput(step, n, thread, nThreads, n);
  quantizeBlocks(step, input, rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads));
}

function q6KActivations(step: QuantizeQ6KStep, n: i32, thread: i32, nThreads: i32): void {
  const input = firstInput(step, n, thread, nThreads, n);
  quantizeQ6K(step, input, rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads));
}

function tokenBlocks(step: TokenBlocksStep, n: i32, thread: i32, nThreads: i32): void {
  quantizeTokenBlocks(step, rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads));
}

function tables(step: TablesStep, n: i32, thread: i32, nThreads: i32): void {
  const nGroups = step.nGroups,
    whole = isOwnRow(step, n) || isSharedByRows(n, nThreads);
  const begin = whole ? 0 : share(nGroups, 8, thread, nThreads),
    end = whole ? nGroups : share(nGroups, 8, thread + 1, nThreads);
  for (
    let i = whole ? rowBegin(step, n, thread, nThreads) : 0, last = whole ? rowEnd(step, n, thread, nThreads) : n;
    i < last;
    i++
  ) {
    const q = step.q16 + ((<usize>i * step.kp) << 1);
    const table = step.tables + <usize>i * step.tableStride;
    if (step.op == abi.OP_TERNARY_TABLES) buildTernaryTables(q, table, begin, end);
    else buildBinaryTables(q, table, begin, end);
  }
}

function shortTables(step: TablesStep, n: i32, thread: i32, nThreads: i32): void {
  const nGroups = step.nGroups,
    nBlocks = shortBlocks(nGroups),
    q = step.q16 + ((ownInput(step, n, thread) * step.kp) << 1);
  const end = share(n * nBlocks, 1, thread + 1, nThreads);
  for (let item = share(n * nBlocks, 1, thread, nThreads); item < end; item++) {
    const i = item / nBlocks,
      block = item % nBlocks;
    buildShortTables(
      q + ((<usize>i * step.kp) << 1),
      step.tables + <usize>i * step.tableStride,
      nGroups,
      block,
      block + 1,
    );
  }
}

function bias(step: AddBiasStep, n: i32, thread: i32, nThreads: i32): void {
  addBias(step.y, step.yStride, step.bias, share(n, 1, thread, nThreads), share(n, 1, thread + 1, nThreads), step.dim);
}

function scale(step: ScaleStep, n: i32, thread: i32, nThreads: i32): void {
  const total = n * step.yStride;
  scaleRow(step.y, step.factor, share(total, 4, thread, nThreads), share(total, 4, thread + 1, nThreads));
}

function residual(step: AddScaledStep, n: i32, thread: i32, nThreads: i32): void {
  const dim = step.dim,
    own = isOwnRow(step, n),
    x = step.x + (own ? (<usize>thread * dim) << 2 : 0);
  const begin = own ? 0 : share(dim, 4, thread, nThreads),
    end = own ? dim : share(dim, 4, thread + 1, nThreads),
    y = step.y + ((ownInput(step, n, thread) * step.yStride) << 2);
  for (let i = 0; i < n; i++) {
    addScaled(x + ((<usize>i * dim) << 2), y + ((<usize>i * step.yStride) << 2), step.factor, begin, end);
  }
}

function ropeTables(step: RopeTableStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const places = load<u32>(state, abi.STATE_PLACES),
    end = share(n, 1, thread + 1, nThreads);
  for (let i = share(n, 1, thread, nThreads); i < end; i++) {
    const at = (<usize>i * step.nHalf) << 2,
      position = placeOf(places, i).position;
    ropeTable(step.frequencies, step.nHalf, position, step.magnitude, step.cos + at, step.sin + at);
  }
}

function rope(step: RopeStep, n: i32, thread: i32, nThreads: i32): void {
  const begin = share(step.nHeads, 1, thread, nThreads),
    end = share(step.nHeads, 1, thread + 1, nThreads);
  rotate(step, n, begin, end);
}

function keep(step: StoreKvStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const places = load<u32>(state, abi.STATE_PLACES),
    begin = share(step.nKvHeads, 1, thread, nThreads),
    end = share(step.nKvHeads, 1, thread + 1, nThreads);
  if (step.op == abi.OP_STORE_KV) storeKv(step, places, n, begin, end);
  else storeKvQ8(step, places, n, begin, end);
}

function attention(step: AttendStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const places = load<u32>(state, abi.STATE_PLACES),
    items = n * step.nKvHeads * headPairs(step.nHeads, step.nKvHeads),
    begin = share(items, 1, thread, nThreads),
    end = share(items, 1, thread + 1, nThreads);
  if (step.op == abi.OP_ATTEND) attend(step, places, n, begin, end, scratch(state, thread));
  else attendQ8(step, places, n, begin, end, scratch(state, thread));
}

/** One row is shared out as in the matmuls before. */
function gate(step: GateStep, n: i32, thread: i32, nThreads: i32): void {
  const total = n * step.dim,
    begin = share(total, abi.TILE_ROWS, thread, nThreads),
    end = share(total, abi.TILE_ROWS, thread + 1, nThreads);
  if (step.op == abi.OP_GATE_SILU) gateSilu(step.gate, step.up, step.out, begin, end);
  else if (step.op == abi.OP_GATE_RELU2) gateRelu2(step.gate, step.up, step.out, begin, end);
  else gateGelu(step.gate, step.up, step.out, begin, end);
}

function sigmoid(step: GateSigmoidStep, n: i32, thread: i32, nThreads: i32): void {
  const begin = share(step.dim, 4, thread, nThreads),
    end = share(step.dim, 4, thread + 1, nThreads);
  for (let i = 0; i < n; i++) {
    gateSigmoid(inputRow(step, i), step.gate + ((<usize>i * step.gateStride) << 2), begin, end);
  }
}

function convolution(step: ConvolveStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const heads = 2 * step.nKeyHeads + step.nValueHeads,
    begin = share(heads, 1, thread, nThreads),
    end = share(heads, 1, thread + 1, nThreads);
  convolve(step, load<u32>(state, abi.STATE_PLACES), n, begin, end, scratch(state, thread));
}

function recurrence(step: DeltaNetStep, state: usize, n: i32, thread: i32, nThreads: i32): void {
  const begin = share(step.nValueHeads, 1, thread, nThreads),
    end = share(step.nValueHeads, 1, thread + 1, nThreads);
  deltaNet(step, load<u32>(state, abi.STATE_PLACES), n, begin, end, scratch(state, thread));
}

function rotation(step: HadamardStep, n: i32, thread: i32, nThreads: i32): void {
  const input = firstInput(step, n, thread, nThreads, n);
  hadamard(step, input, rowBegin(step, n, thread, nThreads), rowEnd(step, n, thread, nThreads));
}
