import { ATTENTION_TILE } from "../abi";
import { AttentionTwin, attentionOf } from "../reference/train-attention";
import { Distance, differenceAt } from "../reference/train-differences";
import { share } from "../step";
import { attendSequences, padded, panelBytes } from "../train/attention";
import { attendSequencesBackward } from "../train/attention-backward";
import { AttendSequencesBackStep, AttendSequencesStep } from "../train/steps";
import { Random, differing } from "./fixtures";
import { Arrays, get, isNan, put } from "./train-arrays";

/** Room of one tile at the edge. */
const TILE_BYTES: i32 = 128;

/** Arrays of one attention over sequences and where its results go. */
class Case {
  readonly arrays: Arrays;
  readonly q: usize;
  readonly k: usize;
  readonly v: usize;
  readonly dOut: usize;
  /** The values that gradients are added to. */
  readonly old: usize;
  /** Bytes of q's shape, of k's, of the statistics, of the probabilities. */
  readonly qBytes: i32;
  readonly kBytes: i32;
  readonly statBytes: i32;
  readonly weightBytes: i32;
  out: usize = 0;
  stats: usize = 0;
  weights: usize = 0;
  dq: usize = 0;
  dk: usize = 0;
  dv: usize = 0;

  constructor(
    readonly sequences: i32,
    readonly length: i32,
    readonly heads: i32,
    readonly kvHeads: i32,
    readonly dim: i32,
    readonly causal: bool,
    size: f32,
  ) {
    const arrays = new Arrays(),
      random = new Random(<u32>(length * 64 + dim)),
      nq = sequences * length * heads * dim,
      nk = sequences * length * kvHeads * dim;
    this.arrays = arrays;
    this.q = arrays.floats(nq, random, size);
    this.k = arrays.floats(nk, random, size);
    this.v = arrays.floats(nk, random, 1);
    this.dOut = arrays.floats(nq, random, 1);
    this.old = arrays.floats(nq, random, 1);
    this.qBytes = 4 * nq;
    this.kBytes = 4 * nk;
    this.statBytes = 8 * sequences * heads * length;
    this.weightBytes = (this.statBytes / 2) * length;
  }

  twin(): AttentionTwin {
    const twin = attentionOf(
      this.q,
      this.k,
      this.v,
      this.dOut,
      this.sequences,
      this.length,
      this.heads,
      this.kvHeads,
      this.dim,
      this.causal,
    );
    twin.forward();
    twin.backward();
    return twin;
  }

  forward(pieces: i32, wantsWeights: bool): void {
    const panels = <i32>panelBytes(this.length, this.dim),
      items = this.sequences * this.kvHeads;
    const scratch = this.arrays.poisoned(2 * panels + 16 * padded(this.length) + TILE_BYTES);
    this.out = this.arrays.room(this.qBytes);
    this.stats = this.arrays.room(this.statBytes);
    this.weights = wantsWeights ? this.arrays.room(this.weightBytes) : 0;
    const step = this.arrays.step<AttendSequencesStep>();
    step.q = this.q;
    step.k = this.k;
    step.v = this.v;
    step.out = this.out;
    step.stats = this.stats;
    step.weights = this.weights;
    step.length = this.length;
    step.nHeads = this.heads;
    step.nKvHeads = this.kvHeads;
    step.headDim = this.dim;
    step.causal = this.causal ? 1 : 0;
    step.nSequences = this.sequences;
    for (let t = 0; t < pieces; t++)
      attendSequences(step, share(items, 1, t, pieces), share(items, 1, t + 1, pieces), scratch);
  }

  /** Call after `forward`. */
  backward(pieces: i32, addsQ: bool, addsK: bool, addsV: bool): void {
    const panels = <i32>panelBytes(this.length, this.dim),
      items = this.sequences * this.kvHeads;
    const scratch = this.arrays.poisoned(
      3 * panels + 8 * ATTENTION_TILE * padded(this.length) + 4 * ATTENTION_TILE * this.dim + TILE_BYTES,
    );
    this.dq = addsQ ? this.arrays.copy(this.old, this.qBytes) : this.arrays.room(this.qBytes);
    this.dk = addsK ? this.arrays.copy(this.old, this.kBytes) : this.arrays.room(this.kBytes);
    this.dv = addsV ? this.arrays.copy(this.old, this.kBytes) : this.arrays.room(this.kBytes);
    const step = this.arrays.step<AttendSequencesBackStep>();
    step.q = this.q;
    step.k = this.k;
    step.v = this.v;
    step.stats = this.stats;
    step.dOut = this.dOut;
    step.dq = this.dq;
    step.dk = this.dk;
    step.dv = this.dv;
    step.addQ = addsQ ? 1 : 0;
    step.addK = addsK ? 1 : 0;
    step.addV = addsV ? 1 : 0;
    step.length = this.length;
    step.nHeads = this.heads;
    step.nKvHeads = this.kvHeads;
    step.headDim = this.dim;
    step.causal = this.causal ? 1 : 0;
    step.nSequences = this.sequences;
    for (let t = 0; t < pieces; t++)
      attendSequencesBackward(step, share(items, 1, t, pieces), share(items, 1, t + 1, pieces), scratch);
  }
}

/** Distance of f32 results from f64 ones, onto `old` when it is given. */
function apart(got: usize, want: StaticArray<f64>, old: usize): f64 {
  const distance = new Distance();
  for (let i = 0; i < want.length; i++) distance.add(<f64>get(got, i), want[i] + (old == 0 ? 0 : <f64>get(old, i)));
  return distance.relative();
}

/** Output, statistics and probabilities against the twin; Infinity if something is written beside them. */
function forwardError(c: Case): f64 {
  const twin = c.twin();
  c.forward(1, true);
  let worst = max<f64>(apart(c.out, twin.out, 0), apart(c.weights, twin.weights, 0));
  for (let i = 0; i < twin.stats.length; i++) {
    // Scores may cancel to nothing, so the error of a maximum below 1 is absolute; that of a normaliser is relative.
    const error = abs<f64>(<f64>get(c.stats, i) - twin.stats[i]),
      size = (i & 1) == 0 ? max<f64>(1, abs<f64>(twin.stats[i])) : twin.stats[i];
    worst = max<f64>(worst, error / size);
  }
  return c.arrays.close() == 0 ? worst : Infinity;
}

/** `adds`: a bit for each of dq, dk, dv. */
function backwardError(c: Case, adds: i32): f64 {
  const twin = c.twin(),
    addsQ = (adds & 1) != 0,
    addsK = (adds & 2) != 0,
    addsV = (adds & 4) != 0;
  c.forward(1, false);
  c.backward(1, addsQ, addsK, addsV);
  const dq = apart(c.dq, twin.dq, addsQ ? c.old : 0),
    dk = apart(c.dk, twin.dk, addsK ? c.old : 0),
    dv = apart(c.dv, twin.dv, addsV ? c.old : 0);
  const worst = max<f64>(dq, max<f64>(dk, dv));
  return c.arrays.close() == 0 ? worst : Infinity;
}

/** Every element's gradient against central differences of the twin's forward pass. */
function differenceError(c: Case): f64 {
  const twin = c.twin(),
    dq = new Distance(),
    dk = new Distance(),
    dv = new Distance();
  c.forward(1, false);
  c.backward(1, false, false, false);
  for (let i = 0; i < twin.q.length; i++) dq.add(<f64>get(c.dq, i), differenceAt(twin, twin.q, i));
  for (let i = 0; i < twin.k.length; i++) dk.add(<f64>get(c.dk, i), differenceAt(twin, twin.k, i));
  for (let i = 0; i < twin.v.length; i++) dv.add(<f64>get(c.dv, i), differenceAt(twin, twin.v, i));
  return c.arrays.close() == 0 ? max<f64>(dq.relative(), max<f64>(dk.relative(), dv.relative())) : Infinity;
}

/** Bytes in which two or three shares differ from one, and passes that keep probabilities from those that do not. */
function wrongSplits(c: Case): i32 {
  c.forward(1, false);
  c.backward(1, false, true, false);
  const out = c.out,
    stats = c.stats,
    dq = c.dq,
    dk = c.dk,
    dv = c.dv;
  let wrong = 0;
  for (let pieces = 2; pieces <= 3; pieces++) {
    c.forward(pieces, true);
    c.backward(pieces, false, true, false);
    wrong += differing(c.out, out, c.qBytes) + differing(c.stats, stats, c.statBytes) + differing(c.dq, dq, c.qBytes);
    wrong += differing(c.dk, dk, c.kBytes) + differing(c.dv, dv, c.kBytes);
  }
  return wrong + c.arrays.close();
}

/** Lengths around the tiles of 4, 8 and 32. */
const LENGTHS: StaticArray<i32> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 31, 32, 33, 34, 40, 63, 64, 65, 70];
const HEAD_DIMS: StaticArray<i32> = [8, 16, 24, 64];

/** A case of the length; its other sizes cycle. */
function caseOf(i: i32, causal: bool, size: f32): Case {
  const kvHeads = 1 + (i % 3),
    group = 1 + ((i / 2) % 3);
  return new Case(1 + (i % 2), LENGTHS[i], kvHeads * group, kvHeads, HEAD_DIMS[i % 4], causal, size);
}

describe("training: attention over sequences", () => {
  test("forward within 2e-6 of f64, statistics and probabilities too: causal or not, grouped heads, any length", () => {
    for (let i = 0; i < LENGTHS.length; i++) {
      expect(forwardError(caseOf(i, true, 2))).toBeLessThan(2e-6);
      expect(forwardError(caseOf(i, false, 2))).toBeLessThan(2e-6);
    }
  });
  test("backward within 1e-6 of f64: the same, each gradient alone or added", () => {
    for (let i = 0; i < LENGTHS.length; i++) {
      expect(backwardError(caseOf(i, true, 2), i & 7)).toBeLessThan(1e-6);
      expect(backwardError(caseOf(i, false, 2), ~i & 7)).toBeLessThan(1e-6);
    }
  });
  test("backward within 1e-6 of central differences", () => {
    for (let length = 1; length <= 9; length += 2) {
      expect(differenceError(new Case(1, length, 2, 1, 8, true, 2))).toBeLessThan(1e-6);
      expect(differenceError(new Case(2, length, 2, 2, 8, false, 2))).toBeLessThan(1e-6);
    }
    expect(differenceError(new Case(1, 34, 1, 1, 8, true, 2))).toBeLessThan(1e-6);
  });
  test("the shares of threads give the same bits, probabilities kept or not", () => {
    for (let i = 0; i < LENGTHS.length; i++)
      expect(wrongSplits(caseOf(i, true, 2)) + wrongSplits(caseOf(i, false, 2))).toBe(0);
  });
  test("a causal row does not see what comes after, to the bit", () => {
    const a = new Case(1, 37, 2, 1, 16, true, 2),
      b = new Case(1, 37, 2, 1, 16, true, 2),
      position = 21 * 16;
    for (let i = position; i < 37 * 16; i++) {
      put(b.k, i, -get(b.k, i));
      put(b.v, i, 7);
    }
    a.forward(1, false);
    b.forward(1, false);
    expect(differing(a.out, b.out, 4 * 2 * position)).toBe(0);
    expect(differing(a.out + <usize>(8 * position), b.out + <usize>(8 * position), 4 * 2 * 16)).toBeGreaterThan(0);
    // No gradients either for keys and values after the only row that has one.
    memory.fill(a.dOut, 0, a.qBytes);
    for (let i = 0; i < 32; i++) put(a.dOut, 20 * 32 + i, 1);
    a.backward(1, false, false, false);
    for (let i = position; i < 37 * 16; i++) {
      expect(get(a.dk, i)).toBe(0);
      expect(get(a.dv, i)).toBe(0);
    }
    expect(a.arrays.close() + b.arrays.close()).toBe(0);
  });
  test("scores of ±10000 neither overflow nor vanish: all weight on the largest", () => {
    const c = new Case(1, 11, 1, 1, 8, false, 1);
    for (let i = 0; i < 88; i++) {
      put(c.q, i, 100);
      put(c.k, i, i / 8 == 4 ? 35 : -35);
    }
    c.forward(1, true);
    c.backward(1, false, false, false);
    for (let i = 0; i < 11; i++) {
      expect(get(c.weights, i * 11 + 4)).toBe(1);
      for (let d = 0; d < 8; d++) {
        expect(get(c.out, i * 8 + d)).toBe(get(c.v, 4 * 8 + d));
        expect(abs<f32>(get(c.dq, i * 8 + d))).toBeLessThan(1e-3);
      }
    }
    expect(c.arrays.close()).toBe(0);
  });
  test("a NaN in a query is its row's result, in a key the result of all that see it", () => {
    const c = new Case(1, 13, 1, 1, 8, true, 1);
    put(c.q, 5 * 8 + 3, <f32>NaN);
    put(c.k, 9 * 8 + 7, <f32>NaN);
    c.forward(1, true);
    c.backward(1, false, false, false);
    for (let i = 0; i < 13; i++) {
      for (let d = 0; d < 8; d++) {
        expect(isNan(get(c.out, i * 8 + d))).toBe(i == 5 || i >= 9);
        if (i == 5 || i >= 9) expect(isNan(get(c.dq, i * 8 + d))).toBe(true);
        expect(isNan(get(c.dv, i * 8 + d))).toBe(true);
      }
      expect(isNan(get(c.stats, 2 * i + 1))).toBe(i == 5 || i >= 9);
    }
    expect(c.arrays.close()).toBe(0);
  });
});
