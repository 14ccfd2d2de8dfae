/**
 * The script of the worker that `onebit/worker` starts by itself. It computes with the kernels that the page sends: the
 * package and what a page fetches hold them once.
 *
 * @module
 */
import { loadWithKernels } from "../load.ts";
import { type ConnectionScope, serveWith } from "./serve.ts";

serveWith(
  (source, options, kernels = {}) => loadWithKernels(kernels, source, options),
  globalThis as unknown as ConnectionScope,
);
