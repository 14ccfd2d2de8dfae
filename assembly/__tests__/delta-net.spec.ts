import { CONTEXT_HEAD_BYTES, PLACE_BYTES } from "../abi";
import { convolve, deltaNet } from "../ops/delta-net";
import { gateSigmoid } from "../ops/activation";
import { placeOf } from "../places";
import { convolvedRow, sigmoidGated, turnedHead } from "../reference/delta-net";
import { ConvolveStep, DeltaNetStep } from "../steps";
import { Guarded, Random, differing, freeStep, newStep } from "./fixtures";

const EPS: f32 = 1e-6;
/** Positions of the context. */
const N: i32 = 11;
/** States, of which a walk reads one and writes another, or the same. */
const STATES: i32 = 3;

class Case {
  constructor(
    public dim: i32,
    public nKeyHeads: i32,
    public nValueHeads: i32,
    public nTaps: i32,
    public grouped: bool,
    public regroup: bool,
  ) {}

  get channels(): i32 {
    return (2 * this.nKeyHeads + this.nValueHeads) * this.dim;
  }

  get rowsBytes(): i32 {
    return 4 * (this.nTaps - 1) * this.channels;
  }

  get stateBytes(): i32 {
    return this.rowsBytes + 4 * this.nValueHeads * this.dim * this.dim + 16;
  }
}

function floats(count: i32, random: Random, size: f32 = 1): Guarded {
  const x = new Guarded(4 * count);
  for (let i = 0; i < count; i++) store<f32>(x.at + <usize>(4 * i), random.signed() * size);
  return x;
}

/** Rows of one context between two of another, as a walk has them that wants logits of some. */
class Walk {
  readonly places: usize;
  private readonly heads: usize;

  /** Positions [begin, end), of which `nLast` stand behind a row of another context. */
  constructor(
    readonly begin: i32,
    readonly end: i32,
    readonly nLast: i32,
    from: i32,
    to: i32,
  ) {
    const n = this.rows;
    this.places = heap.alloc(n * PLACE_BYTES);
    this.heads = heap.alloc(2 * (CONTEXT_HEAD_BYTES + 4));
    const own = this.heads + CONTEXT_HEAD_BYTES,
      other = own + 4 + CONTEXT_HEAD_BYTES;
    store<i32>(own - 12, begin);
    store<i32>(own - 8, from);
    store<i32>(own - 4, to);
    // The other context begins, and leaves its state in the last.
    store<i32>(other - 12, 0);
    store<i32>(other - 8, STATES - 1);
    store<i32>(other - 4, STATES - 1);
    for (let i = 0; i < n; i++) {
      const position = this.positionOf(i);
      placeOf(this.places, i).position = position < 0 ? 0 : position;
      placeOf(this.places, i).pages = position < 0 ? other : own;
    }
  }

  get rows(): i32 {
    return this.end - this.begin + 1;
  }

  /** -1 for the row of the other context. */
  positionOf(i: i32): i32 {
    const nFirst = this.end - this.begin - this.nLast;
    return i < nFirst ? this.begin + i : i == nFirst ? -1 : this.begin + i - 1;
  }

  free(): void {
    heap.free(this.places);
    heap.free(this.heads);
  }
}

/** Walks of uneven length, the heads in two shares; every value against the twin. */
function wrong(c: Case): i32 {
  const random = new Random(<u32>(c.dim * 31 + c.nValueHeads + c.nTaps)),
    channels = c.channels,
    xStride = channels + 3,
    yStride = channels + 5,
    width = c.nValueHeads * c.dim,
    nHeads = 2 * c.nKeyHeads + c.nValueHeads;
  const x = floats(N * channels, random, 2),
    weights = floats(c.nTaps * channels, random),
    z = floats(N * width, random, 3),
    alpha = floats(N * c.nValueHeads, random, 4),
    beta = floats(N * c.nValueHeads, random, 4),
    decay = floats(c.nValueHeads, random, -2),
    dtBias = floats(c.nValueHeads, random),
    norm = floats(c.dim, random, 2);
  const mixed = new Guarded(4 * N * channels),
    wanted = new Guarded(4 * N * width),
    matrices = new Guarded(4 * c.nValueHeads * c.dim * c.dim);
  memory.fill(matrices.at, 0, 4 * c.nValueHeads * c.dim * c.dim);
  for (let t = 0; t < N; t++) {
    const row = mixed.at + <usize>(4 * t * channels);
    convolvedRow(x.at, weights.at, row, t, c.nTaps, channels, c.dim, c.nKeyHeads, 2 * c.nKeyHeads, EPS);
    for (let head = 0; head < c.nValueHeads; head++) {
      const repeats = c.nValueHeads / c.nKeyHeads,
        key = c.grouped ? head / repeats : head % c.nKeyHeads,
        place = c.regroup ? (head % c.nKeyHeads) * repeats + head / c.nKeyHeads : head,
        gate = <usize>(4 * (t * c.nValueHeads + head));
      const q = row + <usize>(4 * (key * c.dim)),
        k = row + <usize>(4 * ((c.nKeyHeads + key) * c.dim)),
        v = row + <usize>(4 * ((2 * c.nKeyHeads + head) * c.dim));
      turnedHead(
        matrices.at + <usize>(4 * (head * c.dim * c.dim)),
        q,
        k,
        v,
        z.at + <usize>(4 * (t * width + head * c.dim)),
        load<f32>(alpha.at + gate),
        load<f32>(dtBias.at + <usize>(4 * head)),
        load<f32>(decay.at + <usize>(4 * head)),
        load<f32>(beta.at + gate),
        norm.at,
        EPS,
        c.dim,
        wanted.at + <usize>(4 * (t * width + place * c.dim)),
      );
    }
  }
  const states = new Guarded(STATES * c.stateBytes),
    // Whatever was there before, a context's beginning is zero.
    rows = new Guarded(4 * (N + 1) * xStride),
    y = new Guarded(4 * (N + 1) * yStride),
    zRows = floats((N + 1) * width, random),
    alphaRows = floats((N + 1) * c.nValueHeads, random),
    betaRows = floats((N + 1) * c.nValueHeads, random),
    out = new Guarded(4 * (N + 1) * (width + 1)),
    scratch = new Guarded(128);
  for (let i = 0; i < (N + 1) * xStride; i++) store<f32>(rows.at + <usize>(4 * i), random.signed());
  const cut = newStep<ConvolveStep>(),
    turn = newStep<DeltaNetStep>();
  cut.x = rows.at;
  cut.xStride = xStride;
  cut.weights = weights.at;
  cut.y = y.at;
  cut.yStride = yStride;
  cut.states = states.at;
  cut.stateBytes = c.stateBytes;
  cut.nTaps = c.nTaps;
  cut.nKeyHeads = c.nKeyHeads;
  cut.nValueHeads = c.nValueHeads;
  cut.headDim = c.dim;
  cut.eps = EPS;
  turn.x = y.at;
  turn.xStride = yStride;
  turn.z = zRows.at;
  turn.zStride = width;
  turn.alpha = alphaRows.at;
  turn.beta = betaRows.at;
  turn.gateStride = c.nValueHeads;
  turn.decay = decay.at;
  turn.dtBias = dtBias.at;
  turn.weight = norm.at;
  turn.states = states.at + <usize>c.rowsBytes;
  turn.stateBytes = c.stateBytes;
  turn.out = out.at;
  turn.outStride = width + 1;
  turn.nKeyHeads = c.nKeyHeads;
  turn.nValueHeads = c.nValueHeads;
  turn.headDim = c.dim;
  turn.eps = EPS;
  turn.grouped = c.grouped ? 1 : 0;
  turn.regroup = c.regroup ? 1 : 0;
  const walks: StaticArray<Walk> = [
    new Walk(0, 1, 1, 0, 0),
    new Walk(1, 3, 1, 0, 1),
    new Walk(3, 9, 2, 1, 1),
    new Walk(9, N, 0, 1, 0),
  ];
  let bad = 0;
  for (let w = 0; w < walks.length; w++) {
    const walk = walks[w],
      n = walk.rows;
    for (let i = 0; i < n; i++) {
      const t = walk.positionOf(i);
      if (t < 0) continue;
      memory.copy(rows.at + <usize>(4 * i * xStride), x.at + <usize>(4 * t * channels), 4 * channels);
      memory.copy(zRows.at + <usize>(4 * i * width), z.at + <usize>(4 * t * width), 4 * width);
      const bytes = 4 * c.nValueHeads;
      memory.copy(alphaRows.at + <usize>(i * bytes), alpha.at + <usize>(t * bytes), bytes);
      memory.copy(betaRows.at + <usize>(i * bytes), beta.at + <usize>(t * bytes), bytes);
    }
    const half = nHeads / 2;
    convolve(cut, walk.places, n, half, nHeads, scratch.at);
    convolve(cut, walk.places, n, 0, half, scratch.at);
    deltaNet(turn, walk.places, n, 0, 1, scratch.at);
    deltaNet(turn, walk.places, n, 1, c.nValueHeads, scratch.at);
    for (let i = 0; i < n; i++) {
      const t = walk.positionOf(i);
      if (t < 0) continue;
      bad += differing(y.at + <usize>(4 * i * yStride), mixed.at + <usize>(4 * t * channels), 4 * channels);
      bad += differing(out.at + <usize>(4 * i * (width + 1)), wanted.at + <usize>(4 * t * width), 4 * width);
    }
    walk.free();
  }
  const areIntact = states.intact() && rows.intact() && y.intact() && out.intact() && scratch.intact();
  freeStep(cut);
  freeStep(turn);
  return bad + (areIntact ? 0 : 1);
}

describe("gated delta net: the bits of the twin, in any walks and shares", () => {
  test("heads of 4, 16 and 128", () => {
    expect(wrong(new Case(4, 1, 2, 4, false, false))).toBe(0);
    expect(wrong(new Case(16, 2, 6, 4, false, false))).toBe(0);
    expect(wrong(new Case(128, 1, 2, 4, false, false))).toBe(0);
  });
  test("one tap and seven", () => {
    expect(wrong(new Case(8, 1, 2, 1, false, false))).toBe(0);
    expect(wrong(new Case(8, 2, 2, 7, false, false))).toBe(0);
  });
  test("value heads side by side, and put side by side", () => {
    expect(wrong(new Case(8, 2, 6, 4, true, false))).toBe(0);
    expect(wrong(new Case(8, 2, 6, 4, false, true))).toBe(0);
  });
});

describe("gates of attention", () => {
  test("x / (1 + e^-gate), in the range alone", () => {
    const random = new Random(3),
      x = floats(20, random),
      before = floats(20, random),
      gate = floats(20, random, 100);
    memory.copy(before.at, x.at, 80);
    gateSigmoid(x.at, gate.at, 4, 16);
    for (let i: usize = 0; i < 20; i++) {
      const old = load<f32>(before.at + 4 * i);
      expect(load<f32>(x.at + 4 * i)).toBe(i < 4 || i >= 16 ? old : sigmoidGated(old, load<f32>(gate.at + 4 * i)));
    }
    expect(x.intact()).toBe(true);
  });
});
