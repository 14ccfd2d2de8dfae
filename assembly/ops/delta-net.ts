/**
 * The mixing of a gated delta net (Yang, Kautz and Hatamizadeh, "Gated Delta Networks", 2024, arXiv 2412.06464): a
 * causal convolution, then a matrix a head that each token turns a little towards its own value.
 *
 *   x, y of the convolution:  f32 (n, xStride): | nKeyHeads queries | nKeyHeads keys | nValueHeads values | of headDim
 *   weights:                  f32 (nTaps, channels): the last row meets the token itself
 *   state of a context:       f32 (nTaps - 1, channels): rows of x, oldest first; then f32 (nValueHeads, headDim,
 *                             headDim): a row of a head's matrix belongs to one dimension of its values
 *   out:                      f32 (n, outStride), nValueHeads of headDim
 *
 *   convolve   y = silu(Σ weights · the last nTaps rows of x); queries and keys over √(Σ² + eps), queries also over
 *              √headDim
 *   deltaNet   g = exp(softplus(alpha + dtBias) · decay), b = 1 / (1 + e^-beta)
 *              M ← g M + u kᵀ, where u = (v - g M k) b;  o = M q;  out = RMS(o) · weight · silu(z)
 *
 * A row of M is four lanes wide and meets nothing of other rows: threads share out heads, and tokens go in turn, so the
 * bits depend neither on the split into walks nor on that into threads. Where a context's state lies: places.ts.
 */
import { sumFourFloats } from "../lanes";
import { expF64, logF64 } from "../math";
import { Place, firstPosition, placeOf, stateFrom, stateTo } from "../places";
import { ConvolveStep, DeltaNetStep } from "../steps";
import { gateSilu, siluX4 } from "./activation";
import { rmsNormRow, sumOfSquares } from "./norm";

/** Heads [headBegin, headEnd) of n tokens: queries, then keys, then values. `scratch`: nTaps addresses. */
export function convolve(
  step: ConvolveStep,
  places: usize,
  n: i32,
  headBegin: i32,
  headEnd: i32,
  scratch: usize,
): void {
  const headBytes = (<usize>step.headDim) << 2,
    begin = <usize>headBegin * headBytes,
    end = <usize>headEnd * headBytes;
  for (let i = 0; i < n; i++) {
    const y = step.y + ((<usize>i * step.yStride) << 2);
    findTaps(step, places, i, scratch);
    for (let at = begin; at < end; at += 16) v128.store(y + at, siluX4(tapSum(step, scratch, at)));
    const keyEnd = min(headEnd, 2 * step.nKeyHeads);
    for (let head = headBegin; head < keyEnd; head++) {
      scaleToUnit(y + <usize>head * headBytes, step.headDim, step.eps, head < step.nKeyHeads);
    }
  }
  for (let i = 0; i < n; i++) if (isLastRow(places, n, i)) keepRows(step, places, i, begin, end);
}

/** The sum over taps of four channels, the oldest first. */
function tapSum(step: ConvolveStep, taps: usize, at: usize): v128 {
  const channels = channelBytes(step);
  let sum = f32x4.splat(0),
    weights = step.weights + at;
  for (let tap = 0; tap < step.nTaps; tap++, weights += channels) {
    const row = load<usize>(taps + ((<usize>tap) << 2));
    if (row != 0) sum = f32x4.add(sum, f32x4.mul(v128.load(row + at), v128.load(weights)));
  }
  return sum;
}

function channelBytes(step: ConvolveStep): usize {
  return (<usize>(2 * step.nKeyHeads + step.nValueHeads) * step.headDim) << 2;
}

/** The addresses of the rows that row i sees, oldest first; 0 before the beginning of its context. */
function findTaps(step: ConvolveStep, places: usize, i: i32, taps: usize): void {
  const nTaps = step.nTaps;
  for (let tap = 0; tap < nTaps; tap++) {
    store<usize>(taps + ((<usize>tap) << 2), rowBack(step, places, i, nTaps - 1 - tap));
  }
}

/** The row of x `back` positions before that of row i: of this walk, or of the state. */
function rowBack(step: ConvolveStep, places: usize, i: i32, back: i32): usize {
  const place = placeOf(places, i),
    position = place.position - back,
    first = firstPosition(place);
  if (position < 0) return 0;
  if (position < first) {
    const row = position - first + step.nTaps - 1;
    return step.states + stateFrom(place) * step.stateBytes + <usize>row * channelBytes(step);
  }
  let at = i - back;
  // A context has one row after another, except where those with logits begin: these stand behind all others.
  if (at < 0 || !isAt(placeOf(places, at), place.pages, position)) {
    at = i - 1;
    while (!isAt(placeOf(places, at), place.pages, position)) at--;
  }
  return step.x + ((<usize>at * step.xStride) << 2);
}

function isAt(place: Place, pages: usize, position: i32): bool {
  return place.pages == pages && place.position == position;
}

/** Whether no later row is of the same context. */
function isLastRow(places: usize, n: i32, i: i32): bool {
  const pages = placeOf(places, i).pages;
  for (let later = i + 1; later < n; later++) if (placeOf(places, later).pages == pages) return false;
  return true;
}

/** The last rows that row i sees become the state. In this order, a state may be read and written in one place. */
function keepRows(step: ConvolveStep, places: usize, i: i32, begin: usize, end: usize): void {
  const nKept = step.nTaps - 1;
  let to = step.states + stateTo(placeOf(places, i)) * step.stateBytes;
  for (let row = 0; row < nKept; row++, to += channelBytes(step)) {
    const from = rowBack(step, places, i, nKept - 1 - row);
    if (from == 0) memory.fill(to + begin, 0, end - begin);
    else memory.copy(to + begin, from + begin, end - begin);
  }
}

/** x / √(Σx² + eps), for queries also over √dim: scores then have about the size of one. */
function scaleToUnit(x: usize, dim: i32, eps: f32, isQuery: bool): void {
  const length = sqrt<f64>(sumOfSquares(x, dim, 0) + <f64>eps) * (isQuery ? sqrt<f64>(<f64>dim) : 1.0),
    scale = f32x4.splat(<f32>(1.0 / length));
  for (let end = x + ((<usize>dim) << 2); x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), scale));
}

/** Value heads [headBegin, headEnd) of n tokens. `scratch`: two floats a token. */
export function deltaNet(
  step: DeltaNetStep,
  places: usize,
  n: i32,
  headBegin: i32,
  headEnd: i32,
  scratch: usize,
): void {
  for (let head = headBegin; head < headEnd; head++) {
    for (let i = 0; i < n; i++) computeGates(step, i, head, scratch + ((<usize>i) << 3));
    // Four rows of the matrix stay in level 1 (2 KB for 128 dimensions) while all tokens pass.
    for (let row = 0; row < step.headDim; row += 4) {
      for (let i = 0; i < n; i++) turnRows(step, placeOf(places, i), i, head, row, scratch + ((<usize>i) << 3));
    }
    for (let i = 0; i < n; i++) {
      const out = outOf(step, i, head),
        z = step.z + ((<usize>i * step.zStride + head * step.headDim) << 2);
      rmsNormRow(out, step.weight, out, step.headDim, step.eps);
      gateSilu(z, out, out, 0, step.headDim);
    }
  }
}

/** g, then b. */
function computeGates(step: DeltaNetStep, i: i32, head: i32, gates: usize): void {
  const at = (<usize>head) << 2,
    row = (<usize>i * step.gateStride) << 2,
    x = <f64>load<f32>(step.alpha + row + at) + <f64>load<f32>(step.dtBias + at),
    softplus = max<f64>(x, 0) + logF64(1.0 + expF64(-abs<f64>(x)));
  store<f32>(gates, <f32>expF64(softplus * <f64>load<f32>(step.decay + at)));
  store<f32>(gates, <f32>(1.0 / (1.0 + expF64(-(<f64>load<f32>(step.beta + row + at))))), 4);
}

/** Token i turns rows [row, row + 4) of a head's matrix, and reads its output from them. */
function turnRows(step: DeltaNetStep, place: Place, i: i32, head: i32, row: i32, gates: usize): void {
  const rowBytes = (<usize>step.headDim) << 2,
    inState = <usize>(head * step.headDim + row) * rowBytes,
    to = step.states + stateTo(place) * step.stateBytes + inState;
  let from = to;
  if (place.position == 0) memory.fill(to, 0, 4 * rowBytes);
  else if (place.position == firstPosition(place)) from = step.states + stateFrom(place) * step.stateBytes + inState;
  const x = step.x + ((<usize>i * step.xStride) << 2),
    q = x + <usize>keyHeadOf(step, head) * rowBytes,
    k = q + <usize>step.nKeyHeads * rowBytes,
    v = x + <usize>(2 * step.nKeyHeads + head) * rowBytes + ((<usize>row) << 2);
  const decay = v128.load32_splat(gates),
    found = f32x4.mul(rowProducts(from, k, rowBytes), decay),
    turn = f32x4.mul(f32x4.sub(v128.load(v), found), v128.load32_splat(gates, 4));
  v128.store(outOf(step, i, head) + ((<usize>row) << 2), turnedProducts(from, to, k, q, rowBytes, decay, turn));
}

/** Four rows times k. */
function rowProducts(rows: usize, k: usize, rowBytes: usize): v128 {
  let a = f32x4.splat(0),
    b = a,
    c = a,
    d = a;
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const key = v128.load(k + at);
    let row = rows + at;
    a = f32x4.add(a, f32x4.mul(v128.load(row), key));
    row += rowBytes;
    b = f32x4.add(b, f32x4.mul(v128.load(row), key));
    row += rowBytes;
    c = f32x4.add(c, f32x4.mul(v128.load(row), key));
    row += rowBytes;
    d = f32x4.add(d, f32x4.mul(v128.load(row), key));
  }
  return sumFourFloats(a, b, c, d);
}

/** `to` = decay · `from` + turn kᵀ for four rows; returns them times q. */
function turnedProducts(from: usize, to: usize, k: usize, q: usize, rowBytes: usize, decay: v128, turn: v128): v128 {
  const t0 = i8x16.shuffle(turn, turn, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
    t1 = i8x16.shuffle(turn, turn, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7),
    t2 = i8x16.shuffle(turn, turn, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11),
    t3 = i8x16.shuffle(turn, turn, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
  let a = f32x4.splat(0),
    b = a,
    c = a,
    d = a;
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const key = v128.load(k + at),
      query = v128.load(q + at);
    let row = at;
    const r0 = f32x4.add(f32x4.mul(v128.load(from + row), decay), f32x4.mul(t0, key));
    v128.store(to + row, r0);
    row += rowBytes;
    const r1 = f32x4.add(f32x4.mul(v128.load(from + row), decay), f32x4.mul(t1, key));
    v128.store(to + row, r1);
    row += rowBytes;
    const r2 = f32x4.add(f32x4.mul(v128.load(from + row), decay), f32x4.mul(t2, key));
    v128.store(to + row, r2);
    row += rowBytes;
    const r3 = f32x4.add(f32x4.mul(v128.load(from + row), decay), f32x4.mul(t3, key));
    v128.store(to + row, r3);
    a = f32x4.add(a, f32x4.mul(r0, query));
    b = f32x4.add(b, f32x4.mul(r1, query));
    c = f32x4.add(c, f32x4.mul(r2, query));
    d = f32x4.add(d, f32x4.mul(r3, query));
  }
  return sumFourFloats(a, b, c, d);
}

/** Value heads of one key head lie nKeyHeads apart (GGUF), or side by side (Hugging Face). */
function keyHeadOf(step: DeltaNetStep, head: i32): i32 {
  return step.grouped != 0 ? head / (step.nValueHeads / step.nKeyHeads) : head % step.nKeyHeads;
}

/** A head's place in the output: its own, or beside the others of its key head. */
function outOf(step: DeltaNetStep, i: i32, head: i32): usize {
  const nKeyHeads = step.nKeyHeads,
    repeats = step.nValueHeads / nKeyHeads,
    at = step.regroup != 0 ? (head % nKeyHeads) * repeats + head / nKeyHeads : head;
  return step.out + ((<usize>i * step.outStride + at * step.headDim) << 2);
}
