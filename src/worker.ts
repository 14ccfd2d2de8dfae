/**
 * onebit/worker: a model in a worker of the page, so that the page stays free.
 *
 * @module onebit/worker
 */
import { fail } from "./core/errors.ts";
import { type Kind, OBJECT, check } from "./core/options.ts";
import { packagePart } from "./core/package-part.ts";
import { DEFAULT_MODEL_THREADS, defaultModelBytes } from "./default-model.ts";
import { NOT_ALLOWED } from "./web/connection.ts";
import { fetchKernels } from "./web/worker-kernels.ts";
import {
  type StartedWorker,
  type WorkerLoadOptions,
  type WorkerModel,
  type WorkerModelSource,
  loadInWorkerOf,
} from "./web/worker-model.ts";

export { OnebitError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export { WorkerContext } from "./web/worker-context.ts";
export { WorkerGeneration } from "./web/worker-generation.ts";
export { WorkerModel } from "./web/worker-model.ts";
export type { WorkerLoadOptions, WorkerModelSource } from "./web/worker-model.ts";
export type { WorkerTokenizer } from "./web/worker-tokenizer.ts";

/**
 * Loads a model in a worker of the page, so that the page stays free; without a source the one in the package.
 *
 * @param source a URL (relative to the page), a file or its bytes
 * @throws OnebitError as `load`; `engine/worker-failed` when the worker does not start, `engine/worker-lost` when it
 *   dies
 * @example
 * ```ts
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker("model.gguf", {
 *   contextLength: 256,
 *   onProgress: ({ loadedBytes, totalBytes }) => console.log(loadedBytes / totalBytes),
 * });
 * for await (const { text } of model.generate("Once upon a time", { maxTokens: 8 })) console.log(text);
 * await model.close(); // ends the worker
 * ```
 */
export async function loadInWorker(source?: WorkerModelSource, options: WorkerLoadOptions = {}): Promise<WorkerModel> {
  if (source !== undefined) return await loadInWorkerOf(() => startBlobWorker(options.threads), source, options);
  const given = check("loadInWorker: options", options, OBJECT as Kind<WorkerLoadOptions>),
    threads = given.threads ?? DEFAULT_MODEL_THREADS;
  return await loadInWorkerOf(() => startBlobWorker(threads), await defaultModelBytes(), { ...given, threads });
}

/** The engine is a text inside this package, loaded on demand, so that bundlers need not handle a worker file. */
async function startBlobWorker(threads: number | undefined): Promise<StartedWorker> {
  const [{ default: source }, kernels] = await Promise.all([
    packagePart("the engine of the worker", () => import("#engine-worker")),
    fetchKernels(threads !== 1 && typeof SharedArrayBuffer !== "undefined"),
  ]);
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    // A module worker: Deno has no others.
    const worker = new Worker(url, { type: "module", name: "onebit" });
    return { worker, kernels, started: () => URL.revokeObjectURL(url), stop: () => worker.terminate() };
  } catch (cause) {
    // WebKit throws here; other browsers refuse by an event.
    URL.revokeObjectURL(url);
    return fail("engine/worker-failed", `the worker did not start: ${NOT_ALLOWED}`, cause);
  }
}
