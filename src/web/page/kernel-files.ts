/**
 * The kernels as files beside the page: a browser fetches only those it can run, 17 KB each compressed.
 *
 * @module
 */
import { OnebitError, fail } from "../../core/errors.ts";
import { platformWithHub } from "../../hub.ts";
import type { LoadModelOptions, Model, ModelSource } from "../../index.ts";
import type { KernelBinaries, Variant } from "../../kernels/variant.ts";
import { loadWithKernels } from "../../load.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import { likelyVariants } from "./likely-variants.ts";

/** File names of a variant, which the build puts beside the page. */
export function kernelFiles(variant: Variant, threads: boolean): readonly (keyof KernelBinaries)[] {
  return threads ? [variant, `${variant}-threads`] : [variant];
}

/**
 * `load` that fetches its kernels from `folder` (a URL that ends in a slash), and knows the models that the browser
 * keeps.
 * @throws OnebitError as `load`; `hub/network` when it cannot fetch one
 */
export function loadWithFetchedKernels(
  folder: string,
): (source?: ModelSource, options?: LoadModelOptions) => Promise<Model> {
  return async (source, options = {}) => {
    if (typeof WebAssembly === "undefined")
      fail(
        "engine/unsupported",
        "this browser has no WebAssembly, so no WebAssembly SIMD either; some switch it off in a locked-down mode",
      );
    const variants = likelyVariants(),
      platform = platformWithHub(),
      threads = platform.spawnThread !== undefined && options.threads !== 1;
    for (const [i, variant] of variants.entries()) {
      try {
        return await loadWithKernels(await fetchKernels(folder, kernelFiles(variant, threads)), source, {
          ...options,
          platform,
        });
      } catch (error) {
        // The engine accepts relaxed SIMD but computes wrong results, as V8 before 11.4: plain kernels are right
        // everywhere.
        const isVariant = error instanceof OnebitError && error.code === "engine/unsupported";
        if (!isVariant || i === variants.length - 1) throw error;
      }
    }
    return fail("engine/unsupported", "wanted kernels for this browser, found none");
  };
}

async function fetchKernels(folder: string, names: readonly (keyof KernelBinaries)[]): Promise<KernelBinaries> {
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await fetchBytes(`${folder}kernels.${name}.wasm`)])),
  );
}
