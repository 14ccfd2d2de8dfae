/**
 * The script of the worker that `onebit/worker` starts by itself.
 *
 * @module
 */
import { load } from "../index.ts";
import { type ConnectionScope, serveWith } from "./serve.ts";

serveWith(load, globalThis as unknown as ConnectionScope);
