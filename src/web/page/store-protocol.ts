/**
 * What the page can ask of the worker that keeps its models: the calls of the service "store".
 *
 * @module
 */
import type { KeptModel, PullProgress } from "../../hub.ts";

export interface StoreCalls {
  /** Brings a model here, or goes on with it. */
  pull: {
    args: [source: string];
    done: { readonly source: string; readonly sizeBytes: number };
    progress: PullProgress;
  };
  list: { args: []; done: readonly KeptModel[] };
  remove: { args: [source: string]; done: { readonly freedBytes: number } };
}
