/**
 * Which builds of the kernels this browser is likely to run, asked before any is fetched.
 *
 * @module
 */
import type { Variant } from "../../kernels/variant.ts";

/** A function of one relaxed instruction (`i8x16.relaxed_swizzle` of two constants): valid where there are such. */
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

/** What this browser accepts, the faster first. */
export function likelyVariants(): readonly Variant[] {
  return WebAssembly.validate(RELAXED_PROBE) ? ["relaxed", "simd"] : ["simd"];
}
