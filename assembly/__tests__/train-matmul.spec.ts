import { FORM_FORWARD, FORM_INPUT, FORM_WEIGHT, MATMUL_SCRATCH_BYTES } from "../abi";
import { Operands, exactProduct, integerProduct, productElement } from "../reference/train-matmul";
import { share } from "../step";
import { matmulF32 } from "../train/matmul-f32";
import { edgeTile, microTile } from "../train/micro-tile";
import { packCodeColumns, packColumns, packLeft, packRows } from "../train/panels";
import { MatmulF32Step } from "../train/steps";
import { Random, differing, freeStep, newStep } from "./fixtures";
import { Arrays, get, put } from "./train-arrays";

/** Around the tile (4 x 8), the block of rows (16), the panel block (256) and the block of k (384). */
const ROWS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 19, 33];
const COLUMNS: StaticArray<i32> = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17, 40, 255, 256, 257, 263, 264];
const STEPS: StaticArray<i32> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 64, 383, 384, 385, 386, 390, 768, 769, 770];

const FLOATS: i32 = 0;
/** A within ±127, B within ±1: codes of activations and of ternary weights. */
const CODES: i32 = 1;

class Product {
  form: i32 = FORM_FORWARD;
  m: i32 = 1;
  n: i32 = 1;
  k: i32 = 1;
  values: i32 = FLOATS;
  adds: bool = false;
  kScaled: bool = false;
  scaled: bool = false;
  rowScaled: bool = false;
  /** B as i16. */
  narrow: bool = false;
}

function pick(from: StaticArray<i32>, random: Random): i32 {
  return from[random.between(0, from.length - 1)];
}

/** Rows with NaN in the gaps between them. */
function matrix(arrays: Arrays, rows: i32, columns: i32, stride: i32, top: i32, random: Random): usize {
  const x = arrays.poisoned(4 * rows * stride);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < columns; i++)
      put(x, r * stride + i, top == 0 ? random.signed() : <f32>random.between(-top, top));
  }
  return x;
}

/** The same integers as i16; the gaps between rows are far from any code. */
function narrowed(x: usize, rows: i32, columns: i32, stride: i32, arrays: Arrays): usize {
  const codes = arrays.room(2 * rows * stride);
  for (let i = 0; i < rows * stride; i++)
    store<i16>(codes + <usize>(2 * i), i % stride < columns ? <i16>get(x, i) : 32767);
  return codes;
}

function operandsOf(p: Product, arrays: Arrays, random: Random): Operands {
  const x = new Operands(),
    codes = p.values == CODES;
  const aRows = p.form == FORM_WEIGHT ? p.k : p.m,
    aColumns = p.form == FORM_WEIGHT ? p.m : p.k;
  const bRows = p.form == FORM_FORWARD ? p.n : p.k,
    bColumns = p.form == FORM_FORWARD ? p.k : p.n;
  x.form = p.form;
  x.k = p.k;
  x.aStride = aColumns + random.between(0, 5);
  x.bStride = bColumns + random.between(0, 5);
  x.a = matrix(arrays, aRows, aColumns, x.aStride, codes ? 127 : 0, random);
  x.b = matrix(arrays, bRows, bColumns, x.bStride, codes ? 1 : 0, random);
  x.bCodes = p.narrow;
  if (p.narrow) x.b = narrowed(x.b, bRows, bColumns, x.bStride, arrays);
  if (p.kScaled) x.kScale = arrays.floats(p.k, random, 2);
  if (p.scaled) x.scale = arrays.floats(1, random, 2);
  if (p.rowScaled) x.rowScale = arrays.floats(p.m, random, 2);
  return x;
}

function multiply(p: Product, x: Operands, c: usize, cStride: i32, begin: i32, end: i32, scratch: usize): void {
  const step = newStep<MatmulF32Step>();
  step.form = x.form;
  step.a = x.a;
  step.aStride = x.aStride;
  step.b = x.b;
  step.bStride = x.bStride;
  step.c = c;
  step.cStride = cStride;
  step.m = p.m;
  step.n = p.n;
  step.k = p.k;
  step.add = p.adds ? 1 : 0;
  step.kScale = x.kScale;
  step.scale = x.scale;
  step.rowScale = x.rowScale;
  step.codes = x.bCodes ? 1 : 0;
  matmulF32(step, begin, end, scratch);
  freeStep(step);
}

/** Elements that differ from the twin's, whole and in any split of the rows; writes beside them. */
function wrongProduct(p: Product, random: Random): i32 {
  const arrays = new Arrays(),
    x = operandsOf(p, arrays, random),
    cStride = p.n + random.between(0, 5),
    bytes = 4 * p.m * cStride;
  const before = arrays.room(bytes),
    want = arrays.room(bytes),
    c = arrays.room(bytes),
    scratch = arrays.poisoned(MATMUL_SCRATCH_BYTES);
  for (let row = 0; row < p.m; row++) {
    for (let i = 0; i < p.n; i++) {
      const at = row * cStride + i;
      if (p.adds) put(before, at, p.values == CODES ? <f32>random.between(-99, 99) : random.signed());
      put(want, at, productElement(x, row, i, get(before, at), p.adds));
    }
  }
  let wrong = 0;
  for (let pieces = 1; pieces <= 3; pieces++) {
    memory.copy(c, before, bytes);
    for (let t = 0; t < pieces; t++)
      multiply(p, x, c, cStride, share(p.m, 4, t, pieces), share(p.m, 4, t + 1, pieces), scratch);
    wrong += differing(c, want, bytes);
  }
  const cut = random.between(0, p.m);
  memory.copy(c, before, bytes);
  multiply(p, x, c, cStride, cut, p.m, scratch);
  multiply(p, x, c, cStride, 0, cut, scratch);
  wrong += differing(c, want, bytes);
  if (p.values == CODES && !p.kScaled && !p.scaled && !p.rowScaled) wrong += wrongIntegers(p, x, c, before, cStride);
  return wrong + arrays.close();
}

function wrongIntegers(p: Product, x: Operands, c: usize, before: usize, cStride: i32): i32 {
  let wrong = 0;
  for (let row = 0; row < p.m; row++) {
    for (let i = 0; i < p.n; i++) {
      const at = row * cStride + i,
        want = integerProduct(x, row, i) + (p.adds ? <i64>get(before, at) : 0);
      if (<f64>get(c, at) != <f64>want) wrong++;
    }
  }
  return wrong;
}

function wrongShapes(form: i32, values: i32, cases: i32): i32 {
  const random = new Random(<u32>(form * 2 + values + 1));
  let wrong = 0;
  for (let i = 0; i < cases; i++) {
    const p = new Product();
    p.form = form;
    p.values = values;
    p.m = pick(ROWS, random);
    p.n = pick(COLUMNS, random);
    p.k = pick(STEPS, random);
    const kind = i & 3;
    p.adds = kind == 1 || (kind == 3 && form != FORM_FORWARD);
    p.scaled = kind >= 2;
    p.kScaled = form == FORM_WEIGHT && kind == 3;
    p.rowScaled = form == FORM_FORWARD && kind == 3;
    p.narrow = values == CODES && form != FORM_FORWARD && random.between(0, 1) == 1;
    wrong += wrongProduct(p, random);
  }
  return wrong;
}

/** Every tile of up to 4 x 8 by itself, k from 1 to 5, with and without adding. */
function wrongTiles(form: i32): i32 {
  const random = new Random(77);
  let wrong = 0;
  for (let m = 1; m <= 5; m++) {
    for (let n = 1; n <= 9; n++) {
      const p = new Product();
      p.form = form;
      p.m = m;
      p.n = n;
      p.k = 1 + ((m + n) % 5);
      p.adds = ((m + n) & 1) == 0;
      wrong += wrongProduct(p, random);
    }
  }
  return wrong;
}

/** Largest error against f64, relative to the largest result. */
function error(form: i32, k: i32): f64 {
  const p = new Product(),
    arrays = new Arrays(),
    random = new Random(<u32>k);
  p.form = form;
  p.m = 9;
  p.n = 21;
  p.k = k;
  const x = operandsOf(p, arrays, random),
    c = arrays.room(4 * p.m * p.n);
  multiply(p, x, c, p.n, 0, p.m, arrays.poisoned(MATMUL_SCRATCH_BYTES));
  let worst: f64 = 0,
    largest: f64 = 0;
  for (let row = 0; row < p.m; row++) {
    for (let i = 0; i < p.n; i++) {
      const want = exactProduct(x, row, i);
      worst = max<f64>(worst, abs<f64>(<f64>get(c, row * p.n + i) - want));
      largest = max<f64>(largest, abs<f64>(want));
    }
  }
  arrays.close();
  return worst / largest;
}

/** Elements of the packed forms that are not in their places of panels.ts, for a (rows, columns) block. */
function wrongPanels(rows: i32, columns: i32): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>(rows * 64 + columns)),
    stride = columns + 3;
  const x = matrix(arrays, rows, columns, stride, 0, random),
    scales = arrays.floats(rows, random, 2),
    bytes = (<usize>stride) << 2;
  const wide = arrays.room(4 * rows * ((columns + 7) & ~7)),
    turned = arrays.room(4 * columns * ((rows + 7) & ~7));
  const integers = matrix(arrays, rows, columns, stride, 127, random),
    codes = narrowed(integers, rows, columns, stride, arrays);
  const wideCodes = arrays.room(4 * rows * ((columns + 7) & ~7)),
    left = arrays.room(4 * rows * ((columns + 3) & ~3)),
    scale: f32 = 0.3;
  packColumns(x, bytes, rows, columns, scale, wide);
  packCodeColumns(codes, bytes >> 1, rows, columns, scale, wideCodes);
  packRows(x, bytes, columns, rows, turned);
  packLeft(x, bytes, rows, columns, scales, left);
  let wrong = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < ((columns + 7) & ~7); j++) {
      const want: f32 = j < columns ? get(x, i * stride + j) : 0;
      if (get(wide, ((j / 8) * rows + i) * 8 + (j % 8)) != want * scale) wrong++;
      if (
        get(wideCodes, ((j / 8) * rows + i) * 8 + (j % 8)) != (j < columns ? get(integers, i * stride + j) * scale : 0)
      )
        wrong++;
      if (j < ((columns + 3) & ~3) && get(left, ((j / 4) * rows + i) * 4 + (j % 4)) != want * get(scales, i)) wrong++;
    }
  }
  for (let j = 0; j < ((rows + 7) & ~7); j++) {
    for (let i = 0; i < columns; i++) {
      const want: f32 = j < rows ? get(x, j * stride + i) : 0;
      if (get(turned, ((j / 8) * columns + i) * 8 + (j % 8)) != want) wrong++;
    }
  }
  return wrong + arrays.close();
}

/** A whole tile and its edges, rows of A in any order: the sums of the twin's order, nothing beside. */
function wrongMicroTile(k: i32, adds: bool): i32 {
  const arrays = new Arrays(),
    random = new Random(<u32>k),
    a = arrays.floats(4 * k, random, 1),
    b = arrays.floats(8 * k, random, 1);
  const before = arrays.floats(4 * 11, random, 1),
    want = arrays.copy(before, 176),
    room = arrays.room(128);
  const row = (<usize>k) << 2;
  for (let r = 0; r < 4; r++) {
    for (let j = 0; j < 8; j++) {
      let sum: f32 = 0;
      // The tile's rows stand in A from the last to the first.
      for (let i = 0; i < k; i++) sum += get(a, (3 - r) * k + i) * get(b, i * 8 + j);
      put(want, r * 11 + j, adds ? get(before, r * 11 + j) + sum : sum);
    }
  }
  let wrong = 0;
  const whole = arrays.copy(before, 176);
  microTile(a + 3 * row, a + 2 * row, a + row, a, 4, b, k, whole, 44, adds);
  wrong += differing(whole, want, 176);
  for (let rows = 1; rows <= 4; rows++) {
    for (let columns = 1; columns <= 8; columns++) {
      const part = arrays.copy(before, 176);
      edgeTile(a + 3 * row, a + 2 * row, a + row, a, 4, b, k, part, 44, adds, rows, columns, room);
      for (let i = 0; i < 44; i++) {
        if (get(part, i) != get(i / 11 < rows && i % 11 < columns ? want : before, i)) wrong++;
      }
    }
  }
  return wrong + arrays.close();
}

describe("training: micro-tiles and panels", () => {
  test("a tile and all its edges, bit for bit, nothing beside", () => {
    for (let k = 1; k < 12; k++) expect(wrongMicroTile(k, false) + wrongMicroTile(k, true)).toBe(0);
  });
  test("panels hold each element once in its place and zeros at the edges", () => {
    for (let rows = 1; rows < 19; rows++)
      for (let columns = 1; columns < 19; columns++) expect(wrongPanels(rows, columns)).toBe(0);
  });
});

describe("training: f32 products, three forms", () => {
  test("every small tile, bit for bit", () => {
    for (let form = FORM_FORWARD; form <= FORM_WEIGHT; form++) expect(wrongTiles(form)).toBe(0);
  });
  test("forward: any shape, scale and split of the rows, bit for bit, nothing beside", () =>
    expect(wrongShapes(FORM_FORWARD, FLOATS, 48)).toBe(0));
  test("input: the same", () => expect(wrongShapes(FORM_INPUT, FLOATS, 48)).toBe(0));
  test("weight: the same", () => expect(wrongShapes(FORM_WEIGHT, FLOATS, 48)).toBe(0));
  test("products of codes, f32 or i16, are the integers themselves", () => {
    for (let form = FORM_FORWARD; form <= FORM_WEIGHT; form++) expect(wrongShapes(form, CODES, 24)).toBe(0);
  });
  test("codes with the scales of rows and weights are scaled once, after the sum", () => {
    const p = new Product();
    p.m = 6;
    p.n = 11;
    p.k = 770;
    p.values = CODES;
    p.scaled = true;
    p.rowScaled = true;
    const arrays = new Arrays(),
      x = operandsOf(p, arrays, new Random(3)),
      c = arrays.room(4 * 66);
    multiply(p, x, c, 11, 0, 6, arrays.poisoned(MATMUL_SCRATCH_BYTES));
    for (let i = 0; i < 66; i++) {
      const factor: f32 = get(x.rowScale, i / 11) * get(x.scale, 0);
      expect(get(c, i)).toBe(<f32>integerProduct(x, i / 11, i % 11) * factor);
    }
    expect(arrays.close()).toBe(0);
  });
  test("floats stay within 1e-6 of f64 for k up to 3000", () => {
    for (let form = FORM_FORWARD; form <= FORM_WEIGHT; form++) {
      expect(error(form, 64)).toBeLessThan(1e-6);
      expect(error(form, 3000)).toBeLessThan(1e-6);
    }
  });
  test("a NaN reaches its row and no other", () => {
    const p = new Product();
    p.m = 9;
    p.n = 10;
    p.k = 13;
    const arrays = new Arrays(),
      x = operandsOf(p, arrays, new Random(8)),
      c = arrays.room(4 * 90);
    put(x.a, 5 * x.aStride + 12, <f32>NaN);
    multiply(p, x, c, 10, 0, 9, arrays.poisoned(MATMUL_SCRATCH_BYTES));
    for (let i = 0; i < 90; i++) expect(get(c, i) != get(c, i)).toBe(i / 10 == 5);
    expect(arrays.close()).toBe(0);
  });
});
