/**
 * The script of the page's worker: runs a model, and stores models.
 *
 * @module
 */
import { type ConnectionScope, serveWith } from "../serve.ts";
import { loadWithFetchedKernels } from "./kernel-files.ts";
import { STARTED } from "./start-worker.ts";
import { serveStore } from "./store-host.ts";

const scope = globalThis as unknown as ConnectionScope;

serveWith(loadWithFetchedKernels(new URL("./", globalThis.location.href).href), scope);
serveStore(scope);
globalThis.postMessage(STARTED);
