/**
 * File types with five ternary weights a byte. A byte b holds t0..t4 (each 0, 1, 2) as ceil(256 v / 243) with
 * v = Σ t_k 3^(4-k), so weight k is the integer part of 3 times the fraction of b 3^k / 256:
 *
 *   t_k = ((b 3^k mod 256) 3) >> 8
 *
 *   TQ1_0   256 weights: qs[48], qh[4], f16 d (ggml). Byte m < 32, t_k = weight 32 k + m; byte 32 + m, m < 16,
 *           t_k = weight 160 + 16 k + m; qh byte m, k < 4, t_k = weight 240 + 4 k + m
 *   PTQ1_0  128 weights: qs[24], qh[2], f16 d (PrismML). Byte m < 16, t_k = weight 16 k + m; byte 16 + m, m < 8,
 *           t_k = weight 80 + 8 k + m; qh byte m, k < 4, t_k = weight 120 + 2 k + m
 *
 * Every byte decodes to some five codes, so nothing needs validation.
 */

export function decodeTQ1(src: usize, nBlocks: i32, codes: usize, scales: usize): void {
  for (let b = 0; b < nBlocks; b++, src += 54, codes += 256, scales += 2) {
    let x0 = v128.load(src),
      x1 = v128.load(src, 16),
      x2 = v128.load(src, 32);
    for (let k: usize = 0; k < 5; k++) {
      v128.store(codes + 32 * k, firstTrit(x0));
      v128.store(codes + 32 * k, firstTrit(x1), 16);
      v128.store(codes + 16 * k, firstTrit(x2), 160);
      x0 = times3(x0);
      x1 = times3(x1);
      x2 = times3(x2);
    }
    let h = v128.load32_zero(src, 48);
    for (let k: usize = 0; k < 4; k++) {
      v128.store32_lane(codes + 4 * k + 240, firstTrit(h), 0);
      h = times3(h);
    }
    store<u16>(scales, load<u16>(src, 52));
  }
}

export function decodePTQ1(src: usize, nBlocks: i32, codes: usize, scales: usize): void {
  for (let b = 0; b < nBlocks; b++, src += 28, codes += 128, scales += 2) {
    let x0 = v128.load(src),
      x1 = v128.load64_zero(src, 16);
    for (let k: usize = 0; k < 5; k++) {
      v128.store(codes + 16 * k, firstTrit(x0));
      v128.store64_lane(codes + 8 * k + 80, firstTrit(x1), 0);
      x0 = times3(x0);
      x1 = times3(x1);
    }
    let h = i16x8.splat(load<i16>(src, 24));
    for (let k: usize = 0; k < 4; k++) {
      v128.store16_lane(codes + 2 * k + 120, firstTrit(h), 0);
      h = times3(h);
    }
    store<u16>(scales, load<u16>(src, 26));
  }
}

/** (3 x) >> 8 of each byte: 1 from 86 up, 2 from 171 up. */
function firstTrit(x: v128): v128 {
  const ones = i8x16.ge_u(x, i8x16.splat(86));
  const twos = i8x16.ge_u(x, i8x16.splat(<i8>171));
  return i8x16.neg(i8x16.add(ones, twos));
}

function times3(x: v128): v128 {
  return i8x16.add(i8x16.add(x, x), x);
}
