import { expF64 } from "../math";
import { geluOf, relu2Of, siluOf } from "../reference/ops";
import { gateGelu, gateRelu2, gateSilu, gelu, relu2, silu } from "../ops/activation";
import { Guarded, Random, isGuard } from "./fixtures";

const SILU: i32 = 0;
const RELU2: i32 = 1;
const GELU: i32 = 2;

function activate(f: i32, x: f32): f32 {
  return f == SILU ? siluOf(x) : f == RELU2 ? relu2Of(x) : geluOf(x);
}

function run(f: i32, x: usize, up: usize, out: usize, begin: i32, end: i32, gated: bool): void {
  if (gated) {
    if (f == SILU) gateSilu(x, up, out, begin, end);
    else if (f == RELU2) gateRelu2(x, up, out, begin, end);
    else gateGelu(x, up, out, begin, end);
  } else if (f == SILU) silu(x, out, begin, end);
  else if (f == RELU2) relu2(x, out, begin, end);
  else gelu(x, out, begin, end);
}

/** Every range within 24 values: the twin's bits inside, nothing changed outside. */
function wrong(f: i32, gated: bool): i32 {
  const random = new Random(<u32>f),
    count = 24,
    x = new Guarded(4 * count),
    up = new Guarded(4 * count);
  let bad = 0;
  for (let begin = 0; begin < 5; begin++) {
    for (let end = begin; end <= count; end++) {
      const out = new Guarded(4 * count);
      for (let i = 0; i < count; i++) {
        store<f32>(x.at + <usize>(4 * i), random.signed() * 20);
        store<f32>(up.at + <usize>(4 * i), random.signed() * 2);
      }
      run(f, x.at, up.at, out.at, begin, end, gated);
      for (let i = 0; i < count; i++) {
        const at = <usize>(4 * i),
          want = activate(f, load<f32>(x.at + at)) * (gated ? load<f32>(up.at + at) : 1);
        if (i < begin || i >= end ? !isGuard(out.at + at, 4) : load<f32>(out.at + at) != want) bad++;
      }
      if (!out.intact()) bad++;
      out.free();
    }
  }
  return bad;
}

/** Largest error relative to the larger of the result and 1e-3, against f64. */
function worst(f: i32): f64 {
  const x = new Guarded(4),
    out = new Guarded(4);
  let most: f64 = 0;
  for (let v: f32 = -30; v < 30; v += 0.003) {
    store<f32>(x.at, v);
    run(f, x.at, 0, out.at, 0, 1, false);
    const d = <f64>v,
      u = f == SILU ? d : 1.5957691216057308 * (d + 0.044715 * d * d * d);
    const want = d / (1 + expF64(-u));
    most = max<f64>(most, abs<f64>(<f64>load<f32>(out.at) - want) / max<f64>(abs<f64>(want), 1e-3));
  }
  return most;
}

describe("activations", () => {
  test("gates, any range, bit for bit", () => {
    for (let f = SILU; f <= GELU; f++) expect(wrong(f, true)).toBe(0);
  });
  test("alone, any range, bit for bit", () => {
    for (let f = SILU; f <= GELU; f++) expect(wrong(f, false)).toBe(0);
  });
  test("SiLU within 2e-7, GELU (whose argument is rounded thrice) within 1e-6", () => {
    expect(worst(SILU) < 2e-7).toBe(true);
    expect(worst(GELU) < 1e-6).toBe(true);
  });
  test("far values: 0 on the left, x on the right; relu² of ffn size does not overflow", () => {
    const x = new Guarded(12),
      out = new Guarded(12);
    store<f32>(x.at, -200);
    store<f32>(x.at, 200, 4);
    store<f32>(x.at, 1e9, 8);
    silu(x.at, out.at, 0, 3);
    expect(load<f32>(out.at)).toBe(0);
    expect(load<f32>(out.at, 4)).toBe(200);
    gelu(x.at, out.at, 0, 3);
    expect(load<f32>(out.at)).toBe(0);
    expect(load<f32>(out.at, 8)).toBe(1e9);
    relu2(x.at, out.at, 0, 3);
    expect(load<f32>(out.at)).toBe(0);
    expect(load<f32>(out.at, 8)).toBe(<f32>1e18);
  });
});
