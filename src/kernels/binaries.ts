/**
 * The kernels inside the bundle, as bytes; loading a model compiles them.
 *
 * @module
 */
import { KERNELS_FOR_ONE_THREAD } from "./one-thread-binaries.ts";
import { KERNELS_FOR_THREADS } from "./thread-binaries.ts";
import type { KernelBinaries } from "./variant.ts";

export const KERNELS: KernelBinaries = { ...KERNELS_FOR_ONE_THREAD, ...KERNELS_FOR_THREADS };
