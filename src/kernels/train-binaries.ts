/**
 * The builds that can train, inside the bundle.
 *
 * @module
 */
import simd from "#kernels/train-simd";
import simdThreads from "#kernels/train-simd-threads";

type Binary = Uint8Array<ArrayBuffer> | WebAssembly.Module;

/**
 * One SIMD level only: training is f32, and relaxed f32 instructions differ between engines. The threaded build is
 * absent where there are no threads.
 */
export interface TrainKernels {
  readonly simd: Binary;
  readonly "simd-threads"?: Binary;
}

export const TRAIN_KERNELS: TrainKernels = { simd, "simd-threads": simdThreads };
