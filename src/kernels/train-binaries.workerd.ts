/**
 * Replaces `train-binaries.ts` in the build for workerd, which compiles nothing at run time and has no threads: the
 * kernels are a file beside the bundle, and importing it gives a compiled module.
 *
 * @module
 */
import simd from "#kernels/train-simd";
import type { TrainKernels } from "./train-binaries.ts";

export const TRAIN_KERNELS: TrainKernels = { simd };
