/**
 * The kernels that a page sends to its worker.
 *
 * @module
 */
import { packagePart } from "../core/package-part.ts";
import type { KernelBinaries } from "../kernels/variant.ts";

/** The same parts that `load` computes with: a page that uses both has them once. */
export async function fetchKernels(mayUseThreads: boolean): Promise<KernelBinaries> {
  const [one, several] = await Promise.all([
    packagePart("the kernels", () => import("../kernels/one-thread-binaries.ts")),
    mayUseThreads ? packagePart("the kernels for threads", () => import("../kernels/thread-binaries.ts")) : undefined,
  ]);
  return { ...one.KERNELS_FOR_ONE_THREAD, ...several?.KERNELS_FOR_THREADS };
}
