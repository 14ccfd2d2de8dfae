/**
 * The builds of the kernels that share their memory between threads, as bytes. A page without shared memory can leave
 * them where they are.
 *
 * @module
 */
import relaxedThreads from "#kernels/relaxed-threads";
import simdThreads from "#kernels/simd-threads";

export const KERNELS_FOR_THREADS = { "simd-threads": simdThreads, "relaxed-threads": relaxedThreads };
