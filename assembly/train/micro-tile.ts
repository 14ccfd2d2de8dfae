/**
 * The one inner loop of every f32 matrix product in training: a tile of 4 x 8 results in eight registers.
 *
 *   c (4, 8) (+)= Σ_i  a[row][i] · b[i][0..7]        b: a packed panel, f32 (k, 8), 32 bytes a step
 *                                                    a: four rows, each with its own pointer, `aStep` bytes a step
 *
 * A result is the sum over i in order, one multiplication and one addition each, in every variant: the bits depend only
 * on the numbers. Sums of integers stay exact below 2^24. Eight sums, two of b, one of a and a product are twelve
 * registers; V8 has fifteen, so 6 x 8 spills.
 */
export function microTile(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  aStep: usize,
  b: usize,
  k: i32,
  c: usize,
  cStride: usize,
  add: bool,
): void {
  let s00 = f32x4.splat(0),
    s01 = s00,
    s10 = s00,
    s11 = s00,
    s20 = s00,
    s21 = s00,
    s30 = s00,
    s31 = s00;
  for (const end = b + ((<usize>k) << 5); b < end; b += 32) {
    const b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let a = v128.load32_splat(a0);
    s00 = f32x4.add(s00, f32x4.mul(a, b0));
    s01 = f32x4.add(s01, f32x4.mul(a, b1));
    a = v128.load32_splat(a1);
    s10 = f32x4.add(s10, f32x4.mul(a, b0));
    s11 = f32x4.add(s11, f32x4.mul(a, b1));
    a = v128.load32_splat(a2);
    s20 = f32x4.add(s20, f32x4.mul(a, b0));
    s21 = f32x4.add(s21, f32x4.mul(a, b1));
    a = v128.load32_splat(a3);
    s30 = f32x4.add(s30, f32x4.mul(a, b0));
    s31 = f32x4.add(s31, f32x4.mul(a, b1));
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
  }
  storeRow(c, s00, s01, add);
  storeRow(c + cStride, s10, s11, add);
  storeRow(c + 2 * cStride, s20, s21, add);
  storeRow(c + 3 * cStride, s30, s31, add);
}

/**
 * The same over integers: a and b hold pairs of i16, and a result is the exact i32 sum of k · 2 products.
 *
 *   b: i16 (k, 8, 2), 32 bytes a step; a: a pair of i16 for each of four rows
 */
export function microTilePairs(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  b: usize,
  k: i32,
  c: usize,
  cStride: usize,
  add: bool,
): void {
  let s00 = i32x4.splat(0),
    s01 = s00,
    s10 = s00,
    s11 = s00,
    s20 = s00,
    s21 = s00,
    s30 = s00,
    s31 = s00;
  for (const end = b + ((<usize>k) << 5); b < end; b += 32) {
    const b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let a = v128.load32_splat(a0);
    s00 = i32x4.add(s00, i32x4.dot_i16x8_s(a, b0));
    s01 = i32x4.add(s01, i32x4.dot_i16x8_s(a, b1));
    a = v128.load32_splat(a1);
    s10 = i32x4.add(s10, i32x4.dot_i16x8_s(a, b0));
    s11 = i32x4.add(s11, i32x4.dot_i16x8_s(a, b1));
    a = v128.load32_splat(a2);
    s20 = i32x4.add(s20, i32x4.dot_i16x8_s(a, b0));
    s21 = i32x4.add(s21, i32x4.dot_i16x8_s(a, b1));
    a = v128.load32_splat(a3);
    s30 = i32x4.add(s30, i32x4.dot_i16x8_s(a, b0));
    s31 = i32x4.add(s31, i32x4.dot_i16x8_s(a, b1));
    a0 += 4;
    a1 += 4;
    a2 += 4;
    a3 += 4;
  }
  storeIntegers(c, s00, s01, add);
  storeIntegers(c + cStride, s10, s11, add);
  storeIntegers(c + 2 * cStride, s20, s21, add);
  storeIntegers(c + 3 * cStride, s30, s31, add);
}

function storeIntegers(c: usize, low: v128, high: v128, add: bool): void {
  if (add) {
    low = i32x4.add(v128.load(c), low);
    high = i32x4.add(v128.load(c, 16), high);
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}

function storeRow(c: usize, low: v128, high: v128, add: bool): void {
  if (add) {
    low = f32x4.add(v128.load(c), low);
    high = f32x4.add(v128.load(c, 16), high);
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}

/** The same for the first `rows` rows and `columns` columns of a tile: `room` is 128 bytes to build it in. */
export function edgeTile(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  aStep: usize,
  b: usize,
  k: i32,
  c: usize,
  cStride: usize,
  add: bool,
  rows: i32,
  columns: i32,
  room: usize,
): void {
  microTile(a0, a1, a2, a3, aStep, b, k, room, 32, false);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++) {
      const to = c + <usize>r * cStride + ((<usize>j) << 2),
        value = load<f32>(room + ((<usize>(r * 8 + j)) << 2));
      store<f32>(to, add ? load<f32>(to) + value : value);
    }
  }
}
