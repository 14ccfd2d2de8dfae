/**
 * Replaces `binaries.ts` in the build for workerd, which compiles nothing at run time and has no threads: the kernels
 * are files beside the bundle, and importing one gives a compiled module.
 *
 * @module
 */
import relaxed from "#kernels/relaxed";
import simd from "#kernels/simd";
import type { KernelBinaries } from "./variant.ts";

export const KERNELS: KernelBinaries = { simd, relaxed };
