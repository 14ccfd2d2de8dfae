/** Logits of tiny models, and what tests compare of them. */
import assert from "node:assert/strict";
import relaxedBinary from "#kernels/relaxed";
import { type LoadModelOptions, type ModelSource, load } from "../../src/load.ts";
import type { Variant } from "../../src/kernels/variant.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";

/** The builds of the kernels that this engine accepts; Node 20 has no relaxed SIMD. */
export const VARIANTS: readonly Variant[] = WebAssembly.validate(relaxedBinary) ? ["simd", "relaxed"] : ["simd"];

/** More than one batch of 32 rows; every id is in any vocabulary of 64. */
export const IDS = Array.from({ length: 37 }, (_, i) => (i * 29 + 5) % 64);

/** (IDS.length, vocabulary) logits, row by row. */
export async function logitsOf(
  source: ModelSource | Readonly<Record<string, Uint8Array>>,
  options: LoadModelOptions = {},
  ids = IDS,
): Promise<Float32Array> {
  const isFolder = typeof source === "object" && !(source instanceof Uint8Array) && !("read" in source);
  const model = isFolder
    ? await load(FOLDER, { threads: 1, ...options, platform: memoryPlatform(source as Record<string, Uint8Array>) })
    : await load(source as ModelSource, { threads: 1, ...options });
  try {
    return await model.logits(ids);
  } finally {
    await model.close();
  }
}

/** Bit for bit, and that they are numbers worth comparing: finite, and not all alike. */
export function assertSameBits(found: Float32Array, wanted: Float32Array, what: string): void {
  assert.equal(found.length, wanted.length, what);
  assert.ok(wanted.every(Number.isFinite), `${what}: wanted logits are not finite`);
  assert.ok(new Set(wanted).size > wanted.length / 4, `${what}: wanted logits are nearly all alike`);
  const a = new Uint32Array(found.slice().buffer),
    b = new Uint32Array(wanted.slice().buffer);
  const at = a.findIndex((bits, i) => bits !== b[i]);
  if (at < 0) return;
  const differing = a.reduce((n, bits, i) => n + (bits === b[i] ? 0 : 1), 0);
  assert.fail(
    `${what}: ${differing} of ${a.length} logits differ, the first is ${at}: found ${found[at]}, wanted ${wanted[at]}`,
  );
}

/** Largest difference over the largest magnitude. */
export function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(found.length, wanted.length);
  let error = 0,
    magnitude = 0;
  for (let i = 0; i < wanted.length; i++) {
    // A NaN must not hide behind Math.max.
    assert.ok(Number.isFinite(found[i]) && Number.isFinite(wanted[i]), `logit ${i}: ${found[i]}, wanted ${wanted[i]}`);
    error = Math.max(error, Math.abs(found[i] - wanted[i]));
    magnitude = Math.max(magnitude, Math.abs(wanted[i]));
  }
  return error / magnitude;
}
