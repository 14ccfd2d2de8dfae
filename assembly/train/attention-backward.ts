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

/** Query rows per step: enough for the sums of dk and dv, few enough that scores stay in L2. */
const TILE: i32 = ATTENTION_TILE;

export function attendSequencesBackward(
  q: usize,
  k: usize,
  v: usize,
  stats: usize,
  dOut: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  addQ: bool,
  addK: bool,
  addV: bool,
  length: i32,
  nHeads: i32,
  nKvHeads: i32,
  headDim: i32,
  causal: bool,
  itemBegin: i32,
  itemEnd: i32,
  scratch: usize,
): void {
  const group = nHeads / nKvHeads,
    kvBytes = (<usize>(nKvHeads * headDim)) << 2,
    qBytes = kvBytes * group;
  const panels = panelBytes(length, headDim);
  for (let item = itemBegin; item < itemEnd; item++) {
    const sequence = item / nKvHeads,
      kvHead = item % nKvHeads,
      first = <usize>sequence * length;
    const kv = first * kvBytes + ((<usize>(kvHead * headDim)) << 2);
    packRows(k + kv, kvBytes, headDim, length, scratch);
    packColumns(k + kv, kvBytes, length, headDim, 1, scratch + panels);
    packRows(v + kv, kvBytes, headDim, length, scratch + 2 * panels);
    if (!addK) clear(dk + kv, kvBytes, length, headDim);
    if (!addV) clear(dv + kv, kvBytes, length, headDim);
    for (let h = kvHead * group; h < (kvHead + 1) * group; h++) {
      const at = first * qBytes + ((<usize>(h * headDim)) << 2),
        stat = stats + ((<usize>(sequence * nHeads + h) * length) << 3);
      for (let i = 0; i < length; i += TILE) {
        const tile = at + <usize>i * qBytes,
          rows = min(TILE, length - i),
          width = causal ? i + rows : length;
        backTile(
          q + tile,
          dOut + tile,
          dq + tile,
          qBytes,
          addQ,
          dk + kv,
          dv + kv,
          kvBytes,
          stat + ((<usize>i) << 3),
          i,
          rows,
          width,
          length,
          headDim,
          causal,
          scratch,
        );
      }
    }
  }
}

function clear(x: usize, stride: usize, rows: i32, dim: i32): void {
  for (let i = 0; i < rows; i++) memory.fill(x + <usize>i * stride, 0, (<usize>dim) << 2);
}

/** Up to 32 queries of one head, from position i on. */
function backTile(
  q: usize,
  dOut: usize,
  dq: usize,
  qBytes: usize,
  addQ: bool,
  dk: usize,
  dv: usize,
  kvBytes: usize,
  stats: usize,
  i: i32,
  rows: i32,
  width: i32,
  length: i32,
  headDim: i32,
  causal: bool,
  scratch: usize,
): void {
  const panels = panelBytes(length, headDim),
    rowBytes = (<usize>padded(length)) << 2;
  const p = scratch + 3 * panels,
    ds = p + <usize>TILE * rowBytes,
    side = ds + <usize>TILE * rowBytes;
  const room = side + ((<usize>TILE * headDim) << 2);
  for (let r = 0; r < rows; r += 4) {
    const at = <usize>r * qBytes,
      four = min(4, rows - r),
      to = <usize>r * rowBytes;
    scoreRows(q + at, qBytes, four, scratch, headDim, width, p + to, rowBytes);
    scoreRows(dOut + at, qBytes, four, scratch + 2 * panels, headDim, width, ds + to, rowBytes);
  }
  for (let r = 0; r < rows; r++) {
    const to = <usize>r * rowBytes,
      visible = causal ? i + r + 1 : length;
    softmaxBackwardRow(p + to, ds + to, visible, padded(width), headDim, stats + ((<usize>r) << 3));
  }
  for (let r = 0; r < rows; r += 4) {
    queryGradient(
      ds + <usize>r * rowBytes,
      rowBytes,
      min(4, rows - r),
      scratch + panels,
      length,
      headDim,
      width,
      dq + <usize>r * qBytes,
      qBytes,
      addQ,
      room,
    );
  }
  packColumns(q, qBytes, rows, headDim, 1, side);
  positionGradient(ds, rowBytes, rows, side, headDim, width, dk, kvBytes, room);
  packColumns(dOut, qBytes, rows, headDim, 1, side);
  positionGradient(p, rowBytes, rows, side, headDim, width, dv, kvBytes, room);
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
  ds: usize,
  rowBytes: usize,
  rows: i32,
  keys: usize,
  length: i32,
  headDim: i32,
  width: i32,
  dq: usize,
  stride: usize,
  add: bool,
  room: usize,
): void {
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
  s: usize,
  rowBytes: usize,
  rows: i32,
  side: usize,
  headDim: i32,
  width: i32,
  out: usize,
  stride: usize,
  room: usize,
): void {
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
