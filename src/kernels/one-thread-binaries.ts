/**
 * The builds of the kernels that run on one thread, as bytes.
 *
 * @module
 */
import relaxed from "#kernels/relaxed";
import simd from "#kernels/simd";

export const KERNELS_FOR_ONE_THREAD = { simd, relaxed };
