/**
 * Guesses which kernel builds this browser runs, before fetching any.
 *
 * @module
 */
import type { Variant } from "../../kernels/variant.ts";

/** A function of one relaxed instruction (`i8x16.relaxed_swizzle` of two constants): valid only with relaxed SIMD. */
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

/** The variants this browser accepts, fastest first. */
export function likelyVariants(): readonly Variant[] {
  return WebAssembly.validate(RELAXED_PROBE) ? ["relaxed", "simd"] : ["simd"];
}
