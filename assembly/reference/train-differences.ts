/**
 * Gradients without a formula: central differences of a forward pass in f64. A step of 1e-5 leaves about 1e-10 of the
 * third derivative and 1e-11 of the value, both far below one rounding of f32.
 */
const STEP: f64 = 1e-5;

/** A number computed from f64 arrays, whose entries may be nudged. */
export abstract class Scalar {
  abstract value(): f64;
}

/** d(twin.value()) / dx[i]; x is one of the arrays `twin` reads. */
export function differenceAt(twin: Scalar, x: StaticArray<f64>, i: i32): f64 {
  const kept = x[i];
  x[i] = kept + STEP;
  const above = twin.value();
  x[i] = kept - STEP;
  const below = twin.value();
  x[i] = kept;
  return (above - below) / (2 * STEP);
}

/** f32 (count) as f64. */
export function widened(p: usize, count: i32): StaticArray<f64> {
  const x = new StaticArray<f64>(count);
  for (let i = 0; i < count; i++) x[i] = <f64>load<f32>(p + ((<usize>i) << 2));
  return x;
}

/** The error of results, relative to the largest wanted value. */
export class Distance {
  private worst: f64 = 0;
  private largest: f64 = 0;

  add(got: f64, want: f64): void {
    const error = abs<f64>(got - want);
    // A NaN compares false with everything: count it as infinitely far.
    if (!(error <= this.worst)) this.worst = error == error ? max<f64>(this.worst, error) : Infinity;
    this.largest = max<f64>(this.largest, abs<f64>(want));
  }

  relative(): f64 {
    return this.against(this.largest);
  }

  /** The same relative to `size`: the size of the terms, where they cancel. */
  against(size: f64): f64 {
    return this.worst == 0 ? 0 : this.worst / size;
  }
}
