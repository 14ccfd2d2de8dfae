import { KIND_GELU, KIND_SILU } from "../abi";
import { gateGelu, gateRelu2, gateSilu, gelu, relu2, silu } from "../ops/activation";
import { Distance, differenceAt } from "../reference/train-differences";
import { GateTwin, activationOf } from "../reference/train-forward";
import { activate, activateBackward, gate, gateBackward } from "../train/activation-backward";
import { GateArraysBackStep } from "../train/steps";
import { Random, differing } from "./fixtures";
import { Arrays, get, isNan, put } from "./train-arrays";

const KINDS: i32 = 3;

/** x, up, dy, and the values that gradients are added to. */
class GateCase {
  readonly arrays: Arrays;
  readonly x: usize;
  readonly up: usize;
  readonly dy: usize;
  readonly old: usize;

  constructor(
    readonly count: i32,
    size: f32,
    seed: u32,
  ) {
    const random = new Random(seed),
      arrays = new Arrays();
    this.arrays = arrays;
    this.x = arrays.floats(count, random, size);
    this.up = arrays.floats(count, random, 2);
    this.dy = arrays.floats(count, random, 1);
    this.old = arrays.floats(count, random, 1);
  }

  step(kind: i32, dGate: usize, adds: bool, dUp: usize, addsUp: bool): GateArraysBackStep {
    const step = this.arrays.step<GateArraysBackStep>();
    step.kind = kind;
    step.gate = this.x;
    step.up = this.up;
    step.dy = this.dy;
    step.dGate = dGate;
    step.addGate = adds ? 1 : 0;
    step.dUp = dUp;
    step.addUp = addsUp ? 1 : 0;
    step.total = this.count;
    return step;
  }
}

/** Any range: nothing outside changes, and each value has the same bits as alone. */
function wrongRanges(kind: i32, adds: bool): i32 {
  const count = 24,
    c = new GateCase(count, 6, <u32>kind),
    one = c.arrays.room(4 * count),
    oneUp = c.arrays.room(4 * count),
    alone = c.arrays.room(4 * count);
  if (adds) memory.copy(one, c.old, 4 * count);
  if (adds) memory.copy(oneUp, c.old, 4 * count);
  if (adds) memory.copy(alone, c.old, 4 * count);
  for (let i = 0; i < count; i++) {
    gateBackward(c.step(kind, one, adds, oneUp, adds), i, i + 1);
    activateBackward(kind, c.x, c.dy, alone, adds, i, i + 1);
  }
  let wrong = 0;
  for (let begin = 0; begin < 5; begin++) {
    for (let end = begin; end <= count; end++) {
      const arrays = new Arrays(),
        dGate = arrays.copy(c.old, 4 * count),
        dUp = arrays.copy(c.old, 4 * count),
        dx = arrays.copy(c.old, 4 * count);
      gateBackward(c.step(kind, dGate, adds, dUp, adds), begin, end);
      activateBackward(kind, c.x, c.dy, dx, adds, begin, end);
      for (let i = 0; i < count; i++) {
        const inside = i >= begin && i < end,
          at = <usize>(4 * i);
        wrong += differing(dGate + at, (inside ? one : c.old) + at, 4);
        wrong += differing(dUp + at, (inside ? oneUp : c.old) + at, 4);
        wrong += differing(dx + at, (inside ? alone : c.old) + at, 4);
      }
      wrong += arrays.close();
    }
  }
  return wrong + c.arrays.close();
}

/** Gradients against central differences, relative to the largest; x in ±size. `adds` is for x, `addsUp` for up. */
function slopeError(kind: i32, adds: bool, addsUp: bool, size: f32): f64 {
  const count = 203,
    c = new GateCase(count, size, 11),
    dGate = c.arrays.copy(c.old, 4 * count),
    dUp = c.arrays.copy(c.old, 4 * count);
  const dx = c.arrays.copy(c.old, 4 * count),
    twin = new GateTwin(),
    gates = new Distance(),
    ups = new Distance(),
    alone = new Distance();
  gateBackward(c.step(kind, dGate, adds, dUp, addsUp), 0, count);
  activateBackward(kind, c.x, c.dy, dx, adds, 0, count);
  twin.kind = kind;
  for (let i = 0; i < count; i++) {
    const old = adds ? <f64>get(c.old, i) : 0;
    twin.gate[0] = <f64>get(c.x, i);
    twin.up[0] = <f64>get(c.up, i);
    twin.dy = <f64>get(c.dy, i);
    gates.add(<f64>get(dGate, i), old + differenceAt(twin, twin.gate, 0));
    ups.add(<f64>get(dUp, i), (addsUp ? <f64>get(c.old, i) : 0) + differenceAt(twin, twin.up, 0));
    twin.up[0] = 1;
    alone.add(<f64>get(dx, i), old + differenceAt(twin, twin.gate, 0));
  }
  c.arrays.close();
  return max<f64>(gates.relative(), max<f64>(ups.relative(), alone.relative()));
}

/** The forward step by kind matches the f64 activation of that name. */
function wrongKind(kind: i32): i32 {
  const count = 21,
    c = new GateCase(count, 6, 3),
    out = c.arrays.room(4 * count),
    gated = c.arrays.room(4 * count);
  const want = c.arrays.room(4 * count),
    wantGated = c.arrays.room(4 * count);
  activate(kind, c.x, out, 0, count);
  gate(kind, c.x, c.up, gated, 0, count);
  if (kind == KIND_SILU) silu(c.x, want, 0, count);
  else if (kind == KIND_GELU) gelu(c.x, want, 0, count);
  else relu2(c.x, want, 0, count);
  if (kind == KIND_SILU) gateSilu(c.x, c.up, wantGated, 0, count);
  else if (kind == KIND_GELU) gateGelu(c.x, c.up, wantGated, 0, count);
  else gateRelu2(c.x, c.up, wantGated, 0, count);
  let wrong = differing(out, want, 4 * count) + differing(gated, wantGated, 4 * count);
  for (let i = 0; i < count; i++) {
    if (abs<f64>(<f64>get(out, i) - activationOf(kind, <f64>get(c.x, i))) > 5e-6) wrong++;
  }
  return wrong + c.arrays.close();
}

describe("training: gradients of activations", () => {
  test("any range, alone and added, nothing beside", () => {
    for (let kind = 0; kind < KINDS; kind++) expect(wrongRanges(kind, false) + wrongRanges(kind, true)).toBe(0);
  });
  test("within 1e-6 of central differences", () => {
    for (let kind = 0; kind < KINDS; kind++) {
      expect(slopeError(kind, false, true, 6)).toBeLessThan(1e-6);
      expect(slopeError(kind, true, false, 6)).toBeLessThan(1e-6);
      expect(slopeError(kind, true, true, 0.1)).toBeLessThan(1e-6);
      expect(slopeError(kind, false, false, 30)).toBeLessThan(1e-6);
    }
  });
  test("far values: slope 0 on the left, 1 on the right (2x of relu²)", () => {
    for (let kind = 0; kind < KINDS; kind++) {
      const arrays = new Arrays(),
        x = arrays.room(16),
        dy = arrays.room(16),
        dx = arrays.room(16);
      put(x, 0, -1000);
      put(x, 1, 1000);
      put(x, 2, -1e6);
      put(x, 3, 1e6);
      for (let i = 0; i < 4; i++) put(dy, i, 1);
      activateBackward(kind, x, dy, dx, false, 0, 4);
      const curved = kind == KIND_SILU || kind == KIND_GELU;
      expect(get(dx, 0)).toBe(0);
      expect(get(dx, 1)).toBe(curved ? 1 : 2000);
      expect(get(dx, 2)).toBe(0);
      expect(get(dx, 3)).toBe(curved ? 1 : <f32>2e6);
      expect(arrays.close()).toBe(0);
    }
  });
  test("a NaN is not hidden, of x or of dy", () => {
    for (let kind = 0; kind < KINDS; kind++) {
      const arrays = new Arrays(),
        x = arrays.floats(7, new Random(2), 1),
        dy = arrays.floats(7, new Random(3), 1),
        dx = arrays.room(28);
      put(x, 2, <f32>NaN);
      put(dy, 5, <f32>NaN);
      activateBackward(kind, x, dy, dx, false, 0, 7);
      for (let i = 0; i < 7; i++) expect(isNan(get(dx, i))).toBe(i == 2 || i == 5);
      expect(arrays.close()).toBe(0);
    }
  });
  test("the forward steps by kind", () => {
    for (let kind = 0; kind < KINDS; kind++) expect(wrongKind(kind)).toBe(0);
  });
});
