import { Distance, differenceAt, widened } from "../reference/train-differences";
import { NormTwin } from "../reference/train-forward";
import { share } from "../step";
import { normColumnsBackward, normRowsBackward } from "../train/norm-backward";
import { NormColumnsBackStep, NormRowsBackStep } from "../train/steps";
import { Random, differing } from "./fixtures";
import { Arrays, get, isNan, put } from "./train-arrays";

const EPS: f32 = 1e-5;
const DIMS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 130];

/** x, w, dy of a norm, and places for its gradients. */
class NormCase {
  readonly arrays: Arrays;
  readonly x: usize;
  readonly w: usize;
  readonly dy: usize;
  /** The values that gradients are added to. */
  readonly old: usize;
  readonly twin: NormTwin;
  dx: usize = 0;
  stats: usize = 0;
  dw: usize = 0;
  db: usize = 0;

  constructor(
    readonly rows: i32,
    readonly dim: i32,
    readonly centered: bool,
    size: f32,
  ) {
    const random = new Random(<u32>(rows * 4096 + dim)),
      count = rows * dim;
    const arrays = new Arrays(),
      x = arrays.floats(count, random, size),
      w = arrays.floats(dim, random, 2),
      dy = arrays.floats(count, random, 1);
    this.arrays = arrays;
    this.x = x;
    this.w = w;
    this.dy = dy;
    this.old = arrays.floats(count, random, 1);
    this.twin = new NormTwin(
      widened(x, count),
      widened(w, dim),
      new StaticArray<f64>(dim),
      widened(dy, count),
      rows,
      dim,
      <f64>EPS,
      centered,
    );
  }

  /** Both passes in `pieces` shares. */
  run(pieces: i32, adds: bool): void {
    const count = this.rows * this.dim;
    this.dx = adds ? this.arrays.copy(this.old, 4 * count) : this.arrays.room(4 * count);
    this.stats = this.arrays.room(8 * this.rows);
    this.dw = this.arrays.copy(this.old, 4 * this.dim);
    this.db = this.arrays.copy(this.old, 4 * this.dim);
    const rows = this.arrays.step<NormRowsBackStep>(),
      columns = this.arrays.step<NormColumnsBackStep>();
    rows.x = this.x;
    rows.weight = this.w;
    rows.dy = this.dy;
    rows.dx = this.dx;
    rows.stats = this.stats;
    rows.dim = this.dim;
    rows.eps = EPS;
    rows.add = adds ? 1 : 0;
    rows.n = this.rows;
    rows.centered = this.centered ? 1 : 0;
    columns.x = this.x;
    columns.dy = this.dy;
    columns.stats = this.stats;
    columns.dWeight = this.dw;
    columns.dBias = this.centered ? this.db : 0;
    columns.n = this.rows;
    columns.dim = this.dim;
    for (let t = 0; t < pieces; t++)
      normRowsBackward(rows, share(this.rows, 1, t, pieces), share(this.rows, 1, t + 1, pieces));
    for (let t = 0; t < pieces; t++)
      normColumnsBackward(columns, share(this.dim, 4, t, pieces), share(this.dim, 4, t + 1, pieces));
  }
}

/** Bytes that differ between one share and two or three; what is written beside; db touched without a bias. */
function wrongSplits(rows: i32, dim: i32, centered: bool, adds: bool): i32 {
  const c = new NormCase(rows, dim, centered, 3);
  c.run(1, adds);
  const dx = c.dx,
    dw = c.dw,
    db = c.db,
    stats = c.stats;
  let wrong = centered ? 0 : differing(db, c.old, 4 * dim);
  for (let pieces = 2; pieces <= 3; pieces++) {
    c.run(pieces, adds);
    wrong +=
      differing(c.dx, dx, 4 * rows * dim) +
      differing(c.dw, dw, 4 * dim) +
      differing(c.db, db, 4 * dim) +
      differing(c.stats, stats, 8 * rows);
  }
  return wrong + c.arrays.close();
}

/**
 * Rows' gradients against central differences, every `stride`-th of them. A gradient is r (w dy - …), and in a row of
 * one or two values the terms cancel: the error is relative to the largest first term.
 */
function rowError(rows: i32, dim: i32, centered: bool, adds: bool, stride: i32, size: f32): f64 {
  const c = new NormCase(rows, dim, centered, size),
    distance = new Distance(),
    kept = new Distance();
  let largest: f64 = 0;
  c.run(1, adds);
  for (let i = 0; i < rows * dim; i += stride) {
    largest = max<f64>(largest, abs<f64>(c.twin.inverse(i / dim) * c.twin.w[i % dim] * c.twin.dy[i]));
    distance.add(<f64>get(c.dx, i), differenceAt(c.twin, c.twin.x, i) + (adds ? <f64>get(c.old, i) : 0));
  }
  for (let row = 0; row < rows; row++) {
    kept.add(<f64>get(c.stats, 2 * row), c.twin.mean(row));
    kept.add(<f64>get(c.stats, 2 * row + 1), c.twin.inverse(row));
  }
  c.arrays.close();
  return max<f64>(distance.against(largest), kept.relative());
}

/** The same for the gradients of w and b, which are added to old values. */
function columnError(rows: i32, dim: i32, centered: bool): f64 {
  const c = new NormCase(rows, dim, centered, 3),
    distance = new Distance();
  c.run(1, false);
  for (let i = 0; i < dim; i++) {
    distance.add(<f64>get(c.dw, i), <f64>get(c.old, i) + differenceAt(c.twin, c.twin.w, i));
    if (centered) distance.add(<f64>get(c.db, i), <f64>get(c.old, i) + differenceAt(c.twin, c.twin.b, i));
  }
  c.arrays.close();
  return distance.relative();
}

function worstRows(centered: bool): f64 {
  let worst: f64 = 0;
  for (let i = 0; i < DIMS.length; i++) {
    for (let rows = 1; rows <= 3; rows++) worst = max<f64>(worst, rowError(rows, DIMS[i], centered, rows == 2, 1, 3));
  }
  return worst;
}

function worstColumns(centered: bool): f64 {
  let worst: f64 = 0;
  for (let i = 0; i < DIMS.length; i++)
    for (let rows = 1; rows <= 6; rows += 5) worst = max<f64>(worst, columnError(rows, DIMS[i], centered));
  return worst;
}

describe("training: gradients of norms", () => {
  test("do not depend on the split", () => {
    for (let i = 0; i < DIMS.length; i++) {
      for (let rows = 1; rows <= 7; rows += 2) {
        const adds = (rows & 2) == 0;
        expect(wrongSplits(rows, DIMS[i], false, adds) + wrongSplits(rows, DIMS[i], true, adds)).toBe(0);
      }
    }
  });
  test("RMS: rows within 1e-6 of central differences", () => expect(worstRows(false)).toBeLessThan(1e-6));
  test("layer: the same", () => expect(worstRows(true)).toBeLessThan(1e-6));
  test("weights and biases within 1e-6 of central differences", () => {
    expect(worstColumns(false)).toBeLessThan(1e-6);
    expect(worstColumns(true)).toBeLessThan(1e-6);
  });
  test("wide rows, small and large values", () => {
    for (let centered = 0; centered < 2; centered++) {
      expect(rowError(1, 2560, centered == 1, false, 97, 3)).toBeLessThan(1e-6);
      expect(rowError(2, 40, centered == 1, false, 1, 0.02)).toBeLessThan(1e-6);
      expect(rowError(2, 40, centered == 1, false, 1, 300)).toBeLessThan(1e-6);
    }
  });
  test("a layer norm of one value has no gradient", () => {
    const c = new NormCase(3, 1, true, 3);
    c.run(1, false);
    for (let row = 0; row < 3; row++) expect(get(c.dx, row)).toBe(0);
    expect(c.arrays.close()).toBe(0);
  });
  test("a row of zeros has a finite gradient: dy w / √ε", () => {
    for (let centered = 0; centered < 2; centered++) {
      const c = new NormCase(2, 6, centered == 1, 0);
      c.run(1, false);
      for (let i = 0; i < 12; i++) {
        expect(abs<f64>(<f64>get(c.dx, i))).toBeLessThan((2 / sqrt<f64>(1e-5)) * 2);
        if (centered == 0) expect(get(c.dx, i)).toBe(get(c.stats, 1) * (get(c.dy, i) * get(c.w, i % 6)));
      }
      expect(c.arrays.close()).toBe(0);
    }
  });
  test("a NaN reaches all of its row and no other row", () => {
    for (let centered = 0; centered < 2; centered++) {
      const c = new NormCase(3, 7, centered == 1, 3);
      put(c.x, 7 + 3, <f32>NaN);
      c.run(1, false);
      for (let i = 0; i < 21; i++) expect(isNan(get(c.dx, i))).toBe(i / 7 == 1);
      for (let i = 0; i < 7; i++) expect(isNan(get(c.dw, i))).toBe(true);
      expect(c.arrays.close()).toBe(0);
    }
  });
});
