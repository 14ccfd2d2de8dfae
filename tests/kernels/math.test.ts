/** exp and log against exact values: fixed-point arithmetic of 256 bits on the doubles themselves. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { MODULE_RESERVED_BYTES } from "../../assembly/abi.ts";
import { createMemory, instantiateKernels } from "../../src/kernels/machine.ts";

const BITS = 256n;
const ONE = 1n << BITS;
const SAMPLES = 3000;

const kernels = await instantiateKernels(
  await WebAssembly.compile(readFileSync("build/kernels.simd.wasm")),
  createMemory(MODULE_RESERVED_BYTES + 65536, false),
);

/** A double as fixed point: exact above 2^-204, far below the errors asked about otherwise. */
function fixed(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0),
    exponent = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (bits & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const shift = BITS - 1075n + BigInt(Math.max(1, exponent));
  const magnitude = shift >= 0n ? mantissa << shift : mantissa >> -shift;
  return x < 0 ? -magnitude : magnitude;
}

/** ln 2 = 2 artanh(1/3). */
const LN2 = ((): bigint => {
  let sum = 0n;
  for (let power = ONE / 3n, k = 1n; power > 0n; power /= 9n, k += 2n) sum += power / k;
  return 2n * sum;
})();

/** e^x = 2^n e^r by its series: the fraction e^r in fixed point, and n. */
function exactExp(x: bigint): { fraction: bigint; n: bigint } {
  const n = x / LN2,
    r = x - n * LN2;
  let sum = ONE,
    term = ONE;
  for (let k = 1n; term !== 0n; k++) {
    term = ((term * r) >> BITS) / k;
    if (term === -1n) break;
    sum += term;
  }
  return { fraction: sum, n };
}

/** How far `got` is from fraction · 2^n, in units of got's last place. */
function ulpsOff(got: number, fraction: bigint, n: number): number {
  const exponent = Math.floor(Math.log2(got)),
    off =
      fixed(got * 2 ** -exponent) -
      (n >= exponent ? fraction << BigInt(n - exponent) : fraction >> BigInt(exponent - n));
  return Math.abs(Number((off * 1000n) >> (BITS - 52n))) / 1000;
}

/** Spread over [-1, 1) by the golden ratio, so that no machine needs a random generator. */
function spread(i: number): number {
  return 2 * ((i * 0.6180339887498949) % 1) - 1;
}

describe("elementary functions against exact values", () => {
  test("e^x within 1 ulp, over its whole range and near 0", () => {
    for (let i = 0; i < SAMPLES; i++) {
      for (const x of [spread(i) * 700, spread(i) * 2 ** -(i % 30)]) {
        const { fraction, n } = exactExp(fixed(x)),
          off = ulpsOff(kernels.expF64(x), fraction, Number(n));
        assert.ok(off <= 1, `e^${x}: ${off} ulp`);
      }
    }
  });
  test("ln x within 1 ulp: e to the result is x", () => {
    for (let i = 0; i < SAMPLES; i++) {
      for (const x of [2 ** (spread(i) * 1000), 1 + spread(i) * 2 ** (-1 - (i % 30))]) {
        const got = kernels.logF64(x),
          { fraction, n } = exactExp(fixed(got)),
          exponent = Math.floor(Math.log2(x));
        // e^got = x (1 + d): got is off by d
        const scaled =
          Number(n) >= exponent ? fraction << BigInt(Number(n) - exponent) : fraction >> BigInt(exponent - Number(n));
        const d = Number((scaled - fixed(x * 2 ** -exponent)) >> (BITS - 120n)) / 2 ** 120 / (x * 2 ** -exponent);
        const ulp = 2 ** (Math.floor(Math.log2(Math.abs(got))) - 52);
        assert.ok(Math.abs(d) <= ulp, `ln ${x}: ${d / ulp} ulp`);
      }
    }
  });
});
