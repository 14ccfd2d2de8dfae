/**
 * Activations of one bit for packed weights, and their product with weights of one bit by XNOR and popcount
 * (weights/xnor.ts). The same numbers as the quantiser and product of training (quantize.ts, matmul-codes.ts).
 *
 *   q16    i16 (rows, kp): ±1, zero from k to kp; the input for tables of ternary weights
 *   bits   (rows, kp / 8) bytes, kp a multiple of 128: bit i & 7 of byte i >> 3 is set where x[i] >= 0
 *   scale  f32 (rows): mean|x|
 */
import { scaleRows } from "../weights/uniform-scale";
import { packSigns, xnorMatmul } from "../weights/xnor";
import { quantizeRows1 } from "./quantize";
import { SignsStep, XnorStep } from "./steps";

/** Rows [begin, end) of x f32 (rows, k) to signs, as i16. */
export function signCodes(step: SignsStep, begin: i32, end: i32): void {
  quantizeRows1(step.x, step.out, step.scale, step.k, step.kp, begin, end);
}

/** The same as bits. `room`: i16 (k), private to the thread. */
export function signBits(step: SignsStep, begin: i32, end: i32, room: usize): void {
  const k = step.k;
  for (let row = begin; row < end; row++) {
    const from = step.x + ((<usize>row * k) << 2);
    quantizeRows1(from, room, step.scale + ((<usize>row) << 2), k, k, 0, 1);
    packSigns(from, step.out + <usize>row * <usize>(step.kp >> 3), k);
  }
}

/** y (n, rows) = f32(Σ w a) · f32(actScale · rowScale); rows [begin, end), multiples of 32. */
export function xnorScaled(step: XnorStep, begin: i32, end: i32): void {
  xnorMatmul(step, begin, end);
  scaleRows(step.y, step.rows, step.n, begin, end, step.rowScale, step.actScale, 0);
}
