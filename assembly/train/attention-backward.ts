/**
 * The gradient of attention (attention.ts has the shapes). Recomputes probabilities from each row's maximum and
 * normaliser instead of keeping them (Dao et al., "FlashAttention", 2022).
 *
 *   dv = pᵀ dout,  dp = dout vᵀ,  ds = p (dp - Σ p dp) / √headDim,  dq = ds k,  dk = dsᵀ q
 *
 * An item (sequence, kvHead) owns its dk and dv, which sum over query heads, then over tiles of 32 queries, in order.
 *
 *   scratch: | keys by position | keys by dimension | values by position |
 *            | p (32, length) | ds (32, length) | q | dout panels |
 */
import { ATTENTION_TILE } from "../abi";
import { sumFloats } from "../lanes";
import { padded, panelBytes, probability, scoreRows, scoreScale, weightOf } from "./attention";
import { edgeTile, microTile } from "./micro-tile";
import { packColumns, packRows } from "./panels";
import { AttendSequencesBackStep } from "./steps";

/** Query rows per step: enough for the sums of dk and dv, few enough that scores stay in L2. */
const TILE: i32 = ATTENTION_TILE;

/** Items [itemBegin, itemEnd). */
export function attendSequencesBackward(
  step: AttendSequencesBackStep,
  itemBegin: i32,
  itemEnd: i32,
  scratch: usize,
): void {
  const length = step.length,
    headDim = step.headDim,
    nKvHeads = step.nKvHeads,
    group = step.nHeads / nKvHeads,
    kvBytes = kvRowBytes(step),
    panels = panelBytes(length, headDim);
  for (let item = itemBegin; item < itemEnd; item++) {
    const sequence = item / nKvHeads,
      kvHead = item % nKvHeads,
      kv = <usize>sequence * length * kvBytes + ((<usize>(kvHead * headDim)) << 2);
    packRows(step.k + kv, kvBytes, headDim, length, scratch);
    packColumns(step.k + kv, kvBytes, length, headDim, 1, scratch + panels);
    packRows(step.v + kv, kvBytes, headDim, length, scratch + 2 * panels);
    if (step.addK == 0) clear(step.dk + kv, kvBytes, length, headDim);
    if (step.addV == 0) clear(step.dv + kv, kvBytes, length, headDim);
    for (let h = kvHead * group; h < (kvHead + 1) * group; h++)
      for (let i = 0; i < length; i += TILE) backTile(step, sequence, h, i, scratch);
  }
}

/** Bytes of a row of q, dOut and dq; of k, v and their gradients. */
function qRowBytes(step: AttendSequencesBackStep): usize {
  return (<usize>(step.nHeads * step.headDim)) << 2;
}

function kvRowBytes(step: AttendSequencesBackStep): usize {
  return (<usize>(step.nKvHeads * step.headDim)) << 2;
}

function clear(x: usize, stride: usize, rows: i32, dim: i32): void {
  for (let i = 0; i < rows; i++) memory.fill(x + <usize>i * stride, 0, (<usize>dim) << 2);
}

/** Up to 32 queries of head h, from position i on. */
function backTile(step: AttendSequencesBackStep, sequence: i32, h: i32, i: i32, scratch: usize): void {
  const length = step.length,
    headDim = step.headDim,
    causal = step.causal != 0,
    rows = min(TILE, length - i),
    width = causal ? i + rows : length;
  const qBytes = qRowBytes(step),
    kvHead = h / (step.nHeads / step.nKvHeads),
    at = (<usize>sequence * length + i) * qBytes + ((<usize>(h * headDim)) << 2),
    kv = <usize>sequence * length * kvRowBytes(step) + ((<usize>(kvHead * headDim)) << 2),
    stats = step.stats + ((<usize>(sequence * step.nHeads + h) * length + i) << 3);
  const panels = panelBytes(length, headDim),
    rowBytes = (<usize>padded(length)) << 2,
    p = scratch + 3 * panels,
    ds = p + <usize>TILE * rowBytes,
    side = ds + <usize>TILE * rowBytes,
    room = side + ((<usize>TILE * headDim) << 2);
  for (let r = 0; r < rows; r += 4) {
    const from = at + <usize>r * qBytes,
      four = min(4, rows - r),
      to = <usize>r * rowBytes;
    scoreRows(step.q + from, qBytes, four, scratch, headDim, width, p + to, rowBytes);
    scoreRows(step.dOut + from, qBytes, four, scratch + 2 * panels, headDim, width, ds + to, rowBytes);
  }
  for (let r = 0; r < rows; r++) {
    const to = <usize>r * rowBytes,
      visible = causal ? i + r + 1 : length;
    softmaxBackwardRow(p + to, ds + to, visible, padded(width), headDim, stats + ((<usize>r) << 3));
  }
  for (let r = 0; r < rows; r += 4) {
    const to = step.dq + at + <usize>r * qBytes;
    queryGradient(step, ds + <usize>r * rowBytes, min(4, rows - r), scratch + panels, width, to, room);
  }
  packColumns(step.q + at, qBytes, rows, headDim, 1, side);
  positionGradient(step, ds, rows, side, width, step.dk + kv, room);
  packColumns(step.dOut + at, qBytes, rows, headDim, 1, side);
  positionGradient(step, p, rows, side, width, step.dv + kv, room);
}

/** p: scores to probabilities; d: Σ dout v to the gradient of the dot products. Zero from `visible` to `width`. */
function softmaxBackwardRow(p: usize, d: usize, visible: i32, width: i32, headDim: i32, stat: usize): void {
  const scale = f32x4.splat(scoreScale(headDim)),
    most = v128.load32_splat(stat),
    inverse = v128.load32_splat(stat, 4);
  for (let j = visible; j < width; j++) store<f32>(p + ((<usize>j) << 2), -Infinity);
  let dots = f32x4.splat(0);
  for (let j = 0; j < width; j += 4) {
    const at = (<usize>j) << 2,
      chance = probability(weightOf(v128.load(p + at), scale, most), inverse);
    v128.store(p + at, chance);
    dots = f32x4.add(dots, f32x4.mul(chance, v128.load(d + at)));
  }
  const dot = f32x4.splat(sumFloats(dots));
  for (let j = 0; j < width; j += 4) {
    const at = (<usize>j) << 2,
      chance = v128.load(p + at);
    v128.store(d + at, f32x4.mul(f32x4.mul(chance, f32x4.sub(v128.load(d + at), dot)), scale));
  }
}

/** dq (rows, headDim) (+)= ds (rows, width) · k. */
function queryGradient(
  step: AttendSequencesBackStep,
  ds: usize,
  rows: i32,
  keys: usize,
  width: i32,
  dq: usize,
  room: usize,
): void {
  const length = step.length,
    headDim = step.headDim,
    stride = qRowBytes(step),
    add = step.addQ != 0,
    rowBytes = (<usize>padded(length)) << 2;
  const d1 = ds + rowBytes,
    d2 = d1 + rowBytes,
    d3 = d2 + rowBytes;
  for (let d = 0; d < headDim; d += 8) {
    const panel = keys + ((<usize>d * length) << 2),
      to = dq + ((<usize>d) << 2);
    if (rows == 4) microTile(ds, d1, d2, d3, 4, panel, width, to, stride, add);
    else edgeTile(ds, d1, d2, d3, 4, panel, width, to, stride, add, rows, 8, room);
  }
}

/** out (width, headDim) += sᵀ · side, s (rows, width), side: panels of (rows, headDim). */
function positionGradient(
  step: AttendSequencesBackStep,
  s: usize,
  rows: i32,
  side: usize,
  width: i32,
  out: usize,
  room: usize,
): void {
  const headDim = step.headDim,
    stride = kvRowBytes(step),
    rowBytes = (<usize>padded(step.length)) << 2;
  for (let j = 0; j < width; j += 4) {
    const from = s + ((<usize>j) << 2),
      to = out + <usize>j * stride,
      four = width - j;
    for (let d = 0; d < headDim; d += 8) {
      const panel = side + ((<usize>d * rows) << 2),
        at = to + ((<usize>d) << 2);
      if (four >= 4) microTile(from, from + 4, from + 8, from + 12, rowBytes, panel, rows, at, stride, true);
      else edgeTile(from, from + 4, from + 8, from + 12, rowBytes, panel, rows, at, stride, true, four, 8, room);
    }
  }
}
