/**
 * The kernels inside the bundle, as bytes; loading a model compiles them.
 *
 * @module
 */
import relaxed from "#kernels/relaxed";
import relaxedThreads from "#kernels/relaxed-threads";
import simd from "#kernels/simd";
import simdThreads from "#kernels/simd-threads";
import type { KernelBinaries } from "./variant.ts";

export const KERNELS: KernelBinaries = {
  simd,
  relaxed,
  "simd-threads": simdThreads,
  "relaxed-threads": relaxedThreads,
};
