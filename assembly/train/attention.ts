/**
 * Attention over whole sequences, forward, with shared key/value heads (Ainslie et al., "GQA", 2023).
 *
 *   q, out     f32 (nSequences · length, nHeads · headDim)        k, v   f32 (nSequences · length, nKvHeads · headDim)
 *   stats      f32 (nSequences, nHeads, length, 2): maximum of the scaled scores, 1 / Σ exp(score - maximum)
 *   weights    f32 (nSequences, nHeads, length, length), receives the probabilities; 0: not kept
 *   item       sequence · nKvHeads + kvHead: one thread does all query heads that share a key/value head, in order
 *
 *   s = q kᵀ / √headDim,  p = softmax(s) over the positions seen,  out = p v
 *
 * All products are micro-tiles (micro-tile.ts); headDim is a multiple of 8. Scores are kept for four rows at a time.
 */
import { maxFloats, sumFloats } from "../lanes";
import { expF32x4 } from "../math";
import { edgeTile, microTile } from "./micro-tile";
import { packColumns, packRows } from "./panels";
import { AttendSequencesStep } from "./steps";

/** Positions padded to whole panels. */
export function padded(length: i32): i32 {
  return (length + 7) & ~7;
}

/** Bytes of a head's keys or values as panels. */
export function panelBytes(length: i32, headDim: i32): usize {
  return (<usize>padded(length) * headDim) << 2;
}

/** Items [itemBegin, itemEnd). scratch: | keys | values | four rows of scores | room of a tile |. */
export function attendSequences(step: AttendSequencesStep, itemBegin: i32, itemEnd: i32, scratch: usize): void {
  const length = step.length,
    headDim = step.headDim,
    nKvHeads = step.nKvHeads,
    group = step.nHeads / nKvHeads,
    kvBytes = (<usize>(nKvHeads * headDim)) << 2;
  for (let item = itemBegin; item < itemEnd; item++) {
    const sequence = item / nKvHeads,
      kvHead = item % nKvHeads;
    const kv = <usize>sequence * length * kvBytes + ((<usize>(kvHead * headDim)) << 2);
    packRows(step.k + kv, kvBytes, headDim, length, scratch);
    packColumns(step.v + kv, kvBytes, length, headDim, 1, scratch + panelBytes(length, headDim));
    for (let h = kvHead * group; h < (kvHead + 1) * group; h++) attendHead(step, sequence, h, scratch);
  }
}

/** Query head h, whose keys and values are packed. */
function attendHead(step: AttendSequencesStep, sequence: i32, h: i32, scratch: usize): void {
  const length = step.length,
    headDim = step.headDim,
    causal = step.causal != 0,
    stride = rowBytes(step),
    first = <usize>sequence * length * stride + ((<usize>(h * headDim)) << 2),
    row = <usize>(sequence * step.nHeads + h) * length;
  const values = scratch + panelBytes(length, headDim),
    scores = values + panelBytes(length, headDim),
    scoreBytes = (<usize>padded(length)) << 2;
  for (let i = 0; i < length; i += 4) {
    const rows = min(4, length - i),
      width = causal ? i + rows : length,
      at = first + <usize>i * stride;
    scoreRows(step.q + at, stride, rows, scratch, headDim, width, scores, scoreBytes);
    for (let r = 0; r < rows; r++) {
      const p = scores + <usize>r * scoreBytes,
        visible = causal ? i + r + 1 : length,
        place = row + <usize>(i + r);
      softmaxRow(p, visible, padded(width), headDim, step.stats + (place << 3));
      if (step.weights != 0) copyRow(p, visible, length, step.weights + ((place * length) << 2));
    }
    weighValues(step, scores, rows, values, width, step.out + at, scores + 4 * scoreBytes);
  }
}

/** Bytes of a row of q and out. */
function rowBytes(step: AttendSequencesStep): usize {
  return (<usize>(step.nHeads * step.headDim)) << 2;
}

/** Dot products of up to four rows of q with positions [0, width), padded to 8: scores (4, scoreBytes). */
export function scoreRows(
  q: usize,
  stride: usize,
  rows: i32,
  keys: usize,
  headDim: i32,
  width: i32,
  scores: usize,
  scoreBytes: usize,
): void {
  const last = <usize>(rows - 1),
    q1 = q + min<usize>(1, last) * stride,
    q2 = q + min<usize>(2, last) * stride,
    q3 = q + last * stride;
  for (let j = 0; j < width; j += 8) {
    microTile(
      q,
      q1,
      q2,
      q3,
      4,
      keys + ((<usize>j * headDim) << 2),
      headDim,
      scores + ((<usize>j) << 2),
      scoreBytes,
      false,
    );
  }
}

/** out (rows, headDim) = p (rows, width) · v. */
function weighValues(
  step: AttendSequencesStep,
  p: usize,
  rows: i32,
  values: usize,
  width: i32,
  out: usize,
  room: usize,
): void {
  const length = step.length,
    headDim = step.headDim,
    stride = rowBytes(step),
    scoreBytes = (<usize>padded(length)) << 2;
  const p1 = p + scoreBytes,
    p2 = p1 + scoreBytes,
    p3 = p2 + scoreBytes;
  for (let d = 0; d < headDim; d += 8) {
    const panel = values + ((<usize>d * length) << 2),
      to = out + ((<usize>d) << 2);
    if (rows == 4) microTile(p, p1, p2, p3, 4, panel, width, to, stride, false);
    else edgeTile(p, p1, p2, p3, 4, panel, width, to, stride, false, rows, 8, room);
  }
}

/** 1 / √headDim, as every pass computes it. */
export function scoreScale(headDim: i32): f32 {
  return <f32>(1.0 / sqrt<f64>(<f64>headDim));
}

/**
 * e^(score · scale - maximum), at least e^-70, or 0 below 2^-100, where a product would not matter. Processors take a
 * hundred cycles for a number below 2^-126, and sharp attention is full of them: speed fell to a fifth.
 */
export function weightOf(score: v128, scale: v128, maximum: v128): v128 {
  return expF32x4(f32x4.pmax(f32x4.sub(f32x4.mul(score, scale), maximum), f32x4.splat(-70)));
}

export function probability(weight: v128, inverse: v128): v128 {
  const p = f32x4.mul(weight, inverse);
  return v128.andnot(p, f32x4.lt(p, f32x4.splat(7.888609052210118e-31)));
}

/** Scores to probabilities in place: those of `visible` positions, zero up to `width` (a multiple of 4). */
function softmaxRow(row: usize, visible: i32, width: i32, headDim: i32, stat: usize): void {
  const scale = f32x4.splat(scoreScale(headDim));
  for (let j = visible; j < width; j++) store<f32>(row + ((<usize>j) << 2), -Infinity);
  let most = f32x4.splat(-Infinity);
  for (let j = 0; j < width; j += 4) most = f32x4.pmax(most, f32x4.mul(v128.load(row + ((<usize>j) << 2)), scale));
  const maximum = maxFloats(most),
    m = f32x4.splat(maximum);
  let sums = f32x4.splat(0);
  for (let j = 0; j < width; j += 4) {
    const p = row + ((<usize>j) << 2),
      e = weightOf(v128.load(p), scale, m);
    sums = f32x4.add(sums, e);
    v128.store(p, e);
  }
  const inverse: f32 = 1 / sumFloats(sums),
    inv = f32x4.splat(inverse);
  for (let j = 0; j < width; j += 4)
    v128.store(row + ((<usize>j) << 2), probability(v128.load(row + ((<usize>j) << 2)), inv));
  store<f32>(stat, maximum);
  store<f32>(stat, inverse, 4);
}

function copyRow(row: usize, visible: i32, length: i32, out: usize): void {
  memory.copy(out, row, (<usize>visible) << 2);
  memory.fill(out + ((<usize>visible) << 2), 0, (<usize>(length - visible)) << 2);
}
