/**
 * `onebit/server`: models behind the HTTP interface of OpenAI, as a function from requests to responses.
 *
 * @module onebit/server
 */
export { createHandler } from "./server/handler.ts";
export type { CloseOptions, Handler } from "./server/handler.ts";
export type { ModelLoader, ModelToLoad, ServedModel, ServerOptions, SnapshotStore } from "./server/server-options.ts";
