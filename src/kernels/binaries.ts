/**
 * The kernels as they travel inside the bundle: as bytes, compiled when a model is loaded.
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
