/**
 * Layers whose weights and activations are rounded: their values against the rounding done in double precision, their
 * gradients against those that take the rounding for identity (Bengio et al., 2013).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { floatToHalf, halfToFloat } from "../../src/files/float16.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import type { ActivationBits, WeightBits } from "../../src/nn/projection.ts";
import { randomArray, relativeError } from "./arrays.ts";
import * as exact from "./exact-ops.ts";

const K = 30,
  OUTPUTS = 11,
  N = 6;

function roundHalfEven(value: number): number {
  return value + 6_755_399_441_055_744 - 6_755_399_441_055_744;
}

/** Rows of f32 as what they are rounded to. */
function roundedActivations(x: Float32Array, bits: ActivationBits): exact.Values {
  const out = Float64Array.from(x);
  for (let at = 0; at < x.length; at += K) {
    const row = x.subarray(at, at + K);
    if (bits === 8) {
      const factor = Math.fround(127 / Math.max(1e-5, ...row.map(Math.abs))),
        scale = Math.fround(1 / factor);
      row.forEach((v, i) => (out[at + i] = roundHalfEven(Math.fround(v * factor)) * scale));
    } else if (bits === 1) {
      const scale = Math.fround(row.reduce((sum, v) => sum + Math.abs(v), 0) / K);
      row.forEach((v, i) => (out[at + i] = (v >= 0 ? 1 : -1) * scale));
    }
  }
  return out;
}

function roundedWeights(w: Float32Array, bits: WeightBits): exact.Values {
  if (bits === 32) return Float64Array.from(w);
  const meanOf = (values: readonly number[]) => values.reduce((total, v) => total + v, 0) / values.length;
  const all = Array.from(w),
    mean = Math.fround(meanOf(all)),
    scale = halfToFloat(floatToHalf(Math.fround(Math.max(1e-5, meanOf(all.map(Math.abs))))));
  if (bits === 1) return Float64Array.from(w, (v) => (Math.fround(v - mean) >= 0 ? 1 : -1) * scale);
  return Float64Array.from(w, (v) => Math.max(-1, Math.min(1, roundHalfEven(Math.fround(v / scale)))) * scale);
}

describe("gradients go straight through", () => {
  for (const weightBits of [1.58, 1, 32] as const) {
    for (const activationBits of [8, 1, 32] as const) {
      test(`weights of ${weightBits} bits, activations of ${activationBits}`, () => {
        const layer = new BitLinear(K, OUTPUTS, { weightBits, activationBits, norm: "none", seed: 1 });
        const bias = layer.parameters().get("bias")!,
          x = randomArray([N, K], 2),
          dy = randomArray([N, OUTPUTS], 3);
        bias.set(randomArray([OUTPUTS], 4).data);
        const found = layer.forward(x),
          dx = layer.backward(dy);
        const x64 = roundedActivations(x.data, activationBits),
          w64 = roundedWeights(layer.weight.value, weightBits);
        assert.ok(relativeError(found.data, exact.linear(x64, w64, K, Float64Array.from(bias.value))) < 1e-6);
        const wantedDx = new Float64Array(N * K),
          wantedDw = new Float64Array(OUTPUTS * K),
          wantedDb = new Float64Array(OUTPUTS);
        for (let n = 0; n < N; n++) {
          for (let o = 0; o < OUTPUTS; o++) {
            const g = dy.data[n * OUTPUTS + o];
            wantedDb[o] += g;
            for (let i = 0; i < K; i++) {
              // A sign passes its gradient where its input is inside the clip.
              if (activationBits !== 1 || Math.abs(x.data[n * K + i]) <= 1) wantedDx[n * K + i] += g * w64[o * K + i];
              wantedDw[o * K + i] += g * x64[n * K + i];
            }
          }
        }
        assert.ok(relativeError(dx.data, wantedDx) < 1e-5, "input");
        assert.ok(relativeError(layer.weight.gradient, wantedDw) < 1e-5, "weight");
        assert.ok(relativeError(bias.gradient, wantedDb) < 1e-5, "bias");
        if (activationBits === 1)
          assert.ok(
            wantedDx.some((g) => g === 0),
            "a gradient is stopped by the clip",
          );
      });
    }
  }

  test("and on through the norm and its gain", () => {
    const layer = new BitLinear(K, OUTPUTS, { gain: true, bias: false, seed: 5 }),
      gain = layer.parameters().get("norm.weight")!;
    gain.set(randomArray([K], 6, 0.3).data.map((v) => v + 1));
    const x = randomArray([N, K], 7),
      dy = randomArray([N, OUTPUTS], 8);
    layer.forward(x);
    const dx = layer.backward(dy),
      w64 = roundedWeights(layer.weight.value, 1.58);
    // The gradient that the product leaves for what the norm gave.
    const g = exact.differences(new Float64Array(N * K), (h) => exact.dot(exact.linear(h, w64, K), dy.data));
    const x64 = Float64Array.from(x.data),
      gain64 = Float64Array.from(gain.value);
    assert.ok(
      relativeError(
        dx.data,
        exact.differences(x64, (v) => exact.dot(exact.rmsNorm(v, gain64, 1e-5), g)),
      ) < 1e-4,
    );
    assert.ok(
      relativeError(
        gain.gradient,
        exact.differences(gain64, (v) => exact.dot(exact.rmsNorm(x64, v, 1e-5), g)),
      ) < 1e-4,
    );
  });
});
