/**
 * onebit/worker-host: for your own worker script, where a Content-Security-Policy forbids Blob URLs or the worker does
 * other work too.
 *
 * @module onebit/worker-host
 */
import { load } from "./index.ts";
import { type ConnectionScope, serveWith } from "./web/serve.ts";

/**
 * Lets pages run models in this worker: `loadInWorker(source, { worker })`. Call it once, in the worker's script.
 *
 * @example
 * ```ts
 * // model-worker.js, started by new Worker(new URL("./model-worker.js", import.meta.url), { type: "module" })
 * import { serve } from "onebit/worker-host";
 *
 * serve();
 * ```
 */
export function serve(): void {
  serveWith(load, globalThis as unknown as ConnectionScope);
}
